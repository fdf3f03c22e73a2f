"""A worker process that is kept between pieces of work, with our own quarantine around it.

Where recordings come one after another, as on a page or on a cluster's worker, starting a process
and loading a model for each would take most of a second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from functools import partial

from batchemo.common.locks import scratch_folder
from batchemo.errors import BatchemoError
from batchemo.sources import Recording
from batchemo.workers.dispatcher import Dispatcher, FinishedChunk
from batchemo.workers.executor import (
    Chunk,
    ChunkResult,
    Executor,
    ExecutorFactory,
    ProcessExecutor,
    R,
    Work,
)


class KeptWorker:
    """A worker process that is started for its first recording, and again after it died.

    To the dispatcher it is an executor. A dispatcher lives for one call of `run` and shuts its
    executor down at the end; `shutdown` without `kill` therefore keeps the process. `executor`
    replaces the process, in tests.
    """

    workers = 1

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
        recordings: Sequence[Recording],
        timeout: float,
    ) -> FinishedChunk[R]:
        """Do work on recordings; if one kills its worker or takes too long, `lost` says so."""
        dispatcher = Dispatcher(
            lambda workers: self,
            work,
            lost,
            workers=1,
            timeout=timeout,
            heartbeats=self._heartbeats,
        )
        try:
            (finished,) = dispatcher.run(iter([Chunk(0, tuple(recordings))]))
        except RuntimeError:
            # loky raises several subclasses of it when a pool is closed while it works.
            if self._closed:
                raise _is_closed() from None
            raise
        return finished

    def submit(self, work: Work[R], chunk: Sequence[Recording]) -> Future[ChunkResult[R]]:
        """Start the work on a chunk."""
        if self._closed:
            raise _is_closed()
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


def _is_closed() -> BatchemoError:
    return BatchemoError("the server is being closed")
