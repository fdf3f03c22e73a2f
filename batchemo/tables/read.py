"""Reads a finished table back: its rows, as a stream or whole, and the run that made it."""

from __future__ import annotations

import gzip
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from batchemo.common.memory import is_out_of_memory, prepare_arrow
from batchemo.errors import BatchemoError, UsageError
from batchemo.storage.requests import download
from batchemo.storage.url import is_url
from batchemo.tables.columns import labels_of, models_of, optional_of, recordings_columns
from batchemo.tables.partitions import (
    MANIFEST,
    Partitions,
    fetch_partitions,
    is_partitioned,
    read_manifest,
)
from batchemo.tables.schema import recordings_schema
from batchemo.tables.write import (
    FORMATS,
    METADATA_KEY,
    csv_schema,
    delimiter_of,
    is_text,
    rechunk,
    table_format,
    unescape_formula,
    unescape_formulas,
)

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq


ROWS_PER_BATCH = 65_536


class UnreadableTableError(BatchemoError):
    """A table is damaged, or was not written by batchemo."""


@dataclass(frozen=True)
class TableFile:
    """A table on disk: its columns, its labels, and the run that made it (empty for CSV)."""

    path: Path
    schema: pa.Schema
    labels: list[str]
    run: dict[str, Any] = field(default_factory=dict)
    models: list[str] = field(default_factory=list)
    """The names of several models; empty for a single one, and for segments."""
    optional: tuple[str, ...] = ()
    """The optional blocks of columns that it has, of "unadapted" and "dimensions"."""
    partitions: Partitions | None = None
    """What a partitioned table consists of."""

    @property
    def scan_columns(self) -> set[str]:
        """The names of the columns that a scan writes to a recordings table like this one."""
        return {name for name, _ in recordings_columns(self.labels, self.models, self.optional)}

    @property
    def extra_columns(self) -> list[str]:
        """The columns that come from a manifest, or were added by somebody since."""
        known = self.scan_columns
        return [name for name in self.schema.names if name not in known]

    def batches(
        self, columns: list[str] | None = None, rows: int = ROWS_PER_BATCH
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows, with dictionaries as plain strings; `rows` at most from Parquet."""
        if self.partitions is not None:
            yield from self._partitioned_batches(self.partitions, columns, rows)
        elif is_text(table_format(self.path)):
            yield from _csv_batches(self.path, columns)
        else:
            yield from _parquet_batches(self.path, columns, rows)

    def _partitioned_batches(
        self, partitions: Partitions, columns: list[str] | None, rows: int
    ) -> Iterator[pa.RecordBatch]:
        wanted = [name for name in self.schema.names if columns is None or name in columns]
        # One that tells how many rows there are, if no other is asked for.
        other = "file" if partitions.by == "root" else "root"
        stored = [name for name in wanted if name != partitions.by] or [other]
        for file in partitions.files:
            for batch in _parquet_batches(self.path / file.file, stored, rows):
                yield partitions.whole_rows(batch, file.value).select(wanted)


def open_table(path: str | Path) -> TableFile:
    """Open a recordings or segments table for reading."""
    prepare_arrow()
    shown, path = str(path), Path(path)
    partitions = None
    if is_partitioned(path):
        with _damage_as_error(path, "a partitioned table"):
            partitions = read_manifest(path)
        schema = partitions.schema
        run = json.loads((schema.metadata or {}).get(METADATA_KEY, b"{}"))
    elif path.is_dir():
        raise UsageError(f"{path}: this folder is no table: a partitioned one has a {MANIFEST}")
    elif not path.is_file():
        if is_url(shown):
            raise UsageError(f"{shown}: tables are read from this machine: copy it here first")
        raise UsageError(f"{path}: there is no such table")
    elif is_text(table_format(path)):
        schema, run = _csv_schema_of(path), {}
    elif table_format(path) == ".xlsx":
        raise UnreadableTableError(
            f"{path}: tables for Excel are not read back: give the .parquet or .csv, or write over"
            " it with --overwrite"
        )
    else:
        with _open_parquet(path) as file, _damage_as_error(path, "Parquet"):
            schema = file.schema_arrow
            run = json.loads((schema.metadata or {}).get(METADATA_KEY, b"{}"))
    names = schema.names
    if "root" not in names or "file" not in names:
        raise UnreadableTableError(
            f"{path}: this is not a table of batchemo: it has no root and file"
        )
    labels, models, optional = labels_of(names), models_of(names), optional_of(names)
    return TableFile(path, schema, labels, run, models, optional, partitions)


def read_recordings_table(path: str | Path) -> pa.Table:
    """Return all of a recordings table, with the types of `recordings_schema`."""
    prepare_arrow()
    import pyarrow as pa
    import pyarrow.parquet as pq

    if is_url(str(path)):
        with tempfile.TemporaryDirectory() as folder:
            return read_recordings_table(_fetch(str(path), Path(folder, "table")))
    if not is_partitioned(Path(path)) and table_format(path) == ".parquet":
        with _open_for_arrow(Path(path)) as file:
            return pq.read_table(file, page_checksum_verification=True)
    table = open_table(path)
    extras = pa.schema([table.schema.field(name) for name in table.extra_columns])
    schema = recordings_schema(table.labels, extras, models=table.models, optional=table.optional)
    return pa.concat_tables([schema.empty_table(), *rechunk(table.batches(), schema)])


def _fetch(url: str, copy: Path) -> Path:
    """Copy a table from a bucket; one whose name has no ending of a table is partitioned."""
    if url.lower().endswith(FORMATS):
        copy = copy.with_suffix(table_format(url))
        download(url, copy)
    else:
        fetch_partitions(url.rstrip("/"), copy)
    return copy


def _parquet_batches(path: Path, columns: list[str] | None, rows: int) -> Iterator[pa.RecordBatch]:
    with _open_parquet(path) as file, _damage_as_error(path, "Parquet"):
        for batch in file.iter_batches(rows, columns=columns):
            # Damage that no checksum covers, such as an index beyond its dictionary, would
            # otherwise crash the process when the batch is used.
            batch.validate(full=True)
            yield without_dictionaries(batch)


def _open_for_arrow(path: Path) -> pa.NativeFile:
    import pyarrow as pa

    # As bytes: Arrow refuses a str with the surrogates that stand for a name that is not UTF-8.
    return pa.OSFile(os.fsencode(path))


def _open_parquet(path: Path) -> pq.ParquetFile:
    import pyarrow.parquet as pq

    with _damage_as_error(path, "Parquet"):
        return pq.ParquetFile(_open_for_arrow(path), page_checksum_verification=True)


@contextmanager
def _damage_as_error(path: Path, kind: str) -> Iterator[None]:
    """Turn the exceptions that damage causes into one that names the file and a remedy.

    Neither lack of memory nor a disk that cannot be read is damage: nothing must be replaced.
    """
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        if is_out_of_memory(error):
            raise MemoryError from error
        if isinstance(error, OSError) and error.errno is not None:
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
        raise UnreadableTableError(
            f"{path}: this file cannot be read as {kind} ({error}). Move it away, or write over "
            "it with --overwrite"
        ) from error


def without_dictionaries(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return rows with dictionaries as plain text, as readers yield them."""
    import pyarrow as pa

    columns = [
        column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
        for column in batch.columns
    ]
    return pa.record_batch(columns, names=batch.schema.names)


def _csv_schema_of(path: Path) -> pa.Schema:
    """Return the schema of a CSV: a scan's columns by their types, all others as text.

    Types are never inferred from values: a column of nulls, or a file called `1`, would change
    its type from run to run.
    """
    import csv

    import pyarrow as pa

    kind = table_format(path)
    with _damage_as_error(path, "CSV"), _open_text(path, kind) as stream:
        try:
            cells = next(csv.reader(stream, delimiter=delimiter_of(kind)), [])
            names = [unescape_formula(name) for name in cells]
        except csv.Error as error:
            raise UnreadableTableError(f"{path}: this is not CSV ({error})") from error
    schema = recordings_schema(
        labels_of(names), models=models_of(names), optional=optional_of(names)
    )
    known = {field.name: field.type for field in csv_schema(schema)}
    known |= {"start": pa.float64(), "end": pa.float64()}
    return pa.schema([(name, known.get(name, pa.string())) for name in names])


def _open_text(path: Path, kind: str) -> IO[str]:
    if kind.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _csv_batches(path: Path, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    import pyarrow.csv as csv

    schema, kind = _csv_schema_of(path), table_format(path)
    options = csv.ConvertOptions(
        column_types=schema,
        include_columns=columns or [],
        # The writer quotes every text and leaves null empty: only so "" and null stay apart.
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    with _damage_as_error(path, "CSV"):
        reader = csv.open_csv(
            pa.CompressedInputStream(_open_for_arrow(path), "gzip")
            if kind.endswith(".gz")
            else _open_for_arrow(path),
            read_options=csv.ReadOptions(column_names=schema.names, skip_rows_after_names=1),
            convert_options=options,
            parse_options=csv.ParseOptions(delimiter=delimiter_of(kind), newlines_in_values=True),
        )
        for batch in reader:
            arrays = [
                unescape_formulas(column) if pa.types.is_string(column.type) else column
                for column in batch.columns
            ]
            yield pa.record_batch(arrays, names=batch.schema.names)
