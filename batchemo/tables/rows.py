"""Results as workers return them, and the Arrow batches made of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from batchemo.common.arrays import Bool, Float32, Float64
from batchemo.tables.columns import model_probability_columns, probability_columns
from batchemo.tables.schema import (
    STATUS_FAILED,
    STATUS_OK,
    EmbeddingShape,
    chunk_schema,
    embedding_fields,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from batchemo.common.turns import Turn


@dataclass(frozen=True, slots=True)
class WindowResults:
    """The windows of one recording; a window without speech has NaN for what models give."""

    starts: Float64
    ends: Float64
    probabilities: Float32
    """(windows, labels); NaN for those of a model without labels, too."""
    models: NDArray[np.int32] | None = None
    """In a scan with several models: the index of the model whose window it is."""
    familiarity: Float32 | None = None
    """NaN for a window whose model cannot say; None where no model can."""
    embeddings: Float32 | None = None
    """(windows, size), NaN without speech; None where they are not asked for."""
    logits: Float32 | None = None
    """(windows, labels), likewise."""
    measured: Float32 | None = None
    """(windows, dimensions), NaN for those of a model that does not measure them; None where none
    does."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the values alone: `dataclasses` looks up the fields of each object again."""
        return WindowResults, _WINDOW_VALUES(self)

    def known_familiarity(self) -> Float32:
        """Return the familiarity of each window, NaN where it is not known."""
        if self.familiarity is None:
            return np.full(len(self.starts), np.nan, np.float32)
        return self.familiarity

    def has_speech(self) -> Bool:
        """Return for each window whether models gave something for it."""
        given = (~np.isnan(self.probabilities)).any(axis=1)
        if self.measured is not None:
            given |= (~np.isnan(self.measured)).any(axis=1)
        return np.asarray(given, np.bool_)

    def iter_windows(self) -> Iterator[tuple[int, float, float, Float32 | None, float | None]]:
        """Yield model, start, end, probabilities and familiarity of each window.

        The last two are None for a window without speech, and the probabilities for one of a model
        without labels that has others beside it.
        """
        models = np.zeros(len(self.starts), np.int32) if self.models is None else self.models
        familiarity = [None if np.isnan(f) else float(f) for f in self.known_familiarity()]
        given = [
            p if speech and not np.isnan(p).any() else None
            for p, speech in zip(self.probabilities, self.has_speech(), strict=True)
        ]
        for model, start, end, p, f in zip(
            models, self.starts, self.ends, given, familiarity, strict=True
        ):
            yield int(model), float(start), float(end), p, f


@dataclass(frozen=True, slots=True)
class RecordingResult:
    """All that is known of one recording; None is unknown.

    `root` and `file` are text that any table can hold. A result with a reason is a failure and has
    no probabilities, whatever was computed before it failed.
    """

    root: str
    file: str
    reason: str | None = None
    detail: str | None = None
    probabilities: Float32 | None = None
    """Empty for a model without labels."""
    measured: Float32 | None = None
    """The dimensions that the model gives, in the order of `columns.MEASURED`."""
    model_probabilities: Float32 | None = None
    """Of several models with labels: (models, labels), of which `probabilities` is the mean."""
    windows: WindowResults | None = None
    familiarity: float | None = None
    """The mean over its windows with speech, and over the models that give one."""
    duration: float | None = None
    sample_rate: int | None = None
    channels: int | None = None
    rms_db: float | None = None
    clipped: float | None = None
    silence: float | None = None
    size: int | None = None
    mtime_ns: int | None = None
    etag: str | None = None
    turn: Turn | None = None
    """The part of the recording that it is of, if it is not of all of it."""
    overlap: float | None = None
    """The share of the turn in which others speak."""
    speech_share: float | None = None
    """The share of the recording that is speech, where its turns were found."""

    def __post_init__(self) -> None:
        if (self.reason is None) == (self.probabilities is None):
            raise ValueError("a result has either a reason or probabilities")

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the values alone, as those of `WindowResults`."""
        return RecordingResult, _RESULT_VALUES(self)


RecordingRows: TypeAlias = "tuple[RecordingResult, ...]"
"""All rows of one recording: one, or one for each of its turns."""

_WINDOW_VALUES = attrgetter(*(field.name for field in fields(WindowResults)))
_RESULT_VALUES = attrgetter(*(field.name for field in fields(RecordingResult)))

_SAME_NAME = (
    "root",
    "file",
    "reason",
    "detail",
    "familiarity",
    "duration",
    "sample_rate",
    "channels",
    "rms_db",
    "clipped",
    "silence",
    "size",
    "etag",
)
"""The fields of a result that are columns as they are."""
_MAX_TIMESTAMP = 2**63 - 1
"""Nanoseconds from 1970 that a 64-bit timestamp can hold, either way."""


def to_batch(
    results: Sequence[RecordingResult],
    *,
    labels: Sequence[str],
    model: str,
    segments: bool,
    models: Sequence[str] = (),
    several_models: bool = False,
    measured: Sequence[str] = (),
    tries: Sequence[int | None] | None = None,
    embeddings: EmbeddingShape | None = None,
    turns: Sequence[str] = (),
) -> pa.RecordBatch:
    """Return results as a batch of `chunk_schema`; `models` are several models with labels.

    `measured` are the names of the dimensions that a model gives, `tries` is how often each
    recording has been tried, where that is counted, `turns` are the columns of turns.

    >>> batch = to_batch([RecordingResult("/data", "a.wav", reason="empty")], labels=["happy"],
    ...                  model="m@1", segments=False)
    >>> batch["status"].to_pylist(), batch["p_happy"].to_pylist()
    (['failed'], [None])
    """
    import pyarrow as pa

    schema = chunk_schema(
        labels,
        segments=segments,
        models=models,
        several_models=several_models,
        measured=measured,
        tries=tries is not None,
        embeddings=embeddings,
        turns=turns,
    )
    columns = _plain_columns(results, model)
    if turns:
        columns |= _turn_columns(results)
    columns["tries"] = tries
    probabilities = [result.probabilities for result in results]
    columns |= _float_columns(probabilities, probability_columns(labels))
    columns |= _float_columns([result.measured for result in results], measured)
    for index, name in enumerate(models):
        probabilities = [
            None if result.model_probabilities is None else result.model_probabilities[index]
            for result in results
        ]
        columns |= _float_columns(probabilities, model_probability_columns(labels, name))
    if segments:
        columns["segments"] = _segments_column(results, schema.field("segments").type)
    if embeddings is not None:
        columns |= embedding_columns([result.windows for result in results], embeddings)
    arrays = [
        column if isinstance(column, pa.Array) else pa.array(column, field.type)
        for field, column in ((field, columns[field.name]) for field in schema)
    ]
    return pa.record_batch(arrays, schema=schema)


def _plain_columns(results: Sequence[RecordingResult], model: str) -> dict[str, Any]:
    columns: dict[str, Any] = {
        name: [getattr(result, name) for result in results] for name in _SAME_NAME
    }
    columns["status"] = [STATUS_FAILED if result.reason else STATUS_OK for result in results]
    columns["windows"] = [
        None if result.windows is None else len(result.windows.starts) for result in results
    ]
    columns["mtime"] = [_timestamp(result.mtime_ns) for result in results]
    columns["model"] = [model] * len(results)
    return columns


def _turn_columns(results: Sequence[RecordingResult]) -> dict[str, Any]:
    columns: dict[str, Any] = {
        name: [None if result.turn is None else getattr(result.turn, name) for result in results]
        for name in ("start", "end", "speaker", "channel")
    }
    columns["overlap"] = [result.overlap for result in results]
    columns["speech_share"] = [result.speech_share for result in results]
    return columns


def _timestamp(mtime_ns: int | None) -> int | None:
    # File systems can hold times that a timestamp cannot, and Arrow would refuse the whole batch.
    return mtime_ns if mtime_ns is not None and abs(mtime_ns) <= _MAX_TIMESTAMP else None


def _float_columns(rows: Sequence[Float32 | None], names: Sequence[str]) -> dict[str, pa.Array]:
    """Return a column for each number of the rows; null where a row is None."""
    import pyarrow as pa

    unknown = np.array([row is None for row in rows], bool)
    values = np.zeros((len(rows), len(names)), np.float32)
    for index, row in enumerate(rows):
        if row is not None:
            values[index] = row
    return {
        name: pa.array(column, mask=unknown) for name, column in zip(names, values.T, strict=True)
    }


def _segments_column(results: Sequence[RecordingResult], kind: pa.ListType) -> pa.ListArray:
    """Return the windows of all results as a column of lists."""
    windows = [result.windows if result.reason is None else None for result in results]
    counts = [0 if found is None else len(found.starts) for found in windows]
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    known = [found for found in windows if found is not None]
    # Each concatenation starts with an empty array of its type: all results may have failed.
    window = kind.value_type
    probabilities = _stacked([w.probabilities for w in known], _list_size(window, "p"))
    measured = _stacked([w.measured for w in known], _list_size(window, "measured"))
    starts = np.concatenate([np.zeros(0)] + [w.starts for w in known])
    ends = np.concatenate([np.zeros(0)] + [w.ends for w in known])
    models = None
    if window.get_field_index("model") >= 0:
        indices = [w.models for w in known if w.models is not None]
        models = np.concatenate([np.zeros(0, np.int32), *indices])
    familiarity = np.concatenate([np.zeros(0, np.float32)] + [w.known_familiarity() for w in known])
    return segment_lists(
        offsets, starts, ends, probabilities, models, familiarity=familiarity, measured=measured
    )


def _list_size(window: pa.StructType, name: str) -> int:
    index = window.get_field_index(name)
    return 0 if index < 0 else int(window.field(index).type.list_size)


def segment_lists(
    offsets: NDArray[np.int32],
    starts: Any,
    ends: Any,
    probabilities: Float32,
    models: Any = None,
    *,
    familiarity: Float32,
    measured: Float32 | None = None,
) -> pa.ListArray:
    """Return the windows as a column of lists; NaN becomes null, as of those without speech."""
    import pyarrow as pa

    # Built from whole arrays: a list of dictionaries for each window would be far slower.
    columns = {
        "start": pa.array(starts, pa.float64()),
        "end": pa.array(ends, pa.float64()),
        "p": _fixed_size_lists(probabilities),
        "measured": None if measured is None else _fixed_size_lists(measured),
        "familiarity": pa.array(familiarity, mask=np.isnan(familiarity)),
    }
    if models is not None:
        columns["model"] = pa.array(models, pa.int32())
    columns = {name: column for name, column in columns.items() if column is not None}
    windows = pa.StructArray.from_arrays(list(columns.values()), names=list(columns))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), windows)


def _fixed_size_lists(values: Float32) -> pa.FixedSizeListArray | None:
    """Return the rows of a matrix as lists, null for a row with NaN; None for one without width."""
    import pyarrow as pa

    if not values.shape[1]:
        return None
    return pa.FixedSizeListArray.from_arrays(
        pa.array(np.nan_to_num(values).ravel(), pa.float32()),
        values.shape[1],
        mask=pa.array(np.isnan(values).any(axis=1)),
    )


def embedding_columns(
    results: Sequence[WindowResults | None], shape: EmbeddingShape
) -> dict[str, pa.Array]:
    """Return the columns `embedding` and `by_window` of recordings; null where there is None."""
    import pyarrow as pa

    known = [windows for windows in results if windows is not None]
    starts = np.concatenate([np.zeros(0), *(windows.starts for windows in known)])
    ends = np.concatenate([np.zeros(0), *(windows.ends for windows in known)])
    embeddings = _stacked([windows.embeddings for windows in known], shape.size)
    logits = _stacked([windows.logits for windows in known], shape.logits)
    familiarity = np.concatenate(
        [np.zeros(0, np.float32), *(windows.known_familiarity() for windows in known)]
    )
    counts = [0 if windows is None else len(windows.starts) for windows in results]
    offsets = np.concatenate([[0], np.cumsum(counts)])
    means = np.full((len(results), shape.size), np.nan, np.float32)
    for index in range(len(results)):
        own = embeddings[offsets[index] : offsets[index + 1]]
        with_speech = own[~np.isnan(own[:, 0])]
        if len(with_speech):
            means[index] = with_speech.mean(axis=0, dtype=np.float64)
    columns = {
        "start": pa.array(starts, pa.float64()),
        "end": pa.array(ends, pa.float64()),
        "embedding": _fixed_size_lists(embeddings),
        "logits": _fixed_size_lists(logits),
        "familiarity": pa.array(familiarity, mask=np.isnan(familiarity)),
    }
    columns = {name: column for name, column in columns.items() if column is not None}
    by_window = pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()),
        pa.StructArray.from_arrays(list(columns.values()), names=list(columns)),
        mask=pa.array([windows is None for windows in results], pa.bool_()),
    )
    lists = {"embedding": _fixed_size_lists(means), "by_window": by_window}
    # Cast, as the arrays name the items of their lists in another way than the schema does.
    return {field.name: lists[field.name].cast(field.type) for field in embedding_fields(shape)}


def _stacked(matrices: Sequence[Float32 | None], width: int) -> Float32:
    found = [matrix for matrix in matrices if matrix is not None]
    return np.concatenate([np.zeros((0, width), np.float32), *found])
