"""The types of every table's columns."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from batchemo.tables.columns import DERIVED, OPTIONAL, SUMMARY, recordings_columns, segments_columns

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
        **dict.fromkeys(OPTIONAL, pa.float32()),
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


def recordings_schema(
    labels: Sequence[str],
    extras: pa.Schema | None = None,
    *,
    models: Sequence[str] = (),
    optional: Collection[str] = (),
) -> pa.Schema:
    """Give the files table's schema for labels, several models' names, a manifest's own columns.

    `optional` is as in `recordings_columns`.

    >>> files_schema(["happy"]).names[:8]
    ['root', 'file', 'status', 'reason', 'detail', 'emotion', 'confidence', 'margin']
    """
    return _schema(recordings_columns(labels, models, optional), extras)


def segments_schema(
    labels: Sequence[str], *, several_models: bool = False, dimensions: bool = False
) -> pa.Schema:
    """Give the segments table's schema, with a column for the model where there are several."""
    return _schema(segments_columns(labels, several_models=several_models, dimensions=dimensions))


def summary_schema() -> pa.Schema:
    """Give the summary's schema."""
    return _schema((name, name) for name in SUMMARY)


def chunk_schema(labels: Sequence[str], *, segments: bool, models: Sequence[str] = ()) -> pa.Schema:
    """Give the schema of the rows that parts hold: what was measured, and each row's windows.

    What the probabilities say is added when the tables are written. Parts keep plain strings,
    since a dictionary is worth its cost only in the finished table.
    """
    import pyarrow as pa

    measured = [each for each in recordings_columns(labels, models) if each[1] not in DERIVED]
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


FRAME = "frame"

FEATURES = {
    "root": "as in the files table",
    "file": "as in the files table",
    "status": "ok, or failed: then this is the recording's only row, and holds no features",
    "reason": "why it failed, a code (see docs/audio.md); null where status is ok",
    "detail": "what was found, in words; null where status is ok",
    "start": "where the window begins, in seconds; null where status is failed",
    "end": "where it ends, in seconds; null where status is failed",
    "speech": "whether the window sounds like speech; null where status is failed",
    FRAME: "the frame's number in its window, from 0; only where the recipe gives frames",
}
"""The columns before the recipe's own."""


def features_schema(
    names: Sequence[str], *, frames: bool, extras: pa.Schema | None = None
) -> pa.Schema:
    """Give the schema for a recipe's columns and a manifest's own columns.

    >>> features_schema(["rms"], frames=False).names[-4:]
    ['start', 'end', 'speech', 'rms']
    """
    import pyarrow as pa

    text, code = pa.string(), pa.dictionary(pa.int32(), pa.string())
    types = {
        "root": code,
        "file": text,
        "status": code,
        "reason": code,
        "detail": text,
        "start": pa.float64(),
        "end": pa.float64(),
        "speech": pa.bool_(),
        FRAME: pa.int32(),
    }
    fields = [pa.field(name, types[name]) for name in FEATURES if frames or name != FRAME]
    fields += [pa.field(name, pa.float32()) for name in names]
    return pa.schema(fields + (list(extras) if extras is not None else []))
