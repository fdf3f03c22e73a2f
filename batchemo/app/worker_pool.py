"""The worker processes of the page, kept alive between recordings and lent to one visitor each.

A recording is never decoded in the server's own process: a decoder that crashes, hangs or takes too
much memory costs its worker, but neither the page nor the recordings of other visitors.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from queue import Empty, LifoQueue

from batchemo.errors import BatchemoError
from batchemo.workers.executor import ExecutorFactory, available_cpus
from batchemo.workers.kept_worker import KeptWorker

BORROW_TIMEOUT = 600.0
"""Seconds that a visitor waits for a free worker."""


class WorkerPool:
    """A fixed number of workers. `executor` replaces their processes, in tests."""

    def __init__(self, jobs: int = 0, executor: ExecutorFactory | None = None) -> None:
        self._workers = [KeptWorker(executor) for _ in range(jobs or available_cpus())]
        # Last in, first out: workers that are not needed at the same time are never started.
        self._free: LifoQueue[KeptWorker] = LifoQueue()
        for worker in self._workers:
            self._free.put(worker)

    @contextmanager
    def borrow(self) -> Iterator[KeptWorker]:
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
