"""The plan sorts recordings into known and to do, and remembers the order of all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchemo.batch.chunk_store import PREVIOUS
from batchemo.batch.known_rows import KnownRows
from batchemo.batch.plan import (
    FILES_PER_CHUNK,
    FIRST_CHUNK,
    OWN_COLUMNS,
    Plan,
)
from batchemo.sources import Recording
from batchemo.tables.rows import RecordingResult, to_batch

HALF = np.array([0.5, 0.5], np.float32)


def recording(name: int, *, size: int = 10, row: int | None = None) -> Recording:
    return Recording("/data", f"{name}.wav", size, 1000, row)


def entries(
    *names: int, model: str = "m", reason: str | None = None, segments: bool = False
) -> pa.RecordBatch:
    rows = [
        RecordingResult(
            "/data",
            f"{name}.wav",
            reason=reason,
            probabilities=None if reason else HALF,
            size=10,
            mtime_ns=1000,
        )
        for name in names
    ]
    return to_batch(rows, labels=("a", "b"), model=model, segments=segments)


def test_an_unchanged_recording_of_the_same_model_is_found_in_its_place() -> None:
    known_rows = KnownRows("m")
    known_rows.add(PREVIOUS, 100, entries(1, 2, 3))
    assert known_rows.find(recording(2)) == (True, (PREVIOUS, 101))


def test_what_is_new_changed_or_of_another_model_is_to_do() -> None:
    known_rows = KnownRows("m")
    known_rows.add(PREVIOUS, 0, entries(1))
    known_rows.add(PREVIOUS, 1, entries(2, model="other"))
    assert known_rows.find(recording(9)) == (False, None)
    assert known_rows.find(recording(1, size=11)) == (True, None)
    assert known_rows.find(recording(2)) == (True, None)
    assert known_rows.find(Recording("/data", "1.wav", None, None)) == (True, None)


def test_failures_are_good_rows_unless_they_are_retried() -> None:
    for retry, place in ((False, (PREVIOUS, 0)), (True, None)):
        known_rows = KnownRows("m", retry_failed=retry)
        known_rows.add(PREVIOUS, 0, entries(1, reason="silent"))
        assert known_rows.find(recording(1)) == (True, place)


@pytest.mark.parametrize(
    ("reason", "kept"),
    [(None, True), ("silent", True), ("worker_died", False), ("out_of_memory", False)],
)
def test_an_interrupted_run_may_have_given_up_a_recording_for_no_fault_of_its_own(
    reason: str | None, kept: bool
) -> None:
    known_rows = KnownRows("m")
    known_rows.add(0, 0, entries(1, reason=reason), interrupted=True)
    assert known_rows.find(recording(1)) == (True, (0, 0) if kept else None)


def test_a_row_without_its_windows_is_not_valid() -> None:
    known_rows = KnownRows("m")
    rows = entries(1, 2, segments=True)
    windows = rows.schema.get_field_index("windows")
    known_rows.add(PREVIOUS, 0, rows.set_column(windows, "windows", pa.array([0, 3], pa.int32())))
    assert known_rows.find(recording(1)) == (True, (PREVIOUS, 0))
    assert known_rows.find(recording(2)) == (True, None)


def test_a_later_entry_replaces_the_earlier_and_keeps_its_turn() -> None:
    known_rows = KnownRows("m")
    known_rows.add(PREVIOUS, 0, entries(1, 2))
    known_rows.add(7, 0, entries(1))
    assert known_rows.find(recording(1)) == (True, (7, 0))
    assert [place for place, _, _ in known_rows.orphans()] == [(7, 0), (PREVIOUS, 1)]
    known_rows.mark_requested(recording(1))
    assert [place for place, _, _ in known_rows.orphans()] == [(PREVIOUS, 1)]


def test_a_recording_that_cannot_be_reached_keeps_its_earlier_row_where_that_is_asked() -> None:
    away = Recording("/data", "1.wav", None, None)
    for keep, place in ((True, (PREVIOUS, 0)), (False, None)):
        known_rows = KnownRows("m", keep_unreachable=keep)
        known_rows.add(PREVIOUS, 0, entries(1))
        assert known_rows.find(away) == (True, place)


def test_a_changed_recording_beyond_the_limit_is_not_among_those_asked_for() -> None:
    known_rows = KnownRows("m")
    known_rows.add(PREVIOUS, 0, entries(1))
    plan = Plan(known_rows, limit=0)
    assert list(plan.chunks([recording(1, size=11)])) == []
    assert [place for place, _, _ in known_rows.orphans()] == [(PREVIOUS, 0)]


def test_the_same_name_below_another_root_is_another_recording() -> None:
    known_rows = KnownRows("m")
    known_rows.add(PREVIOUS, 0, entries(1))
    assert known_rows.find(Recording("/other", "1.wav", 10, 1000)) == (False, None)


def test_the_first_chunks_are_small_and_none_is_large() -> None:
    sizes = [
        len(c.recordings) for c in Plan(KnownRows("m")).chunks(recording(i) for i in range(500))
    ]
    assert sizes[0] == FIRST_CHUNK
    assert max(sizes) == FILES_PER_CHUNK
    assert sum(sizes) == 500


def test_long_recordings_get_chunks_of_their_own() -> None:
    long = [recording(i, size=2**30) for i in range(3)]
    assert [len(chunk.recordings) for chunk in Plan(KnownRows("m")).chunks(iter(long))] == [1, 1, 1]


def test_the_limit_counts_what_is_to_do_and_not_what_is_kept() -> None:
    known_rows = KnownRows("m")
    known_rows.add(PREVIOUS, 0, entries(0, 1, 2))
    plan = Plan(known_rows, limit=2)
    chunks = list(plan.chunks(recording(i) for i in range(10)))
    assert [r.file for chunk in chunks for r in chunk.recordings] == ["3.wav", "4.wav"]
    assert (plan.counts.kept, plan.counts.new, plan.counts.all_found) == (3, 2, False)


@given(
    st.lists(st.integers(0, 60), unique=True, max_size=60),
    st.sets(st.integers(0, 60)),
    st.booleans(),
)
def test_the_runs_spell_out_the_order_of_the_recordings(
    names: list[int], known: set[int], manifest: bool
) -> None:
    known_rows = KnownRows("m")
    earlier = sorted(known)
    if earlier:
        known_rows.add(PREVIOUS, 0, entries(*earlier))
    plan = Plan(known_rows)
    found = [recording(name, row=i if manifest else None) for i, name in enumerate(names)]
    chunks = {chunk.number: chunk for chunk in plan.chunks(found)}
    spelled = []
    for run in plan.ranges:
        for offset in range(run.length):
            row = run.start + offset
            if run.chunk == PREVIOUS:
                name = earlier[row]
            else:
                name = int(Path(chunks[run.chunk].recordings[row].file).stem)
            spelled.append((name, None if run.manifest is None else run.manifest + offset))
    assert spelled == [(name, i if manifest else None) for i, name in enumerate(names)]


def test_rows_that_nobody_asked_for_come_last_with_their_own_columns() -> None:
    plan = Plan(KnownRows("m"))
    list(plan.chunks([recording(1)]))
    plan.keep((PREVIOUS, 4))
    plan.keep((PREVIOUS, 5))
    last = plan.ranges[-1]
    assert (last.chunk, last.start, last.length, last.manifest) == (PREVIOUS, 4, 2, OWN_COLUMNS)
