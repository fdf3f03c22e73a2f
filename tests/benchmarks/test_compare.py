"""Two checkouts are compared by ratios, and their tables by what they say."""

from __future__ import annotations

import pyarrow as pa
from compare import compared, difference
from speed.figures import Line


def test_the_ratio_is_that_of_the_cost_of_a_recording_without_the_start() -> None:
    old, new = [Line(1.0, 0.010)] * 3, [Line(9.0, 0.012), Line(9.0, 0.011), Line(9.0, 0.015)]
    assert round(compared(old, new).median, 6) == 1.2


def test_tables_of_other_models_may_say_the_same() -> None:
    one = pa.table({"file": ["a", "b"], "model": ["m@1", "m@1"]})
    assert difference(one, one.set_column(1, "model", [["m@2", "m@2"]])) == "the tables are equal"


def test_what_differs_is_named_with_how_far() -> None:
    one = pa.table({"emotion": ["sad", "calm"], "p_sad": [0.5, 0.25], "file": ["a", "b"]})
    other = pa.table({"emotion": ["sad", "sad"], "p_sad": [0.75, 0.375], "file": ["a", "b"]})
    said = "the tables differ: emotion in 1 row; p_sad in 2 rows, by 0.25 at most"
    assert difference(one, other) == said


def test_tables_of_other_recordings_are_not_compared_row_by_row() -> None:
    one = pa.table({"file": ["a", "b"]})
    assert "the number of their rows" in difference(one, one.slice(1))
