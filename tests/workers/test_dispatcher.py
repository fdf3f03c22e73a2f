"""The dispatcher finishes every chunk, names the guilty and bounds what is in flight."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future
from functools import partial
from pathlib import Path

import psutil
import pytest

from batchemo.errors import BatchemoError
from batchemo.sources import Recording
from batchemo.workers import heartbeat
from batchemo.workers.dispatcher import CHUNKS_PER_WORKER, Dispatcher
from batchemo.workers.executor import (
    Chunk,
    ChunkResult,
    ProcessExecutor,
    available_cpus,
)

Work = Callable[[Sequence[Recording]], ChunkResult[str]]


def chunks_of(names: Sequence[str], size: int = 3) -> Iterator[Chunk]:
    recordings = [Recording("/r", name, 1, 0) for name in names]
    for number, start in enumerate(range(0, len(recordings), size)):
        yield Chunk(number, tuple(recordings[start : start + size]))


def lost_result(recording: Recording, reason: str, detail: str) -> str:
    return f"{recording.file}: {reason}"


def outcome(dispatcher: Dispatcher[str], names: Sequence[str]) -> list[str]:
    finished = sorted(dispatcher.run(chunks_of(names)), key=lambda done: done.chunk.number)
    return [row for done in finished for row in done.rows]


class InThisProcess:
    """An executor without crumbs, as a cluster may be: a deed of violence breaks all of it."""

    most = 0
    alive = True

    def __init__(self, workers: int) -> None:
        self._broken = False
        self._waiting: list[Future[ChunkResult[str]]] = []

    def submit(self, work: Work, chunk: Sequence[Recording]) -> Future[ChunkResult[str]]:
        future: Future[ChunkResult[str]] = Future()
        self._waiting = [other for other in self._waiting if not other.done()] + [future]
        InThisProcess.most = max(InThisProcess.most, len(self._waiting))
        self._broken |= any("kill" in recording.file for recording in chunk)
        if self._broken:
            for waiting in self._waiting:
                waiting.set_exception(BrokenExecutor())
        else:
            future.set_result(work(chunk))
        return future

    def shutdown(self, *, kill: bool) -> None:
        self._waiting = []


def echo(chunk: Sequence[Recording]) -> ChunkResult[str]:
    return ChunkResult(tuple(recording.file for recording in chunk), {"work": 1.0})


def test_every_chunk_is_finished_whole_and_in_its_own_order() -> None:
    names = [f"{i}.wav" for i in range(20)]
    dispatcher = Dispatcher(InThisProcess, echo, lost_result, workers=2, timeout=0, heartbeats=None)
    assert outcome(dispatcher, names) == names


def test_without_crumbs_the_guilty_is_found_by_running_each_alone() -> None:
    names = ["a", "b", "kill", "d", "e", "f"]
    dispatcher = Dispatcher(InThisProcess, echo, lost_result, workers=2, timeout=0, heartbeats=None)
    assert outcome(dispatcher, names) == ["a", "b", "kill: worker_died", "d", "e", "f"]


def test_no_more_chunks_are_taken_than_there_is_room_for() -> None:
    taken = 0

    def counted() -> Iterator[Chunk]:
        nonlocal taken
        for chunk in chunks_of([str(i) for i in range(60)]):
            taken += 1
            yield chunk

    dispatcher = Dispatcher(InThisProcess, echo, lost_result, workers=3, timeout=0, heartbeats=None)
    finished = dispatcher.run(counted())
    next(finished)
    assert taken == 3 * CHUNKS_PER_WORKER
    assert len(list(finished)) == 19


def test_what_no_worker_can_do_ends_the_run() -> None:
    def fatal(chunk: Sequence[Recording]) -> ChunkResult[str]:
        return ChunkResult(fatal="the model is damaged")

    dispatcher = Dispatcher(
        InThisProcess, fatal, lost_result, workers=1, timeout=0, heartbeats=None
    )
    with pytest.raises(BatchemoError, match="the model is damaged"):
        outcome(dispatcher, ["a"])


def real(tmp_path: Path, work: Work, timeout: float = 0) -> Dispatcher[str]:
    start = partial(ProcessExecutor, str(tmp_path))
    return Dispatcher(
        start, work, lost_result, workers=2, timeout=timeout, heartbeats=str(tmp_path)
    )


def violent() -> Work:
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


def test_real_processes_that_are_killed_or_hang_cost_only_the_guilty(tmp_path: Path) -> None:
    names = ["a", "kill 1", "c", "d", "hang", "f", "g", "h", "kill 2"]
    expected = {
        "kill 1": "kill 1: worker_died",
        "kill 2": "kill 2: worker_died",
        "hang": "hang: timeout",
    }
    found = outcome(real(tmp_path, violent(), timeout=1.0), names)
    assert found == [expected.get(name, name) for name in names]


def cached_kernel(tmp_path: Path, deed: str) -> Work:
    """Work of which one process, one time, is stopped or killed where it has begun on nothing."""
    marker = str(tmp_path / "done")

    def work(chunk: Sequence[Recording]) -> ChunkResult[str]:
        from threading import Timer

        rows = tuple(recording.file for recording in chunk)
        try:
            os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return ChunkResult(rows)
        if deed == "stopped while it loads":
            os.kill(os.getpid(), signal.SIGSTOP)
        elif deed == "stopped while it waits for work":
            Timer(0.2, os.kill, (os.getpid(), signal.SIGSTOP)).start()
        else:
            Timer(0.5, os.kill, (os.getpid(), signal.SIGKILL)).start()
            return ChunkResult(rows, {"x" * 200_000_000: 1.0})
        return ChunkResult(rows)

    return work


def workers_here() -> set[int]:
    children = psutil.Process().children()
    return {child.pid for child in children if "LokyProcess" in " ".join(child.cmdline())}


@pytest.mark.parametrize(
    "deed",
    ["stopped while it loads", "stopped while it waits for work", "killed while it hands over"],
)
def test_a_worker_that_stands_still_with_no_recording_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deed: str
) -> None:
    heartbeats = tmp_path / "crumbs"
    heartbeats.mkdir()
    names, others = [str(number) for number in range(12)], workers_here()
    began = time.monotonic()
    outcome(real(tmp_path, violent()), names)
    monkeypatch.setattr(heartbeat, "STARTING", 4 * (time.monotonic() - began))

    def chunks() -> Iterator[Chunk]:
        for chunk in chunks_of(names):
            yield chunk
            if chunk.number == 2:
                time.sleep(1.0)  # The workers wait.

    dispatcher = real(heartbeats, cached_kernel(tmp_path, deed), timeout=1.0)
    finished = sorted(dispatcher.run(chunks()), key=lambda done: done.chunk.number)
    assert [row for done in finished for row in done.rows] == names
    assert workers_here() <= others


def test_libraries_of_a_worker_are_pinned_to_one_thread(tmp_path: Path) -> None:
    def threads(chunk: Sequence[Recording]) -> ChunkResult[str]:
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        return ChunkResult((json.dumps([os.environ[name] for name in names]),))

    assert outcome(real(tmp_path, threads), ["a"]) == ['["1", "1", "1"]']


def test_the_number_of_processors_honours_the_affinity_of_the_process() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert available_cpus() == 1
    finally:
        os.sched_setaffinity(0, before)
