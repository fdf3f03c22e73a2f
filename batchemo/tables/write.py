"""Writers of finished tables, Parquet and CSV, to a path or stream given by the caller."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from batchemo.common.files import open_new
from batchemo.errors import UsageError
from batchemo.tables.columns import label_columns_of, labels_of

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = (".parquet", ".csv", ".tsv", ".csv.gz", ".tsv.gz", ".xlsx")
MAX_XLSX_ROWS = 1_048_576
"""With the names of the columns."""

_DECIMALS = {
    **dict.fromkeys(("start", "end"), 3),
    **dict.fromkeys(("overlap", "speech_share", "silence"), 4),
    **{"rms_db": 2, "clipped": 6},
}
"""To how many digits text has these: what follows means nothing. Others are as they are, since an
update computes with them."""
ROWS_PER_GROUP = 16_384
"""Rows in one Parquet row group: a fixed number, so that the bytes of a table depend on its rows
alone and not on the sizes of the batches in which they arrived."""

METADATA_KEY = b"batchemo"
"""Where a Parquet file's schema keeps the run that made it, as JSON."""

# What a spreadsheet may take for the start of a formula (CSV injection; also the wide forms, which
# some convert to narrow ones), and the quote that marks an escaped cell.
_FORMULA_START = r"(['=+\-@\t\r\n＝＋－＠])"


class TableWriter(Protocol):
    """Writes tables of one schema, in order."""

    def write(self, table: pa.Table) -> None:
        """Append the rows."""

    def close(self) -> None:
        """Finish the file."""

    def abandon(self) -> None:
        """Leave the file unfinished, without raising."""


def table_format(path: str | Path) -> str:
    """Return the format of a table by the ending of its name.

    >>> table_format("results.Parquet")
    '.parquet'
    """
    name = Path(path).name.lower()
    found = [ending for ending in FORMATS if name.endswith(ending)]
    if not found:
        raise UsageError(
            f"{path}: the name of a table must end in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}, "
            "to tell its format"
        )
    return found[0]


def is_text(kind: str) -> bool:
    """Return whether a format is CSV, or the same with tabs, compressed or not.

    >>> is_text(".tsv.gz"), is_text(".xlsx")
    (True, False)
    """
    return kind.startswith((".csv", ".tsv"))


def delimiter_of(kind: str) -> str:
    """Return what stands between the cells of a text format."""
    return "\t" if kind.startswith(".tsv") else ","


def with_provenance(schema: pa.Schema, run: Mapping[str, Any]) -> pa.Schema:
    """Return the schema with the run that makes the table in its metadata, which Parquet keeps."""
    provenance = json.dumps(run, sort_keys=True, ensure_ascii=False)
    return schema.with_metadata({METADATA_KEY: provenance.encode()})


def open_writer(sink: str | Path | IO[bytes], schema: pa.Schema, *, kind: str) -> TableWriter:
    """Open a writer of the format `kind`, one of `FORMATS`."""
    if kind == ".parquet":
        return ParquetTableWriter(sink, schema)
    if kind == ".xlsx":
        from batchemo.tables.excel import ExcelTableWriter

        return ExcelTableWriter(sink, schema)
    return CsvTableWriter(sink, schema, kind)


class ParquetTableWriter:
    """Writes Parquet, one row group for each call."""

    def __init__(self, sink: str | Path | IO[bytes], schema: pa.Schema) -> None:
        import pyarrow.parquet as pq

        # Checksums, so that damage on disk is found before --update keeps the rows.
        self._writer = pq.ParquetWriter(sink, schema, compression="zstd", write_page_checksum=True)

    def write(self, table: pa.Table) -> None:
        """Append the rows as one row group."""
        self._writer.write_table(table, row_group_size=ROWS_PER_GROUP)

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()

    def abandon(self) -> None:
        """Leave the file without a footer."""
        # pyarrow's writer would write a footer when it is garbage collected, to a sink that may
        # be closed by then.
        self._writer.is_open = False


class CsvTableWriter:
    """Writes CSV that reads back equal, and of which a spreadsheet runs no cell as a formula."""

    def __init__(self, sink: str | Path | IO[bytes], schema: pa.Schema, kind: str = ".csv") -> None:
        import pyarrow as pa
        import pyarrow.csv as csv

        plain = [_as_written(field) for field in csv_schema(schema)]
        self._schema = pa.schema([field.with_name(escape_formula(field.name)) for field in plain])
        self._compressed: gzip.GzipFile | None = None
        self._opened: IO[bytes] | None = None
        if kind.endswith(".gz"):
            # Without a name and a time: equal tables are equal files.
            if isinstance(sink, (str, Path)):
                sink = self._opened = open_new(Path(sink))
            self._compressed = gzip.GzipFile("", "wb", fileobj=sink, mtime=0)
        options = csv.WriteOptions(delimiter=delimiter_of(kind))
        self._writer = csv.CSVWriter(self._compressed or sink, self._schema, write_options=options)

    def write(self, table: pa.Table) -> None:
        """Append the rows."""
        import pyarrow as pa

        columns = [
            _written(column, field)
            for column, field in zip(table.columns, self._schema, strict=True)
        ]
        self._writer.write_table(pa.table(columns, schema=self._schema))

    def close(self) -> None:
        """Flush what is left."""
        self._writer.close()
        if self._compressed is not None:
            self._compressed.close()
        # What gzip was given it does not close, and a part of it would not be written yet.
        if self._opened is not None:
            self._opened.close()

    def abandon(self) -> None:
        """Do nothing: no part of a CSV is written late."""


def _as_written(field: pa.Field) -> pa.Field:
    """Return the field as it is in text: times in UTC as ISO 8601."""
    import pyarrow as pa

    is_utc = pa.types.is_timestamp(field.type) and field.type.tz == "UTC"
    return pa.field(field.name, pa.string()) if is_utc else field


def _written(column: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    """Return a column as it is written: no formulas, ISO 8601, no digits without a meaning."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_timestamp(column.type) and pa.types.is_string(field.type):
        return pc.strftime(column, format="%Y-%m-%dT%H:%M:%SZ")
    if pa.types.is_string(field.type):
        return escape_formulas(column.cast(field.type))
    if field.name in _DECIMALS and pa.types.is_floating(column.type):
        return pc.round(column, ndigits=_DECIMALS[field.name])
    return column


def csv_schema(schema: pa.Schema) -> pa.Schema:
    """Return the schema as CSV can hold it: text for dictionaries; nested columns are refused."""
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


# A quote before the cell keeps a spreadsheet from running it. Cells that begin with a quote are
# escaped too, so that the escape can be undone exactly.


def escape_formulas(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Put a quote before cells that a spreadsheet might run as a formula.

    >>> import pyarrow as pa
    >>> escape_formulas(pa.array(["=cmd()", "'tis", "plain"])).to_pylist()
    ["'=cmd()", "''tis", 'plain']
    """
    import pyarrow.compute as pc

    return pc.replace_substring_regex(column, f"^{_FORMULA_START}", r"'\1")


def unescape_formulas(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Undo `escape_formulas`.

    >>> import pyarrow as pa
    >>> unescape_formulas(pa.array(["'=cmd()", "''tis", "plain"])).to_pylist()
    ['=cmd()', "'tis", 'plain']
    """
    import pyarrow.compute as pc

    return pc.replace_substring_regex(column, f"^'{_FORMULA_START}", r"\1")


def escape_formula(text: str) -> str:
    """Escape a single text as `escape_formulas` does.

    >>> escape_formula("=cmd()")
    "'=cmd()"
    """
    return re.sub(rf"\A{_FORMULA_START}", r"'\1", text)


def unescape_formula(text: str) -> str:
    """Undo `escape_formula`.

    >>> unescape_formula(escape_formula("-x")), unescape_formula("'tis")
    ('-x', "'tis")
    """
    return re.sub(rf"\A'{_FORMULA_START}", r"\1", text)


def rechunk(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield a stream of batches as tables of `ROWS_PER_GROUP` rows, cast to the schema.

    The dictionaries of each table are built anew, in order of appearance: like the row groups,
    they must not depend on how the rows arrived.
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
    """Return the columns of the schema in its order and types, dictionaries built anew."""
    import pyarrow as pa

    columns = []
    labels, names = labels_of(schema.names), label_columns_of(schema.names)
    for field in schema:
        column = table[field.name]
        if field.name in names and not pa.types.is_dictionary(column.type):
            column = label_categories(column.combine_chunks(), labels)
        elif pa.types.is_dictionary(field.type) and not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode()
        columns.append(column.cast(field.type))
    return pa.table(columns, schema=schema)


def label_categories(column: pa.Array, labels: Sequence[str]) -> pa.DictionaryArray:
    """Return a column of labels as categories: all labels in their order, then what else occurs.

    So that tables of different recordings have the same categories.

    >>> import pyarrow as pa
    >>> label_categories(pa.array(["sad", None]), ["happy", "sad"]).dictionary.to_pylist()
    ['happy', 'sad']
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    others = [value for value in column.unique().drop_null().to_pylist() if value not in labels]
    categories = pa.array([*labels, *others], pa.string())
    return pa.DictionaryArray.from_arrays(pc.index_in(column, categories), categories)
