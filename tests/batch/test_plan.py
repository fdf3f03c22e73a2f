"""The plan sorts recordings into known and to do, and remembers the order of all rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchemo.batch import plan as plan_module
from batchemo.batch.chunk_store import PREVIOUS
from batchemo.batch.known_rows import KnownRows
from batchemo.batch.plan import (
    FILES_PER_CHUNK,
    FIRST_CHUNK,
    LEAST_FILES,
    OWN_COLUMNS,
    SECONDS_PER_CHUNK,
    OrphanRows,
    Plan,
    is_gone,
    keep_orphans,
)
from batchemo.sources import Recording
from batchemo.tables.rows import RecordingResult, to_batch

if TYPE_CHECKING:
    import pyarrow as pa


def recording(number: int, *, size: int = 10, row: int | None = None) -> Recording:
    return Recording("/data", f"{number}.wav", size, 1000, row)


def rows(*numbers: int, root: str = "/data") -> pa.RecordBatch:
    results = [
        RecordingResult(
            root,
            f"{number}.wav",
            probabilities=np.array([0.5, 0.5], np.float32),
            size=10,
            mtime_ns=1000,
        )
        for number in numbers
    ]
    return to_batch(results, labels=("a", "b"), model="m", segments=False)


def known(*numbers: int, root: str = "/data") -> KnownRows:
    known_rows = KnownRows("m")
    known_rows.add(PREVIOUS, 0, rows(*numbers, root=root))
    return known_rows


def test_the_first_chunks_are_small_and_none_is_large() -> None:
    chunks = Plan(KnownRows("m")).chunks(recording(number) for number in range(1000))
    sizes = [len(chunk.recordings) for chunk in chunks]
    assert sizes[0] == FIRST_CHUNK
    assert max(sizes) == FILES_PER_CHUNK
    assert sum(sizes) == 1000


def test_chunks_of_recordings_that_take_long_are_smaller() -> None:
    plan = Plan(KnownRows("m"))
    chunks = plan.chunks(recording(number, size=10) for number in range(10_000))
    sizes = []
    for chunk in chunks:
        sizes.append(len(chunk.recordings))
        if len(sizes) > 10:  # From here on, 5 ms a recording.
            plan.add_cost(chunk, 0.005 * len(chunk.recordings))
    assert max(sizes[:10]) == FILES_PER_CHUNK
    assert LEAST_FILES <= sizes[-2] <= SECONDS_PER_CHUNK / 0.005 < FILES_PER_CHUNK


def test_long_recordings_get_chunks_of_their_own() -> None:
    long = [recording(number, size=2**30) for number in range(3)]
    assert [len(chunk.recordings) for chunk in Plan(KnownRows("m")).chunks(long)] == [1, 1, 1]


def test_chunks_are_numbered_after_those_of_an_interrupted_run() -> None:
    plan = Plan(KnownRows("m"), first_chunk=7)
    chunks = list(plan.chunks(recording(number) for number in range(FIRST_CHUNK + 1)))
    assert [chunk.number for chunk in chunks] == [7, 8]


def test_recordings_are_counted_as_new_changed_kept_and_unreachable() -> None:
    known_rows = KnownRows("m", keep_unreachable=True)
    known_rows.add(PREVIOUS, 0, rows(1, 2, 3))
    plan = Plan(known_rows)
    found = [
        recording(1),
        recording(2, size=11),
        recording(4),
        Recording("/data", "3.wav", None, None),
    ]
    list(plan.chunks(found))
    counts = plan.counts
    assert (counts.new, counts.changed, counts.kept, counts.unreachable) == (1, 1, 2, 1)
    assert (counts.to_do, counts.bytes, counts.all_found) == (2, 21, True)


def test_the_limit_counts_recordings_to_do_and_not_those_kept() -> None:
    plan = Plan(known(0, 1, 2), limit=2)
    chunks = list(plan.chunks(recording(number) for number in range(10)))
    assert [r.file for chunk in chunks for r in chunk.recordings] == ["3.wav", "4.wav"]
    assert (plan.counts.kept, plan.counts.new, plan.counts.all_found) == (3, 2, False)


def test_a_changed_recording_beyond_the_limit_keeps_its_earlier_row() -> None:
    plan = Plan(known(1), limit=0)
    assert list(plan.chunks([recording(1, size=11)])) == []
    assert [position for position, _, _ in plan.known_rows.orphans()] == [(PREVIOUS, 0)]


@given(
    st.lists(st.integers(0, 60), unique=True, max_size=60),
    st.sets(st.integers(0, 60)),
    st.booleans(),
)
def test_the_ranges_give_the_order_of_the_recordings(
    numbers: list[int], known_numbers: set[int], manifest: bool
) -> None:
    earlier = sorted(known_numbers)
    plan = Plan(known(*earlier) if earlier else KnownRows("m"))
    found = [
        recording(number, row=index if manifest else None) for index, number in enumerate(numbers)
    ]
    chunks = {chunk.number: chunk for chunk in plan.chunks(found)}
    actual = []
    for range_ in plan.ranges:
        for offset in range(range_.length):
            row = range_.start + offset
            if range_.chunk == PREVIOUS:
                number = earlier[row]
            else:
                number = int(Path(chunks[range_.chunk].recordings[row].file).stem)
            actual.append((number, None if range_.manifest is None else range_.manifest + offset))
    assert actual == [(number, index if manifest else None) for index, number in enumerate(numbers)]


def test_rows_that_lie_in_order_are_one_range() -> None:
    plan = Plan(known(*range(100)))
    list(plan.chunks(recording(number) for number in range(100)))
    assert len(plan.ranges) == 1


def test_orphan_rows_come_last_and_keep_the_columns_that_they_have() -> None:
    plan = Plan(known(1, 2, 3))
    list(plan.chunks([recording(9), recording(1)]))
    assert keep_orphans(plan, prune=False) == OrphanRows(kept=2)
    last = plan.ranges[-1]
    assert (last.chunk, last.start, last.length, last.manifest) == (PREVIOUS, 1, 2, OWN_COLUMNS)


def test_pruning_drops_rows_of_files_that_are_gone_and_keeps_those_of_files_that_are_there(
    tmp_path: Path,
) -> None:
    (tmp_path / "1.wav").touch()
    plan = Plan(known(1, 2, 3, root=str(tmp_path)))
    assert keep_orphans(plan, prune=True) == OrphanRows(kept=1, pruned=2)
    assert [(range_.start, range_.length) for range_ in plan.ranges] == [(0, 1)]


@pytest.mark.parametrize("exists", [True, False])
def test_pruning_keeps_the_rows_of_a_root_that_is_empty_or_missing(
    tmp_path: Path, exists: bool
) -> None:
    root = tmp_path / "disk"
    if exists:
        root.mkdir()
    plan = Plan(known(1, 2, root=str(root)))
    assert keep_orphans(plan, prune=True) == OrphanRows(kept=2, empty_roots={str(root)})


def test_pruning_keeps_the_rows_of_a_root_that_cannot_be_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: str) -> None:
        raise PermissionError

    monkeypatch.setattr(plan_module.os, "scandir", fail)
    plan = Plan(known(1, root=str(tmp_path)))
    assert keep_orphans(plan, prune=True).pruned == 0


def test_a_file_is_gone_only_where_that_is_certain(tmp_path: Path) -> None:
    (tmp_path / "there.wav").touch()
    assert not is_gone(str(tmp_path), "there.wav")
    assert is_gone(str(tmp_path), "no.wav")
    assert is_gone(str(tmp_path), "there.wav/below")
    assert not is_gone(str(tmp_path), "x" * 300), "a name too long cannot be looked up"
