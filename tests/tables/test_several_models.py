"""The columns of several models are written and read back, whatever they are called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from batchemo.tables.columns import labels_of, models_of, recordings_columns, reserved_columns
from batchemo.tables.derived import segments_table, with_derived_columns
from batchemo.tables.read import open_table
from batchemo.tables.rows import RecordingResult, WindowResults, to_batch
from batchemo.tables.schema import chunk_schema, recordings_schema, segments_schema
from batchemo.tables.write import open_writer, rechunk

# Names that look like columns, and like parts of them.
WORDS = ("a", "a_b", "b", "p_a", "emotion_a", "agreement", "windows", "confidence", "margin_a-b.c")
names = st.lists(st.sampled_from(WORDS), min_size=2, max_size=4, unique=True)


@given(labels=names, models=names, extras=st.lists(st.sampled_from(WORDS), max_size=3))
def test_labels_and_models_are_read_back_from_the_columns_alone(
    labels: list[str], models: list[str], extras: list[str]
) -> None:
    columns = [name for name, _ in recordings_columns(labels, models)]
    assume(len(set(columns)) == len(columns))
    own = [*columns, *(f"emotion_{extra}" for extra in extras), *extras]
    assert labels_of(own) == labels
    assert models_of(own) == models


@given(labels=names, extras=st.lists(st.sampled_from(WORDS), max_size=3))
def test_a_table_of_one_model_has_none_whatever_a_manifest_added(
    labels: list[str], extras: list[str]
) -> None:
    columns = [name for name, _ in recordings_columns(labels)]
    assert models_of([*columns, "agreement", *(f"emotion_{extra}" for extra in extras)]) == []
    assert models_of(["root", "file", *extras]) == []


def test_one_model_has_the_columns_that_it_always_had() -> None:
    assert recordings_schema(["a"], models=[]).equals(recordings_schema(["a"]))
    assert "model" not in segments_schema(["a"]).names
    assert reserved_columns(["a"], ["m"]) - reserved_columns(["a"]) == {
        *("agreement", "emotion_m", "confidence_m", "margin_m", "p_a_m"),
    }


def heard(model_probabilities: list[list[float]]) -> RecordingResult:
    """A recording of as many windows as there are models."""
    each = np.array(model_probabilities, np.float32)
    count = len(each)
    starts = np.arange(count, dtype=float)
    windows = WindowResults(starts, starts + 1, each, np.arange(count, dtype=np.int32))
    return RecordingResult(
        "/r", "f", probabilities=each.mean(axis=0), model_probabilities=each, windows=windows
    )


@pytest.mark.parametrize("ending", [".parquet", ".csv"])
@given(rows=st.lists(st.lists(st.floats(0, 1, width=16), min_size=3, max_size=3), max_size=4))
@settings(
    max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_rows_of_several_models_are_read_back_equal(
    tmp_path: Path, ending: str, rows: list[list[float]]
) -> None:
    labels, models = ["sad", "a_sad"], ["x", "sad", "a"]
    made = [heard([[p, 1 - p] for p in each]) for each in rows]
    made.append(RecordingResult("/r", "gone", reason="missing", detail="no such file"))
    batch = to_batch(made, labels=labels, model="x + sad + a", segments=False, models=models)
    made_table = with_derived_columns(pa.Table.from_batches([batch]), labels, models)
    schema = recordings_schema(labels, models=models)
    writer = open_writer(tmp_path / f"r{ending}", schema, kind=ending)
    for table in rechunk(made_table.to_batches(), schema):
        writer.write(table)
    writer.close()
    back = open_table(tmp_path / f"r{ending}")
    assert (back.labels, back.models, back.extras) == (labels, models, [])
    read = pa.Table.from_batches(back.batches()).select(made_table.column_names)
    assert read.cast(made_table.schema).equals(made_table)


def test_windows_become_rows_with_their_models() -> None:
    labels, models = ["happy", "sad"], ["one", "two"]
    rows = [heard([[0.9, 0.1], [np.nan, np.nan]]), RecordingResult("/r", "g", reason="empty")]
    batch = to_batch(rows[1:], labels=labels, model="m", segments=True, models=models)
    assert batch["segments"].to_pylist() in ([None], [[]])
    rows[0] = RecordingResult(
        "/r",
        "f",
        probabilities=np.array([0.9, 0.1], np.float32),
        model_probabilities=np.array([[0.9, 0.1], [0.9, 0.1]], np.float32),
        windows=rows[0].windows,
    )
    batch = to_batch(rows, labels=labels, model="m", segments=True, models=models)
    assert batch.schema.equals(chunk_schema(labels, segments=True, models=models))
    windows = segments_table(pa.Table.from_batches([batch]), labels, models)
    assert windows.select(["file", "model", "start", "emotion"]).to_pylist() == [
        {"file": "f", "model": "one", "start": 0.0, "emotion": "happy"},
        {"file": "f", "model": "two", "start": 1.0, "emotion": None},
    ]
