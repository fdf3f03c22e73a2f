"""Runs the command in this process or as a process, and recordings to run it on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from voices import write_voice

from batchemo.bundles import Bundle
from batchemo.cli.main import run
from batchemo.workers.dispatcher import run_chunks
from batchemo.workers.executor import InlineExecutor

COMMAND = [sys.executable, "-c", "from batchemo.cli import main; main()"]


@dataclass(frozen=True)
class Completed:
    """The outcome of a command."""

    code: int
    out: str
    err: str


RunCommand = Callable[..., Completed]


@pytest.fixture
def batchemo(capfd: pytest.CaptureFixture[str]) -> RunCommand:
    """Run a command in this process: `batchemo("show", path)`."""

    def call(*args: object) -> Completed:
        capfd.readouterr()
        code = run([str(arg) for arg in args])
        return Completed(code, *capfd.readouterr())

    return call


@pytest.fixture
def batchemo_process() -> RunCommand:
    """Run a command as a process, with additional environment variables as keywords."""

    def call(*args: object, **environment: str) -> Completed:
        completed = subprocess.run(
            [*COMMAND, *map(str, args)],
            capture_output=True,
            text=True,
            env={**os.environ, **environment},
            timeout=60,
        )
        return Completed(completed.returncode, completed.stdout, completed.stderr)

    return call


@pytest.fixture
def inline_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `scan` and `features` analyse in this process, which gives the same rows."""

    def run_inline(*args: Any, **options: Any) -> Iterator[Any]:
        return run_chunks(*args, **{**options, "executor": InlineExecutor})

    monkeypatch.setattr("batchemo.batch.scan.run_chunks", run_inline)
    monkeypatch.setattr("batchemo.batch.feature_table.run_chunks", run_inline)


@pytest.fixture(scope="session")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two recordings of each of two speakers, and one file that is not audio."""
    folder = tmp_path_factory.mktemp("voices")
    for seed, name in enumerate(("anna/one", "anna/two", "bert/one", "bert/two")):
        write_voice(folder / f"{name}.wav", seconds=1.0 + seed, seed=seed)
    (folder / "bert" / "broken.wav").write_text("not a recording\n")
    return folder


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for files that are made once and read by many tests."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture
def scanned_voices(shared_folder: Path, voices: Path, tiny_bundle: Bundle) -> Path:
    """The recordings table of `voices`, by `tiny_bundle`; to be read only."""
    path = shared_folder / "results.parquet"
    if not path.exists():
        run(["scan", str(voices), "-o", str(path), "-m", str(tiny_bundle.path), "-j", "1", "-q"])
    return path
