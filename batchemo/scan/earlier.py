"""Brings an earlier table into the form of a part, with each row's windows where they are kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from batchemo.errors import UsageError
from batchemo.tables.read import Earlier, UnreadableTableError, open_table, probabilities
from batchemo.tables.rows import segment_lists
from batchemo.tables.schema import row_schema

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Adopted:
    """An earlier table as a stream of rows; `complete` tells whether their windows came along."""

    schema: pa.Schema
    extras: pa.Schema
    """The columns beyond our own: a manifest's, or what somebody has added since."""
    batches: Iterator[pa.RecordBatch]
    complete: bool


def adopt(output: Path, segments: Path | None, labels: Sequence[str]) -> Adopted:
    """Open the earlier output, and its segments where this run writes some too."""
    import pyarrow as pa

    table = open_table(output)
    if table.labels != list(labels):
        raise UsageError(
            f"{output}: this table has the labels {', '.join(table.labels) or '(none)'}, the model "
            f"has {', '.join(labels)}. Rows of both cannot lie in one table: use --overwrite, or "
            "another output"
        )
    extras = pa.schema([_plain(table.schema.field(name)) for name in table.extras])
    schema = pa.schema([*row_schema(labels, segments=segments is not None), *extras])
    missing = set(row_schema(labels, segments=False).names) - set(table.schema.names)
    if missing:
        raise UnreadableTableError(
            f"{output}: the columns {', '.join(sorted(missing))} are missing. Use --overwrite, or "
            "another output"
        )
    kept = None if segments is None else _matching_segments(table, segments)
    complete = segments is None or kept is not None
    return Adopted(schema, extras, _rows(table, kept, schema), complete)


def _plain(field: pa.Field) -> pa.Field:
    """Give the field as the table is read: dictionaries as plain strings."""
    import pyarrow as pa

    return pa.field(field.name, pa.string()) if pa.types.is_dictionary(field.type) else field


def _rows(table: Earlier, segments: Earlier | None, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    names = [name for name in schema.names if name in table.schema.names]
    windows = None if segments is None else _Windows(segments)
    for batch in table.batches(names):
        columns = []
        for field in schema:
            if field.name == "segments" and windows is not None:
                columns.append(windows.take(batch["windows"]).cast(field.type))
            elif field.name in names and field.name != "segments":
                columns.append(batch[field.name].cast(field.type))
            else:
                columns.append(pa.nulls(batch.num_rows, field.type))
        yield pa.record_batch(columns, schema=schema)


def _matching_segments(table: Earlier, path: Path) -> Earlier | None:
    """Open the segments table if its rows are just the windows of the files table's rows."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not path.is_file():
        return None
    segments = open_table(path)
    if segments.labels != table.labels:
        return None
    found = _joined(segments)
    for batch in table.batches(["root", "file", "windows"]):
        counts = pc.fill_null(batch["windows"], 0).to_numpy()
        owners = pa.array(np.repeat(np.arange(batch.num_rows), counts))
        expected = pc.binary_join_element_wise(batch["root"], batch["file"], "\0").take(owners)
        for name in expected.to_pylist():
            if next(found, None) != name:
                return None
    return segments if next(found, None) is None else None


def _joined(segments: Earlier) -> Iterator[str]:
    import pyarrow.compute as pc

    for batch in segments.batches(["root", "file"]):
        yield from pc.binary_join_element_wise(batch["root"], batch["file"], "\0").to_pylist()


class _Windows:
    """Deals the rows of a segments table out to the recordings that they belong to."""

    def __init__(self, segments: Earlier) -> None:
        self._labels = segments.labels
        self._batches = segments.batches()
        self._waiting: list[pa.RecordBatch] = []
        self._count = 0

    def take(self, windows: pa.Array) -> pa.ListArray:
        """Give each recording its windows, the next ones of the table."""
        import pyarrow as pa
        import pyarrow.compute as pc

        counts = pc.fill_null(windows, 0).to_numpy()
        total = int(counts.sum())
        while self._count < total:
            self._waiting.append(next(self._batches))
            self._count += self._waiting[-1].num_rows
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        if not total:
            width = len(self._labels)
            return segment_lists(offsets, [], [], np.zeros((0, width), np.float32))
        table = pa.Table.from_batches(self._waiting).combine_chunks()
        rest = table.slice(total)
        self._waiting, self._count = rest.to_batches(), rest.num_rows
        batch = table.slice(0, total).combine_chunks().to_batches()[0]
        return segment_lists(
            offsets, batch["start"], batch["end"], probabilities(batch, self._labels)
        )
