"""Rows as workers hand them over, and the Arrow batches made of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from batchemo.common.arrays import Float32
from batchemo.tables.columns import model_probability_columns, probability_columns
from batchemo.tables.schema import STATUS_FAILED, STATUS_OK, chunk_schema

if TYPE_CHECKING:
    import pyarrow as pa


FIRST_NS, LAST_NS = -(2**63) + 1, 2**63 - 1
"""What a 64-bit timestamp in nanoseconds can hold; a stranger mtime is unknown."""


@dataclass(frozen=True, slots=True)
class WindowResults:
    """The windows of one recording; a window without speech has NaN for its probabilities."""

    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    probabilities: Float32
    models: NDArray[np.int32] | None = None
    """Where several models heard: the place of the one whose window it is."""

    def iter_windows(self) -> Iterator[tuple[int, float, float, Float32 | None]]:
        """Yield each window's model, start, end and probabilities; None for one without speech."""
        models = np.zeros(len(self.starts), np.int32) if self.models is None else self.models
        each = zip(models, self.starts, self.ends, self.probabilities, strict=True)
        for place, start, end, p in each:
            yield int(place), float(start), float(end), None if np.isnan(p).any() else p


@dataclass(frozen=True, slots=True)
class RecordingResult:
    """All that is known of one recording; None is unknown.

    `root` and `file` are text that any table can hold. A row with a reason is a failure and has
    no probabilities, whatever was computed before it failed.
    """

    root: str
    file: str
    reason: str | None = None
    detail: str | None = None
    probabilities: Float32 | None = None
    model_probabilities: Float32 | None = None
    """Where several models heard: the probabilities of each, a row a model; above is their mean."""
    windows: WindowResults | None = None
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


def to_batch(
    rows: Sequence[RecordingResult],
    *,
    labels: Sequence[str],
    model: str,
    segments: bool,
    models: Sequence[str] = (),
) -> pa.RecordBatch:
    """Make the batch that a part holds; `models` are the names of several, if there are.

    >>> batch = to_batch([Row("/data", "a.wav", reason="empty")], labels=["happy"],
    ...                  model="m@1", segments=False)
    >>> batch["status"].to_pylist(), batch["p_happy"].to_pylist()
    (['failed'], [None])
    """
    import pyarrow as pa

    schema = chunk_schema(labels, segments=segments, models=models)
    columns = _plain_columns(rows, model)
    judged = [row.probabilities for row in rows]
    columns |= _floats(judged, probability_columns(labels))
    for place, name in enumerate(models):
        model_probabilities = [
            None if row.model_probabilities is None else row.model_probabilities[place]
            for row in rows
        ]
        columns |= _floats(model_probabilities, model_probability_columns(labels, name))
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


def _plain_columns(rows: Sequence[RecordingResult], model: str) -> dict[str, Any]:
    columns: dict[str, Any] = {name: [getattr(row, name) for row in rows] for name in _COPIED}
    columns["status"] = [STATUS_FAILED if row.reason else STATUS_OK for row in rows]
    columns["windows"] = [None if row.windows is None else len(row.windows.starts) for row in rows]
    columns["mtime"] = [_timestamp(row.mtime_ns) for row in rows]
    columns["model"] = [model] * len(rows)
    return columns


def _timestamp(mtime_ns: int | None) -> int | None:
    return mtime_ns if mtime_ns is not None and FIRST_NS <= mtime_ns <= LAST_NS else None


def _floats(rows: Sequence[Float32 | None], names: Sequence[str]) -> dict[str, pa.Array]:
    """Lay the numbers of each row out as columns."""
    import pyarrow as pa

    unknown = np.array([row is None for row in rows], bool)
    values = np.zeros((len(rows), len(names)), np.float32)
    for index, row in enumerate(rows):
        if row is not None:
            values[index] = row
    return {n: pa.array(column, mask=unknown) for n, column in zip(names, values.T, strict=True)}


def _segments(rows: Sequence[RecordingResult], kind: pa.ListType) -> pa.Array:
    """Lay the windows of all rows end to end, as Arrow keeps lists."""
    heard = [row.windows if row.reason is None else None for row in rows]
    counts = [0 if windows is None else len(windows.starts) for windows in heard]
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    known = [windows for windows in heard if windows is not None]
    width = kind.value_type.field("p").type.list_size
    stacked = np.concatenate([np.zeros((0, width), np.float32)] + [w.probabilities for w in known])
    starts = np.concatenate([np.zeros(0)] + [w.starts for w in known])
    ends = np.concatenate([np.zeros(0)] + [w.ends for w in known])
    models = None
    if kind.value_type.get_field_index("model") >= 0:
        theirs = [w.models for w in known if w.models is not None]
        models = np.concatenate([np.zeros(0, np.int32), *theirs])
    return segment_lists(offsets, starts, ends, stacked, models)


def segment_lists(
    offsets: NDArray[np.int32], starts: Any, ends: Any, probabilities: Float32, models: Any = None
) -> pa.ListArray:
    """Make the column of lists; a row of NaN is a window without speech and becomes null."""
    import pyarrow as pa

    lists = pa.FixedSizeListArray.from_arrays(
        pa.array(np.nan_to_num(probabilities).ravel(), pa.float32()),
        probabilities.shape[1],
        mask=pa.array(np.isnan(probabilities).any(axis=1)),
    )
    columns = {
        "start": pa.array(starts, pa.float64()),
        "end": pa.array(ends, pa.float64()),
        "p": lists,
    }
    if models is not None:
        columns["model"] = pa.array(models, pa.int32())
    windows = pa.StructArray.from_arrays(list(columns.values()), names=list(columns))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), windows)
