"""A corpus to scan, and ways to run the command for real."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from voices import write_voice

from batchemo.bundles import Bundle

COMMAND = [sys.executable, "-c", "from batchemo.cli import main; main()"]
POISON = str(Path(__file__).parent / "poison")

Scan = Callable[..., "subprocess.CompletedProcess[str]"]


def wait_until(what: Callable[[], bool], seconds: float = 120) -> None:
    """Wait for what another process is to do; fail when it does not."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Twelve made voices in two folders."""
    folder = tmp_path / "corpus"
    for index in range(12):
        name = f"{'anna' if index < 6 else 'ben'}/take {index:02d}.wav"
        write_voice(folder / name, seconds=0.8 + 0.1 * (index % 5), seed=index)
    return folder


def environment(*, poison: bool) -> dict[str, str]:
    """The environment of a command whose decoder may do harm."""
    path = os.environ.get("PYTHONPATH", "")
    return {**os.environ, "PYTHONPATH": f"{POISON}:{path}"} if poison else dict(os.environ)


@pytest.fixture
def scan(tiny_bundle: Bundle) -> Scan:
    """Run `batchemo scan` as a process of its own: `scan(corpus, "-o", "r.parquet", code=0)`."""

    def run(
        *words: str | Path, code: int = 0, poison: bool = False, **changes: str
    ) -> subprocess.CompletedProcess[str]:
        ended = subprocess.run(
            [*COMMAND, "scan", "-m", str(tiny_bundle.path), *map(str, words)],
            capture_output=True,
            text=True,
            timeout=300,
            env=environment(poison=poison) | changes,
        )
        assert ended.returncode == code, ended.stderr
        return ended

    return run
