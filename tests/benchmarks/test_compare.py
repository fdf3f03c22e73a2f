"""benchmarks/compare.py: the ratio of two checkouts, and the difference of their tables."""

from __future__ import annotations

import pyarrow as pa
from compare import cost_ratio, describe_difference
from speed.results import Cost


def test_the_ratio_is_that_of_the_cost_per_recording_without_the_start() -> None:
    old = [Cost(1.0, 0.010)] * 3
    new = [Cost(9.0, 0.012), Cost(9.0, 0.011), Cost(9.0, 0.015)]
    assert round(cost_ratio(old, new).median, 6) == 1.2


def test_tables_of_different_models_can_be_equal() -> None:
    one = pa.table({"file": ["a", "b"], "model": ["m@1", "m@1"]})
    other = one.set_column(1, "model", [["m@2", "m@2"]])
    assert describe_difference(one, other) == "the tables are equal"


def test_differing_columns_are_named_with_their_largest_distance() -> None:
    one = pa.table({"emotion": ["sad", "calm"], "p_sad": [0.5, 0.25], "file": ["a", "b"]})
    other = pa.table({"emotion": ["sad", "sad"], "p_sad": [0.75, 0.375], "file": ["a", "b"]})
    expected = "the tables differ: emotion in 1 row; p_sad in 2 rows, by 0.25 at most"
    assert describe_difference(one, other) == expected


def test_tables_of_different_recordings_are_not_compared_row_by_row() -> None:
    one = pa.table({"file": ["a", "b"]})
    assert "the number of their rows" in describe_difference(one, one.slice(1))
