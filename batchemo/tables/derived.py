"""Columns derived from the probabilities of a row: label, confidence, margin, dimensions.

They are computed when tables are written, from the probabilities alone: another
`--min-confidence` needs no new prediction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from batchemo.common.arrays import Bool, Float32, Index
from batchemo.tables.columns import (
    DIMENSIONS,
    LABEL_COLUMNS,
    MEASURED,
    MIXED,
    UNCERTAIN,
    model_probability_columns,
    probability_columns,
)
from batchemo.tables.schema import segments_schema
from batchemo.tables.write import label_categories

if TYPE_CHECKING:
    import pyarrow as pa


LONG_SECONDS = 120.0
"""Of a recording, or a turn, that is longer, the probabilities are shares of its speaking time."""

COORDINATES = {
    "neutral": (0.0, 0.0, 0.0),
    "calm": (0.5, -0.4, 0.1),
    "happy": (0.8, 0.5, 0.5),
    "sad": (-0.6, -0.3, -0.3),
    "angry": (-0.5, 0.6, 0.3),
    "fearful": (-0.6, 0.6, -0.4),
    "disgust": (-0.6, 0.4, 0.1),
    "surprised": (0.4, 0.7, -0.1),
    "boredom": (-0.7, -0.6, -0.3),
}
"""Valence, arousal and dominance of each emotion, from -1 to 1: see docs/tables.md for sources."""


def with_derived_columns(
    table: pa.Table,
    labels: Sequence[str],
    models: Sequence[str] = (),
    *,
    min_confidence: float = 0.0,
    dimensions: bool = False,
) -> pa.Table:
    """Append the columns derived from the probabilities of each row; null where it has none."""
    import pyarrow as pa

    mean = column_matrix(table, probability_columns(labels))
    long = long_rows(table)
    values = label_columns(mean, labels, min_confidence, long)
    columns = dict(zip(LABEL_COLUMNS, values, strict=True))
    if models:
        model_probabilities = [
            column_matrix(table, model_probability_columns(labels, model)) for model in models
        ]
        agreed = agreement(np.stack(model_probabilities, axis=1), mean)
        columns["agreement"] = pa.array(agreed, mask=_is_unknown(model_probabilities[0]))
        for model, probabilities in zip(models, model_probabilities, strict=True):
            names = [f"{name}_{model}" for name in LABEL_COLUMNS]
            values = label_columns(probabilities, labels, min_confidence, long)
            columns |= dict(zip(names, values, strict=True))
    if dimensions:
        columns |= dimension_columns(mean, labels)
    for name, column in columns.items():
        table = table.append_column(name, column)
    return table


def segments_table(
    table: pa.Table,
    labels: Sequence[str],
    window_models: Sequence[str] = (),
    *,
    min_confidence: float = 0.0,
    optional: Collection[str] = (),
) -> pa.Table:
    """Return a row for every window of the rows of `table`, in their order."""
    import pyarrow as pa
    import pyarrow.compute as pc

    lists = table["segments"].combine_chunks()
    recordings = pc.list_parent_indices(lists)
    windows = lists.flatten()
    probabilities = _window_matrix(windows, "p", len(labels))
    emotion, confidence, _ = label_columns(probabilities, labels, min_confidence)
    columns = {
        "root": table["root"].take(recordings),
        "file": table["file"].take(recordings),
        "start": windows.field("start"),
        "end": windows.field("end"),
        "emotion": label_categories(emotion, labels),
        "confidence": confidence,
    }
    columns |= matrix_columns(probabilities, probability_columns(labels))
    columns["familiarity"] = windows.field("familiarity")
    measured = [name for name in MEASURED if name in optional]
    columns |= matrix_columns(_window_matrix(windows, "measured", len(measured)), measured)
    if "dimensions" in optional:
        columns |= dimension_columns(probabilities, labels)
    if window_models:
        names = pa.array(window_models, pa.string()).take(windows.field("model"))
        columns["model"] = names.dictionary_encode()
    schema = segments_schema(labels, several_models=bool(window_models), optional=optional)
    for name in ("speaker", "channel"):
        if name in schema.names:
            columns[name] = table[name].take(recordings)
    return pa.table(columns).select(schema.names).cast(schema)


def _window_matrix(windows: pa.StructArray, name: str, width: int) -> Float32:
    """Return lists of windows as a matrix, with NaN for a window without speech."""
    matrix = np.full((len(windows), width), np.nan, np.float32)
    if width:
        lists = windows.field(name)
        with_speech = lists.is_valid().to_numpy(zero_copy_only=False)
        # flatten() leaves out what lies under a null.
        matrix[with_speech] = lists.flatten().to_numpy().reshape(-1, width)
    return matrix


def is_long(duration: float | None) -> bool:
    """Return whether something that takes so many seconds is told by shares.

    >>> is_long(120.0), is_long(120.1), is_long(None)
    (False, True, False)
    """
    return duration is not None and duration > LONG_SECONDS


def long_rows(table: pa.Table) -> Bool:
    """Return which rows are told by shares of speaking time."""
    import pyarrow.compute as pc

    return np.asarray(pc.fill_null(table["duration"], 0.0), np.float64) > LONG_SECONDS


def label_columns(
    probabilities: Float32,
    labels: Sequence[str],
    min_confidence: float,
    is_long: Bool | bool = False,
) -> list[pa.Array]:
    """Return the columns named by `LABEL_COLUMNS`, of nulls where there are no labels."""
    import pyarrow as pa

    if not labels:
        types = pa.string(), pa.float32(), pa.float32()
        return [pa.nulls(len(probabilities), kind) for kind in types]
    unknown = _is_unknown(probabilities)
    label = label_or_uncertain(probabilities, labels, min_confidence, is_long)
    _, confidence, margin = top_two(probabilities)
    return [
        pa.array(label, pa.string(), mask=unknown),
        pa.array(confidence, mask=unknown),
        pa.array(margin, mask=unknown),
    ]


def dimension_columns(probabilities: Float32, labels: Sequence[str]) -> dict[str, pa.Array]:
    """Return the columns named by `DIMENSIONS`."""
    return matrix_columns(expected_dimensions(probabilities, labels), DIMENSIONS)


def top_two(probabilities: Float32) -> tuple[Index, Float32, Float32]:
    """Return for each row the best label's index, its probability and its lead over the second.

    >>> best, confidence, margin = top_two(np.array([[0.25, 0.75]], np.float32))
    >>> best.tolist(), confidence.tolist(), margin.tolist()
    ([1], [0.75], [0.5])
    """
    best = probabilities.argmax(axis=1)
    ordered = np.sort(probabilities, axis=1)
    second = ordered[:, -2] if probabilities.shape[1] > 1 else np.zeros(len(ordered), np.float32)
    return best, ordered[:, -1], ordered[:, -1] - second


def label_or_uncertain(
    probabilities: Float32,
    labels: Sequence[str],
    min_confidence: float = 0.0,
    is_long: Bool | bool = False,
) -> NDArray[np.object_]:
    """Return each row's likeliest label, or `uncertain` where its probability is too low.

    Of long recordings, whose probabilities are shares, `mixed` where none has more than half.

    >>> probabilities = np.array([[0.25, 0.75], [0.5, 0.5]], np.float32)
    >>> label_or_uncertain(probabilities, ["happy", "sad"], 0.6).tolist()
    ['sad', 'uncertain']
    """
    best, confidence, _ = top_two(probabilities)
    found = np.array(labels, object)[best]
    # Compared in float32, as the table holds it: 0.7 in the table is not below a limit of 0.7.
    found[is_long & (confidence <= np.float32(0.5))] = MIXED
    found[confidence < np.float32(min_confidence)] = UNCERTAIN
    return found


def agreement(model_probabilities: Float32, mean: Float32) -> Float32:
    """Return for each row the share of models whose likeliest label is that of their mean.

    >>> model_probabilities = np.array([[[0.9, 0.1], [0.4, 0.6]]], np.float32)
    >>> agreement(model_probabilities, model_probabilities.mean(axis=1)).tolist()
    [0.5]
    """
    agreed = model_probabilities.argmax(axis=2) == mean.argmax(axis=1)[:, None]
    share: Float32 = agreed.mean(axis=1).astype(np.float32)
    return share


def mean_probabilities(model_probabilities: Float32) -> Float32:
    """Return the mean over several models, (…, models, labels) to (…, labels).

    >>> mean_probabilities(np.array([[1, 0], [0.5, 0.5]], np.float32)).tolist()
    [0.75, 0.25]
    """
    # Most turns, and short recordings, have one window: much dearer to compute with than to take.
    if model_probabilities.shape[-2] == 1:
        return model_probabilities[..., 0, :].astype(np.float32, copy=False)
    mean: Float32 = model_probabilities.astype(np.float64).mean(axis=-2).astype(np.float32)
    return mean


def mean_familiarity(values: Iterable[float | None]) -> float | None:
    """Return the mean over windows, or models, whose familiarity is known; None if none is.

    >>> mean_familiarity([0.25, None, 0.75]), mean_familiarity([None])
    (0.5, None)
    """
    known = [value for value in values if value is not None]
    if not known:
        return None
    # In double precision, and rounded as the column holds it.
    mean = known[0] if len(known) == 1 else np.mean(known, dtype=np.float64)
    return float(np.float32(mean))


def expected_dimensions(probabilities: NDArray[Any], labels: Sequence[str]) -> Float32:
    """Return the mean of the labels' coordinates, weighted by each row's probabilities.

    >>> expected_dimensions(np.array([[0.5, 0.5]]), ["happy", "neutral"]).tolist()
    [[0.4000000059604645, 0.25, 0.25]]
    """
    total = np.zeros((len(probabilities), 3))
    # Label by label instead of a matrix product, whose last bits depend on the number of rows: a
    # row of the table must not depend on the rows around it.
    for column, label in zip(probabilities.T, labels, strict=True):
        total += column[:, None].astype(np.float64) * COORDINATES[label]
    return total.astype(np.float32)


def column_matrix(table: pa.Table | pa.RecordBatch, columns: Sequence[str]) -> Float32:
    """Return numeric columns as a matrix, (rows, columns), with NaN for null."""
    if not columns:
        return np.zeros((table.num_rows, 0), np.float32)
    return np.stack([np.asarray(table[name], np.float32) for name in columns], axis=1)


def matrix_columns(values: Float32, names: Iterable[str]) -> dict[str, pa.Array]:
    """Return the columns of a matrix by name, with null for NaN."""
    import pyarrow as pa

    columns = zip(names, values.T, strict=True)
    return {name: pa.array(column, mask=np.isnan(column)) for name, column in columns}


def _is_unknown(probabilities: Float32) -> Bool:
    return np.asarray(np.isnan(probabilities).any(axis=1), np.bool_)
