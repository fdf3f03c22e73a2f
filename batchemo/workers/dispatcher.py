"""Gives chunks to workers, a bounded number at a time, and finds the recordings that kill them.

When workers die, or all of them are stuck, all that was in flight is lost, and it is not known
which recording did it. So the lost recordings are sorted:

- what no worker had started (by its heartbeats) is tried again as before;
- what a worker hung at beyond its time limit is blamed: its row is a failure, `timeout`;
- what was started is suspect: it is run again alone, so that a further death has one cause only.
  A recording that kills its worker twice while alone is blamed: `worker_died`.

Without heartbeats, as on a cluster, everything that was lost is suspect.

The same is done with the pieces of a long recording. Its row is a failure if one of them is blamed.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import BrokenExecutor, Future
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Generic

from batchemo.common.locks import scratch_folder
from batchemo.common.timing import StageSeconds, add_seconds
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
from batchemo.workers.heartbeat import OnPositions, RecordingPosition, ignore_positions
from batchemo.workers.parts import LongRecording, Part, PieceWork, whole_chunk

CHUNKS_PER_WORKER = 2
"""One that the worker is busy with and one that waits, so that it never waits for the parent."""

MAX_DEATHS_ALONE = 2
"""How often a recording must kill its worker while alone. Once may have another cause: somebody
killed the process, or other programs took the memory."""

MAX_FAILED_STARTS = 3
"""How many times in a row workers may die before they start on any recording."""


@dataclass(frozen=True, slots=True)
class FinishedChunk(Generic[R]):
    """All rows of a chunk, in the order of its recordings."""

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
    pieces: PieceWork[R] | None = None,
    on_positions: OnPositions = ignore_positions,
) -> Generator[FinishedChunk[R], None, None]:
    """Yield every chunk when its work is done, in any order; close it to end the workers.

    `lost` makes the row of a recording whose worker died or hung, given a reason and a detail.
    `pieces` is needed for work that leaves long recordings to several workers.
    `executor` opens an executor for a number of workers; by default, processes of this machine.
    `on_positions` gets how far these are into long recordings; from other executors it gets only
    how many pieces are finished.

    >>> from batchemo.workers.executor import InlineExecutor
    >>> chunks = iter([Chunk(0, (Recording("/data", "a.wav", 44, 0),))])
    >>> def names(recordings):
    ...     return ChunkResult(tuple(recording.file for recording in recordings))
    >>> def lost(recording, reason, detail):
    ...     return f"{recording.file}: {reason}"
    >>> done = run_chunks(chunks, names, lost, workers=1, timeout=0, executor=InlineExecutor)
    >>> [finished.rows for finished in done]
    [('a.wav',)]
    """
    with ExitStack() as stack:
        # Heartbeats are files on this machine, which workers elsewhere cannot write.
        folder = None if executor is not None else str(stack.enter_context(scratch_folder()))
        yield from Dispatcher(
            executor or partial(ProcessExecutor, folder),
            work,
            lost,
            workers=workers,
            timeout=timeout,
            heartbeats=folder,
            pieces=pieces,
            on_positions=on_positions,
        ).run(chunks)


class Dispatcher(Generic[R]):
    """Runs chunks through executors that `start` opens, given a number of workers.

    `heartbeats` is the folder of the workers' heartbeats, where they leave any. See `run_chunks`
    for the other arguments; it is all that most callers need.
    """

    def __init__(
        self,
        start: ExecutorFactory,
        work: Work[R],
        lost: Callable[[Recording, str, str], R],
        *,
        workers: int,
        timeout: float,
        heartbeats: str | None,
        pieces: PieceWork[R] | None = None,
        on_positions: OnPositions = ignore_positions,
    ) -> None:
        self._start, self._work, self._lost_row = start, work, lost
        self._pieces = pieces
        self._workers = workers
        self._timeout = timeout
        self._monitor = (
            None if heartbeats is None else heartbeat.HeartbeatMonitor(Path(heartbeats), timeout)
        )
        self._on_positions = on_positions
        self._positions: tuple[RecordingPosition, ...] = ()
        self._executor: Executor | None = None
        self._executor_workers = 0
        self._in_flight: dict[Future[ChunkResult[Any]], Part] = {}
        # Futures put themselves here when they are done. Waiting on a queue, unlike waiting on a
        # future, can be interrupted by an exception without leaving a lock of the future taken.
        self._completed: SimpleQueue[Future[ChunkResult[Any]]] = SimpleQueue()
        self._retry: deque[Part] = deque()
        self._suspects: deque[Part] = deque()
        self._long: list[LongRecording] = []
        """Those that are not finished."""
        self._running_suspect = False
        self._deaths_alone: Counter[tuple[int, ...]] = Counter()
        self._failed_starts = 0
        self._rows: dict[int, dict[int, R]] = {}
        """The rows of unfinished chunks, by the chunk's number and the recording's place in it."""
        self._stages: dict[int, StageSeconds] = {}

    def run(self, chunks: Iterator[Chunk]) -> Generator[FinishedChunk[R], None, None]:
        """Yield every chunk when it is finished, in any order."""
        kill = True
        try:
            while self._submit_more(chunks):
                yield from self._collect()
            kill = False
        finally:
            self._close_executor(kill=kill)

    def _submit_more(self, chunks: Iterator[Chunk]) -> bool:
        """Submit as much as may be in flight; return whether anything is.

        Chunks are taken from the iterator only when there is room for them: the list of recordings
        may be endless, or still being read.
        """
        if not self._in_flight:
            # A suspect runs alone, in a worker of its own: what died together with it would become
            # suspect too. Suspects come before everything else, so that their deaths are few.
            suspect = self._next_of(self._suspects)
            self._running_suspect = suspect is not None
            if suspect is not None:
                self._submit(suspect, workers=1)
        # With suspects waiting nothing is added either: they can run only once all else has ended.
        while not (self._running_suspect or self._suspects) and self._has_room():
            part = (
                self._next_of(self._retry) or self._next_pieces() or whole_chunk(next(chunks, None))
            )
            if part is None:
                break
            self._submit(part, workers=self._workers)
        return bool(self._in_flight)

    def _has_room(self) -> bool:
        return len(self._in_flight) < CHUNKS_PER_WORKER * self._present_workers()

    def _present_workers(self) -> int:
        return self._executor.workers if self._executor else max(1, self._workers)

    def _next_of(self, waiting: deque[Part]) -> Part | None:
        """Take the next part that is still needed."""
        while waiting:
            part = waiting.popleft()
            if not self._is_done(part):
                return part
        return None

    def _next_pieces(self) -> Part | None:
        """Return the next pieces of a long recording; before any further chunk is begun."""
        for long in self._long:
            numbers = long.take(self._present_workers())
            if numbers:
                return Part(long.chunk, numbers, long)
        return None

    def _is_done(self, part: Part) -> bool:
        """Whether nothing of this part is needed any more: its recording has a row already."""
        return part.long is not None and part.long not in self._long

    def _submit(self, part: Part, *, workers: int) -> None:
        executor = self._open_executor(workers)
        with signals_blocked():
            try:
                future = self._submit_to(executor, part)
            except BrokenExecutor as error:
                # The workers died since the last look: the same as if they had died of this part.
                future = Future[ChunkResult[Any]]()
                future.set_exception(error)
            self._in_flight[future] = part
            future.add_done_callback(self._completed.put)

    def _submit_to(self, executor: Executor, part: Part) -> Future[ChunkResult[Any]]:
        if part.long is None:
            return executor.submit(self._work, part.recordings)
        assert self._pieces is not None
        return executor.submit(partial(self._pieces.work, part.places), (part.long.recording,))

    def _open_executor(self, workers: int) -> Executor:
        """Return the executor there is, if it has that many workers, or another."""
        if self._executor is not None and self._executor_workers != workers:
            self._close_executor(kill=False)
        if self._executor is None:
            self._executor, self._executor_workers = self._start(workers), workers
        return self._executor

    def _close_executor(self, *, kill: bool) -> None:
        if self._executor is not None:
            self._executor.shutdown(kill=kill)
            self._executor = None

    def _collect(self) -> Iterator[FinishedChunk[R]]:
        """Take in the next result, or what was lost if there is none by the next check."""
        lost: list[Part] = []
        future = self._next_completed()
        if future is not None:
            yield from self._take_result(future, lost)
        all_stuck = self._check_heartbeats()
        pool_died = future is None and self._executor is not None and not self._executor.alive
        if all_stuck or pool_died:
            # No future will ever be done.
            lost += self._in_flight.values()
            self._in_flight.clear()
        while lost and self._in_flight:
            # One future told that the executor is broken, so every other is done, or will be in an
            # instant: with a result that arrived before, or with the same exception. On a cluster,
            # others go on with their work until it is done.
            yield from self._take_result(self._completed.get(), lost)
        if lost:
            self._close_executor(kill=True)
            yield from self._sort_lost(lost)

    def _check_heartbeats(self) -> bool:
        """Report positions that have changed; return whether all workers are stuck."""
        all_stuck = self._monitor is not None and self._monitor.check()
        positions = [long.position() for long in self._long]
        in_pieces = {(position.root, position.file) for position in positions}
        for position in () if self._monitor is None else self._monitor.positions:
            # The workers of a long recording are at several positions of it.
            if (position.root, position.file) not in in_pieces:
                positions.append(position)
        if tuple(positions) != self._positions:
            self._positions = tuple(positions)
            self._on_positions(self._positions)
        return all_stuck

    def _next_completed(self) -> Future[ChunkResult[Any]] | None:
        timeout = None if self._monitor is None else heartbeat.CHECK_INTERVAL
        try:
            return self._completed.get(timeout=timeout)
        except Empty:
            return None

    def _take_result(
        self, future: Future[ChunkResult[Any]], lost: list[Part]
    ) -> Iterator[FinishedChunk[R]]:
        part = self._in_flight.pop(future, None)
        if part is None:
            return  # It was counted as lost, and has ended since.
        try:
            result = future.result()
        except BrokenExecutor:
            lost.append(part)
            return
        if result.fatal is not None:
            raise BatchemoError(result.fatal)
        self._failed_starts = 0
        if self._is_done(part):
            return
        stages = self._stages.setdefault(part.chunk.number, {})
        for stage, seconds in result.stages.items():
            add_seconds(stages, stage, seconds)
        for index, (reason, detail) in result.lost.items():
            yield from self._blame(part.single(part.places[index]), reason, detail)
        if part.long is not None:
            if not result.lost:
                yield from self._add_pieces(part.long, part.places, result.rows)
            return
        for index, cut in result.cut.items():
            self._long.append(LongRecording(part.chunk, part.places[index], cut))
        without_row = result.cut.keys() | result.lost.keys()
        others = [place for index, place in enumerate(part.places) if index not in without_row]
        yield from self._add_rows(replace(part, places=tuple(others)), result.rows)

    def _add_pieces(
        self, long: LongRecording, numbers: tuple[int, ...], results: tuple[Any, ...]
    ) -> Iterator[FinishedChunk[R]]:
        """Add the results of pieces; when all are there, the row of their recording."""
        if long.add(numbers, results):
            assert self._pieces is not None
            yield from self._end_long(long, self._pieces.join(long.recording, long.ordered()))

    def _end_long(self, long: LongRecording, row: R) -> Iterator[FinishedChunk[R]]:
        self._long.remove(long)
        yield from self._add_rows(Part(long.chunk, (long.place,)), (row,))

    def _add_rows(self, part: Part, rows: tuple[R, ...]) -> Iterator[FinishedChunk[R]]:
        """Add rows to their chunk, and yield it when it has all of them."""
        chunk = part.chunk
        known = self._rows.setdefault(chunk.number, {})
        known.update(zip(part.places, rows, strict=True))
        if len(known) == len(chunk.recordings):
            del self._rows[chunk.number]
            ordered = tuple(known[place] for place in range(len(known)))
            yield FinishedChunk(chunk, ordered, self._stages.pop(chunk.number, {}))

    def _sort_lost(self, lost: list[Part]) -> Iterator[FinishedChunk[R]]:
        """Sort lost recordings into those to blame, to suspect and to try again."""
        started = None if self._monitor is None else self._monitor.take_started()
        self._count_failed_starts(started)
        for part in lost:
            not_started = []
            for place, recording in zip(part.places, part.recordings, strict=True):
                if self._is_done(part):
                    break
                single = part.single(place)
                key = recording.root, recording.file
                if started is not None and key not in started:
                    not_started.append(place)
                elif self._monitor is not None and key in self._monitor.timed_out:
                    detail = f"not done after {self._timeout:g} s (see --timeout)"
                    yield from self._blame(single, "timeout", detail)
                elif self._is_to_blame(single, was_alone=len(part.places) == 1):
                    detail = "the worker process died of it, alone and more than once"
                    yield from self._blame(single, "worker_died", detail)
                else:
                    self._suspects.append(single)
            if not_started:
                self._retry.append(replace(part, places=tuple(not_started)))

    def _blame(self, part: Part, reason: str, detail: str) -> Iterator[FinishedChunk[R]]:
        """Make the failed row of a single recording, or of the recording of a single piece."""
        row = self._lost_row(part.recordings[0], reason, detail)
        if part.long is None:
            yield from self._add_rows(part, (row,))
        else:
            yield from self._end_long(part.long, row)

    def _count_failed_starts(self, started: set[heartbeat.RecordingKey] | None) -> None:
        """End the run where no recording is to blame: the workers themselves do not work."""
        if started != set():
            return
        self._failed_starts += 1
        if self._failed_starts == MAX_FAILED_STARTS:
            raise BatchemoError(
                "the worker processes die, or hang, before they begin to work. `batchemo doctor` "
                "tells whether batchemo is installed well; too little memory is another cause"
            )

    def _is_to_blame(self, part: Part, *, was_alone: bool) -> bool:
        long = () if part.long is None else (part.long.place,)
        key = (part.chunk.number, *long, part.places[0])
        self._deaths_alone[key] += was_alone
        return self._deaths_alone[key] >= MAX_DEATHS_ALONE
