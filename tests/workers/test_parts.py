"""Long recordings are worked on in pieces, and have one row, with the reason where they fail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from batchemo.sources import Recording
from batchemo.workers import heartbeat
from batchemo.workers.dispatcher import Dispatcher, FinishedChunk
from batchemo.workers.executor import Chunk, ChunkResult, CutRecording, InlineExecutor
from batchemo.workers.heartbeat import RecordingPosition
from batchemo.workers.parts import LongRecording, PieceWork

PIECES = 9


@dataclass(frozen=True)
class Outcome:
    """The result for a piece."""

    number: int
    failed: bool = False


def look(recordings: Sequence[Recording]) -> ChunkResult[str]:
    """Leave recordings called `long` to several workers."""
    names = [recording.file for recording in recordings]
    cut = {place: CutRecording(PIECES, 90.0) for place, name in enumerate(names) if "long" in name}
    rows = tuple(name for place, name in enumerate(names) if place not in cut)
    return ChunkResult(rows, {"decode": 1.0}, cut=cut)


def analyse(numbers: Sequence[int], recordings: Sequence[Recording]) -> ChunkResult[Any]:
    """Return a result for each piece; those called `bad` fail at pieces 3 and 5."""
    (recording,) = recordings
    results = []
    for number in numbers:
        results.append(Outcome(number, "bad" in recording.file and number in (3, 5)))
        if results[-1].failed:
            break
    return ChunkResult(tuple(results), {"decode": float(len(results))})


def join(recording: Recording, results: Sequence[Outcome]) -> str:
    assert [result.number for result in results] == list(range(len(results)))
    failed = " failed" if results[-1].failed else ""
    return f"{recording.file}: {len(results)} pieces{failed}"


def lost_row(recording: Recording, reason: str, detail: str) -> str:
    return f"{recording.file}: {reason}"


class DyingExecutor:
    """Works in this process; dies with all that is unfinished at pieces that it is given."""

    alive = True
    workers = 2

    def __init__(self, deaths: dict[int, int]) -> None:
        self._deaths = deaths
        """How often each piece still kills its worker."""
        self.submitted: list[tuple[int, ...]] = []

    def open(self, workers: int) -> DyingExecutor:
        """Return itself as the executor that takes the place of a broken one."""
        return self

    def submit(self, work: Any, recordings: Sequence[Recording]) -> Future[ChunkResult[Any]]:
        future = Future[ChunkResult[Any]]()
        numbers = work.args[0] if work is not look else ()
        self.submitted.append(numbers)
        fatal = [number for number in numbers if self._deaths.get(number)]
        if fatal:
            self._deaths[fatal[0]] -= 1
            future.set_exception(BrokenExecutor())
        else:
            future.set_result(work(recordings))
        return future

    def shutdown(self, *, kill: bool) -> None:
        pass


def chunks_of(*names: str) -> Iterator[Chunk]:
    for number, start in enumerate(range(0, len(names), 3)):
        yield Chunk(number, tuple(Recording("/r", name, 1, 0) for name in names[start : start + 3]))


def run(
    names: Sequence[str],
    start: Any = InlineExecutor,
    heartbeats: Path | None = None,
    **options: Any,
) -> list[FinishedChunk[str]]:
    dispatcher = Dispatcher(
        start,
        look,
        lost_row,
        workers=2,
        timeout=0,
        heartbeats=None if heartbeats is None else str(heartbeats),
        pieces=PieceWork(analyse, join),
        **options,
    )
    return sorted(dispatcher.run(chunks_of(*names)), key=lambda done: done.chunk.number)


def rows_of(finished: Sequence[FinishedChunk[str]]) -> list[str]:
    return [row for done in finished for row in done.rows]


def test_the_pieces_become_one_row_in_the_place_of_their_recording() -> None:
    finished = run(["a", "long", "c", "d", "long 2", "long 3"])
    assert rows_of(finished) == [
        *("a", "long: 9 pieces", "c"),
        *("d", "long 2: 9 pieces", "long 3: 9 pieces"),
    ]
    assert [done.stages for done in finished] == [{"decode": 1.0 + 9}, {"decode": 1.0 + 18}]


def test_the_first_piece_that_fails_decides_and_later_ones_are_left_out() -> None:
    executor = DyingExecutor({})
    assert rows_of(run(["long bad", "b"], executor.open)) == ["long bad: 4 pieces failed", "b"]
    assert (8,) not in executor.submitted


def test_a_worker_that_dies_once_costs_nothing() -> None:
    executor = DyingExecutor({4: 1})
    assert rows_of(run(["a", "long"], executor.open)) == ["a", "long: 9 pieces"]


def test_a_piece_that_kills_its_worker_again_and_again_fails_its_recording_alone() -> None:
    executor = DyingExecutor({4: 9})
    found = rows_of(run(["long", "b", "c", "d"], executor.open))
    assert found == ["long: worker_died", "b", "c", "d"]
    assert executor.submitted.count((4,)) == 2


def test_a_piece_that_the_executor_itself_blames_fails_its_recording() -> None:
    class Blaming(InlineExecutor):
        def submit(self, work: Any, item: Any) -> Future[Any]:
            if work is look:
                return super().submit(work, item)
            future = Future[Any]()
            future.set_result(ChunkResult(lost={0: ("timeout", "")}))
            return future

    assert rows_of(run(["a", "long", "c"], Blaming)) == ["a", "long: timeout", "c"]


def test_pieces_that_died_together_are_not_blamed_for_each_other() -> None:
    executor = DyingExecutor(dict.fromkeys(range(PIECES), 1))
    assert rows_of(run(["long"], executor.open)) == ["long: 9 pieces"]


def test_a_recording_of_which_a_piece_hangs_has_timed_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(self: heartbeat.HeartbeatMonitor) -> bool:
        self.timed_out.add(("/r", "long"))
        return False

    started = {("/r", "long")}
    monkeypatch.setattr(heartbeat.HeartbeatMonitor, "check", check)
    monkeypatch.setattr(heartbeat.HeartbeatMonitor, "take_started", lambda self: started)
    executor = DyingExecutor({2: 1})
    finished = run(["long", "b"], executor.open, tmp_path)
    assert rows_of(finished) == ["long: timeout", "b"]


def test_the_position_in_a_long_recording_is_the_share_of_its_pieces() -> None:
    reported: list[Sequence[RecordingPosition]] = []
    run(["long"], on_positions=reported.append)
    positions = [at_once[0].position for at_once in reported if at_once]
    assert positions == sorted(positions)
    assert {position.duration for at_once in reported for position in at_once} == {90.0}
    assert all(0 <= position < 90 for position in positions)
    assert len(positions) > 2
    assert reported[-1] == ()


def test_groups_of_pieces_become_smaller_towards_the_end() -> None:
    (chunk,) = chunks_of("long")
    long = LongRecording(chunk, 0, CutRecording(30, 3600.0))
    groups = list(iter(lambda: long.take(2), ()))
    assert [number for group in groups for number in group] == list(range(30))
    sizes = [len(group) for group in groups]
    assert sizes[0] == 7
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-3:] == [1, 1, 1]
