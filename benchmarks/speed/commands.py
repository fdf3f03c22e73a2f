"""Runs a command in its own process and measures its time and its memory, from outside."""

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
"""The command `batchemo`, of a checkout that need not be installed: it is found by PYTHONPATH. For
`-c`, Python searches the current folder first, which may be another checkout: it is left out."""

DONE, SOME_FAILED = 0, 3
"""The exit codes of a scan that finished."""
SAMPLING_INTERVAL = 0.1
"""Seconds between two looks at the memory. Peaks are of the kernel, so that none is missed but of
processes that live for less than this."""


@dataclass(frozen=True)
class Measurement:
    """The time and the memory of one run of a command. Memory is 0 where it is not known."""

    seconds: float
    cpu: float
    """Processor seconds, including those of worker processes."""
    parent_memory: int = 0
    """Peak resident memory of the command's own process, in bytes."""
    worker_memory: int = 0
    """Peak resident memory of the largest worker process, in bytes."""
    first_line: float | None = None
    """Seconds until the first line of interest on the output."""


class CommandFailedError(Exception):
    """The command failed, so there is nothing to measure."""


def run(
    command: Sequence[str],
    *,
    checkout: Path = CHECKOUT,
    is_first_line: Callable[[str], bool] = lambda line: False,
) -> Measurement:
    """Run a command to its end; `is_first_line` recognises the line whose time is `first_line`."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(checkout),
    )
    with MemoryMonitor(process.pid) as memory:
        errors = _ErrorReader(process)
        first_line = None
        for line in process.stdout or ():
            if first_line is None and is_first_line(line):
                first_line = time.perf_counter() - start
        # Only wait4 returns the usage of this one process and its workers; RUSAGE_CHILDREN would
        # be the sum over all commands so far.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
    process.returncode = code = os.waitstatus_to_exitcode(status)
    if code not in (DONE, SOME_FAILED):
        raise CommandFailedError(f"{' '.join(command)} ended with {code}:\n{errors.last_lines()}")
    cpu = usage.ru_utime + usage.ru_stime
    return Measurement(seconds, cpu, memory.parent, memory.worker, first_line)


def environment(checkout: Path = CHECKOUT) -> Mapping[str, str]:
    """Return an environment in which Python finds the checkout and the package `others`."""
    paths = [str(checkout), str(BENCHMARKS), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        # All contenders are measured on the processor.
        "CUDA_VISIBLE_DEVICES": "",
    }


class _ErrorReader(threading.Thread):
    """Reads the stderr of a process, which would otherwise stop when the pipe is full."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        super().__init__(daemon=True)
        self._process = process
        self._lines: list[str] = []
        self.start()

    def run(self) -> None:
        self._lines = list(self._process.stderr or ())

    def last_lines(self) -> str:
        self.join()
        return "".join(self._lines[-5:])


class MemoryMonitor:
    """Samples the peak memory of a process and its descendants, in a thread."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.parent = 0
        self.worker = 0

    def __enter__(self) -> MemoryMonitor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stop.wait(SAMPLING_INTERVAL):
            self.parent = max(self.parent, peak_memory(self._pid))
            workers = map(peak_memory, descendants(self._pid))
            self.worker = max([self.worker, *workers])


def peak_memory(pid: int) -> int:
    """Return the peak resident memory of a process in bytes; 0 where there is no /proc."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def descendants(pid: int) -> Iterator[int]:
    """Yield the processes that a process started, and those that they started."""
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
