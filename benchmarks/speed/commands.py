"""Runs a command as a process of its own, and tells how long it took and what memory it held."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

BENCHMARKS = Path(__file__).parents[1]
CHECKOUT = BENCHMARKS.parent
PYTHON = (sys.executable, "-c")
BATCHEMO = (
    *PYTHON,
    "import sys; sys.path[:] = filter(None, sys.path); from batchemo.cli import main; main()",
)
"""The installed command's own words, so that a checkout need not be installed; the current folder,
which comes first for `-c`, may be another checkout."""

DONE, SOME_FAILED = 0, 3
LOOKS_AFTER = 0.1


@dataclass(frozen=True)
class Ran:
    """How a command went. Memory is resident, in bytes; 0 where the system does not tell."""

    seconds: float
    cpu: float
    """Processor seconds, those of its workers included."""
    parent: int = 0
    worker: int = 0
    """The largest of its workers."""
    first: float | None = None
    """Seconds until the first line that was waited for."""


class CommandFailedError(Exception):
    """A command that is measured ended badly: there is nothing to measure."""


def environment(checkout: Path = CHECKOUT) -> Mapping[str, str]:
    """Let commands find the checkout and what lies beside it, and keep TensorFlow quiet."""
    paths = [str(checkout), str(BENCHMARKS), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "",
    }


def run(
    command: Sequence[str],
    *,
    checkout: Path = CHECKOUT,
    awaited: Callable[[str], bool] = lambda line: False,
) -> Ran:
    """Run a command to its end; `awaited` tells the line on its output that counts as the first."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(checkout),
    )
    with HeartbeatMonitor(process.pid) as watch:
        said = _Ear(process)
        first = None
        for line in process.stdout or ():
            if first is None and awaited(line):
                first = time.perf_counter() - began
        # The one way to learn what this process alone has used, its workers included.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
    process.returncode = code = os.waitstatus_to_exitcode(status)
    if code not in (DONE, SOME_FAILED):
        raise CommandFailedError(f"{' '.join(command)} ended with {code}:\n{said.last_words()}")
    cpu = usage.ru_utime + usage.ru_stime
    return Ran(seconds, cpu, watch.parent, watch.worker, first)


class _Ear(threading.Thread):
    """Reads what a process complains of, so that it never waits for a reader."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        super().__init__(daemon=True)
        self._process = process
        self._lines: list[str] = []
        self.start()

    def run(self) -> None:
        self._lines = list(self._process.stderr or ())

    def last_words(self) -> str:
        self.join()
        return "".join(self._lines[-5:])


class HeartbeatMonitor:
    """Looks at the largest memory that a process and its descendants have held, now and then."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.parent = 0
        self.worker = 0

    def __enter__(self) -> HeartbeatMonitor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(LOOKS_AFTER):
            self.parent = max(self.parent, peak_of(self._pid))
            workers = map(peak_of, descendants(self._pid))
            self.worker = max([self.worker, *workers])


def peak_of(pid: int) -> int:
    """The largest resident memory of a process so far; 0 where nobody tells."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def descendants(pid: int) -> Iterator[int]:
    """The processes that a process started, and those that they started."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        children = [
            child for thread in threads for child in (thread / "children").read_text().split()
        ]
    except OSError:
        return
    for child in map(int, children):
        yield child
        yield from descendants(child)
