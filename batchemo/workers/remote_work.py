"""What a cluster's worker does with a chunk: it has a process of its own work on it.

A recording that crashes or hangs its decoder costs that process. If it cost the cluster's worker,
the scheduler would start its chunk elsewhere, to cost more workers, and blame all chunks that these
held. The process is kept for the next chunk, with its models; a worker of several threads has one
for each.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from multiprocessing.util import Finalize
from platform import python_version
from socket import gethostname
from time import monotonic, sleep
from typing import Any

from batchemo import __version__
from batchemo.common.text import for_display
from batchemo.errors import BatchemoError, describe
from batchemo.sources import Recording
from batchemo.workers.executor import ChunkResult, Work
from batchemo.workers.kept_worker import KeptWorker

IDLE_SECONDS = 60.0
"""How long a process without work is kept: it holds a model in memory."""

CLOSE_FIRST = 100
"""The priority of what ends our processes when a worker's process ends: it would wait for them."""


@dataclass(frozen=True, slots=True)
class Requirements:
    """What the machine of a run has, and all workers need too, for the same rows."""

    models: tuple[tuple[str, str], ...] = ()
    """The name, or the folder, of each model and its digest."""
    version: str = __version__


@dataclass(frozen=True, slots=True)
class RemoteResult:
    """The result for a chunk, and the host that it comes from."""

    host: str
    result: ChunkResult[Any]


def work_remotely(
    requirements: Requirements, timeout: float, work: Work[Any], recordings: Sequence[Recording]
) -> RemoteResult:
    """Work on a chunk in a process of this worker's own, if this worker may."""
    host = gethostname()
    try:
        _check(requirements)
        with _processes.borrow() as worker:
            done = worker.run(partial(_work_apart, work), _lost, recordings, timeout)
    except BatchemoError as error:
        return RemoteResult(host, ChunkResult(fatal=f"the worker on {host}: {error}"))
    except (OSError, MemoryError, ImportError) as error:
        return RemoteResult(host, ChunkResult(fatal=f"the worker on {host}: {describe(error)}"))
    return RemoteResult(host, replace(_together(done.rows), stages=done.stages))


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """What a worker has, for a comparison with the machine of a run."""

    host: str
    versions: dict[str, str]
    """Of Python and of packages."""
    digests: dict[str, str]
    """Of models."""
    trouble: str | None
    """Why it cannot have a process of its own; None if it can."""


def facts(packages: Sequence[str], models: Sequence[str]) -> WorkerFacts:
    """Return what this process has of packages and models, and whether it can start processes.

    >>> facts(["no-such-package"], ["no-such-model"]).digests
    {}
    """
    from importlib.metadata import PackageNotFoundError, version

    from batchemo.bundles import load_bundle

    versions = {"python": python_version(), "batchemo": __version__}
    for name in packages:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    digests = {}
    for name in models:
        with suppress(BatchemoError):
            digests[name] = load_bundle(name).digest
    trial = work_remotely(Requirements(), 0, _nothing, [Recording("/", "trial", None, None)])
    return WorkerFacts(gethostname(), versions, digests, trial.result.fatal)


def _nothing(recordings: Sequence[Recording]) -> ChunkResult[None]:
    return ChunkResult((None,) * len(recordings))


# What does not raise is remembered; a worker that has been put right need not start again.
@lru_cache(maxsize=4)
def _check(requirements: Requirements) -> None:
    """Raise a BatchemoError unless this worker has what the run needs."""
    from batchemo.bundles import load_bundle

    if requirements.version != __version__:
        raise BatchemoError(
            f"it has batchemo {__version__}, and the machine of this run {requirements.version}:"
            " install the same version on both"
        )
    for name, digest in requirements.models:
        if load_bundle(name).digest != digest:
            raise BatchemoError(
                f"its model {for_display(name)} is another one than on the machine of this run:"
                " copy it there"
            )


def _work_apart(work: Work[Any], recordings: Sequence[Recording]) -> ChunkResult[ChunkResult[Any]]:
    """Return a result for each recording, so that our dispatcher here can do without others.

    What is one recording may be pieces of it: then the result is of all of them.
    """
    whole = work(recordings)
    if whole.fatal is not None:
        return ChunkResult(fatal=whole.fatal)
    if len(recordings) == 1:
        return ChunkResult((replace(whole, stages={}),), whole.stages)
    rows = iter(whole.rows)
    results: list[ChunkResult[Any]] = []
    for place in range(len(recordings)):
        cut = whole.cut.get(place)
        results.append(ChunkResult((next(rows),)) if cut is None else ChunkResult(cut={0: cut}))
    return ChunkResult(tuple(results), whole.stages)


def _lost(recording: Recording, reason: str, detail: str) -> ChunkResult[Any]:
    return ChunkResult(lost={0: (reason, detail)})


def _together(results: Sequence[ChunkResult[Any]]) -> ChunkResult[Any]:
    """Return one result for all recordings of a chunk, given one for each."""
    return ChunkResult(
        rows=tuple(row for result in results for row in result.rows),
        cut={place: result.cut[0] for place, result in enumerate(results) if result.cut},
        lost={place: result.lost[0] for place, result in enumerate(results) if result.lost},
    )


class _Processes:
    """The processes of this worker that are not at work."""

    def __init__(self) -> None:
        self._free: list[KeptWorker] = []
        self._lock = threading.Lock()
        self._used_at = 0.0
        self._closer: threading.Thread | None = None
        """Closes what is idle. One for all chunks: a worker of Dask looks at its stacks again and
        again (`sys._current_frames`), which can lock it up in the moment when a thread starts."""

    @contextmanager
    def borrow(self) -> Iterator[KeptWorker]:
        """Lend a process, which starts with its first work."""
        _allow_processes(self)
        with self._lock:
            worker = self._free.pop() if self._free else KeptWorker()
        try:
            yield worker
        finally:
            with self._lock:
                self._free.append(worker)
                self._used_at = monotonic()
                if self._closer is None:
                    self._closer = threading.Thread(target=self._close_when_idle, daemon=True)
                    self._closer.start()

    def _close_when_idle(self) -> None:
        while (seconds := self._seconds_left()) > 0:
            sleep(seconds)
        self.close()

    def _seconds_left(self) -> float:
        """Return how long idle processes are kept from now on; at 0, the thread ends."""
        with self._lock:
            seconds = self._used_at + IDLE_SECONDS - monotonic()
            if seconds <= 0:
                self._closer = None
            return seconds

    def close(self) -> None:
        """End those that are free."""
        with self._lock:
            idle, self._free = self._free, []
        for worker in idle:
            worker.close()


@lru_cache(maxsize=1)
def _allow_processes(processes: _Processes) -> None:
    """Let this process have others: Dask's workers are daemons, which may not have any.

    This is there so that none is left when a daemon is killed. Ours end with their parent.
    """
    own = multiprocessing.current_process()
    if own.daemon:
        own.daemon = False
    Finalize(None, processes.close, exitpriority=CLOSE_FIRST)


_processes = _Processes()
