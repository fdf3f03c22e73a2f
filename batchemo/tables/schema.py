"""The Arrow types of every table's columns.

Probabilities are float32, labels and reasons dictionaries, times UTC timestamps, and what is
unknown is null: never NaN, never a number as text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from batchemo.tables.columns import (
    DERIVED,
    FEATURES,
    FRAME,
    MEASURED_SUMMARY,
    OPTIONAL,
    SUMMARY,
    TRIES,
    TURN_KEY,
    recordings_columns,
    segments_columns,
)

if TYPE_CHECKING:
    import pyarrow as pa


STATUS_OK = "ok"
STATUS_FAILED = "failed"


def _types() -> dict[str, Any]:
    """Return the type of each column by its template."""
    import pyarrow as pa

    text, category = pa.string(), pa.dictionary(pa.int32(), pa.string())
    return {
        "root": category,
        "file": text,
        "status": category,
        "reason": category,
        "detail": text,
        "emotion": category,
        "group": text,
        "confidence": pa.float32(),
        "margin": pa.float32(),
        "p_<label>": pa.float32(),
        "agreement": pa.float32(),
        "emotion_<model>": category,
        "confidence_<model>": pa.float32(),
        "margin_<model>": pa.float32(),
        "p_<label>_<model>": pa.float32(),
        **dict.fromkeys(OPTIONAL, pa.float32()),
        **dict.fromkeys(TRIES, pa.int32()),
        "familiarity": pa.float32(),
        "windows": pa.int32(),
        "duration": pa.float64(),
        "start": pa.float64(),
        "end": pa.float64(),
        "speaker": category,
        "channel": pa.int32(),
        "overlap": pa.float32(),
        "speech_share": pa.float32(),
        "sample_rate": pa.int64(),
        "channels": pa.int32(),
        "rms_db": pa.float32(),
        "clipped": pa.float32(),
        "silence": pa.float32(),
        "size": pa.int64(),
        "mtime": pa.timestamp("ns", "UTC"),
        "etag": text,
        "model": category,
        "files": pa.int64(),
        "share": pa.float64(),
        "minutes": pa.float64(),
        "mean_confidence": pa.float64(),
        "mean_familiarity": pa.float64(),
        **dict.fromkeys(MEASURED_SUMMARY, pa.float64()),
        "speech": pa.bool_(),
        FRAME: pa.int32(),
    }


def _schema(columns: Iterable[tuple[str, str]], extras: pa.Schema | None = None) -> pa.Schema:
    """Return the schema of (name, template) columns, followed by a manifest's own."""
    import pyarrow as pa

    types = _types()
    fields = [pa.field(name, types[template]) for name, template in columns]
    return pa.schema([*fields, *(extras or [])])


def recordings_schema(
    labels: Sequence[str],
    extras: pa.Schema | None = None,
    *,
    models: Sequence[str] = (),
    optional: Collection[str] = (),
) -> pa.Schema:
    """Return the schema of the recordings table, followed by `extras`, a manifest's columns.

    `models` and `optional` are those of `recordings_columns`.

    >>> recordings_schema(["happy"]).names[:8]
    ['root', 'file', 'status', 'reason', 'detail', 'emotion', 'confidence', 'margin']
    """
    return _schema(recordings_columns(labels, models, optional), extras)


def segments_schema(
    labels: Sequence[str], *, several_models: bool = False, optional: Collection[str] = ()
) -> pa.Schema:
    """Return the schema of the segments table, with a column `model` for several models."""
    return _schema(segments_columns(labels, several_models=several_models, optional=optional))


def summary_schema(measured: Iterable[str] = ()) -> pa.Schema:
    """Return the schema of the summary; `measured` are dimensions that the model gives."""
    return _schema((name, name) for name in (*SUMMARY, *(f"mean_{name}" for name in measured)))


def features_schema(
    names: Sequence[str], *, frames: bool, extras: pa.Schema | None = None
) -> pa.Schema:
    """Return the schema of a features table: a feature set's columns, then a manifest's.

    >>> features_schema(["rms"], frames=False).names[-4:]
    ['start', 'end', 'speech', 'rms']
    """
    import pyarrow as pa

    common = _schema((name, name) for name in FEATURES if frames or name != FRAME)
    features = [pa.field(name, pa.float32()) for name in names]
    return pa.schema([*common, *features, *(extras or [])])


@dataclass(frozen=True, slots=True)
class EmbeddingShape:
    """How many numbers the model gives for each window."""

    size: int
    """Of its embedding."""
    logits: int
    """0 for a model without labels: then there is no list of them."""


def embedding_fields(shape: EmbeddingShape) -> list[pa.Field]:
    """Return the columns of an embeddings table that are its own."""
    import pyarrow as pa

    embedding = pa.list_(pa.float32(), shape.size)
    window = [
        ("start", pa.float64()),
        ("end", pa.float64()),
        ("embedding", embedding),
        # Parquet files cannot be read back with lists of no numbers.
        *([("logits", pa.list_(pa.float32(), shape.logits))] if shape.logits else []),
        ("familiarity", pa.float32()),
    ]
    by_window = pa.list_(pa.struct(window))
    return [pa.field("embedding", embedding), pa.field("by_window", by_window)]


def embeddings_schema(shape: EmbeddingShape, turns: Collection[str] = ()) -> pa.Schema:
    """Return the schema of the embeddings table; `turns` are the columns of turns that it has.

    >>> embeddings_schema(EmbeddingShape(128, 8)).field("embedding").type.list_size
    128
    """
    import pyarrow as pa

    columns = ["root", "file", *(name for name in TURN_KEY if name in turns)]
    return pa.schema([*_schema((name, name) for name in columns), *embedding_fields(shape)])


def chunk_schema(
    labels: Sequence[str],
    *,
    segments: bool,
    models: Sequence[str] = (),
    several_models: bool = False,
    measured: Sequence[str] = (),
    tries: bool = False,
    embeddings: EmbeddingShape | None = None,
    turns: Sequence[str] = (),
) -> pa.Schema:
    """Return the schema of the rows of a finished chunk: what models gave, and the windows.

    Derived columns are added when the tables are written, so that `--min-confidence` and the like
    can change without predicting again. Text is plain: in a chunk of few rows a dictionary costs
    more than it saves. `models` have columns; windows name theirs if there are `several_models`.
    """
    return _chunk_schema(
        tuple(labels),
        segments,
        tuple(models),
        several_models,
        tuple(measured),
        (*turns, *measured, *(TRIES if tries else ())),
        embeddings,
    )


@lru_cache(maxsize=4)
def _chunk_schema(
    labels: tuple[str, ...],
    segments: bool,
    models: tuple[str, ...],
    several_models: bool,
    measured: tuple[str, ...],
    optional: tuple[str, ...],
    embeddings: EmbeddingShape | None,
) -> pa.Schema:
    # Kept, since it is the same for every chunk of a run, and takes as long as some rows.
    import pyarrow as pa

    stored = [
        (name, template)
        for name, template in recordings_columns(labels, models, optional)
        if template not in DERIVED
    ]
    fields = [
        pa.field(field.name, pa.string()) if pa.types.is_dictionary(field.type) else field
        for field in _schema(stored)
    ]
    if segments:
        window = [
            ("start", pa.float64()),
            ("end", pa.float64()),
            *([("p", pa.list_(pa.float32(), len(labels)))] if labels else []),
            *([("measured", pa.list_(pa.float32(), len(measured)))] if measured else []),
            ("familiarity", pa.float32()),
        ]
        if several_models:
            window.append(("model", pa.int32()))
        fields.append(pa.field("segments", pa.list_(pa.struct(window))))
    if embeddings is not None:
        fields += embedding_fields(embeddings)
    return pa.schema(fields)
