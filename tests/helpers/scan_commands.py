"""A corpus to scan, and `batchemo scan` in this process or as a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest
from command_line import COMMAND, RunCommand
from voices import write_voice

from batchemo.batch.chunk_store import store_folder
from batchemo.bundles import Bundle
from batchemo.inference.loaded import cached_models

__all__ = [
    *("COMMAND", "PausedRecording", "Scan", "StartScan", "corpus", "descendants", "environment"),
    *("finish", "reasons_by_file", "scan", "scan_inline", "start_scan", "wait_for_chunk"),
    "wait_until",
]

POISON = str(Path(__file__).parent / "poison")
SECONDS = 300
"""How long a command may take on a machine that has other work too."""

Scan = Callable[..., "subprocess.CompletedProcess[str]"]
StartScan = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def corpus(tmp_path: Path, shared_folder: Path) -> Path:
    """Twelve synthetic recordings in two folders: the test's own copy of them."""
    original = shared_folder / "corpus"
    if not original.exists():  # Making them takes a hundred times as long as copying them.
        for index in range(12):
            name = f"{'anna' if index < 6 else 'ben'}/take {index:02d}.wav"
            write_voice(original / name, seconds=0.8 + 0.1 * (index % 5), seed=index)
    return Path(shutil.copytree(original, tmp_path / "corpus"))


def reasons_by_file(table: Path) -> dict[str, str | None]:
    """Read the reason of failure of each file; None where there is none."""
    columns = pq.read_table(table, columns=["file", "reason"])
    return dict(zip(columns["file"].to_pylist(), columns["reason"].to_pylist(), strict=True))


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


@pytest.fixture
def scan(start_scan: StartScan) -> Scan:
    """Run `batchemo scan` as a process of its own: `scan(corpus, "-o", "r.parquet", code=0)`."""

    def run(
        *words: str | Path, code: int = 0, poison: bool = False, **changes: str
    ) -> subprocess.CompletedProcess[str]:
        return finish(start_scan(*words, poison=poison, **changes), code=code)

    return run


@pytest.fixture
def start_scan(tiny_bundle: Bundle) -> Iterator[StartScan]:
    """Start `batchemo scan` as a process; one that still runs after the test is killed.

    With `poison` the names of some recordings make the decoder fail (see poison/soundfile.py);
    other keywords are environment variables.
    """
    started: list[subprocess.Popen[str]] = []

    def start(
        *words: str | Path,
        poison: bool = False,
        before: Callable[[], None] | None = None,
        **changes: str,
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*COMMAND, "scan", "-m", str(tiny_bundle.path), *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(poison=poison) | changes,
            preexec_fn=before,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        # Not `communicate`, which would wait for a worker that outlives its parent too.
        process.wait()
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            stream.close()


def environment(*, poison: bool) -> dict[str, str]:
    """Return the environment of a command, with `poison` one whose decoder may do harm."""
    path = os.environ.get("PYTHONPATH", "")
    return {**os.environ, "PYTHONPATH": f"{POISON}:{path}"} if poison else dict(os.environ)


def finish(process: subprocess.Popen[str], *, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Wait for the end of a command, check its exit code, and return what it printed."""
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == code, err
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def wait_until(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Wait for something that another process does; fail when it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def wait_for_chunk(output: Path) -> None:
    """Wait until a scan into this output has stored a chunk."""
    wait_until(lambda: any(store_folder(output).glob("*.chunk.arrow")))


@dataclass(frozen=True)
class PausedRecording:
    """A recording at which a scan with `poison` waits, so that a test can act meanwhile."""

    path: Path

    @classmethod
    def write(cls, folder: Path, name: str = "wait", *, seed: int = 0) -> PausedRecording:
        """Write the recording; its name must contain "wait"."""
        return cls(write_voice(folder / f"{name}.wav", seed=seed))

    def wait(self) -> None:
        """Wait until a worker has begun with the recording."""
        wait_until(Path(f"{self.path}.seen").exists)

    def release(self) -> None:
        """Let the worker go on, now or when it comes to the recording."""
        Path(f"{self.path}.go").touch()

    def reset(self) -> None:
        """Let the next scan wait again."""
        for ending in ("seen", "go"):
            Path(f"{self.path}.{ending}").unlink()


def descendants(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """List the workers and helpers of a command."""
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
