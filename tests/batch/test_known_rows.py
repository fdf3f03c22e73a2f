"""Known rows: the row of a recording is found if it is still valid for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from batchemo.batch.chunk_store import PREVIOUS
from batchemo.batch.known_rows import TRANSIENT_REASONS, KnownRows
from batchemo.sources import Recording
from batchemo.tables.rows import RecordingResult, WindowResults, to_batch

EVEN = np.array([0.5, 0.5], np.float32)
WINDOW = WindowResults(np.zeros(1), np.ones(1), EVEN[None])


def recording(number: int, *, root: str = "/data", size: int | None = 10) -> Recording:
    return Recording(root, f"{number}.wav", size, None if size is None else 1000)


def rows(
    *numbers: int, model: str = "m", reason: str | None = None, segments: bool = False
) -> pa.RecordBatch:
    results = [
        RecordingResult(
            "/data",
            f"{number}.wav",
            reason=reason,
            probabilities=None if reason else EVEN,
            windows=None if reason else WINDOW,
            size=10,
            mtime_ns=1000,
        )
        for number in numbers
    ]
    return to_batch(results, labels=("a", "b"), model=model, segments=segments)


def test_an_unchanged_recording_of_the_same_model_is_found_at_its_position() -> None:
    known_rows = KnownRows("m")
    known_rows.add(PREVIOUS, 100, rows(1, 2, 3))
    assert len(known_rows) == 3
    assert known_rows.find(recording(2)) == (True, (PREVIOUS, 101))


def test_a_recording_that_is_new_changed_or_of_another_model_has_no_valid_row() -> None:
    known_rows = KnownRows("m")
    known_rows.add(PREVIOUS, 0, rows(1))
    known_rows.add(PREVIOUS, 1, rows(2, model="other"))
    assert known_rows.find(recording(9)) == (False, None)
    assert known_rows.find(recording(1, size=11)) == (True, None)
    assert known_rows.find(Recording("/data", "1.wav", 10, 1001)) == (True, None)
    assert known_rows.find(recording(2)) == (True, None)


def test_the_same_name_below_another_root_is_another_recording() -> None:
    known_rows = KnownRows("m")
    known_rows.add(PREVIOUS, 0, rows(1))
    assert known_rows.find(recording(1, root="/other")) == (False, None)


def test_failures_are_valid_rows_unless_they_are_to_be_retried() -> None:
    for retry, position in ((False, (PREVIOUS, 0)), (True, None)):
        known_rows = KnownRows("m", retry_failed=retry)
        known_rows.add(PREVIOUS, 0, rows(1, reason="silent"))
        assert known_rows.find(recording(1)) == (True, position)


@pytest.mark.parametrize("reason", TRANSIENT_REASONS)
def test_transient_failures_are_not_valid_where_they_are_to_be_retried(reason: str) -> None:
    for retry, position in ((False, (0, 0)), (True, None)):
        known_rows = KnownRows("m")
        known_rows.add(0, 0, rows(1, reason=reason), retry_transient=retry)
        known_rows.add(0, 1, rows(2), retry_transient=retry)
        known_rows.add(0, 2, rows(3, reason="silent"), retry_transient=retry)
        assert known_rows.find(recording(1)) == (True, position)
        assert known_rows.find(recording(2)) == (True, (0, 1))
        assert known_rows.find(recording(3)) == (True, (0, 2))


def counted(reason: str, tries: int | None, **changes: Any) -> pa.RecordBatch:
    result = RecordingResult("/data", "1.wav", reason=reason, size=10, mtime_ns=1000)
    batch = to_batch([result], labels=("a", "b"), model="m", segments=False, tries=[tries])
    for name, value in changes.items():
        index = batch.schema.get_field_index(name)
        batch = batch.set_column(index, name, pa.array([value], batch.schema.field(name).type))
    return batch


@pytest.mark.parametrize("reason", ["silent", "worker_died"])
def test_a_failure_is_retried_until_it_was_tried_often_enough(reason: str) -> None:
    for tries, position in ((None, None), (1, None), (2, None), (3, (PREVIOUS, 0)), (9, (-1, 0))):
        known_rows = KnownRows("m", retry_failed=True, retry_reasons=("silent",), max_tries=3)
        known_rows.add(PREVIOUS, 0, counted(reason, tries), retry_transient=True)
        assert known_rows.find(recording(1)) == (True, position)


def test_tries_are_counted_while_recording_and_model_are_the_same() -> None:
    failed = RecordingResult("/data", "1.wav", reason="silent", size=10, mtime_ns=1000)
    for batch, tries in (
        (counted("timeout", 2), 3),
        (counted("timeout", None), 2),
        (rows(1, reason="timeout"), 2),
        (rows(1), 1),
        (rows(2, reason="timeout"), 1),
        (counted("timeout", 2, size=11), 1),
        (counted("timeout", 2, mtime=1001), 1),
        (counted("timeout", 2, model="other"), 1),
    ):
        known_rows = KnownRows("m", max_tries=9)
        known_rows.add(PREVIOUS, 0, batch)
        assert known_rows.next_tries(failed) == tries
        # A chunk's row is of the same run, which was interrupted.
        known_rows.add(0, 0, counted("timeout", tries))
        assert known_rows.next_tries(failed) == tries
    missing = RecordingResult("/data", "1.wav", reason="missing")
    assert known_rows.next_tries(missing) is None


def test_transient_failures_that_may_be_tried_again_are_counted() -> None:
    for max_tries, transient in ((None, 1), (2, 1), (1, 0)):
        known_rows = KnownRows("m", max_tries=max_tries)
        known_rows.add(PREVIOUS, 0, rows(1, reason="worker_died"))
        known_rows.add(PREVIOUS, 1, rows(2, reason="silent"))
        known_rows.add(PREVIOUS, 2, rows(3, reason="worker_died", model="other"))
        assert known_rows.transient == transient


def test_rows_whose_windows_are_wanted_and_lost_are_not_valid() -> None:
    complete = rows(1, 2, segments=True)
    index = complete.schema.get_field_index("segments")
    lists = complete["segments"]
    lost = complete.set_column(index, "segments", lists.filter([True, False]).take([None, 0]))
    known_rows = KnownRows("m")
    known_rows.add(PREVIOUS, 0, lost)
    known_rows.add(PREVIOUS, 2, rows(3, reason="silent", segments=True))
    assert known_rows.find(recording(1)) == (True, None)
    assert known_rows.find(recording(2)) == (True, (PREVIOUS, 1))
    assert known_rows.find(recording(3)) == (True, (PREVIOUS, 2)), "it never had windows"


@pytest.mark.parametrize(
    ("keep", "chunk", "position"),
    [(True, PREVIOUS, (PREVIOUS, 0)), (False, PREVIOUS, None), (True, 0, None)],
)
def test_a_recording_that_cannot_be_reached_keeps_its_row_of_the_table_if_that_is_wanted(
    keep: bool, chunk: int, position: tuple[int, int] | None
) -> None:
    known_rows = KnownRows("m", keep_unreachable=keep)
    known_rows.add(chunk, 0, rows(1))
    assert known_rows.find(recording(1, size=None)) == (True, position)


def test_a_recording_that_is_still_missing_keeps_its_row_where_nothing_may_change() -> None:
    missing = to_batch(
        [RecordingResult("/data", "1.wav", reason="missing")],
        **{"labels": ("a", "b"), "model": "m", "segments": False},
    )
    for keep, position in ((False, None), (True, (PREVIOUS, 0))):
        known_rows = KnownRows("m", keep_missing=keep)
        known_rows.add(PREVIOUS, 0, missing)
        assert known_rows.find(recording(1, size=None)) == (True, position)
        assert known_rows.find(recording(1)) == (True, None)
        assert not known_rows.was_read(recording(1))


def test_a_later_row_replaces_the_earlier_and_keeps_its_place_in_the_order() -> None:
    known_rows = KnownRows("m")
    known_rows.add(PREVIOUS, 0, rows(1, 2))
    known_rows.add(7, 0, rows(1))
    assert known_rows.find(recording(1)) == (True, (7, 0))
    assert [position for position, _, _ in known_rows.orphans()] == [(7, 0), (PREVIOUS, 1)]


def test_orphans_are_the_rows_of_recordings_that_were_not_requested() -> None:
    known_rows = KnownRows("m")
    known_rows.add(PREVIOUS, 0, rows(1, 2))
    known_rows.mark_requested(recording(1))
    known_rows.mark_requested(recording(9))
    assert list(known_rows.orphans()) == [((PREVIOUS, 1), "/data", "2.wav")]


def test_rows_of_chunks_are_found_at_their_positions_whichever_is_asked_for_first() -> None:
    known_rows = KnownRows("m")
    known_rows.add(PREVIOUS, 0, rows(1, 2, 3))
    known_rows.add(4, 0, rows(5, 6))
    known_rows.add(2, 0, rows(3, 9))
    found = {number: known_rows.find(recording(number))[1] for number in (9, 1, 6, 3, 2, 5)}
    assert found == {9: (2, 1), 1: (-1, 0), 6: (4, 1), 3: (2, 0), 2: (-1, 1), 5: (4, 0)}
