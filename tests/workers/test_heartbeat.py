"""Heartbeats: what workers write, and what the parent concludes from it."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest

from batchemo.sources import Recording
from batchemo.workers import heartbeat
from batchemo.workers.heartbeat import HeartbeatMonitor, RecordingPosition, monitored

RECORDING = Recording("/data", "a.wav", 44, 0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of heartbeats, with this process as a worker."""
    monkeypatch.setenv("BATCHEMO_HEARTBEATS", str(tmp_path))
    return tmp_path


class Clock:
    """Stands in for the monotonic clock."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(heartbeat.time, "monotonic", clock)
    return clock


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The processes that were killed."""
    processes: list[int] = []
    monkeypatch.setattr(heartbeat.os, "kill", lambda process, signal: processes.append(process))
    return processes


def lines(folder: Path) -> list[str]:
    return (folder / f"{os.getpid()}.json").read_text().splitlines()


def last_heartbeat(folder: Path) -> list[object]:
    content: list[object] = json.loads(lines(folder)[0])
    return content


def check_for(monitor: HeartbeatMonitor, clock: Clock, seconds: float) -> bool:
    """Check as often as a run does; return whether all workers were found to be stuck."""
    stuck = False
    for _ in range(round(seconds / heartbeat.CHECK_INTERVAL)):
        clock.now += heartbeat.CHECK_INTERVAL
        stuck = monitor.check() or stuck
    return stuck


def test_a_worker_names_its_recording_and_the_time_limit(folder: Path) -> None:
    with monitored(RECORDING, 300.0):
        assert last_heartbeat(folder)[:3] == ["/data", "a.wav", 300.0]
    assert last_heartbeat(folder)[:3] == ["/data", "a.wav", 0.0]


def test_no_heartbeat_is_left_outside_of_a_worker(tmp_path: Path) -> None:
    with monitored(RECORDING, 300.0) as touch:
        touch(4000.0, None)
    assert not list(tmp_path.iterdir())


def test_every_hour_of_a_recording_gets_the_whole_time_limit(folder: Path, clock: Clock) -> None:
    with monitored(RECORDING, 300.0) as touch:
        times = []
        for position in (10.0, 3599.0, 3600.0, 7000.0, 7200.5):
            clock.now += 1
            touch(position, 8000.0)
            times.append(last_heartbeat(folder)[3])
    assert times == [100.0, 100.0, 103.0, 103.0, 105.0]


def test_a_recording_that_is_read_again_gets_the_time_limit_anew(
    folder: Path, clock: Clock
) -> None:
    with monitored(RECORDING, 300.0) as touch:
        touch(7000.0, 8000.0)
        clock.now += 200
        touch(5.0, 8000.0)
        assert last_heartbeat(folder)[3] == 300.0


def test_a_worker_that_exceeds_its_time_limit_is_killed(
    folder: Path, clock: Clock, killed: list[int]
) -> None:
    monitor = HeartbeatMonitor(folder, 10.0, _checked_at=clock.now)
    with monitored(RECORDING, 10.0):
        check_for(monitor, clock, 10.0)
        assert killed == []
        check_for(monitor, clock, 1.0)
        assert killed[:1] == [os.getpid()]
        assert monitor.timed_out == {("/data", "a.wav")}
        assert monitor.take_started() == {("/data", "a.wav")}
    assert monitor.take_started() == {("/data", "a.wav")}, "the last one that was written"


def test_without_a_time_limit_nobody_is_killed(
    folder: Path, clock: Clock, killed: list[int]
) -> None:
    monitor = HeartbeatMonitor(folder, 0.0, _checked_at=clock.now)
    with monitored(RECORDING, 0.0):
        assert not check_for(monitor, clock, 1000.0)
    assert killed == []


def test_time_in_which_the_run_was_suspended_does_not_count(
    folder: Path, clock: Clock, killed: list[int]
) -> None:
    monitor = HeartbeatMonitor(folder, 10.0, _checked_at=clock.now)
    with monitored(RECORDING, 10.0):
        monitor.check()
        clock.now += 3600.0
        check_for(monitor, clock, 5.0)
    assert killed == []


def test_workers_are_stuck_when_none_leaves_a_heartbeat_for_long(
    folder: Path, clock: Clock, killed: list[int]
) -> None:
    monitor = HeartbeatMonitor(folder, 10.0, _checked_at=clock.now)
    with monitored(RECORDING, 10.0):
        pass
    assert not check_for(monitor, clock, heartbeat.STARTUP_SECONDS)
    assert check_for(monitor, clock, 11.0)
    assert killed == []


def test_a_heartbeat_that_is_not_whole_names_nothing(folder: Path) -> None:
    (folder / "1.json").write_text('["/data", "a.w')
    assert HeartbeatMonitor(folder, 10.0).take_started() == set()
    assert not list(folder.iterdir())


def test_the_position_is_written_once_a_second_and_never_for_a_short_recording(
    folder: Path, clock: Clock
) -> None:
    written = []
    with monitored(RECORDING, 300.0) as touch:
        for position in (10.0, 20.5, 30.0, 40.0, 50.0):
            clock.now += 0.5
            touch(position, 60.0)
            written.append([json.loads(line) for line in lines(folder)[1:]])
    assert written == [[], [[44, 20, 60.0]], [[44, 20, 60.0]], [[44, 40, 60.0]], [[44, 40, 60.0]]]
    assert len(lines(folder)) == 1, "the recording is done"


def test_the_parent_reads_the_positions(folder: Path, clock: Clock) -> None:
    monitor = HeartbeatMonitor(folder, 10.0, _checked_at=clock.now)
    recording = Recording("/data", "bad\udcff.wav", 44, 0)
    with monitored(recording, 10.0) as touch:
        check_for(monitor, clock, 1.0)
        assert monitor.positions == ()
        touch(2480.5, None)
        check_for(monitor, clock, 0.5)
        expected = RecordingPosition("/data", "bad\\xff.wav", 44, 2480, None)
        assert monitor.positions == (expected,)
        with (folder / f"{os.getpid()}.json").open("a") as stream:
            stream.write(",")
        check_for(monitor, clock, 0.5)
        assert monitor.positions == (), "it is not whole"
    check_for(monitor, clock, 0.5)
    assert monitor.positions == ()


def test_positions_extend_no_time_limit(folder: Path, clock: Clock, killed: list[int]) -> None:
    monitor = HeartbeatMonitor(folder, 10.0, _checked_at=clock.now)
    with monitored(RECORDING, 10.0) as touch:
        for position in range(0, 3300, 300):
            assert killed == []
            touch(position, 3600.0)
            check_for(monitor, clock, 1.0)
            assert bool(monitor.positions) == (position > 0)
        assert killed[:1] == [os.getpid()]


def test_a_position_says_how_much_is_done_and_left_where_that_is_known() -> None:
    known = RecordingPosition("/data", "a.wav", 44, 30.0, 120.0)
    assert (known.share, known.left) == (0.25, 90.0)
    unknown = RecordingPosition("/data", "a\n.webm", 44, 3601.9, None)
    assert (unknown.share, unknown.left) == (0.0, math.inf)
    assert str(unknown) == "1:00:01  a\\x0a.webm"
