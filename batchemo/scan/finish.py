"""Puts finished rows together, in the order of the plan, into the tables that were asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from batchemo.scan.parts import put_in_place, sync
from batchemo.scan.plan import OWN, Run
from batchemo.tables.explode import explode
from batchemo.tables.schema import files_schema, row_schema, segments_schema, summary_schema
from batchemo.tables.summary import Summary
from batchemo.tables.write import open_writer, regroup, table_format, with_account

if TYPE_CHECKING:
    import pyarrow as pa

Reader = Callable[[int], "pa.Table"]
"""Gives all rows of a source."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The columns of this run's tables."""

    labels: tuple[str, ...]
    manifest: pa.Table | None
    segments: bool
    account: dict[str, Any]
    """How the run was made, for the metadata."""

    @property
    def extras(self) -> pa.Schema | None:
        """The manifest's own columns."""
        return None if self.manifest is None else self.manifest.schema

    def part(self) -> pa.Schema:
        """Give the schema of a part."""
        return row_schema(self.labels, segments=self.segments)

    def files(self) -> pa.Schema:
        """Give the files table's schema."""
        return with_account(files_schema(self.labels, self.extras), self.account)

    def windows(self) -> pa.Schema:
        """Give the segments table's schema."""
        return with_account(segments_schema(self.labels), self.account)

    def whole(self) -> pa.Schema:
        """Give the schema of a files table whose rows still carry their windows."""
        schema = self.files()
        return schema.append(self.part().field("segments")) if self.segments else schema


def ordered_rows(
    runs: Iterable[Run], read: Reader, manifest: pa.Table | None
) -> Iterator[pa.RecordBatch]:
    """Yield all rows in the plan's order, each with its manifest's columns."""
    for run in runs:
        table = read(run.source).slice(run.start, run.length)
        if manifest is not None:
            table = _with_manifest(table, run, manifest)
        yield from table.combine_chunks().to_batches()


def _with_manifest(table: pa.Table, run: Run, manifest: pa.Table) -> pa.Table:
    import pyarrow as pa

    for field in manifest.schema:
        there = field.name in table.column_names
        if there and run.manifest == OWN:
            continue
        if run.manifest in (None, OWN):
            column = pa.chunked_array([pa.nulls(run.length, field.type)])
        else:
            column = manifest[field.name].slice(run.manifest, run.length)
        if there:
            table = table.set_column(table.schema.get_field_index(field.name), field, column)
        else:
            table = table.append_column(field, column)
    return table


@dataclass(frozen=True, slots=True)
class Targets:
    """Where the tables go."""

    files: Path
    segments: Path | None = None
    summary: Path | None = None

    def all(self) -> list[Path]:
        """List them, the files table last: that it is there says that all are."""
        return [path for path in (self.segments, self.summary, self.files) if path is not None]


def write_tables(
    rows: Iterable[pa.RecordBatch], shape: Shape, targets: Targets, summary: Summary
) -> None:
    """Write every table under another name; when all are whole, give them their names."""
    files = shape.files()
    with ExitStack() as stack:

        def begin(path: Path, schema: pa.Schema) -> Unfinished:
            return stack.enter_context(Unfinished(path, schema))

        files_table = begin(targets.files, files)
        windows = begin(targets.segments, shape.windows()) if targets.segments else None
        for table in regroup(rows, shape.whole()):
            summary.add(table)
            files_table.write(table.select(files.names))
            if windows is not None:
                windows.write(explode(table, shape.labels))
        if targets.summary is not None:
            begin(targets.summary, summary_schema()).write(summary.table())
    for path in targets.all():
        put_in_place(_unfinished(path), path)


class Unfinished:
    """A table that is being written, under another name, and synced when it is whole."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = _unfinished(path)
        self._stream = self._path.open("wb")
        self._writer = open_writer(self._stream, schema, kind=table_format(path))

    def __enter__(self) -> Unfinished:
        return self

    def write(self, table: pa.Table) -> None:
        """Append rows."""
        self._writer.write(table)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._stream:
            if kind is None:
                self._writer.close()
                self._stream.flush()
                sync(self._stream.fileno())
            else:
                self._path.unlink(missing_ok=True)


@contextmanager
def whole_table(path: Path, schema: pa.Schema) -> Iterator[Unfinished]:
    """Write a single table, which gets its name when the block ends well."""
    with Unfinished(path, schema) as table:
        yield table
    put_in_place(_unfinished(path), path)


def _unfinished(path: Path) -> Path:
    return path.with_name(f".{path.name}.unfinished")
