"""Hands chunks to workers, a bounded number at a time, and finds out which recording kills them.

When workers die, or nothing moves any more, all that was in flight comes back. What they had begun
is suspect and is run again alone, with nothing beside it; the rest is run again as it was. A
recording that kills its worker twice when alone is the culprit, and so is one over which its worker
stood still.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import BrokenExecutor, Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Generic

from batchemo.common.locks import scratch_folder
from batchemo.common.timing import StageSeconds
from batchemo.errors import BatchemoError
from batchemo.sources import Recording
from batchemo.workers import heartbeat
from batchemo.workers.executor import (
    Chunk,
    ChunkResult,
    Executor,
    ExecutorFactory,
    ProcessExecutor,
    R,
    Work,
    signals_blocked,
)

CHUNKS_PER_WORKER = 2
"""One that it works on and one that waits for it."""

MAX_DEATHS_ALONE = 2
"""So often must a recording kill a worker when alone: once may be another's doing."""

MAX_FAILED_STARTS = 3
"""So many times in a row may workers die before they begin on anything."""


@dataclass(frozen=True, slots=True)
class FinishedChunk(Generic[R]):
    """All rows of a chunk, in its order."""

    chunk: Chunk
    rows: tuple[R, ...]
    stages: StageSeconds


def run_chunks(
    chunks: Iterator[Chunk],
    work: Work[R],
    lost: Callable[[Recording, str, str], R],
    *,
    workers: int,
    timeout: float,
    executor: ExecutorFactory | None = None,
) -> Generator[FinishedChunk[R], None, None]:
    """Yield every chunk when its work is done, in any order; close it to end the workers.

    `lost` makes the row of a recording whose worker died or hung, given a reason and a detail.
    `executor` opens an executor for a number of workers; by default, processes of this machine.
    """
    if executor is not None:
        # Heartbeats are files on this machine: workers elsewhere have no way to leave any.
        yield from Dispatcher(
            executor, work, lost, workers=workers, timeout=timeout, heartbeats=None
        ).run(chunks)
        return
    with scratch_folder() as folder:
        start = partial(ProcessExecutor, str(folder))
        yield from Dispatcher(
            start, work, lost, workers=workers, timeout=timeout, heartbeats=str(folder)
        ).run(chunks)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some recordings of a chunk, by their places in it."""

    chunk: Chunk
    places: tuple[int, ...]

    @property
    def recordings(self) -> tuple[Recording, ...]:
        return tuple(self.chunk.recordings[place] for place in self.places)


class Dispatcher(Generic[R]):
    """Runs all chunks through executors that `start` opens, given a number of workers.

    `failed` makes the row of a recording that no worker came back from, given a reason and a
    detail. `heartbeats` is the folder that workers leave theirs in, if they do.
    """

    def __init__(
        self,
        start: ExecutorFactory,
        work: Work[R],
        failed: Callable[[Recording, str, str], R],
        *,
        workers: int,
        timeout: float,
        heartbeats: str | None,
    ) -> None:
        self._start, self._work, self._failed = start, work, failed
        self._workers, self._working = workers, 0
        self._timeout = timeout
        self._watch = (
            None if heartbeats is None else heartbeat.HeartbeatMonitor(Path(heartbeats), timeout)
        )
        self._executor: Executor | None = None
        self._flying: dict[Future[ChunkResult[R]], _Piece] = {}
        self._landed: SimpleQueue[Future[ChunkResult[R]]] = SimpleQueue()
        self._again: deque[_Piece] = deque()
        self._suspects: deque[_Piece] = deque()
        self._alone = False
        self._deaths: Counter[tuple[int, int]] = Counter()
        self._rows: dict[int, dict[int, R]] = {}
        self._stages: dict[int, StageSeconds] = {}
        self._stillborn = 0

    def run(self, chunks: Iterator[Chunk]) -> Generator[FinishedChunk[R], None, None]:
        """Yield every chunk as it is finished, in any order."""
        kill = True
        try:
            while self._launch(chunks):
                yield from self._collect()
            kill = False
        finally:
            self._close(kill=kill)

    def _launch(self, chunks: Iterator[Chunk]) -> bool:
        """Fill the room there is; tell whether anything is in flight.

        A suspect flies alone: what dies with it would be suspect too.
        """
        if not self._flying:
            self._alone = bool(self._suspects)
            if self._alone:
                self._submit(self._suspects.popleft(), workers=1)
        room = CHUNKS_PER_WORKER * self._workers
        while not (self._alone or self._suspects) and len(self._flying) < room:
            piece = self._again.popleft() if self._again else _whole(next(chunks, None))
            if piece is None:
                break
            self._submit(piece, workers=self._workers)
        return bool(self._flying)

    def _submit(self, piece: _Piece, *, workers: int) -> None:
        executor = self._executor_of(workers)
        with signals_blocked():
            try:
                future = executor.submit(self._work, piece.recordings)
            except BrokenExecutor as error:
                future = Future[ChunkResult[R]]()
                future.set_exception(error)
            self._flying[future] = piece
            future.add_done_callback(self._landed.put)

    def _executor_of(self, workers: int) -> Executor:
        """Open an executor, or keep the one there is if it has as many workers."""
        if self._executor is not None and self._working != workers:
            self._close(kill=False)
        if self._executor is None:
            self._executor, self._working = self._start(workers), workers
        return self._executor

    def _close(self, *, kill: bool) -> None:
        if self._executor is not None:
            self._executor.shutdown(kill=kill)
            self._executor = None

    def _collect(self) -> Iterator[FinishedChunk[R]]:
        """Take in what is done next, if anything is by the time to look after the workers."""
        lost: list[_Piece] = []
        future = self._next_landed()
        if future is not None:
            yield from self._land(future, lost)
        stuck = self._watch is not None and self._watch.look()
        if stuck or (future is None and self._executor is not None and not self._executor.alive):
            lost += self._flying.values()
            self._flying.clear()
        while lost and self._flying:
            # The executor is broken: whatever has not ended well by now never will.
            yield from self._land(self._landed.get(), lost)
        if lost:
            self._close(kill=True)
            yield from self._quarantine(lost)

    def _next_landed(self) -> Future[ChunkResult[R]] | None:
        try:
            return self._landed.get(timeout=None if self._watch is None else heartbeat.INTERVAL)
        except Empty:
            return None

    def _land(
        self, future: Future[ChunkResult[R]], lost: list[_Piece]
    ) -> Iterator[FinishedChunk[R]]:
        piece = self._flying.pop(future, None)
        if piece is None:
            return  # It was given up before.
        try:
            done = future.result()
        except BrokenExecutor:
            lost.append(piece)
            return
        if done.fatal is not None:
            raise BatchemoError(done.fatal)
        self._stillborn = 0
        stages = self._stages.setdefault(piece.chunk.number, {})
        for stage, seconds in done.stages.items():
            stages[stage] = stages.get(stage, 0.0) + seconds
        yield from self._note(piece, done.rows)

    def _note(self, piece: _Piece, rows: tuple[R, ...]) -> Iterator[FinishedChunk[R]]:
        """Add rows to their chunk, and yield it when it is whole."""
        chunk = piece.chunk
        found = self._rows.setdefault(chunk.number, {})
        found.update(zip(piece.places, rows, strict=True))
        if len(found) == len(chunk.recordings):
            del self._rows[chunk.number]
            ordered = tuple(found[place] for place in range(len(found)))
            yield FinishedChunk(chunk, ordered, self._stages.pop(chunk.number, {}))

    def _quarantine(self, lost: list[_Piece]) -> Iterator[FinishedChunk[R]]:
        """Sort what came back into the guilty, the suspect and the innocent."""
        begun = None if self._watch is None else self._watch.begun()
        if begun == set():
            self._stillborn += 1
            if self._stillborn == MAX_FAILED_STARTS:
                raise BatchemoError(
                    "the worker processes die, or stand still, before they begin to work. "
                    "`batchemo doctor` tells whether batchemo is installed well; too little memory "
                    "is another cause"
                )
        for piece in lost:
            innocent = []
            for place, recording in zip(piece.places, piece.recordings, strict=True):
                one = _Piece(piece.chunk, (place,))
                name = recording.root, recording.file
                if begun is not None and name not in begun:
                    innocent.append(place)
                elif self._watch is not None and name in self._watch.hung:
                    detail = f"not done after {self._timeout:g} s (see --timeout)"
                    yield from self._note(one, (self._failed(recording, "timeout", detail),))
                elif self._killed_often(one, alone=len(piece.places) == 1):
                    detail = "the worker process died of it, alone and more than once"
                    yield from self._note(one, (self._failed(recording, "worker_died", detail),))
                else:
                    self._suspects.append(one)
            if innocent:
                self._again.append(_Piece(piece.chunk, tuple(innocent)))

    def _killed_often(self, piece: _Piece, *, alone: bool) -> bool:
        key = (piece.chunk.number, piece.places[0])
        self._deaths[key] += alone
        return self._deaths[key] >= MAX_DEATHS_ALONE


def _whole(chunk: Chunk | None) -> _Piece | None:
    return None if chunk is None else _Piece(chunk, tuple(range(len(chunk.recordings))))
