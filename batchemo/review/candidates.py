"""What reviewers can be asked about: the rows of a table of predictions, and their embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from batchemo.common.arrays import Bool, Float32, Index
from batchemo.common.text import for_display
from batchemo.errors import UsageError
from batchemo.review.labels import Key, key_of
from batchemo.tables.columns import model_probability_columns, probability_columns
from batchemo.tables.read import open_table

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, eq=False)
class Candidates:
    """The rows of a table that have a prediction, in its order."""

    keys: Sequence[Key]
    labels: tuple[str, ...]
    probabilities: Float32
    """(rows, labels)"""
    models: Mapping[str, Float32] = field(default_factory=dict)
    """The probabilities of each of several models; empty for a single one."""

    @cached_property
    def predicted(self) -> Index:
        """The position of each row's likeliest label."""
        predicted: Index = self.probabilities.argmax(axis=1)
        return predicted

    @cached_property
    def confidence(self) -> Float32:
        """The probability of each row's likeliest label."""
        confidence: Float32 = self.probabilities.max(axis=1)
        return confidence

    @cached_property
    def positions(self) -> dict[Key, int]:
        """The row of each key."""
        return {key: row for row, key in enumerate(self.keys)}

    def prediction(self, row: int) -> str:
        """Return the likeliest label of a row."""
        return self.labels[int(self.predicted[row])]

    @property
    def has_windows(self) -> bool:
        """Whether the rows are windows, or other parts of recordings."""
        return any(key.start is not None for key in self.keys)


def read_candidates(path: str | Path) -> Candidates:
    """Read the rows with a prediction of a recordings table or of a segments table."""
    table = open_table(path)
    shown = for_display(str(path))
    names = table.schema.names
    wanted = probability_columns(table.labels)
    if not wanted:
        raise UsageError(f"{shown}: has no probabilities (p_<label>): give the table of a scan")
    by_model = {model: model_probability_columns(table.labels, model) for model in table.models}
    times = [name for name in ("start", "end") if name in names]
    columns = ["root", "file", *times, *wanted, *(c for cs in by_model.values() for c in cs)]
    keys: list[Key] = []
    parts: dict[str, list[Float32]] = {name: [] for name in ("", *by_model)}
    seen: set[Key] = set()
    for batch in table.batches(columns):
        found = _keys_of(batch)
        # Windows of several models may be the same; failed rows and windows without speech have
        # no probabilities.
        values = _matrix(batch, wanted)
        rows = [row for row in np.flatnonzero(_known(values)) if _is_new(found[row], seen)]
        keys += [found[row] for row in rows]
        parts[""].append(values[rows])
        for model, of_model in by_model.items():
            parts[model].append(_matrix(batch, of_model)[rows])
    if not keys:
        raise UsageError(f"{shown}: no row has a prediction: there is nothing to review")
    joined = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    return Candidates(keys, tuple(table.labels), joined.pop(""), joined)


def read_embeddings(path: str | Path, candidates: Candidates) -> tuple[Float32, Bool]:
    """Return the embedding of each candidate, and for which ones the file has one.

    A file with windows gives a recording the mean of its windows.
    """
    table = open_table(path)
    shown = for_display(str(path))
    names = table.schema.names
    if "embedding" not in names:
        raise UsageError(
            f"{shown}: has no column `embedding`: give the file that scan --embeddings wrote"
        )
    times = [name for name in ("start", "end") if name in names]
    if candidates.has_windows and not times:
        raise UsageError(
            f"{shown}: has one embedding for each recording, but the table has windows: review the "
            "recordings table, or write the embeddings of windows"
        )
    sums: Float32 | None = None
    counts = np.zeros(len(candidates.keys), np.int64)
    for batch in table.batches(["root", "file", *times, "embedding"]):
        found = _keys_of(batch)
        if not candidates.has_windows:
            found = [Key(key.root, key.file) for key in found]
        values = _vectors(batch.column("embedding"), shown)
        if sums is None:
            sums = np.zeros((len(counts), values.shape[1]), np.float32)
        positions = np.array([candidates.positions.get(key, -1) for key in found], np.intp)
        usable = (positions >= 0) & _known(values)
        np.add.at(sums, positions[usable], values[usable])
        np.add.at(counts, positions[usable], 1)
    known = counts > 0
    if sums is None or not known.any():
        raise UsageError(f"{shown}: has no embedding of any recording of the table")
    sums /= np.maximum(counts, 1)[:, None].astype(np.float32)
    return sums, known


def _keys_of(batch: pa.RecordBatch) -> list[Key]:
    columns: list[list[Any]] = [batch.column(name).to_pylist() for name in ("root", "file")]
    for name in ("start", "end"):
        there = name in batch.schema.names
        columns.append(batch.column(name).to_pylist() if there else [None] * batch.num_rows)
    return [key_of(*values) for values in zip(*columns, strict=True)]


def _is_new(key: Key, seen: set[Key]) -> bool:
    if key in seen:
        return False
    seen.add(key)
    return True


def _matrix(batch: pa.RecordBatch, names: Sequence[str]) -> Float32:
    import pyarrow as pa

    columns = [batch.column(name).cast(pa.float32()) for name in names]
    return np.stack([column.to_numpy(zero_copy_only=False) for column in columns], axis=1)


def _vectors(column: pa.Array, shown: str) -> Float32:
    """Return a column of lists as a matrix, with nan in the rows that are null."""
    import pyarrow as pa

    if not pa.types.is_fixed_size_list(column.type):
        raise UsageError(f"{shown}: `embedding` must be a list of a fixed size in every row")
    size = column.type.list_size
    vectors = np.full((len(column), size), np.nan, np.float32)
    # `flatten` leaves out the lists that are null.
    there = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    flat = column.flatten().to_numpy(zero_copy_only=False)
    vectors[there] = flat.reshape(len(there), size).astype(np.float32)
    return vectors


def _known(values: Float32) -> Bool:
    return np.asarray(np.isfinite(values).all(axis=1))
