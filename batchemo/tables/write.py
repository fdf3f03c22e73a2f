"""Writers of finished tables: Parquet and CSV, always to a path or stream given by the caller."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from batchemo.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = (".parquet", ".csv")
ROWS_PER_GROUP = 16_384
"""Rows in one Parquet row group: a fixed number, so that the bytes do not tell how rows arrived."""

METADATA_KEY = b"batchemo"

_RISKY = r"(['=+\-@\t\r\n＝＋－＠])"
"""What a spreadsheet may take for a formula at the start of a cell, and our own mark for it."""


class TableWriter(Protocol):
    """What takes batches of one schema, in order."""

    def write(self, table: pa.Table) -> None:
        """Append the rows."""

    def close(self) -> None:
        """Finish the file."""

    def abandon(self) -> None:
        """Leave the file unfinished, without a word."""


def table_format(path: str | Path) -> str:
    """Tell the format by the ending of the name.

    >>> table_format("results.Parquet")
    '.parquet'
    """
    ending = Path(path).suffix.lower()
    if ending not in FORMATS:
        raise UsageError(
            f"{path}: the name of a table must end in {' or '.join(FORMATS)}, to tell its format"
        )
    return ending


def with_provenance(schema: pa.Schema, run: Mapping[str, Any]) -> pa.Schema:
    """Put the account of how a table was made into its metadata, which Parquet keeps."""
    provenance = json.dumps(run, sort_keys=True, ensure_ascii=False)
    return schema.with_metadata({METADATA_KEY: provenance.encode()})


def open_writer(sink: str | Path | IO[bytes], schema: pa.Schema, *, kind: str) -> TableWriter:
    """Open a writer of the format `kind`, an ending of `FORMATS`."""
    return ParquetTableWriter(sink, schema) if kind == ".parquet" else CsvTableWriter(sink, schema)


class ParquetTableWriter:
    """Writes Parquet, one row group a call."""

    def __init__(self, sink: str | Path | IO[bytes], schema: pa.Schema) -> None:
        import pyarrow.parquet as pq

        # With checksums no damage goes unnoticed when --update keeps the rows.
        self._writer = pq.ParquetWriter(sink, schema, compression="zstd", write_page_checksum=True)

    def write(self, table: pa.Table) -> None:
        """Append the rows as one row group."""
        self._writer.write_table(table, row_group_size=ROWS_PER_GROUP)

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()

    def abandon(self) -> None:
        """Leave it without a footer: the writer would try one when it is forgotten."""
        self._writer.is_open = False


class CsvTableWriter:
    """Writes CSV that reads back equal and that no spreadsheet takes for a formula."""

    def __init__(self, sink: str | Path | IO[bytes], schema: pa.Schema) -> None:
        import pyarrow as pa
        import pyarrow.csv as csv

        plain = csv_schema(schema)
        self._schema = pa.schema([field.with_name(escape_formula(field.name)) for field in plain])
        self._writer = csv.CSVWriter(sink, self._schema)

    def write(self, table: pa.Table) -> None:
        """Append the rows."""
        import pyarrow as pa

        columns = [
            escape_formulas(column.cast(field.type)) if pa.types.is_string(field.type) else column
            for column, field in zip(table.columns, self._schema, strict=True)
        ]
        self._writer.write_table(pa.table(columns, schema=self._schema))

    def close(self) -> None:
        """Flush what is left."""
        self._writer.close()

    def abandon(self) -> None:
        """Leave it: nothing of a CSV waits to be written."""


def csv_schema(schema: pa.Schema) -> pa.Schema:
    """Give the schema as CSV can hold it: text for dictionaries, nothing nested."""
    import pyarrow as pa

    def plain(field: pa.Field) -> pa.Field:
        nested = pa.types.is_nested(field.type)
        if nested or pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type):
            kind = "nested" if nested else "binary"
            raise UsageError(
                f"CSV cannot hold the {kind} column {field.name}: write Parquet, or leave it out"
            )
        view = pa.types.is_string_view(field.type)
        if view or pa.types.is_dictionary(field.type) or pa.types.is_large_string(field.type):
            return pa.field(field.name, pa.string())
        return field

    return pa.schema([plain(field) for field in schema])


def escape_formulas(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Mark cells that a spreadsheet might run with a quote, and cells that start with one.

    >>> import pyarrow as pa
    >>> guard(pa.array(["=cmd()", "'tis", "plain"])).to_pylist()
    ["'=cmd()", "''tis", 'plain']
    """
    import pyarrow.compute as pc

    return pc.replace_substring_regex(column, f"^{_RISKY}", r"'\1")


def escape_formula(text: str) -> str:
    """Mark a single text so.

    >>> guarded("=cmd()")
    "'=cmd()"
    """
    return re.sub(rf"\A{_RISKY}", r"'\1", text)


def unescape_formulas(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Undo `escape_formulas`.

    >>> import pyarrow as pa
    >>> unguard(pa.array(["'=cmd()", "''tis", "plain"])).to_pylist()
    ['=cmd()', "'tis", 'plain']
    """
    import pyarrow.compute as pc

    return pc.replace_substring_regex(column, f"^'{_RISKY}", r"\1")


def unescape_formula(text: str) -> str:
    """Undo `escape_formula`.

    >>> unguarded(guarded("-x")), unguarded("'tis")
    ('-x', "'tis")
    """
    return re.sub(rf"\A'{_RISKY}", r"\1", text)


def rechunk(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Cut a stream of batches anew into tables of `ROWS_PER_GROUP` rows, cast to the schema.

    A dictionary is built afresh for each table, in order of appearance: it too must not depend
    on how the rows arrived.
    """
    waiting: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        while count + batch.num_rows >= ROWS_PER_GROUP:
            head = ROWS_PER_GROUP - count
            yield _joined([*waiting, batch.slice(0, head)], schema)
            batch, waiting, count = batch.slice(head), [], 0
        if batch.num_rows:
            waiting.append(batch)
            count += batch.num_rows
    if count:
        yield _joined(waiting, schema)


def _joined(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    return conform(pa.Table.from_batches(batches).combine_chunks(), schema)


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Give the columns of the schema, in its order and types, dictionaries built afresh."""
    import pyarrow as pa

    columns = []
    for field in schema:
        column = table[field.name]
        if pa.types.is_dictionary(field.type) and not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode()
        columns.append(column.cast(field.type))
    return pa.table(columns, schema=schema)
