"""The embeddings table: a list of numbers for each recording, for similarity and for adaptation.

    root, file   the recording; the rows are those of the recordings table, in the same order
    embedding    float32, always of one size: the mean over its windows with speech
    by_window    for each window: start, end, embedding, logits, familiarity

Both are null for a recording that failed, and in a row that an update kept of another model. The
table's metadata names the model whose embeddings and logits these are. For a model that was adapted
it is the one that it was made from, so that adapting changes nothing in this table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from batchemo.common.arrays import Float32
from batchemo.tables.columns import EMBEDDINGS
from batchemo.tables.read import TableFile, UnreadableTableError, open_table
from batchemo.tables.write import conform

if TYPE_CHECKING:
    import pyarrow as pa

WINDOWS_PER_GROUP = 4096
"""A Parquet row group ends with the recording that fills it up. A fixed number, so that the bytes
depend on the rows alone; of windows, as their number in a recording has no bound."""

ROWS_AT_A_TIME = 256
"""Recordings that are read at a time; that of an hour takes about a megabyte."""


@dataclass(frozen=True, slots=True)
class Embeddings:
    """The embedding of each recording that has one."""

    recordings: list[tuple[str, str]]
    """Root and file."""
    matrix: Float32
    """(recordings, size)"""
    run: dict[str, Any]
    """How they were made."""


def read_embeddings(path: str | Path) -> Embeddings:
    """Read the recordings' embeddings, without those of their windows.

    >>> read_embeddings("nowhere.parquet")
    Traceback (most recent call last):
    batchemo.errors.UsageError: nowhere.parquet: there is no such table
    """
    table = open_embeddings(path)
    recordings: list[tuple[str, str]] = []
    matrices = [np.zeros((0, table.schema.field("embedding").type.list_size), np.float32)]
    for batch in table.batches(["root", "file", "embedding"]):
        batch = batch.filter(batch["embedding"].is_valid())
        names = zip(batch["root"].to_pylist(), batch["file"].to_pylist(), strict=True)
        recordings += names
        matrices.append(fixed_size_matrix(batch["embedding"]))
    return Embeddings(recordings, np.concatenate(matrices), table.run)


def open_embeddings(path: str | Path) -> TableFile:
    """Open an embeddings table; `UnreadableTableError` where it is none."""
    import pyarrow as pa

    table = open_table(path)
    missing = EMBEDDINGS.keys() - set(table.schema.names)
    if missing or not pa.types.is_fixed_size_list(table.schema.field("embedding").type):
        raise UnreadableTableError(
            f"{path}: this is no table of embeddings. `batchemo scan --embeddings {path}` writes "
            "one"
        )
    return table


def fixed_size_matrix(lists: pa.FixedSizeListArray) -> Float32:
    """Return lists without nulls as a matrix.

    >>> import pyarrow as pa
    >>> fixed_size_matrix(pa.array([[1, 2], [3, 4]], pa.list_(pa.float32(), 2))).tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    values = lists.flatten().to_numpy(zero_copy_only=False)
    matrix: Float32 = values.astype(np.float32, copy=False).reshape(-1, lists.type.list_size)
    return matrix


def embedding_groups(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield rows in the tables that become row groups, whatever batches they came in."""
    import pyarrow as pa
    import pyarrow.compute as pc

    waiting: list[pa.RecordBatch] = []
    windows = 0
    for batch in batches:
        # A failed recording has no window, and counts as one.
        counts = pc.max_element_wise(pc.list_value_length(batch["by_window"]), 1).to_pylist()
        first = 0
        for row, count in enumerate(counts, 1):
            windows += count
            if windows >= WINDOWS_PER_GROUP:
                waiting.append(batch.slice(first, row - first))
                yield conform(pa.Table.from_batches(waiting).combine_chunks(), schema)
                waiting, windows, first = [], 0, row
        if first < batch.num_rows:
            waiting.append(batch.slice(first))
    if waiting:
        yield conform(pa.Table.from_batches(waiting).combine_chunks(), schema)
