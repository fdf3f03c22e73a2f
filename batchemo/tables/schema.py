"""The columns of every table, in their fixed order, each with the sentence that documents it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

FILES = {
    "root": "the folder, absolute, that the recording was found below",
    "file": "the path below root, with / between the parts; bytes that are no UTF-8 stand as \\xNN",
    "status": "ok, or failed",
    "reason": "why it failed, a code (see docs/audio.md); null where status is ok",
    "detail": "what was found, in words; null where status is ok",
    "emotion": "the label of the highest probability; null where status is failed",
    "confidence": "the calibrated probability of that label",
    "margin": "how far the second label's probability lies below it",
    "p_<label>": "the calibrated probability of each label, in the order of the model's labels",
    "windows": "how many windows the recording was cut into, those without speech included",
    "duration": "seconds of sound",
    "sample_rate": "samples a second in the file",
    "channels": "channels in the file",
    "rms_db": "level of the whole signal, dB below full scale",
    "clipped": "share of the samples that lie in clipped runs",
    "silence": "share of the signal that is silent",
    "size": "bytes of the file that was read",
    "mtime": "when that file was last changed, UTC",
    "model": "the model with the start of its digest, and the settings that are not its defaults",
}
"""The files table: one row a recording."""

SEGMENTS = {
    "root": "as in the files table",
    "file": "as in the files table",
    "start": "where the window begins, in seconds",
    "end": "where it ends, in seconds",
    "emotion": "the label of the highest probability; null for a window without speech",
    "confidence": "the calibrated probability of that label",
    "p_<label>": "the calibrated probability of each label; null for a window without speech",
}
"""The segments table: one row a window of every recording whose status is ok."""

SUMMARY = {
    "group": "the group, or `all`",
    "status": "ok, or failed",
    "emotion": "the emotion counted in this row; null for failures",
    "reason": "the reason of failure counted in this row; null for emotions",
    "files": "how many recordings",
    "share": "share of the group's recordings of that status",
    "minutes": "how many minutes of sound they hold, as far as it is known",
    "mean_confidence": "mean of their confidence; null for failures",
}
"""The summary: one row an emotion or a reason of failure, in every group."""

STATUS_OK = "ok"
STATUS_FAILED = "failed"


def probability_columns(labels: Iterable[str]) -> list[str]:
    """Name the column of each label.

    >>> probability_columns(["happy", "sad"])
    ['p_happy', 'p_sad']
    """
    return [f"p_{label}" for label in labels]


def labels_of(columns: Iterable[str]) -> list[str]:
    """Read the labels back from the names of a table's columns.

    Only the columns between `margin` or `confidence` and the next known one count, so that a
    manifest's own `p_value` is none.

    >>> labels_of(["confidence", "margin", "p_happy", "p_sad", "windows", "p_value"])
    ['happy', 'sad']
    """
    labels: list[str] = []
    inside = False
    for name in columns:
        if name in ("confidence", "margin"):
            inside = True
        elif inside and name.startswith("p_"):
            labels.append(name[2:])
        elif inside:
            break
    return labels


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


def _build(columns: Iterable[str], labels: Sequence[str]) -> list[pa.Field]:
    import pyarrow as pa

    types = _types()
    fields = []
    for name in columns:
        if name == "p_<label>":
            fields += [pa.field(column, pa.float32()) for column in probability_columns(labels)]
        else:
            fields.append(pa.field(name, types[name]))
    return fields


def files_schema(labels: Sequence[str], extras: pa.Schema | None = None) -> pa.Schema:
    """Give the files table's schema for a model's labels and a manifest's own columns.

    >>> files_schema(["happy"]).names[:8]
    ['root', 'file', 'status', 'reason', 'detail', 'emotion', 'confidence', 'margin']
    """
    import pyarrow as pa

    return pa.schema(_build(FILES, labels) + (list(extras) if extras is not None else []))


def segments_schema(labels: Sequence[str]) -> pa.Schema:
    """Give the segments table's schema for a model's labels."""
    import pyarrow as pa

    return pa.schema(_build(SEGMENTS, labels))


def summary_schema() -> pa.Schema:
    """Give the summary's schema."""
    import pyarrow as pa

    return pa.schema(_build(SUMMARY, ()))


def row_schema(labels: Sequence[str], *, segments: bool) -> pa.Schema:
    """Give the schema of the rows that parts hold: the files table, and each row's windows.

    Parts keep plain strings, since a dictionary is worth its cost only in the finished table.
    """
    import pyarrow as pa

    fields = [
        pa.field(field.name, pa.string()) if pa.types.is_dictionary(field.type) else field
        for field in files_schema(labels)
    ]
    if segments:
        window = pa.struct(
            [
                ("start", pa.float64()),
                ("end", pa.float64()),
                ("p", pa.list_(pa.float32(), len(labels))),
            ]
        )
        fields.append(pa.field("segments", pa.list_(window)))
    return pa.schema(fields)


def reserved_columns(labels: Sequence[str]) -> frozenset[str]:
    """Give the names that a manifest's own column may not take in the files table."""
    names = [name for name in FILES if name != "p_<label>"]
    return frozenset([*names, *probability_columns(labels)])
