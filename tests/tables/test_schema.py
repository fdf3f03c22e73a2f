"""The schemas of the tables and of the chunks that they are made of."""

from __future__ import annotations

import pyarrow as pa

from batchemo.tables.schema import chunk_schema, recordings_schema, segments_schema

LABELS = ("happy", "sad")


def test_labels_reasons_and_status_are_dictionaries_and_times_are_utc() -> None:
    schema = recordings_schema(LABELS)
    for name in ("root", "status", "reason", "emotion", "model"):
        assert pa.types.is_dictionary(schema.field(name).type)
    assert schema.field("p_happy").type == pa.float32()
    assert schema.field("mtime").type == pa.timestamp("ns", "UTC")


def test_a_single_model_has_no_columns_of_its_own() -> None:
    assert recordings_schema(["a"], models=[]).equals(recordings_schema(["a"]))
    assert "model" not in segments_schema(["a"]).names


def test_a_chunk_holds_what_was_measured_and_the_windows_but_no_derived_columns() -> None:
    measured = [
        name
        for name in recordings_schema(LABELS).names
        if name not in ("emotion", "confidence", "margin")
    ]
    assert chunk_schema(LABELS, segments=False).names == measured
    assert chunk_schema(LABELS, segments=True).names == [*measured, "segments"]
