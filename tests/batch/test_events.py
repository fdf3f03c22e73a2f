"""Progress: what is done and, apart from it, how far long recordings are read."""

from __future__ import annotations

from batchemo.batch.events import Event, Progress, Progressed
from batchemo.batch.known_rows import KnownRows
from batchemo.batch.plan import Plan
from batchemo.sources import Recording
from batchemo.tables.rows import RecordingResult
from batchemo.workers.dispatcher import FinishedChunk
from batchemo.workers.executor import Chunk
from batchemo.workers.heartbeat import RecordingPosition

NAMES = ("a.wav", "b.webm", "c.wav")
RECORDINGS = [Recording("/data", name, 1000, 0) for name in NAMES]
POSITIONS = [
    RecordingPosition("/data", "a.wav", 1000, 90.0, 120.0),
    RecordingPosition("/data", "b.webm", 1000, 50.0, None),
    RecordingPosition("/data", "c.wav", 1000, 60.0, 120.0),
]


def progressed(*finished: str) -> Progressed:
    """Return the last event after positions in all recordings, and then the end of some."""
    plan = Plan(KnownRows(""))
    list(plan.chunks(RECORDINGS))
    events: list[Event] = []
    progress = Progress()
    progress.update_positions(POSITIONS, plan, events.append)
    for number, name in enumerate(finished):
        chunk = Chunk(number, (Recording("/data", name, 1000, 0),))
        rows = (RecordingResult(root="/data", file=name, reason="silent", duration=120.0),)
        progress.add(FinishedChunk(chunk, rows, {}), [rows], plan, events.append)
    assert isinstance(events[-1], Progressed)
    return events[-1]


def test_positions_come_with_counts_of_what_is_done() -> None:
    event = progressed()
    assert event.positions == tuple(POSITIONS)
    assert (event.done, event.found, event.seconds, event.bytes_done) == (0, 3, 0.0, 0)
    assert (event.seconds_read, event.bytes_read) == (200.0, 1250.0)


def test_a_recording_that_is_done_has_no_position() -> None:
    event = progressed("a.wav")
    assert event.positions == tuple(POSITIONS[1:])
    assert (event.seconds_read, event.bytes_read) == (230.0, 1500.0)
    assert progressed(*NAMES).positions == ()


def test_the_most_that_is_left_comes_first() -> None:
    assert [position.file for position in progressed().most_left] == ["b.webm", "c.wav", "a.wav"]
