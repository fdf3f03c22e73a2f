"""Writes finished rows, in the order of the plan, into the tables that were asked for.

Every table is written whole under a temporary name and synced; only then do all get their names,
the recordings table last. So an output that is there is complete, and so are the tables beside it.
"""

from __future__ import annotations

import filecmp
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING

import numpy as np

from batchemo.batch import partitioned
from batchemo.batch.chunk_store import ChunkStore, Reader
from batchemo.batch.outputs import NamingRecord, OutputPaths, refuse_foreign, write_record
from batchemo.batch.partitioned import PartitionedOutput
from batchemo.batch.plan import OWN_COLUMNS, Plan, RowRange
from batchemo.batch.previous import cast_or_null
from batchemo.batch.row_groups import GroupReader
from batchemo.common.files import naming_errors, open_new, rename, sync, unfinished_path
from batchemo.inference.output_schema import OutputSchema
from batchemo.inference.postprocess import PostProcessor, RowSource
from batchemo.tables.columns import EMBEDDINGS
from batchemo.tables.embeddings import embedding_groups
from batchemo.tables.partitions import MANIFEST
from batchemo.tables.summary import Summary
from batchemo.tables.write import CsvTableWriter, open_writer, table_format

if TYPE_CHECKING:
    import pyarrow as pa


_EMBEDDING_COLUMNS = frozenset(EMBEDDINGS.keys() - {"root", "file"})
_EMBEDDINGS_AT_A_TIME = 256
"""Rows; that of a recording of an hour takes about a megabyte."""


def ordered_rows(
    ranges: Iterable[RowRange], read: Reader, schema: OutputSchema
) -> Iterator[pa.RecordBatch]:
    """Yield all rows in the order of the plan, as the workers made them, with extra columns."""
    reader = GroupReader(read, several_rows=bool(schema.turns))
    for range_ in ranges:
        rows = reader.rows(range_.chunk, range_.start, range_.length)
        manifest = _manifest_rows(range_, reader, schema)
        yield from _with_extras(rows, manifest, schema).to_batches()


def _manifest_rows(range_: RowRange, reader: GroupReader, schema: OutputSchema) -> pa.Table | None:
    """Return the manifest's columns for all rows of a range, null where it does not name them.

    None where the rows keep the columns that they have.
    """
    import pyarrow as pa

    manifest, first = schema.manifest, range_.manifest
    if manifest is None or first == OWN_COLUMNS:
        return None
    if isinstance(first, int) and not schema.turns:
        return manifest.slice(first, range_.length)
    if isinstance(first, tuple):
        return manifest.take(pa.array(first, pa.int64()))
    counts = reader.counts(range_.chunk, range_.start, range_.length)
    if first is None:
        return manifest.take(pa.nulls(int(counts.sum()), pa.int64()))
    return manifest.take(np.repeat(np.arange(first, first + range_.length), counts))


def _with_extras(rows: pa.Table, manifest: pa.Table | None, schema: OutputSchema) -> pa.Table:
    """Append the manifest's columns and those of a previous table, always in one order."""
    import pyarrow as pa

    names = [name for name in schema.chunk_schema().names if name not in _EMBEDDING_COLUMNS]
    columns = [rows[name] for name in names]
    # As sets, and added all at once: a manifest may have thousands of columns.
    in_rows = set(rows.column_names)
    in_manifest = set() if manifest is None else set(manifest.column_names)
    for field in schema.extras:
        if manifest is not None and field.name in in_manifest:
            # The manifest of this run counts, not what a kept row had from an earlier one.
            column = manifest[field.name]
        elif field.name in in_rows:
            column = rows[field.name]
        else:
            column = pa.chunked_array([pa.nulls(rows.num_rows, field.type)])
        columns.append(cast_or_null(column, field.type))
    fields = [*(rows.schema.field(name) for name in names), *schema.extras]
    return pa.table(columns, schema=pa.schema(fields))


def ordered_embeddings(
    ranges: Iterable[RowRange], read: Reader, schema: OutputSchema
) -> Iterator[pa.RecordBatch]:
    """Yield the columns of the embeddings table, in the order of the plan."""
    reader = GroupReader(read, several_rows=bool(schema.turns))
    columns = schema.embeddings_schema().names
    for range_ in ranges:
        rows = reader.rows(range_.chunk, range_.start, range_.length).select(columns)
        for start in range(0, rows.num_rows, _EMBEDDINGS_AT_A_TIME):
            yield from rows.slice(start, _EMBEDDINGS_AT_A_TIME).combine_chunks().to_batches()


def write_tables(
    rows: RowSource,
    postprocessor: PostProcessor,
    outputs: OutputPaths,
    summary: Summary,
    *,
    fresh: bool,
    record: NamingRecord | None = None,
    embeddings: RowSource | None = None,
) -> None:
    """Write every table under a temporary name; when all are whole and synced, name them.

    A `fresh` run replaces nothing but what an interrupted run like it has named. `record` is
    written before the first table gets its name. `embeddings` has the rows of that table.
    """
    with _temporary_tables(rows, postprocessor, outputs, summary, embeddings):
        if fresh:
            # Decided long ago, at the start of the run: somebody may have written one meanwhile.
            refuse_foreign(outputs)
        if record is not None:
            write_record(outputs, record)
        for path in outputs.all():
            if path == outputs.recordings and outputs.partition_by is not None:
                partitioned.publish(unfinished_path(path), path)
            else:
                rename(unfinished_path(path), path)
            outputs.publish(path)


def first_difference(
    rows: RowSource,
    postprocessor: PostProcessor,
    outputs: OutputPaths,
    summary: Summary,
    embeddings: RowSource | None = None,
) -> Path | None:
    """Return the first table whose bytes differ from those that this run would write."""
    with _temporary_tables(rows, postprocessor, outputs, summary, embeddings):
        for path in outputs.all():
            new, old = unfinished_path(path), path
            if path == outputs.recordings and outputs.partition_by is not None:
                # It has the digests of all files.
                new, old = new / MANIFEST, old / MANIFEST
            # Not shallow, which would take equal sizes and times for equal bytes.
            if not old.is_file() or not filecmp.cmp(new, old, shallow=False):
                return path
    return None


@contextmanager
def _temporary_tables(
    rows: RowSource,
    postprocessor: PostProcessor,
    outputs: OutputPaths,
    summary: Summary,
    embeddings: RowSource | None = None,
) -> Iterator[None]:
    """Write all tables under temporary names, and remove what has no other name in the end."""
    try:
        _write_all(rows, postprocessor, outputs, summary, embeddings)
        yield
    finally:  # After an error, or a signal between any two steps.
        for path in outputs.all():
            if unfinished_path(path).is_dir():
                shutil.rmtree(unfinished_path(path), ignore_errors=True)
            else:
                unfinished_path(path).unlink(missing_ok=True)


def _write_all(
    rows: RowSource,
    postprocessor: PostProcessor,
    outputs: OutputPaths,
    summary: Summary,
    embeddings: RowSource | None = None,
) -> None:
    schema = postprocessor.schema
    columns = schema.recordings_schema()
    with ExitStack() as stack:

        def open_table(path: Path, table_schema: pa.Schema) -> TableOutput:
            return stack.enter_context(TableOutput(path, table_schema))

        recordings: TableOutput | PartitionedOutput
        if outputs.partition_by is None:
            recordings = open_table(outputs.recordings, columns)
        else:
            path, by = outputs.recordings, outputs.partition_by
            recordings = stack.enter_context(
                PartitionedOutput(unfinished_path(path), path, columns, by)
            )
        segments = None
        if outputs.segments is not None:
            segments = open_table(outputs.segments, schema.segments_schema())
        for table in postprocessor.tables(rows):
            summary.add(table)
            recordings.write(table.select(columns.names))
            if segments is not None:
                segments.write(postprocessor.segments(table))
        if outputs.summary is not None:  # Complete only after the last row.
            counts = summary.table()
            open_table(outputs.summary, counts.schema).write(counts)
        if outputs.embeddings is not None and embeddings is not None:
            table_schema = schema.embeddings_schema()
            table_output = open_table(outputs.embeddings, table_schema)
            for table in embedding_groups(embeddings(), table_schema):
                table_output.write(table)


class TableOutput:
    """A table that is being written under a temporary name, and synced when it is whole.

    Whoever opens it renames or removes it.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path, self._final_path = unfinished_path(path), path
        self._stream = open_new(self._path)
        if path.exists():
            # A table that replaces another stays as readable for others as that one was.
            os.fchmod(self._stream.fileno(), stat.S_IMODE(path.stat().st_mode))
        self._writer = open_writer(self._stream, schema, kind=table_format(path))

    def __enter__(self) -> TableOutput:
        return self

    def write(self, table: pa.Table) -> None:
        """Append rows."""
        with naming_errors(self._final_path):
            self._writer.write(table)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with naming_errors(self._final_path), self._stream:
            if kind is None:
                self._writer.close()
                self._stream.flush()
                sync(self._stream.fileno())
            else:
                self._writer.abandon()


@contextmanager
def write_table(path: Path, schema: pa.Schema) -> Iterator[TableOutput]:
    """Write a single table, which gets its name when the block ends well."""
    try:
        with TableOutput(path, schema) as table:
            yield table
        rename(unfinished_path(path), path)
    finally:  # After an error, or a signal between any two steps.
        unfinished_path(path).unlink(missing_ok=True)


class OrderedCsv:
    """Writes rows as CSV to a stream, in the order of the plan, as soon as chunks are finished.

    Rows that are adapted to speakers or class shares depend on others: they wait for the end.
    """

    def __init__(
        self,
        stream: IO[bytes],
        schema: OutputSchema,
        plan: Plan,
        store: ChunkStore,
        summary: Summary,
    ) -> None:
        self._stream, self._schema, self._plan, self._summary = stream, schema, plan, summary
        self._read = store.reader(schema.chunk_schema())
        self.postprocessor = PostProcessor(schema)
        self._writer = CsvTableWriter(stream, schema.recordings_schema())
        self._finished: set[int] = set()
        self._written = 0

    def add(self, number: int) -> None:
        """Write the rows that can be written now that this chunk is finished."""
        self._finished.add(number)
        if not self._schema.postprocess.adapts:
            self._write()

    def _write(self) -> None:
        first, ranges = self._written, self._plan.ranges
        # Finished chunks behind one that is not finished wait: the order is that of the plan.
        while self._written < len(ranges) and ranges[self._written].chunk in self._finished:
            self._written += 1
        ready = ranges[first : self._written]
        for table in self.postprocessor.tables(
            lambda: ordered_rows(ready, self._read, self._schema)
        ):
            self._summary.add(table)
            self._writer.write(table)
        self._stream.flush()

    def close(self) -> None:
        """Write what is left, and end the table."""
        self._write()
        self._writer.close()
