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
from batchemo.tables.columns import model_probability_columns, probability_columns, turns_of
from batchemo.tables.embeddings import fixed_size_matrix, open_embeddings
from batchemo.tables.labels import Key, key_of
from batchemo.tables.read import TableFile, open_table

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
    of_windows: bool = False
    """Whether the rows are windows of recordings, and not recordings or turns of these."""

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
        raise UsageError(
            f"{shown}: has no probabilities (p_<label>), which reviewers are asked about: give the "
            "table of a scan with a model that has labels"
        )
    by_model = {model: model_probability_columns(table.labels, model) for model in table.models}
    times = [name for name in ("start", "end") if name in (turns_of(names) or names)]
    if "channel" in turns_of(names):
        _refuse_channels(table, shown)
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
    labels, probabilities = tuple(table.labels), joined.pop("")
    return Candidates(keys, labels, probabilities, joined, of_windows="status" not in names)


def read_embeddings(path: str | Path, candidates: Candidates) -> tuple[Float32, Bool]:
    """Return the embedding of each candidate, and for which ones the file has one."""
    table = open_embeddings(path)
    known = np.zeros(len(candidates.keys), bool)
    size = table.schema.field("embedding").type.list_size
    embedding = np.zeros((len(known), size), np.float32)
    column = "by_window" if candidates.of_windows else "embedding"
    times = [name for name in ("start", "end") if name in table.schema.names]
    for batch in table.batches(["root", "file", *times, column]):
        keys, vectors = (_windows_of if candidates.of_windows else _recordings_of)(batch)
        positions = np.array([candidates.positions.get(key, -1) for key in keys], np.intp)
        usable = (positions >= 0) & _known(vectors)
        embedding[positions[usable]] = vectors[usable]
        known[positions[usable]] = True
    if not known.any():
        raise UsageError(
            f"{for_display(str(path))}: has no embedding of any row of the table: give the file "
            "that the same scan wrote (--embeddings)"
        )
    return embedding, known


def _refuse_channels(table: TableFile, shown: str) -> None:
    """Refuse rows that only their channel tells apart: an answer does not say of which it is."""
    seen: set[Key] = set()
    times = [name for name in ("start", "end") if name in table.schema.names]
    for batch in table.batches(["root", "file", *times]):
        for key in _keys_of(batch):
            if not _is_new(key, seen):
                raise UsageError(
                    f"{shown}: {for_display(key.file)} has several rows for the same times, of "
                    "several channels: review a table of one of them (--channel 0)"
                )


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


def _recordings_of(batch: pa.RecordBatch) -> tuple[list[Key], Float32]:
    """Return the recordings that have an embedding, and these."""
    batch = batch.filter(batch.column("embedding").is_valid())
    return _keys_of(batch), fixed_size_matrix(batch.column("embedding"))


def _windows_of(batch: pa.RecordBatch) -> tuple[list[Key], Float32]:
    """Return the windows of all recordings, and their embeddings."""
    import pyarrow.compute as pc

    keys = _keys_of(batch)
    windows = batch.column("by_window")
    parents, flat = pc.list_parent_indices(windows), pc.list_flatten(windows)
    with_speech = pc.struct_field(flat, "embedding").is_valid()
    parents, flat = parents.filter(with_speech).to_pylist(), flat.filter(with_speech)
    starts, ends = (pc.struct_field(flat, name).to_pylist() for name in ("start", "end"))
    found = [
        key_of(keys[parent].root, keys[parent].file, start, end)
        for parent, start, end in zip(parents, starts, ends, strict=True)
    ]
    return found, fixed_size_matrix(pc.struct_field(flat, "embedding"))


def _known(values: Float32) -> Bool:
    return np.asarray(np.isfinite(values).all(axis=1))
