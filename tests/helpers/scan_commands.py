"""A corpus to scan, and `batchemo scan` in this process or as a process of its own."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import COMMAND, RunCommand
from voices import write_voice

from batchemo.bundles import Bundle
from batchemo.inference.loaded import cached_models

__all__ = ["COMMAND", "Scan", "corpus", "environment", "scan", "scan_inline", "wait_until"]

POISON = str(Path(__file__).parent / "poison")

Scan = Callable[..., "subprocess.CompletedProcess[str]"]


def wait_until(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Wait for something that another process does; fail when it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Twelve synthetic recordings in two folders."""
    folder = tmp_path / "corpus"
    for index in range(12):
        name = f"{'anna' if index < 6 else 'ben'}/take {index:02d}.wav"
        write_voice(folder / name, seconds=0.8 + 0.1 * (index % 5), seed=index)
    return folder


def environment(*, poison: bool) -> dict[str, str]:
    """Return the environment of a command, with `poison` one whose decoder may do harm."""
    path = os.environ.get("PYTHONPATH", "")
    return {**os.environ, "PYTHONPATH": f"{POISON}:{path}"} if poison else dict(os.environ)


@pytest.fixture
def scan(tiny_bundle: Bundle) -> Scan:
    """Run `batchemo scan` as a process of its own: `scan(corpus, "-o", "r.parquet", code=0)`."""

    def run(
        *words: str | Path, code: int = 0, poison: bool = False, **changes: str
    ) -> subprocess.CompletedProcess[str]:
        completed = subprocess.run(
            [*COMMAND, "scan", "-m", str(tiny_bundle.path), *map(str, words)],
            capture_output=True,
            text=True,
            timeout=300,
            env=environment(poison=poison) | changes,
        )
        assert completed.returncode == code, completed.stderr
        return completed

    return run


@pytest.fixture
def scan_inline(tiny_bundle: Bundle, batchemo: RunCommand, inline_workers: None) -> Scan:
    """Run `batchemo scan` in this process, where processes are not the subject of the test.

    It is called like `scan`, and gives the same tables, output and exit codes. Signals, crashes
    and changes of the environment need `scan`.
    """

    def run(*words: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        # A worker process would load the models anew: the bundle may have been changed.
        cached_models.cache_clear()
        completed = batchemo("scan", "-m", tiny_bundle.path, *words)
        assert completed.code == code, completed.err
        return subprocess.CompletedProcess(words, completed.code, completed.out, completed.err)

    return run
