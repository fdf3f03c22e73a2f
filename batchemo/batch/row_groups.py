"""Rows that belong to one recording: in a table of turns they stand together, one for each turn.

The plan counts recordings. Where each of them is one row, recordings and rows are the same; here is
what is needed where they are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from batchemo.batch.chunk_store import Reader
from batchemo.common.arrays import Int64

if TYPE_CHECKING:
    import pyarrow as pa


def group_starts(rows: pa.Table | pa.RecordBatch) -> Int64:
    """Return the first row of each recording, and the number of all rows.

    >>> import pyarrow as pa
    >>> rows = pa.table({"root": ["/data"] * 4, "file": ["a", "a", "b", "c"]})
    >>> group_starts(rows).tolist()
    [0, 2, 3, 4]
    """
    import pyarrow.compute as pc

    count = rows.num_rows
    if not count:
        return np.zeros(1, np.int64)
    changed = np.zeros(count - 1, bool)
    for name in ("root", "file"):
        before, after = rows[name].slice(0, count - 1), rows[name].slice(1)
        changed |= np.asarray(pc.not_equal(before, after), bool)
    return np.concatenate([[0], np.flatnonzero(changed) + 1, [count]]).astype(np.int64)


def whole_groups(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the same rows in batches that part no recording."""
    import pyarrow as pa

    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        joined = pa.Table.from_batches(waiting).combine_chunks()
        last = int(group_starts(joined)[-2]) if joined.num_rows else 0
        yield from joined.slice(0, last).to_batches()
        waiting = joined.slice(last).to_batches()
    yield from waiting


class GroupReader:
    """Reads the rows of recordings by the numbers of these in a chunk."""

    def __init__(self, read: Reader, *, several_rows: bool) -> None:
        """Take whether recordings may have several rows."""
        self._read, self._several_rows = read, several_rows
        self._chunk: int | None = None
        self._starts = np.zeros(1, np.int64)

    def rows(self, chunk: int, first: int, count: int) -> pa.Table:
        """Return the rows of so many recordings of a chunk."""
        rows = self._read(chunk)
        if not self._several_rows:
            return rows.slice(first, count)
        starts = self._starts_of(chunk, rows)
        return rows.slice(int(starts[first]), int(starts[first + count] - starts[first]))

    def counts(self, chunk: int, first: int, count: int) -> Int64:
        """Return how many rows each of these recordings has."""
        if not self._several_rows:
            return np.ones(count, np.int64)
        return np.diff(self._starts_of(chunk, self._read(chunk))[first : first + count + 1])

    def _starts_of(self, chunk: int, rows: pa.Table) -> Int64:
        if chunk != self._chunk:
            self._chunk, self._starts = chunk, group_starts(rows)
        return self._starts
