"""Where chunks are worked on: an executor of two methods, and the one made of local processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

from batchemo.scan import watch
from batchemo.scan.analysis import Done
from batchemo.sources import Recording

Work = Callable[[Sequence[Recording]], Done]
"""A picklable function from a chunk to what came of it."""

ONE_THREAD = {
    name: "1"
    for name in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
    )
}
"""Workers are processes, one a core: a library that starts threads of its own only slows them."""

QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3"}
"""TensorFlow greets every process at length."""


class Executor(Protocol):
    """What the scan needs of a place that works on chunks; a cluster can be one too.

    A future that ends in `concurrent.futures.BrokenExecutor` means that workers died: the scan
    lets go of the executor, opens another and finds out whose fault it was.
    """

    def submit(self, work: Work, chunk: Sequence[Recording]) -> Future[Done]:
        """Begin to work on a chunk."""

    def shutdown(self, *, kill: bool) -> None:
        """Let go of the workers; with `kill`, at once."""


def available_cpus() -> int:
    """Count the processors that this process may use: affinity and cgroup limits count."""
    from joblib.externals.loky import cpu_count

    return int(cpu_count())


class LocalProcesses:
    """Processes of this machine, by joblib's loky."""

    def __init__(self, workers: int, crumbs: str) -> None:
        from joblib.externals.loky import ProcessPoolExecutor

        self._pool: Any = ProcessPoolExecutor(
            max_workers=workers,
            initializer=watch.enter,
            initargs=(crumbs, os.getpid()),
            env=ONE_THREAD | QUIET,
        )

    def submit(self, work: Work, chunk: Sequence[Recording]) -> Future[Done]:
        """Begin to work on a chunk.

        The workers start here and inherit the mask: a Ctrl-C meant for the parent must not end
        them with a traceback before they are ready to ignore it.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            future: Future[Done] = self._pool.submit(work, chunk)
            return future
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

    def shutdown(self, *, kill: bool) -> None:
        """End the workers, at once with `kill`, else when they are idle."""
        self._pool.shutdown(wait=True, kill_workers=kill)
