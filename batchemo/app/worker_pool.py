"""The workers of the page: processes that are kept warm, each lent to one visitor at a time.

A recording is never decoded in the server's own process: a decoder that crashes, hangs or grows
takes a worker with it, and neither the page nor what others are having analysed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import lru_cache, partial
from queue import Empty, LifoQueue

from batchemo.app.job import (
    Heard,
    Job,
    lost_result,
    work,
)
from batchemo.errors import BatchemoError
from batchemo.sources import Recording
from batchemo.workers.dispatcher import Dispatcher
from batchemo.workers.executor import (
    Chunk,
    ChunkResult,
    ProcessExecutor,
    R,
    Work,
    available_cpus,
)

PATIENCE = 600.0
"""Seconds that a visitor waits for a free worker."""

CLOSED = "the page is being closed"


class Worker:
    """A worker process, started at its first recording and again after a death.

    To the dispatcher it is an executor that survives being let go of.
    """

    def __init__(self) -> None:
        self._crumbs = tempfile.TemporaryDirectory(prefix="batchemo-app-worker-")
        self._processes: ProcessExecutor | None = None
        self._closed = False

    def hear(self, job: Job, recording: Recording) -> Heard:
        """Have a recording heard; when it kills its worker or takes too long, its rows say so."""
        dispatcher = Dispatcher(
            lambda workers: self,
            partial(work, job),
            partial(lost_result, job),
            workers=1,
            timeout=job.timeout,
            heartbeats=self._crumbs.name,
        )
        try:
            (finished,) = dispatcher.run(iter([Chunk(0, (recording,))]))
        except RuntimeError:  # What a pool raises that is closed under work; it has many names.
            if self._closed:
                raise BatchemoError(CLOSED) from None
            raise
        return finished.rows[0]

    def submit(self, work: Work[R], chunk: Sequence[Recording]) -> Future[ChunkResult[R]]:
        """Begin to work on a chunk."""
        if self._closed:
            raise BatchemoError(CLOSED)
        if self._processes is None:
            self._processes = ProcessExecutor(self._crumbs.name, 1)
        return self._processes.submit(work, chunk)

    @property
    def alive(self) -> bool:
        """Whether a recording that was handed over will come back, well or not."""
        return self._processes is None or self._processes.alive

    def shutdown(self, *, kill: bool) -> None:
        """Keep the worker for the next recording; with `kill`, end it."""
        if kill and self._processes is not None:
            self._processes.shutdown(kill=True)
            self._processes = None

    def close(self) -> None:
        """End the worker for good, also in the midst of its work."""
        self._closed = True
        self.shutdown(kill=True)


class WorkerPool:
    """All the workers there are."""

    def __init__(self, jobs: int = 0) -> None:
        self._desks = [Worker() for _ in range(jobs or available_cpus())]
        # Last in, first out: a worker that was never needed is never started.
        self._free: LifoQueue[Worker] = LifoQueue()
        for worker in self._desks:
            self._free.put(worker)

    @contextmanager
    def borrow(self) -> Iterator[Worker]:
        """Lend a free worker, or wait for one."""
        try:
            worker = self._free.get(timeout=PATIENCE)
        except Empty:
            raise BatchemoError("too many recordings are waiting: try again later") from None
        try:
            yield worker
        finally:
            self._free.put(worker)

    @property
    def free(self) -> int:
        """How many workers nobody is waiting for."""
        return self._free.qsize()

    def close(self) -> None:
        """End all workers."""
        for worker in self._desks:
            worker.close()


@lru_cache(maxsize=1)
def shared_pool(jobs: int) -> WorkerPool:
    """Give the desks of this server, the same for all its visitors."""
    return WorkerPool(jobs)
