"""The table of an earlier run is read as rows of chunks, with its windows and extra columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from batchemo.batch.chunk_store import store_folder
from batchemo.batch.outputs import OutputPaths
from batchemo.batch.plan import OWN_COLUMNS, RowRange
from batchemo.batch.previous import cast_or_null, open_previous, with_previous_columns
from batchemo.batch.writer import write_tables
from batchemo.errors import UsageError
from batchemo.inference.output_schema import OutputSchema
from batchemo.inference.postprocess import PostProcessor
from batchemo.inference.settings import PostprocessSettings
from batchemo.tables.read import UnreadableTableError
from batchemo.tables.rows import RecordingResult, WindowResults, to_batch
from batchemo.tables.summary import Summary

LABELS = ("happy", "sad")
MODELS = ("x", "y")


def schema(**changes: Any) -> OutputSchema:
    defaults = {"labels": LABELS, "manifest": None, "segments": True, "provenance": {}}
    # All models have labels.
    defaults |= {"window_models": changes.get("models", ())}
    return OutputSchema(**defaults | changes)


def batch(output_schema: OutputSchema) -> pa.RecordBatch:
    """Three recordings: of two windows, failed, and of one window without speech."""
    happy, sad = np.array([[0.75, 0.25], [0.4, 0.6]], np.float32)
    models = output_schema.models
    model_indices = np.array([0, 1], np.int32)
    two = WindowResults(
        np.array([0.0, 1.0]),
        np.array([1.0, 2.0]),
        np.stack([happy, sad]),
        model_indices if models else None,
    )
    silent = WindowResults(
        np.zeros(1),
        np.ones(1),
        np.full((1, 2), np.nan, np.float32),
        model_indices[1:] if models else None,
    )

    def analysed(name: str, probabilities: Any, windows: WindowResults) -> RecordingResult:
        return RecordingResult(
            "/d",
            name,
            probabilities=probabilities,
            model_probabilities=np.stack([probabilities] * len(models)) if models else None,
            windows=windows,
            size=1,
            mtime_ns=5,
        )

    results = [
        analysed("a.wav", happy, two),
        RecordingResult("/d", "b.wav", reason="empty", detail="no bytes", size=0, mtime_ns=6),
        analysed("c.wav", sad, silent),
    ]
    return to_batch(
        results,
        labels=output_schema.labels,
        model="m",
        segments=True,
        models=models,
        several_models=bool(models),
    )


def write(folder: Path, output_schema: OutputSchema, ending: str = "parquet") -> OutputPaths:
    """Write the tables of a run with these recordings."""
    outputs = OutputPaths(folder / f"r.{ending}", folder / f"s.{ending}")
    store_folder(outputs.recordings).mkdir(exist_ok=True)
    rows = [batch(output_schema)]
    postprocessor = PostProcessor(output_schema)
    write_tables(lambda: rows, postprocessor, outputs, Summary(None), fresh=False)
    return outputs


def read(outputs: OutputPaths, output_schema: OutputSchema) -> list[dict[str, Any]]:
    """Return the rows of the earlier tables, for a run with this schema."""
    segments = outputs.segments if output_schema.segments else None
    previous = open_previous(outputs.recordings, segments, output_schema)
    table = pa.Table.from_batches(list(previous.batches), previous.schema)
    return table.to_pylist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("ending", ["parquet", "csv"])
@pytest.mark.parametrize("models", [(), MODELS])
def test_rows_and_windows_are_read_back_as_the_workers_returned_them(
    tmp_path: Path, ending: str, models: tuple[str, ...]
) -> None:
    output_schema = schema(models=models)
    outputs = write(tmp_path, output_schema, ending)
    assert read(outputs, output_schema) == batch(output_schema).to_pylist()


def test_windows_are_not_read_where_no_segments_are_wanted(tmp_path: Path) -> None:
    outputs = write(tmp_path, schema())
    rows = read(outputs, schema(segments=False))
    assert [row["file"] for row in rows] == ["a.wav", "b.wav", "c.wav"]
    assert "segments" not in rows[0]


@pytest.mark.parametrize("damage", ["missing", "fewer", "more", "order", "labels"])
def test_segments_that_do_not_match_the_recordings_are_not_used(
    tmp_path: Path, damage: str
) -> None:
    outputs = write(tmp_path, schema())
    assert outputs.segments is not None
    table = pq.read_table(outputs.segments)
    if damage == "missing":
        outputs.segments.unlink()
    else:
        changed = {
            "fewer": table.slice(1),
            "more": pa.concat_tables([table, table.slice(0, 1)]),
            "order": table.take([2, 0, 1]),
            "labels": table.drop_columns(["p_sad"]),
        }
        pq.write_table(changed[damage], outputs.segments)
    assert [row["segments"] for row in read(outputs, schema())] == [None] * 3


def test_a_recording_may_have_all_of_its_windows_or_none(tmp_path: Path) -> None:
    outputs = write(tmp_path, schema())
    assert outputs.segments is not None
    table = pq.read_table(outputs.segments)
    pq.write_table(table.slice(2), outputs.segments)
    first, _, last = read(outputs, schema())
    assert len(first["segments"]) == 0
    assert last["segments"] == batch(schema()).to_pylist()[2]["segments"]


def test_probabilities_are_those_before_adaptation(tmp_path: Path) -> None:
    adapted = schema(postprocess=PostprocessSettings(speaker="root"))
    outputs = write(tmp_path, adapted)
    table = pq.read_table(outputs.recordings)
    assert table["p_happy"].to_pylist() != table["unadapted_happy"].to_pylist()
    for output_schema in (schema(), adapted):
        assert read(outputs, output_schema) == batch(output_schema).to_pylist()


@pytest.mark.parametrize("options", [{"speaker": "folder"}, {"class_shares": "even"}])
def test_adapted_probabilities_without_the_unadapted_ones_are_refused(
    tmp_path: Path, options: dict[str, str]
) -> None:
    provenance = {"options": options}
    outputs = write(tmp_path, schema(provenance=provenance))
    with pytest.raises(UnreadableTableError, match="columns unadapted_happy, unadapted_sad are"):
        read(outputs, schema())


def test_a_table_without_a_column_of_a_scan_is_refused(tmp_path: Path) -> None:
    outputs = write(tmp_path, schema())
    table = pq.read_table(outputs.recordings)
    pq.write_table(table.drop_columns(["size", "mtime"]), outputs.recordings)
    with pytest.raises(UnreadableTableError, match="the columns mtime, size are missing"):
        read(outputs, schema())


@pytest.mark.parametrize(
    ("labels", "shown"), [(("happy", "angry"), "happy, angry"), (("sad", "happy"), "sad, happy")]
)
def test_a_table_with_other_labels_is_refused(
    tmp_path: Path, labels: tuple[str, ...], shown: str
) -> None:
    outputs = write(tmp_path, schema())
    with pytest.raises(UsageError, match=f"has the labels happy, sad, the model has {shown}"):
        read(outputs, schema(labels=labels))


def test_columns_of_models_that_this_run_has_not_stay_as_extra_columns(tmp_path: Path) -> None:
    outputs = write(tmp_path, schema(models=MODELS))
    previous = open_previous(outputs.recordings, None, schema(segments=False, models=("x", "z")))
    rows = pa.Table.from_batches(list(previous.batches), previous.schema).to_pylist()
    assert rows[0]["p_happy_z"] is None
    assert "p_happy_x" in rows[0]


def test_an_extra_column_with_the_name_of_a_column_of_this_run_is_renamed(tmp_path: Path) -> None:
    outputs = write(tmp_path, schema())
    table = pq.read_table(outputs.recordings)
    note = pa.array(["first", None, "third"]).dictionary_encode()
    table = table.append_column("valence_est_", note).append_column(
        "p_happy_x", pa.array([1, 2, 3])
    )
    pq.write_table(table, outputs.recordings)
    previous = open_previous(outputs.recordings, None, schema(segments=False, models=MODELS))
    assert previous.extras.names == ["valence_est_", "manifest_p_happy_x"]
    assert previous.extras.field("valence_est_").type == pa.string()
    rows = pa.Table.from_batches(list(previous.batches), previous.schema)
    assert rows["valence_est_"].to_pylist() == ["first", None, "third"]
    assert rows["manifest_p_happy_x"].to_pylist() == [1, 2, 3]
    assert rows["p_happy_x"].to_pylist() == [None] * 3


def test_windows_of_models_that_this_run_has_not_have_no_model(tmp_path: Path) -> None:
    outputs = write(tmp_path, schema(models=MODELS))
    first, *_ = read(outputs, schema(models=("y", "z")))
    assert [window["model"] for window in first["segments"]] == [None, 0]
    write(tmp_path, schema())
    first, *_ = read(outputs, schema(models=MODELS))
    assert [window["model"] for window in first["segments"]] == [None, None]


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([1, None], pa.string(), ["1", None]),
        ([[1], None], pa.string(), [None, None]),
        ([[1], None], pa.list_(pa.int64()), [[1], None]),
        ([b"x", None], pa.string(), [None, None]),
    ],
)
def test_values_of_a_type_that_cannot_be_cast_become_null(
    values: list[Any], kind: pa.DataType, expected: list[Any]
) -> None:
    assert cast_or_null(pa.chunked_array([values]), kind).to_pylist() == expected


KEPT = [RowRange(0, 0, 1, OWN_COLUMNS)]
"""A row that is not in the manifest and keeps its columns."""


def test_without_a_previous_table_the_schema_stays_as_it_is() -> None:
    output_schema = schema()
    assert with_previous_columns(output_schema, None, KEPT) is output_schema


def test_columns_that_only_the_previous_table_has_follow_those_of_the_manifest() -> None:
    manifest = pa.table({"speaker": ["s"]})
    previous = pa.schema([("note", pa.string()), ("speaker", pa.string())])
    combined = with_previous_columns(schema(manifest=manifest), previous, KEPT)
    assert [field.name for field in combined.extras] == ["speaker", "note"]


@pytest.mark.parametrize(
    ("before", "ranges", "expected"),
    [
        (pa.string(), KEPT, pa.string()),
        (pa.int64(), KEPT, pa.int64()),
        (pa.string(), [RowRange(0, 0, 1, 0)], pa.int64()),
        (pa.list_(pa.int64()), KEPT, pa.int64()),
    ],
    ids=["other type", "same type", "no kept row", "nested"],
)
def test_a_column_becomes_text_where_kept_rows_have_another_type(
    before: pa.DataType, ranges: list[RowRange], expected: pa.DataType
) -> None:
    manifest = pa.table({"other": ["o"], "age": [31]})
    previous = pa.schema([("age", before)])
    combined = with_previous_columns(schema(manifest=manifest), previous, ranges)
    assert {field.name: field.type for field in combined.extras} == {
        "other": pa.string(),
        "age": expected,
    }
