"""Where work is done: an executor of two methods, made of local processes or in this process."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from batchemo.common.locks import scratch_folder, semaphore_path
from batchemo.common.timing import StageSeconds
from batchemo.errors import BatchemoError
from batchemo.sources import Recording
from batchemo.workers.heartbeat import start_worker

T = TypeVar("T")
R = TypeVar("R")
"""The result for one recording: a row of a table, for instance."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Recordings that a worker takes together, and their number in the order of the plan."""

    number: int
    recordings: tuple[Recording, ...]

    @property
    def bytes(self) -> int:
        """The sum of the sizes of the recordings."""
        return sum(recording.size or 0 for recording in self.recordings)


@dataclass(frozen=True, slots=True)
class CutRecording:
    """A recording that is long enough to be worked on in pieces, by several workers."""

    pieces: int
    duration: float | None
    """Seconds, as the recording declares them."""
    recording: Recording | None = None
    """The recording with what was found of it, if that is more than its chunk says."""


@dataclass(frozen=True, slots=True)
class ChunkResult(Generic[R]):
    """A chunk's rows in the order of its recordings, or why no chunk can be worked on."""

    rows: tuple[R, ...] = ()
    stages: StageSeconds = field(default_factory=dict)
    fatal: str | None = None
    """What ends the whole run, such as a model that cannot be loaded."""
    cut: Mapping[int, CutRecording] = field(default_factory=dict)
    """The recordings that are to be worked on in pieces, by their places in the chunk: `rows` has
    those of the others."""
    lost: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    """The recordings that `rows` lacks since they killed their worker or hung, where the executor
    itself finds them: reason and detail by place."""


Work = Callable[[Sequence[Recording]], ChunkResult[R]]
"""A picklable function from the recordings of a chunk to their result.

It raises nothing and writes nothing: what goes wrong with a recording is a row with a reason.
"""


class Executor(Protocol):
    """What a scan needs of a place that works on chunks; a cluster is one too.

    A future with the exception `concurrent.futures.BrokenExecutor` means that workers died: the
    dispatcher shuts the executor down, opens another and finds out which recording it was.
    """

    @property
    def workers(self) -> int:
        """How many chunks it works on at a time, at least one; on a cluster, this may change."""

    def submit(self, work: Work[R], chunk: Sequence[Recording]) -> Future[ChunkResult[R]]:
        """Start the work on a chunk."""

    @property
    def alive(self) -> bool:
        """Whether submitted work can still finish, with or without success."""

    def shutdown(self, *, kill: bool) -> None:
        """Release the workers; with `kill`, end them in the midst of their work."""


ExecutorFactory = Callable[[int], Executor]
"""Opens an executor with this number of workers; a cluster's has as many as there are, for 0."""


class InlineExecutor:
    """Works in this process, at `submit`: for tests and for debugging.

    The results are those of worker processes, byte for byte. But a recording that crashes its
    decoder ends the program, a hang lasts for ever, and Ctrl-C waits for the end of the chunk.

    >>> InlineExecutor().submit(len, "abc").result()
    3
    """

    alive = True

    def __init__(self, workers: int = 1) -> None:
        """Accept any number of workers, as an `ExecutorFactory` must."""
        self.workers = workers

    def submit(self, work: Callable[[T], R], item: T) -> Future[R]:
        """Do the work and return a finished future."""
        from threadpoolctl import threadpool_limits

        future = Future[R]()
        # As in a worker process: a sum over several threads differs in the last bits.
        with threadpool_limits(1, user_api="blas"):
            try:
                future.set_result(work(item))
            except Exception as error:
                future.set_exception(error)
        return future

    def shutdown(self, *, kill: bool) -> None:
        """Do nothing: no work is left."""


def available_cpus() -> int:
    """Return the number of processors that this process may use: affinity and cgroups count."""
    from loky import cpu_count

    return int(cpu_count())


_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""What numeric libraries read, when they are loaded, for the number of threads to start."""

_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "ORT_DISABLE_TELEMETRY": "1"}
"""TensorFlow logs at length in every process; ONNX Runtime would report each to its maker."""

_KEEP_FREED_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(16 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(32 * 2**20),
}
"""glibc gives large arrays back to the system, page by page, and gets them back for the next
recording: with these, it keeps them. Other C libraries do not read them."""

_QUIET_TRACKER = "ignore:resource_tracker"
"""How all warnings of loky's resource tracker begin."""

_BROKEN_POOL_SECONDS = 3.0
"""How long a pool may take, at most, to notice that its workers are gone."""


class ProcessExecutor:
    """Processes of this machine, by loky.

    loky, and not `concurrent.futures`: it starts processes by fork and exec, so that they inherit
    no locks, threads or ONNX Runtime of the parent; it sends functions that are not importable by
    value; and it takes an environment that is set before any library is loaded.
    """

    def __init__(
        self,
        heartbeats: str | None,
        workers: int,
        *,
        threads: int = 1,
        silence_stderr: bool = True,
    ) -> None:
        """Open a pool; its processes start at the first `submit`.

        `threads` is how many a numeric library may use in each worker. One is right for as many
        workers as processors: more only wait for each other, and sums would depend on their number.
        """
        from loky import ProcessPoolExecutor

        self.workers = workers
        self._semaphores: list[str] = []
        # Where it can be seen that its run was killed: heartbeats are in such a folder.
        self._marker = ExitStack()
        if heartbeats is None:
            self._marker.enter_context(scratch_folder())
        # Workers are killed when the thread that starts them ends, and only the main thread is sure
        # to last as long as their work.
        in_main_thread = threading.current_thread() is threading.main_thread()
        prepare = partial(start_worker, follow_thread=in_main_thread, silence_stderr=silence_stderr)
        environment = dict.fromkeys(_THREAD_VARIABLES, str(threads)) | _QUIET | _KEEP_FREED_MEMORY
        try:
            with _start_errors():
                _start_resource_tracker()
                self._pool: Any = ProcessPoolExecutor(
                    max_workers=workers,
                    context=_context(self._semaphores),
                    initializer=prepare,
                    initargs=(heartbeats, os.getpid()),
                    env=environment,
                )
        except BaseException:
            self._remove_traces()
            raise

    def submit(self, work: Callable[[T], R], item: T) -> Future[R]:
        """Start the work on an item, and processes for it where there are fewer than allowed."""
        with _start_errors():
            future: Future[R] = self._pool.submit(work, item)
            return future

    @property
    def alive(self) -> bool:
        """Whether the pool's own thread runs: it dies where it can start no other thread."""
        thread = self._pool._executor_manager_thread
        return thread is None or bool(thread.is_alive())

    def shutdown(self, *, kill: bool) -> None:
        """End the workers at once, with or without `kill`: they have nothing to lose.

        loky's own shutdown waits for the workers, and one that was stopped by a signal would never
        answer. They are killed first, so that the pool finds itself broken; it then gives all its
        futures an exception, and its thread ends before `shutdown` drops what the thread uses.
        """
        for process in list(self._pool._processes):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        thread = self._pool._executor_manager_thread
        # One that is there and was never started: the machine had no room for another thread.
        is_started = thread is None or thread.ident is not None
        if thread is not None and is_started:
            thread.join(_BROKEN_POOL_SECONDS)
            if thread.is_alive():
                # A worker was killed while it handed a result over, and the thread waits for the
                # rest of it. It sees the end of the pipe only when nobody can write to it any
                # more, and this process can as long as its own end is open.
                self._pool._result_queue._writer.close()
        self._pool.shutdown(wait=is_started, kill_workers=True)
        self._remove_traces()

    def _remove_traces(self) -> None:
        """Remove the semaphores, and then the folder by which the next run would find them."""
        # loky removes them when the objects are collected, which may be long after; a run that is
        # killed meanwhile, while it writes its tables, would leave them for ever.
        for name in self._semaphores:
            semaphore_path(name).unlink(missing_ok=True)
        self._marker.close()


def _start_resource_tracker() -> None:
    """Start the process that removes semaphores after their pool has been killed, as a quiet one.

    It warns of everything that it removes, a page of it, in the terminal of a command that is gone.
    """
    from loky.backend.resource_tracker import ensure_running

    # It is started with these options of the interpreter; a filter of our own would not reach it.
    sys.warnoptions.append(_QUIET_TRACKER)
    try:
        ensure_running()
    finally:
        sys.warnoptions.remove(_QUIET_TRACKER)


def _context(names: list[str]) -> Any:
    """Return what makes a pool's processes and semaphores; it appends the latter's names."""
    from loky.backend.context import LokyContext

    context: Any = LokyContext()

    def make(kind: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        semaphore = kind(*arguments, **options)
        names.append(semaphore._semlock.name)
        return semaphore

    for kind in ("Lock", "RLock", "Semaphore", "BoundedSemaphore"):
        setattr(context, kind, partial(make, getattr(context, kind)))
    return context


STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What asks this program to stop; each becomes an exception in the main thread."""


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Hold back the signals that ask to stop while work is submitted.

    An exception in the midst of `submit` may leave a lock of the pool or of a future taken for
    ever, and whatever waits for it next hangs. And workers that start meanwhile inherit the mask:
    a Ctrl-C that is meant for the parent must not end them with a traceback before `start_worker`
    has told them to ignore it.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@contextmanager
def _start_errors() -> Iterator[None]:
    """Turn what loky raises where the machine cannot start workers into a message."""
    try:
        yield
    except (OSError, RuntimeError, UnboundLocalError) as error:
        if isinstance(error, RuntimeError) and type(error) is not RuntimeError:
            raise  # The pool's own subclasses: it is broken, or was closed.
        # Where loky can open no pipe, its clean-up fails with an UnboundLocalError, and the
        # OSError that says why is the context of that.
        cause = error.__context__ if isinstance(error, UnboundLocalError) else error
        if cause is not None and not isinstance(cause, Exception):
            raise cause from None  # A signal, which asks to stop, arrived while a pipe was opened.
        why = getattr(cause, "strerror", None) or cause
        raise BatchemoError(
            f"worker processes cannot be started: {why}. They need a /dev/shm to write to, and "
            "room for processes, threads and open files. What was finished is kept"
        ) from error
