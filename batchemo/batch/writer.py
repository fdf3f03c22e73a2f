"""Writes finished rows, in the order of the plan, into the tables that were asked for."""

from __future__ import annotations

import filecmp
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING

from batchemo.batch.chunk_store import ChunkStore, Reader, reader_of
from batchemo.batch.outputs import OutputPaths, record_naming, refuse_existing
from batchemo.batch.plan import OWN, Plan, RowRange
from batchemo.batch.previous import fitting
from batchemo.common.files import (
    naming_errors,
    rename,
    sync,
    unfinished_path,
)
from batchemo.inference.output_schema import OutputSchema
from batchemo.inference.postprocess import PostProcessor, Rows
from batchemo.tables.schema import summary_schema
from batchemo.tables.summary import Summary
from batchemo.tables.write import CsvTableWriter, open_writer, table_format

if TYPE_CHECKING:
    import pyarrow as pa


def ordered_rows(
    runs: Iterable[RowRange], read: Reader, shape: OutputSchema
) -> Iterator[pa.RecordBatch]:
    """Yield all rows in the plan's order, still raw, each with the columns of its own."""
    for run in runs:
        table = _with_extras(read(run.source).slice(run.start, run.length), run, shape)
        yield from table.combine_chunks().to_batches()


def _with_extras(table: pa.Table, run: RowRange, shape: OutputSchema) -> pa.Table:
    """Append the manifest's columns and those kept of an earlier table, always in one order."""
    import pyarrow as pa

    whole = table.select(shape.part().names)
    manifest = shape.manifest
    for field in shape.extras:
        if manifest is not None and field.name in manifest.column_names and run.manifest != OWN:
            if run.manifest is None:
                column = None
            else:
                column = manifest[field.name].slice(run.manifest, run.length)
        else:
            column = table[field.name] if field.name in table.column_names else None
        if column is None:
            column = pa.chunked_array([pa.nulls(run.length, field.type)])
        whole = whole.append_column(field, fitting(column, field.type))
    return whole


def write_tables(
    rows: Rows,
    postprocessor: PostProcessor,
    targets: OutputPaths,
    summary: Summary,
    *,
    fresh: bool = True,
    may_change: bool = True,
) -> Path | None:
    """Write every table under another name; when all are whole and synced, name them.

    A fresh run, which replaces nothing, leaves word that these names are its own. Where tables may
    not change, none is named: the first that would be another is given back.
    """
    try:
        _write_unfinished(rows, postprocessor, targets, summary)
        if not may_change:
            return _first_that_differs(targets)
        if fresh:
            refuse_existing(targets)  # Somebody may have put one there while we worked.
            record_naming(targets)
        for path in targets.all():
            rename(unfinished_path(path), path)
    finally:  # A signal, too, may come between any two steps.
        for path in targets.all():
            unfinished_path(path).unlink(missing_ok=True)
    return None


def _first_that_differs(targets: OutputPaths) -> Path | None:
    for path in targets.all():
        if not filecmp.cmp(unfinished_path(path), path, shallow=False):
            return path
    return None


def _write_unfinished(
    rows: Rows, postprocessor: PostProcessor, targets: OutputPaths, summary: Summary
) -> None:
    shape = postprocessor.shape
    files = shape.files()
    with ExitStack() as stack:

        def begin(path: Path, schema: pa.Schema) -> Unfinished:
            return stack.enter_context(Unfinished(path, schema))

        files_table = begin(targets.files, files)
        windows = begin(targets.segments, shape.windows()) if targets.segments else None
        for table in postprocessor.tables(rows):
            summary.add(table)
            files_table.write(table.select(files.names))
            if windows is not None:
                windows.write(postprocessor.windows(table))
        if targets.summary is not None:
            begin(targets.summary, summary_schema()).write(summary.table())


class Unfinished:
    """A table that is being written, under another name, and synced when it is whole."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path, self._becomes = unfinished_path(path), path
        self._stream = self._path.open("wb")
        if path.exists():
            os.fchmod(self._stream.fileno(), stat.S_IMODE(path.stat().st_mode))
        self._writer = open_writer(self._stream, schema, kind=table_format(path))

    def __enter__(self) -> Unfinished:
        return self

    def write(self, table: pa.Table) -> None:
        """Append rows."""
        with naming_errors(self._becomes):
            self._writer.write(table)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with naming_errors(self._becomes), self._stream:
            if kind is None:
                self._writer.close()
                self._stream.flush()
                sync(self._stream.fileno())
            else:
                self._writer.abandon()
                self._path.unlink(missing_ok=True)


@contextmanager
def whole_table(path: Path, schema: pa.Schema) -> Iterator[Unfinished]:
    """Write a single table, which gets its name when the block ends well."""
    with Unfinished(path, schema) as table:
        yield table
    rename(unfinished_path(path), path)


class OrderedCsv:
    """The head of the finished table, growing as parts are done.

    Rows that are adapted to speakers depend on all others: they wait for the end.
    """

    def __init__(
        self,
        stream: IO[bytes],
        shape: OutputSchema,
        plan: Plan,
        parts: ChunkStore,
        summary: Summary,
    ) -> None:
        self._stream, self._shape, self._plan, self._summary = stream, shape, plan, summary
        self._read = reader_of(parts, shape.part())
        self.postprocessor = PostProcessor(shape)
        self._writer = CsvTableWriter(stream, shape.files())
        self._done: set[int] = set()
        self._written = 0

    def part_done(self, number: int) -> None:
        """Write what this part makes ready."""
        self._done.add(number)
        if self._shape.postprocess.speaker is None:
            self._write()

    def _write(self) -> None:
        first = self._written
        # A run of rows is as good as written only when its whole part is there.
        while self._written < len(self._plan.runs) and self._ready(self._written):
            self._written += 1
        runs = self._plan.runs[first : self._written]
        for table in self.postprocessor.tables(lambda: self._rows(runs)):
            self._summary.add(table)
            self._writer.write(table)
        self._stream.flush()

    def _rows(self, runs: list[RowRange]) -> Iterator[pa.RecordBatch]:
        return ordered_rows(runs, self._read, self._shape)

    def _ready(self, index: int) -> bool:
        return self._plan.runs[index].source in self._done

    def close(self) -> None:
        """End the table, with what has waited."""
        self._write()
        self._writer.close()
