"""Reads the table of an earlier run as rows of chunks, with their windows from its segments table.

Only so can --update mix kept and new rows: both then go through the same steps to the tables.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from batchemo.batch.plan import OWN_COLUMNS, RowRange
from batchemo.batch.previous_embeddings import EmbeddingsByRecording, matching_embeddings
from batchemo.batch.rerun import HeadRerun
from batchemo.errors import UsageError
from batchemo.inference.output_schema import OutputSchema, is_flat
from batchemo.tables.columns import (
    ADDED,
    FAMILIARITY,
    probability_columns,
    turns_of,
    unadapted_columns,
)
from batchemo.tables.derived import column_matrix
from batchemo.tables.embeddings import ROWS_AT_A_TIME
from batchemo.tables.read import (
    ROWS_PER_BATCH,
    TableFile,
    UnreadableTableError,
    open_table,
)
from batchemo.tables.rows import segment_lists
from batchemo.tables.schema import chunk_schema

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class PreviousTable:
    """The rows of an earlier recordings table, in the form of chunks."""

    schema: pa.Schema
    extras: pa.Schema
    """The columns beyond those of a scan: a manifest's, or what somebody has added since."""
    batches: Iterator[pa.RecordBatch]
    """With segments, where this run writes some: empty for rows whose windows are lost."""
    head: HeadRerun | None = None
    """What predicts the rows anew as they are read, without decoding."""


def open_previous(
    output: Path,
    segments: Path | None,
    schema: OutputSchema,
    embeddings: Path | None = None,
) -> PreviousTable:
    """Open the earlier output, and its segments and embeddings where this run writes some too.

    The columns of several models are those of this run's: a row that is kept of a run that had
    others has nulls there. Probabilities are as the models gave them, before any adaptation.
    """
    import pyarrow as pa

    table, labels, models = open_table(output), schema.labels, schema.models
    if turns_of(table.schema.names) != schema.turns:
        raise UsageError(
            f"{output}: {_rows_of(table)}, and this scan writes {_rows_for(schema)}. Rows of both "
            "cannot be in one table: use --overwrite, or another output"
        )
    earlier = None
    if embeddings is not None and schema.embeddings is not None:
        earlier = matching_embeddings(table, embeddings, schema.embeddings)
    is_adapted = schema.embeddings is not None and schema.embeddings.adapted is not None
    head = HeadRerun(table, schema) if earlier is not None and is_adapted else None
    if table.labels != list(labels) and head is None:
        raise UsageError(
            f"{output}: this table has the labels {', '.join(table.labels) or '(none)'}, the model "
            f"has {', '.join(labels)}. Rows of both cannot be in one table: use --overwrite, or "
            "another output"
        )
    needed = chunk_schema(
        labels, segments=False, measured=schema.measured, turns=schema.turns
    ).names
    missing = set(needed) - set(table.schema.names)
    missing -= set(() if head is None else probability_columns(labels))
    missing -= ADDED
    adapted = table.run.get("options", {}).keys() & {"speaker", "class_shares"}
    if adapted and "unadapted" not in table.optional:
        missing |= {name for name, _ in unadapted_columns(labels, table.models)}
    if missing:
        raise UnreadableTableError(
            f"{output}: the columns {', '.join(sorted(missing))} are missing. Use --overwrite, or "
            "another output"
        )
    columns = chunk_schema(
        labels,
        segments=segments is not None,
        models=models,
        several_models=bool(schema.window_models),
        measured=schema.measured,
        tries=schema.tries,
        embeddings=None if schema.embeddings is None else schema.embeddings.shape,
        turns=schema.turns,
    )
    extra_names = _extra_names(table, schema.reserved | set(columns.names))
    extras = pa.schema(
        [_plain_field(table.schema.field(old)).with_name(new) for new, old in extra_names.items()]
    )
    whole = pa.schema([*columns, *extras])
    found = table.scan_columns & set(table.schema.names)
    origins = extra_names | {name: name for name in columns.names if name in found}
    if "unadapted" in table.optional:
        origins |= _unadapted_origins(table, columns)
    windows = None
    if segments is not None and head is None:  # Else they come from the embeddings.
        windows = _matching_segments(table, segments, schema)
    rows = _rows(table, origins, windows, earlier, head, whole)
    return PreviousTable(whole, extras, rows, head)


def _rows_of(table: TableFile) -> str:
    turns = turns_of(table.schema.names)
    columns = f" (with the columns {', '.join(turns)})" if turns else ""
    return f"this table has a row for each {'turn' if turns else 'recording'}{columns}"


def _rows_for(schema: OutputSchema) -> str:
    columns = f" (with {', '.join(schema.turns)})" if schema.turns else ""
    return f"one for each {'turn' if schema.turns else 'recording'}{columns}"


def copied_table(copy: pa.Table, schema: OutputSchema) -> PreviousTable | None:
    """Return the copy that an interrupted run made of its previous table; None if of other columns.

    The copy has the columns of chunks, and then the others.
    """
    import pyarrow as pa

    columns = schema.chunk_schema()
    fields = list(copy.schema)
    extras = pa.schema(fields[len(columns) :])
    is_ours = pa.schema(fields[: len(columns)]).equals(columns)
    if not is_ours or not schema.reserved.isdisjoint(extras.names):
        return None
    return PreviousTable(copy.schema, extras, iter(copy.to_batches()))


def _unadapted_origins(table: TableFile, columns: pa.Schema) -> dict[str, str]:
    """Map probability columns to those that hold their values from before the adaptation."""
    kept = [name for name, _ in unadapted_columns(table.labels, table.models)]
    return {
        name: unadapted
        for unadapted in kept
        if (name := f"p_{unadapted.removeprefix('unadapted_')}") in columns.names
    }


def _extra_names(table: TableFile, taken: Collection[str]) -> dict[str, str]:
    """Map the names that the table's extra columns get in this run to those that they have.

    They differ where this run has a column of that name, such as one of another model.
    """
    names = {}
    for name in table.extra_columns:
        free = name
        while free in taken:
            free = f"manifest_{free}"
        names[free] = name
    return names


def _plain_field(field: pa.Field) -> pa.Field:
    """Return the field with the type in which it is read: dictionaries as plain strings."""
    import pyarrow as pa

    return pa.field(field.name, pa.string()) if pa.types.is_dictionary(field.type) else field


def _rows(
    table: TableFile,
    origins: Mapping[str, str],
    windows: _SegmentsByRecording | None,
    embeddings: EmbeddingsByRecording | None,
    head: HeadRerun | None,
    schema: pa.Schema,
) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    rows = ROWS_PER_BATCH if embeddings is None else ROWS_AT_A_TIME
    for batch in table.batches(sorted(set(origins.values())), rows):
        given: dict[str, pa.Array] = {}
        if windows is not None:
            given["segments"] = windows.take(batch.num_rows)
        if embeddings is not None:
            given |= embeddings.take(batch["model"])
        if head is not None:
            given |= head.columns(batch, given)
        columns = []
        for field in schema:
            if field.name in given:
                columns.append(given[field.name].cast(field.type))
            elif field.name in origins and field.name not in _NESTED:
                columns.append(batch[origins[field.name]].cast(field.type))
            else:
                columns.append(pa.nulls(batch.num_rows, field.type))
        yield pa.record_batch(columns, schema=schema)


def _matching_segments(
    table: TableFile, path: Path, schema: OutputSchema
) -> _SegmentsByRecording | None:
    """Open the segments table if its rows are windows of the recordings table.

    It may belong to another run, or have been changed since. So it must have the windows of the
    recordings in the same order, for each recording either all or none: rows that were kept of a
    run without segments have none.
    """
    if not path.is_file():
        return None
    segments = open_table(path)
    if segments.labels != table.labels or not set(schema.measured) <= set(segments.schema.names):
        return None
    runs = groupby(_recording_names(segments))
    name, run = next(runs, _NO_RUN)
    counts = array("i")
    for recording, rows in groupby(_window_counts(table), key=itemgetter(0)):
        # Of the only row of a recording, or of each of its turns.
        expected = [windows for _, windows in rows]
        if recording != name:
            counts.extend([0] * len(expected))
            continue
        if sum(1 for _ in run) != sum(expected):
            return None
        name, run = next(runs, _NO_RUN)
        counts.extend(expected)
    return None if name is not None else _SegmentsByRecording(segments, counts, schema)


_NESTED = frozenset({"segments", "embedding", "by_window"})
"""Columns of chunks that a recordings table never has; one of this name is somebody else's."""

_NO_RUN: tuple[str | None, Iterator[str]] = (None, iter(()))


def _window_counts(table: TableFile) -> Iterator[tuple[str, int]]:
    """Yield the recording of each row, and how many windows it has."""
    import pyarrow.compute as pc

    for batch in table.batches(["root", "file", "windows"]):
        windows = pc.fill_null(batch["windows"], 0).to_pylist()
        names = pc.binary_join_element_wise(batch["root"], batch["file"], "\0").to_pylist()
        yield from zip(names, windows, strict=True)


def _recording_names(segments: TableFile) -> Iterator[str]:
    import pyarrow.compute as pc

    for batch in segments.batches(["root", "file"]):
        yield from pc.binary_join_element_wise(batch["root"], batch["file"], "\0").to_pylist()


class _SegmentsByRecording:
    """Groups the rows of a segments table by recording, while both are read from start to end.

    Only the windows of one batch of recordings are held, however long the table is.
    """

    def __init__(self, segments: TableFile, counts: Sequence[int], schema: OutputSchema) -> None:
        """Take the segments table and how many windows it has of each recording."""
        self._labels = segments.labels
        self._counts = iter(counts)
        self._models, self._measured = schema.window_models, schema.measured
        self._batches = segments.batches()
        self._waiting: list[pa.RecordBatch] = []
        self._count = 0

    def take(self, recordings: int) -> pa.ListArray:
        """Return the windows of the next recordings of the table."""
        import pyarrow as pa

        counts = list(islice(self._counts, recordings))
        total = sum(counts)
        while self._count < total:
            self._waiting.append(next(self._batches))
            self._count += self._waiting[-1].num_rows
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        if not total:
            indices: list[int] | None = [] if self._models else None
            return segment_lists(
                offsets,
                [],
                [],
                np.zeros((0, len(self._labels)), np.float32),
                indices,
                familiarity=np.zeros(0, np.float32),
                measured=np.zeros((0, len(self._measured)), np.float32),
            )
        table = pa.Table.from_batches(self._waiting).combine_chunks()
        rest = table.slice(total)
        self._waiting, self._count = rest.to_batches(), rest.num_rows
        batch = table.slice(0, total).combine_chunks().to_batches()[0]
        probabilities = column_matrix(batch, probability_columns(self._labels))
        familiarity = np.full(total, np.nan, np.float32)
        if FAMILIARITY in batch.schema.names:
            familiarity = column_matrix(batch, [FAMILIARITY])[:, 0]
        models = self._model_indices(batch)
        return segment_lists(
            offsets,
            batch["start"],
            batch["end"],
            probabilities,
            models,
            familiarity=familiarity,
            measured=column_matrix(batch, self._measured),
        )

    def _model_indices(self, batch: pa.RecordBatch) -> pa.Array | None:
        """Return the index of each window's model among this run's; null for another run's."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if not self._models:
            return None
        if "model" not in batch.schema.names:
            return pa.nulls(batch.num_rows, pa.int32())
        return pc.index_in(batch["model"], pa.array(self._models, pa.string()))


def cast_or_null(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """Cast a column; nulls where values of its type cannot be cast."""
    import pyarrow as pa

    if column.type != kind and not (is_flat(column.type) and is_flat(kind)):
        return pa.chunked_array([pa.nulls(len(column), kind)])
    return column.cast(kind)


def with_previous_columns(
    schema: OutputSchema, previous: pa.Schema | None, ranges: Iterable[RowRange]
) -> OutputSchema:
    """Add the columns of the previous table that this run's manifest does not give.

    Where rows that keep their own values lie beside new ones of another type, both become text.
    """
    if previous is None:
        return schema
    import pyarrow as pa

    manifest = schema.manifest
    given = set() if manifest is None else set(manifest.column_names)
    kept = pa.schema([field for field in previous if field.name not in given])
    if manifest is not None and any(range_.manifest == OWN_COLUMNS for range_ in ranges):
        for index, field in enumerate(manifest.schema):
            before = previous.field(field.name) if field.name in previous.names else field
            if before.type != field.type and is_flat(before.type) and is_flat(field.type):
                text = manifest.column(index).cast(pa.string())
                manifest = manifest.set_column(index, field.name, text)
    return replace(schema, manifest=manifest, previous_columns=kept)
