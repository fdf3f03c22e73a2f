"""The worker processes of the page, kept alive between recordings and lent to one visitor each.

A recording is never decoded in the server's own process: a decoder that crashes, hangs or takes too
much memory costs its worker, but neither the page nor the recordings of other visitors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from functools import lru_cache, partial
from queue import Empty, LifoQueue

from batchemo.common.locks import scratch_folder
from batchemo.errors import BatchemoError
from batchemo.sources import Recording
from batchemo.workers.dispatcher import Dispatcher
from batchemo.workers.executor import (
    Chunk,
    ChunkResult,
    Executor,
    ExecutorFactory,
    ProcessExecutor,
    R,
    Work,
    available_cpus,
)

BORROW_TIMEOUT = 600.0
"""Seconds that a visitor waits for a free worker."""

CLOSED = "the page is being closed"


class WorkerPool:
    """A fixed number of workers. `executor` replaces their processes, in tests."""

    def __init__(self, jobs: int = 0, executor: ExecutorFactory | None = None) -> None:
        self._workers = [Worker(executor) for _ in range(jobs or available_cpus())]
        # Last in, first out: workers that are not needed at the same time are never started.
        self._free: LifoQueue[Worker] = LifoQueue()
        for worker in self._workers:
            self._free.put(worker)

    @contextmanager
    def borrow(self) -> Iterator[Worker]:
        """Lend a free worker, or wait for one."""
        try:
            worker = self._free.get(timeout=BORROW_TIMEOUT)
        except Empty:
            raise BatchemoError("too many recordings are waiting: try again later") from None
        try:
            yield worker
        finally:
            self._free.put(worker)

    @property
    def free(self) -> int:
        """The number of workers that are not borrowed."""
        return self._free.qsize()

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers:
            worker.close()


@lru_cache(maxsize=1)
def shared_pool(jobs: int) -> WorkerPool:
    """Return the pool of this server, the same for all its visitors."""
    return WorkerPool(jobs)


class Worker:
    """A worker process that is started for its first recording, and again after it died.

    To the dispatcher it is an executor. A dispatcher lives for one recording and shuts its executor
    down at the end; `shutdown` without `kill` therefore keeps the process, as starting one and
    loading a model takes most of a second.
    """

    def __init__(self, executor: ExecutorFactory | None = None) -> None:
        self._executor: Executor | None = None
        self._closed = False
        self._folders = ExitStack()
        if executor is None:
            # The next server, or the next run of any command, removes that of one that was killed.
            folder = str(self._folders.enter_context(scratch_folder()))
            self._heartbeats: str | None = folder
            self._open: ExecutorFactory = partial(ProcessExecutor, folder)
        else:
            self._heartbeats, self._open = None, executor

    def run(
        self,
        work: Work[R],
        lost: Callable[[Recording, str, str], R],
        recording: Recording,
        timeout: float,
    ) -> R:
        """Do work on a recording; if it kills its worker or takes too long, `lost` says so."""
        dispatcher = Dispatcher(
            lambda workers: self,
            work,
            lost,
            workers=1,
            timeout=timeout,
            heartbeats=self._heartbeats,
        )
        try:
            (finished,) = dispatcher.run(iter([Chunk(0, (recording,))]))
        except RuntimeError:
            # loky raises several subclasses of it when a pool is closed while it works.
            if self._closed:
                raise BatchemoError(CLOSED) from None
            raise
        return finished.rows[0]

    def submit(self, work: Work[R], chunk: Sequence[Recording]) -> Future[ChunkResult[R]]:
        """Start the work on a chunk."""
        if self._closed:
            raise BatchemoError(CLOSED)
        if self._executor is None:
            self._executor = self._open(1)
        return self._executor.submit(work, chunk)

    @property
    def alive(self) -> bool:
        """Whether submitted work can still finish, with or without success."""
        return self._executor is None or self._executor.alive

    def shutdown(self, *, kill: bool) -> None:
        """Keep the process for the next recording; with `kill`, end it."""
        if kill and self._executor is not None:
            self._executor.shutdown(kill=True)
            self._executor = None

    def close(self) -> None:
        """End the process for good, even while it works."""
        self._closed = True
        self.shutdown(kill=True)
        self._folders.close()
