"""Rows as workers hand them over, and the Arrow batches made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from batchemo.tables.schema import STATUS_FAILED, STATUS_OK, probability_columns, row_schema

if TYPE_CHECKING:
    import pyarrow as pa

Floats = NDArray[np.float32]

FIRST_NS, LAST_NS = -(2**63) + 1, 2**63 - 1
"""What a 64-bit timestamp in nanoseconds can hold; a stranger mtime is unknown."""


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of one recording; a window without speech has NaN for its probabilities."""

    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    probabilities: Floats


@dataclass(frozen=True, slots=True)
class Row:
    """All that is known of one recording; None is unknown.

    `root` and `file` are text that any table can hold. A row with a reason is a failure and has
    no probabilities, whatever was computed before it failed.
    """

    root: str
    file: str
    reason: str | None = None
    detail: str | None = None
    probabilities: Floats | None = None
    windows: Windows | None = None
    duration: float | None = None
    sample_rate: int | None = None
    channels: int | None = None
    rms_db: float | None = None
    clipped: float | None = None
    silence: float | None = None
    size: int | None = None
    mtime_ns: int | None = None

    def __post_init__(self) -> None:
        if (self.reason is None) == (self.probabilities is None):
            raise ValueError("a row has either a reason or probabilities")


def judge(probabilities: Floats) -> tuple[NDArray[np.intp], Floats, Floats]:
    """Give the best label's index, its probability and its lead over the second, a row each.

    >>> best, confidence, margin = judge(np.array([[0.25, 0.75]], np.float32))
    >>> best.tolist(), confidence.tolist(), margin.tolist()
    ([1], [0.75], [0.5])
    """
    best = probabilities.argmax(axis=1)
    ordered = np.sort(probabilities, axis=1)
    second = ordered[:, -2] if probabilities.shape[1] > 1 else np.zeros(len(ordered), np.float32)
    return best, ordered[:, -1], ordered[:, -1] - second


def to_batch(
    rows: Sequence[Row], *, labels: Sequence[str], model: str, segments: bool
) -> pa.RecordBatch:
    """Make the batch that a part holds.

    >>> batch = to_batch([Row("/data", "a.wav", reason="empty")], labels=["happy"],
    ...                  model="m@1", segments=False)
    >>> batch["status"].to_pylist(), batch["p_happy"].to_pylist()
    (['failed'], [None])
    """
    import pyarrow as pa

    schema = row_schema(labels, segments=segments)
    columns = _plain_columns(rows, model) | _judged_columns(rows, labels)
    if segments:
        columns["segments"] = _segments(rows, schema.field("segments").type)
    arrays = [
        column if isinstance(column, pa.Array) else pa.array(column, field.type)
        for field, column in ((field, columns[field.name]) for field in schema)
    ]
    return pa.record_batch(arrays, schema=schema)


_COPIED = (
    "root",
    "file",
    "reason",
    "detail",
    "duration",
    "sample_rate",
    "channels",
    "rms_db",
    "clipped",
    "silence",
    "size",
)


def _plain_columns(rows: Sequence[Row], model: str) -> dict[str, Any]:
    columns: dict[str, Any] = {name: [getattr(row, name) for row in rows] for name in _COPIED}
    columns["status"] = [STATUS_FAILED if row.reason else STATUS_OK for row in rows]
    columns["windows"] = [None if row.windows is None else len(row.windows.starts) for row in rows]
    columns["mtime"] = [_timestamp(row.mtime_ns) for row in rows]
    columns["model"] = [model] * len(rows)
    return columns


def _timestamp(mtime_ns: int | None) -> int | None:
    return mtime_ns if mtime_ns is not None and FIRST_NS <= mtime_ns <= LAST_NS else None


def _judged_columns(rows: Sequence[Row], labels: Sequence[str]) -> dict[str, Any]:
    import pyarrow as pa

    unknown = np.array([row.probabilities is None for row in rows], bool)
    probabilities = np.zeros((len(rows), len(labels)), np.float32)
    for index, row in enumerate(rows):
        if row.probabilities is not None:
            probabilities[index] = row.probabilities
    best, confidence, margin = judge(probabilities)
    columns: dict[str, Any] = {
        "emotion": pa.array(np.array(labels, object)[best], pa.string(), mask=unknown),
        "confidence": pa.array(confidence, mask=unknown),
        "margin": pa.array(margin, mask=unknown),
    }
    for index, name in enumerate(probability_columns(labels)):
        columns[name] = pa.array(probabilities[:, index], mask=unknown)
    return columns


def _segments(rows: Sequence[Row], kind: pa.ListType) -> pa.Array:
    """Lay the windows of all rows end to end, as Arrow keeps lists."""

    heard = [row.windows if row.reason is None else None for row in rows]
    counts = [0 if windows is None else len(windows.starts) for windows in heard]
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    known = [windows for windows in heard if windows is not None]
    width = kind.value_type.field("p").type.list_size
    stacked = np.concatenate([np.zeros((0, width), np.float32)] + [w.probabilities for w in known])
    starts = np.concatenate([np.zeros(0)] + [w.starts for w in known])
    ends = np.concatenate([np.zeros(0)] + [w.ends for w in known])
    return segment_lists(offsets, starts, ends, stacked)


def segment_lists(
    offsets: NDArray[np.int32], starts: Any, ends: Any, probabilities: Floats
) -> pa.ListArray:
    """Make the column of lists; a row of NaN is a window without speech and becomes null."""
    import pyarrow as pa

    lists = pa.FixedSizeListArray.from_arrays(
        pa.array(np.nan_to_num(probabilities).ravel(), pa.float32()),
        probabilities.shape[1],
        mask=pa.array(np.isnan(probabilities).any(axis=1)),
    )
    windows = pa.StructArray.from_arrays(
        [pa.array(starts, pa.float64()), pa.array(ends, pa.float64()), lists],
        names=["start", "end", "p"],
    )
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), windows)
