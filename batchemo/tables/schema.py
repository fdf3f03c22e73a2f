"""The types of every table's columns."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from batchemo.tables.columns import ALSO, SUMMARY, VERDICT, files_columns, segments_columns

if TYPE_CHECKING:
    import pyarrow as pa

STATUS_OK = "ok"
STATUS_FAILED = "failed"


def _types() -> dict[str, Any]:
    import pyarrow as pa

    text, code = pa.string(), pa.dictionary(pa.int32(), pa.string())
    return {
        "root": code,
        "file": text,
        "status": code,
        "reason": code,
        "detail": text,
        "emotion": code,
        "group": text,
        "confidence": pa.float32(),
        "margin": pa.float32(),
        "p_<label>": pa.float32(),
        "agreement": pa.float32(),
        "emotion_<model>": code,
        "confidence_<model>": pa.float32(),
        "margin_<model>": pa.float32(),
        "p_<label>_<model>": pa.float32(),
        **dict.fromkeys(ALSO, pa.float32()),
        "windows": pa.int32(),
        "duration": pa.float64(),
        "start": pa.float64(),
        "end": pa.float64(),
        "sample_rate": pa.int64(),
        "channels": pa.int32(),
        "rms_db": pa.float32(),
        "clipped": pa.float32(),
        "silence": pa.float32(),
        "size": pa.int64(),
        "mtime": pa.timestamp("ns", "UTC"),
        "model": code,
        "files": pa.int64(),
        "share": pa.float64(),
        "minutes": pa.float64(),
        "mean_confidence": pa.float64(),
    }


def _schema(columns: Iterable[tuple[str, str]], extras: pa.Schema | None = None) -> pa.Schema:
    import pyarrow as pa

    types = _types()
    fields = [pa.field(name, types[kind]) for name, kind in columns]
    return pa.schema(fields + (list(extras) if extras is not None else []))


def files_schema(
    labels: Sequence[str],
    extras: pa.Schema | None = None,
    *,
    models: Sequence[str] = (),
    also: Collection[str] = (),
) -> pa.Schema:
    """Give the files table's schema for labels, several models' names, a manifest's own columns.

    `also` is as in `files_columns`.

    >>> files_schema(["happy"]).names[:8]
    ['root', 'file', 'status', 'reason', 'detail', 'emotion', 'confidence', 'margin']
    """
    return _schema(files_columns(labels, models, also), extras)


def segments_schema(
    labels: Sequence[str], *, several: bool = False, dimensions: bool = False
) -> pa.Schema:
    """Give the segments table's schema, with a column for the model where there are several."""
    return _schema(segments_columns(labels, several=several, dimensions=dimensions))


def summary_schema() -> pa.Schema:
    """Give the summary's schema."""
    return _schema((name, name) for name in SUMMARY)


def row_schema(labels: Sequence[str], *, segments: bool, models: Sequence[str] = ()) -> pa.Schema:
    """Give the schema of the rows that parts hold: what was measured, and each row's windows.

    What the probabilities say is added when the tables are written. Parts keep plain strings,
    since a dictionary is worth its cost only in the finished table.
    """
    import pyarrow as pa

    measured = [each for each in files_columns(labels, models) if each[1] not in VERDICT]
    fields = [
        pa.field(field.name, pa.string()) if pa.types.is_dictionary(field.type) else field
        for field in _schema(measured)
    ]
    if segments:
        window = [
            ("start", pa.float64()),
            ("end", pa.float64()),
            ("p", pa.list_(pa.float32(), len(labels))),
        ]
        if models:
            window.append(("model", pa.int32()))
        fields.append(pa.field("segments", pa.list_(pa.struct(window))))
    return pa.schema(fields)
