"""Where chunks are worked on: an executor of two methods, and the one made of local processes."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from batchemo.common.timing import StageSeconds
from batchemo.errors import BatchemoError
from batchemo.sources import Recording
from batchemo.workers import heartbeat

R = TypeVar("R")
"""What becomes of one recording: a row of a table, for instance."""


@dataclass(frozen=True, slots=True)
class ChunkResult(Generic[R]):
    """A chunk's rows in the order of its recordings, or why no chunk can be worked on."""

    rows: tuple[R, ...] = ()
    stages: StageSeconds = field(default_factory=dict)
    fatal: str | None = None


Work = Callable[[Sequence[Recording]], ChunkResult[R]]
"""A picklable function from a chunk to what came of it. It raises nothing and writes nothing."""

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
}
"""Workers are processes, one a core: a library that starts threads of its own only slows them."""

QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "ORT_DISABLE_TELEMETRY": "1"}
"""TensorFlow greets every process at length, and ONNX Runtime would tell its maker of each."""


_PARTING = 3.0
"""Seconds in which a pool surely notices that its workers are gone."""

ASKING_TO_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Hold back the signals that ask to stop while work is handed over.

    A lock of the pool's that one of them breaks into is never released, and the pool waits for it
    for ever. And workers that start meanwhile inherit the mask: what is meant for the parent must
    not end them with a traceback before they are ready for it.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ASKING_TO_STOP)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


class Executor(Protocol):
    """What the scan needs of a place that works on chunks; a cluster can be one too.

    A future that ends in `concurrent.futures.BrokenExecutor` means that workers died: the scan
    lets go of the executor, opens another and finds out whose fault it was.
    """

    def submit(self, work: Work[R], chunk: Sequence[Recording]) -> Future[ChunkResult[R]]:
        """Begin to work on a chunk."""

    @property
    def alive(self) -> bool:
        """Whether what was handed over can still end, well or not."""

    def shutdown(self, *, kill: bool) -> None:
        """Let go of the workers; with `kill`, at once."""


ExecutorFactory = Callable[[int], Executor]
"""Opens an executor with this number of workers."""


class InlineExecutor:
    """Works on a chunk in this process, at `submit`: for tests and for debugging.

    The results are those of worker processes, byte for byte. A recording that crashes the decoder
    ends the program, and one that hangs is not ended: for those, processes are needed.
    """

    alive = True

    def __init__(self, workers: int = 1) -> None:
        """Take any number of workers, as the other executors do; this process is the only one."""

    def submit(self, work: Work[R], chunk: Sequence[Recording]) -> Future[ChunkResult[R]]:
        """Do the work and return a finished future."""
        from threadpoolctl import threadpool_limits

        future = Future[ChunkResult[R]]()
        # As in a worker process: a sum over several threads differs in the last bits.
        with threadpool_limits(1, user_api="blas"):
            future.set_result(work(chunk))
        return future

    def shutdown(self, *, kill: bool) -> None:
        """Do nothing: no work is left."""


def available_cpus() -> int:
    """Count the processors that this process may use: affinity and cgroup limits count."""
    from joblib.externals.loky import cpu_count

    return int(cpu_count())


@contextmanager
def _failure_told() -> Iterator[None]:
    """Say in words that the machine has no room for workers."""
    try:
        yield
    except (OSError, RuntimeError, UnboundLocalError) as error:
        if isinstance(error, RuntimeError) and type(error) is not RuntimeError:
            raise  # The pool's own: it is broken, or was closed.
        # Where it can open no pipe, loky stumbles over its own clean-up.
        cause = error.__context__ if isinstance(error, UnboundLocalError) else error
        why = getattr(cause, "strerror", None) or cause
        raise BatchemoError(
            f"worker processes cannot be started: {why}. They need a /dev/shm to write to, and "
            "room for processes, threads and open files. What was finished is kept"
        ) from error


class ProcessExecutor:
    """Processes of this machine, by joblib's loky."""

    def __init__(self, heartbeats: str, workers: int) -> None:
        from joblib.externals.loky import ProcessPoolExecutor

        # Only the main thread is sure to last until the work is done.
        tied = threading.current_thread() is threading.main_thread()
        with _failure_told():
            self._pool: Any = ProcessPoolExecutor(
                max_workers=workers,
                initializer=heartbeat.start_worker,
                initargs=(heartbeats, os.getpid(), tied),
                env=ONE_THREAD | QUIET,
            )

    def submit(self, work: Work[R], chunk: Sequence[Recording]) -> Future[ChunkResult[R]]:
        """Begin to work on a chunk; the workers start here."""
        with _failure_told():
            future: Future[ChunkResult[R]] = self._pool.submit(work, chunk)
            return future

    @property
    def alive(self) -> bool:
        """Whether the pool's own thread does: it dies where it can start no other."""
        thread = self._pool._executor_manager_thread
        return thread is None or bool(thread.is_alive())

    def shutdown(self, *, kill: bool) -> None:
        """End the workers at once: they have nothing to lose, and one may be stopped."""
        for worker in list(self._pool._processes):
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        thread = self._pool._executor_manager_thread
        if thread is not None:
            thread.join(_PARTING)
            if thread.is_alive():
                # It waits for the rest of a result that a worker was handing over, and would for
                # ever, as long as we too could write it.
                self._pool._result_queue._writer.close()
        self._pool.shutdown(wait=True, kill_workers=True)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Recordings that a worker takes together; the number is that of the part they become."""

    number: int
    recordings: tuple[Recording, ...]

    @property
    def bytes(self) -> int:
        """How much there is to read."""
        return sum(recording.size or 0 for recording in self.recordings)
