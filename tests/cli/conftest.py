"""What the tests of the commands need: ways to run them, and something to run them on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from voices import write_voice

from batchemo.bundles import Bundle
from batchemo.cli.main import run


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


@pytest.fixture
def batchemo(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs a command in this process: `batchemo("show", path)`."""

    def call(*args: object) -> Ran:
        capfd.readouterr()
        code = run([str(arg) for arg in args])
        return Ran(code, *capfd.readouterr())

    return call


@pytest.fixture
def batchemo_process() -> Callable[..., Ran]:
    """Runs a command in a process of its own, with more environment where asked."""

    def call(*args: object, **environment: str) -> Ran:
        done = subprocess.run(
            [sys.executable, "-c", "from batchemo.cli import main; main()", *map(str, args)],
            capture_output=True,
            text=True,
            env={**os.environ, **environment},
            timeout=60,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture(scope="session")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder: two speakers with two recordings each, and one file that is no recording."""
    folder = tmp_path_factory.mktemp("voices")
    for seed, name in enumerate(("anna/one", "anna/two", "bert/one", "bert/two")):
        write_voice(folder / f"{name}.wav", seconds=1.0 + seed, seed=seed)
    (folder / "bert" / "broken.wav").write_text("not a recording\n")
    return folder


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what is made once and then read by many tests."""
    return tmp_path_factory.mktemp("once")


@pytest.fixture
def scanned_voices(once: Path, voices: Path, tiny_bundle: Bundle) -> Path:
    """The table of a scan of `voices`; to be read only."""
    path = once / "results.parquet"
    if not path.exists():
        run(["scan", str(voices), "-o", str(path), "-m", str(tiny_bundle.path), "-j", "1", "-q"])
    return path
