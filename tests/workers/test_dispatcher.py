"""The dispatcher finishes every chunk, bounds what is in flight, and finds what kills workers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from batchemo.errors import BatchemoError
from batchemo.sources import Recording
from batchemo.workers import heartbeat
from batchemo.workers.dispatcher import (
    CHUNKS_PER_WORKER,
    MAX_FAILED_STARTS,
    Dispatcher,
    FinishedChunk,
    run_chunks,
)
from batchemo.workers.executor import (
    Chunk,
    ChunkResult,
    ExecutorFactory,
    InlineExecutor,
    ProcessExecutor,
    Work,
)
from batchemo.workers.heartbeat import RecordingPosition


def chunks_of(names: Sequence[str], size: int = 3) -> Iterator[Chunk]:
    recordings = [Recording("/r", name, 1, 0) for name in names]
    for number, start in enumerate(range(0, len(recordings), size)):
        yield Chunk(number, tuple(recordings[start : start + size]))


def lost_row(recording: Recording, reason: str, detail: str) -> str:
    return f"{recording.file}: {reason}"


def rows_of(finished: Iterator[FinishedChunk[str]]) -> list[str]:
    """All rows, in the order of the chunks."""
    ordered = sorted(finished, key=lambda done: done.chunk.number)
    return [row for done in ordered for row in done.rows]


def file_names(chunk: Sequence[Recording]) -> ChunkResult[str]:
    return ChunkResult(tuple(recording.file for recording in chunk), {"work": 1.0})


def run_inline(
    chunks: Iterator[Chunk],
    work: Work[str] = file_names,
    workers: int = 2,
    executor: ExecutorFactory = InlineExecutor,
) -> Iterator[FinishedChunk[str]]:
    return run_chunks(chunks, work, lost_row, workers=workers, timeout=0, executor=executor)


class FragileExecutor:
    """Works in this process; a recording called `kill` breaks it, and all that is unfinished."""

    alive = True

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._is_broken = False
        self._futures: list[Future[ChunkResult[str]]] = []

    def submit(self, work: Work[str], chunk: Sequence[Recording]) -> Future[ChunkResult[str]]:
        future = Future[ChunkResult[str]]()
        self._futures.append(future)
        self._is_broken |= any("kill" in recording.file for recording in chunk)
        if self._is_broken:
            for unfinished in self._futures:
                if not unfinished.done():
                    unfinished.set_exception(BrokenExecutor())
        else:
            future.set_result(work(chunk))
        return future

    def shutdown(self, *, kill: bool) -> None:
        pass


class BrokenFromTheStart(FragileExecutor):
    """An executor whose workers die before they begin."""

    def submit(self, work: Work[str], chunk: Sequence[Recording]) -> Future[ChunkResult[str]]:
        raise BrokenExecutor


def test_every_chunk_is_finished_with_its_rows_in_order() -> None:
    names = [f"{i}.wav" for i in range(20)]
    assert rows_of(run_inline(chunks_of(names))) == names


def test_the_seconds_of_the_stages_are_added_up() -> None:
    finished = list(run_inline(chunks_of(["a", "b", "kill", "d"]), executor=FragileExecutor))
    assert [done.stages for done in finished if done.chunk.number == 1] == [{"work": 1.0}]
    assert [done.stages for done in finished if done.chunk.number == 0] == [{"work": 2.0}]


def test_without_heartbeats_the_recording_to_blame_is_found_by_running_each_alone() -> None:
    names = ["a", "b", "kill", "d", "e", "f"]
    found = rows_of(run_inline(chunks_of(names), executor=FragileExecutor))
    assert found == ["a", "b", "kill: worker_died", "d", "e", "f"]


def test_no_more_chunks_are_taken_than_may_be_in_flight() -> None:
    taken = 0

    def counted() -> Iterator[Chunk]:
        nonlocal taken
        for chunk in chunks_of([str(i) for i in range(60)]):
            taken += 1
            yield chunk

    finished = run_inline(counted(), workers=3)
    next(finished)
    assert taken == 3 * CHUNKS_PER_WORKER
    assert len(list(finished)) == 19


def test_as_many_chunks_are_in_flight_as_the_workers_that_come_and_go_can_take() -> None:
    class Growing(InlineExecutor):
        def submit(self, work: Any, item: Any) -> Future[Any]:
            submitted.append(item)
            if len(submitted) == 4:
                self.workers = 5
            return super().submit(work, item)

    submitted: list[object] = []
    finished = run_inline(chunks_of([str(i) for i in range(60)]), workers=1, executor=Growing)

    for expected in (2, 3, 2 * 5 + 2):
        next(finished)
        assert len(submitted) == expected


def test_recordings_that_an_executor_itself_blames_are_failures() -> None:
    def work(chunk: Sequence[Recording]) -> ChunkResult[str]:
        names = [recording.file for recording in chunk]
        lost = {place: ("timeout", "") for place, name in enumerate(names) if name == "hang"}
        return ChunkResult(tuple(name for name in names if name != "hang"), lost=lost)

    found = rows_of(run_inline(chunks_of(["a", "hang", "c", "d"]), work))
    assert found == ["a", "hang: timeout", "c", "d"]


def test_a_fatal_result_ends_the_run() -> None:
    def fatal(chunk: Sequence[Recording]) -> ChunkResult[str]:
        return ChunkResult(fatal="the model is damaged")

    with pytest.raises(BatchemoError, match="the model is damaged"):
        rows_of(run_inline(chunks_of(["a"]), fatal))


def test_workers_that_never_begin_end_the_run(tmp_path: Path) -> None:
    opened: list[int] = []

    def start(workers: int) -> BrokenFromTheStart:
        opened.append(workers)
        return BrokenFromTheStart(workers)

    dispatcher = Dispatcher(
        start, file_names, lost_row, workers=1, timeout=0, heartbeats=str(tmp_path)
    )
    with pytest.raises(BatchemoError, match="before they begin to work"):
        rows_of(dispatcher.run(chunks_of(["a"])))
    assert len(opened) == MAX_FAILED_STARTS


def process_dispatcher(folder: Path, work: Work[str], timeout: float = 0) -> Dispatcher[str]:
    """A dispatcher of two worker processes, with their heartbeats in the folder."""
    start = partial(ProcessExecutor, str(folder))
    return Dispatcher(start, work, lost_row, workers=2, timeout=timeout, heartbeats=str(folder))


def killing_work() -> Work[str]:
    """Work that kills or stops its process at some names; sent to the workers by value."""

    def work(chunk: Sequence[Recording]) -> ChunkResult[str]:
        for recording in chunk:
            with heartbeat.monitored(recording, 1.0):
                if "kill" in recording.file:
                    os.kill(os.getpid(), signal.SIGKILL)
                if "hang" in recording.file:
                    time.sleep(1000)
        return ChunkResult(tuple(recording.file for recording in chunk))

    return work


@pytest.mark.process
def test_processes_that_are_killed_or_hang_cost_only_the_recordings_to_blame(
    tmp_path: Path,
) -> None:
    names = ["a", "kill 1", "c", "d", "hang", "f", "g", "h", "kill 2"]
    expected = {
        "kill 1": "kill 1: worker_died",
        "kill 2": "kill 2: worker_died",
        "hang": "hang: timeout",
    }
    dispatcher = process_dispatcher(tmp_path, killing_work(), timeout=1.0)
    assert rows_of(dispatcher.run(chunks_of(names))) == [expected.get(name, name) for name in names]


def work_that_fails_once(tmp_path: Path, failure: str) -> Work[str]:
    """Work of which one process, once, is stopped or killed without a recording in hand."""
    marker = str(tmp_path / "failed")

    def work(chunk: Sequence[Recording]) -> ChunkResult[str]:
        from threading import Timer

        rows = tuple(recording.file for recording in chunk)
        try:
            os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return ChunkResult(rows)
        if failure == "stopped while it loads":
            os.kill(os.getpid(), signal.SIGSTOP)
        elif failure == "stopped while it waits for work":
            Timer(0.2, os.kill, (os.getpid(), signal.SIGSTOP)).start()
        else:
            Timer(0.5, os.kill, (os.getpid(), signal.SIGKILL)).start()
            return ChunkResult(rows, {"x" * 200_000_000: 1.0})
        return ChunkResult(rows)

    return work


def worker_processes() -> set[int]:
    children = psutil.Process().children()
    return {child.pid for child in children if "LokyProcess" in " ".join(child.cmdline())}


@pytest.mark.process
@pytest.mark.parametrize(
    "failure",
    [
        "stopped while it loads",
        "stopped while it waits for work",
        "killed while it hands a result over",
    ],
)
def test_a_worker_that_fails_without_a_recording_in_hand_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: str
) -> None:
    heartbeats = tmp_path / "heartbeats"
    heartbeats.mkdir()
    names, others = [str(number) for number in range(12)], worker_processes()
    began = time.monotonic()
    rows_of(process_dispatcher(tmp_path, killing_work()).run(chunks_of(names)))
    # Workers start faster or slower with the machine.
    monkeypatch.setattr(heartbeat, "STARTUP_SECONDS", 4 * (time.monotonic() - began))

    def chunks() -> Iterator[Chunk]:
        for chunk in chunks_of(names):
            yield chunk
            if chunk.number == 2:
                time.sleep(1.0)  # The workers wait.

    dispatcher = process_dispatcher(heartbeats, work_that_fails_once(tmp_path, failure), 1.0)
    assert rows_of(dispatcher.run(chunks())) == names
    assert worker_processes() <= others


def reading_work() -> Work[str]:
    """Work that takes longer than a second and tells how far it is; sent by value."""

    def work(chunk: Sequence[Recording]) -> ChunkResult[str]:
        for recording in chunk:
            with heartbeat.monitored(recording, 0) as touch:
                for position in (60.0, 120.0):
                    time.sleep(heartbeat.POSITION_INTERVAL)
                    touch(position, 180.0)
        return ChunkResult(tuple(recording.file for recording in chunk))

    return work


@pytest.mark.process
def test_positions_in_long_recordings_are_reported_while_they_change() -> None:
    reported: list[Sequence[RecordingPosition]] = []
    chunks = chunks_of(["a", "b", "c", "d"], size=2)
    finished = run_chunks(
        chunks, reading_work(), lost_row, workers=2, timeout=0, on_positions=reported.append
    )
    assert rows_of(finished) == ["a", "b", "c", "d"]
    positions = [str(position) for at_once in reported for position in at_once]
    assert {f"0:01:00 of 0:03:00  {name}" for name in "abcd"} <= set(positions)
    assert all(before != after for before, after in pairwise(reported))


@pytest.mark.process
def test_worker_processes_end_when_the_run_is_closed() -> None:
    others = worker_processes()
    names = [str(number) for number in range(100)]
    finished = run_chunks(chunks_of(names), killing_work(), lost_row, workers=2, timeout=0)
    next(finished)
    assert worker_processes() > others
    finished.close()
    assert worker_processes() <= others
