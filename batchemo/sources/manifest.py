"""Recordings named in a table, whose other columns are carried into the result."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchemo.common.text import for_display, from_text
from batchemo.errors import UsageError
from batchemo.sources.filters import Rules
from batchemo.sources.recording import Recording, Skipped, look_up, place

if TYPE_CHECKING:
    import pyarrow


_BOOLEANS = ({"true", "false"}, {"True", "False"})


def typed(column: pyarrow.ChunkedArray) -> pyarrow.ChunkedArray:
    """Read a text column as int64, float64 or bool where each of its texts could be written back.

    So "01", "+1" and "0.50" keep their column text; numbers with and without ".0" do not mix.

    >>> import pyarrow
    >>> [str(typed(pyarrow.chunked_array([texts])).type) for texts in (["1", None], ["01"])]
    ['int64', 'string']
    """
    import pyarrow

    texts = [text for text in column.unique().to_pylist() if text is not None]
    if not texts:
        return column
    if any(set(texts) <= pair for pair in _BOOLEANS):
        return _mapped(column, {text: text.lower() == "true" for text in texts}, pyarrow.bool_())
    integers = _read(texts, int, (str,))
    if integers and all(-(2**63) <= number < 2**63 for number in integers.values()):
        return _mapped(column, integers, pyarrow.int64())
    numbers = _read(texts, float, (repr, _without_point))
    if numbers and all(map(math.isfinite, numbers.values())):
        return _mapped(column, numbers, pyarrow.float64())
    return column


def unguarded(column: pyarrow.ChunkedArray) -> pyarrow.ChunkedArray:
    """Take off the mark that our own CSV has on cells which a spreadsheet might run.

    The same as `tables.write.unguard`, again: sources know nothing of tables. A test holds the
    two together.

    >>> import pyarrow
    >>> unguarded(pyarrow.chunked_array([["'=cmd()", "''tis", "plain"]])).to_pylist()
    ['=cmd()', "'tis", 'plain']
    """
    import pyarrow.compute as pc

    return pc.replace_substring_regex(column, r"^'(['=+\-@\t\r\n＝＋－＠])", r"\1")


def _read(
    texts: list[str], read: Callable[[str], Any], writers: tuple[Callable[[Any], str], ...]
) -> dict[str, Any]:
    """Read all the texts; nothing if some are no numbers or no one writer gives them all back."""
    try:
        values = {text: read(text) for text in texts}
    except ValueError:
        return {}
    for write in writers:
        if all(write(value) == text for text, value in values.items()):
            return values
    return {}


def _without_point(number: float) -> str:
    return repr(number).removesuffix(".0")


def _mapped(
    column: pyarrow.ChunkedArray, values: dict[str, Any], to: pyarrow.DataType
) -> pyarrow.ChunkedArray:
    import pyarrow

    chunks = [
        pyarrow.array([None if text is None else values[text] for text in chunk.to_pylist()], to)
        for chunk in column.chunks
    ]
    return pyarrow.chunked_array(chunks, to)


_PARQUET_MAGIC = b"PAR1"
_ROWS_AT_ONCE = 4096
_OF_OUR_OWN = {"root", "file", "status", "model"}
"""Columns that tell a table of results."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest that was read."""

    title: str
    names: pyarrow.Table
    """The column `file`, and `root` if there is one, as text."""
    extras: pyarrow.Table
    """All other columns, under the names that they have in the result."""

    def recordings(self, base: str, rules: Rules, skipped: Skipped) -> Iterator[Recording]:
        """Yield a recording a row; a row that names none is told in the tally."""
        row = -1
        for batch in self.names.to_batches(max_chunksize=_ROWS_AT_ONCE):
            for cells in batch.to_pylist():
                row += 1
                name, problem = from_text(cells["file"] or ""), ""
                folder = os.path.abspath(os.path.join(base, from_text(cells.get("root") or "")))
                if not name:
                    problem = "its file is empty"
                elif "\0" in name or "\0" in folder:
                    problem = "its file holds a NUL character"
                else:
                    root, file = place(name, folder)
                    recording = look_up(root, file, row)
                    if recording is None:
                        problem = f"{for_display(os.path.join(root, file))} is no regular file"
                    elif rules.choose(file):
                        yield recording
                if problem:
                    skipped.rejected.append((f"row {row + 1} of {self.title}", problem))


def read_manifest(path: str, reserved: frozenset[str] = frozenset()) -> Manifest:
    """Read a CSV, TSV or Parquet table with a column `file`.

    Text of the form that `names.to_text` writes stands for the name that it was made of, so a
    table of results is a manifest too. A column with a reserved name is carried as
    `manifest_<name>`.
    """
    title = for_display(path)
    try:
        table = _read_parquet(path, title) if _is_parquet(path) else _read_text(path, title)
    except OSError as error:
        raise UsageError(
            f"The manifest {title} cannot be read: {error.strerror or error}."
        ) from None
    columns = table.column_names
    if "file" not in columns:
        raise UsageError(
            f"The manifest {title} has no column `file`, which names the recordings. "
            f"Its columns are: {for_display(', '.join(columns)) or '(none)'}."
        )
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise UsageError(f"The manifest {title} has more than one column {twice[0]!r}: rename one.")
    names = table.select([name for name in ("file", "root") if name in columns])
    extras = table.drop_columns(names.column_names).replace_schema_metadata(None)
    return Manifest(
        title=title,
        names=_as_text(names, title),
        extras=extras.rename_columns(_carried(extras.column_names, reserved)),
    )


def _is_parquet(path: str) -> bool:
    with open(path, "rb") as stream:
        return stream.read(len(_PARQUET_MAGIC)) == _PARQUET_MAGIC


def _read_parquet(path: str, title: str) -> pyarrow.Table:
    import pyarrow
    from pyarrow import parquet

    with open(path, "rb") as stream:
        try:
            return parquet.ParquetFile(stream).read()
        except (pyarrow.ArrowException, OSError) as error:
            raise UsageError(f"The manifest {title} is a damaged Parquet file: {error}") from None


def _read_text(path: str, title: str) -> pyarrow.Table:
    import pyarrow
    from pyarrow import csv as arrow_csv

    delimiter = "\t" if path.lower().endswith((".tsv", ".tab")) else ","
    header = _header(path, title, delimiter)
    with open(path, "rb") as stream:
        try:
            table = arrow_csv.read_csv(
                stream,
                read_options=arrow_csv.ReadOptions(use_threads=False),
                parse_options=arrow_csv.ParseOptions(
                    delimiter=delimiter, newlines_in_values=True, ignore_empty_lines=True
                ),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(header, pyarrow.string()),
                    null_values=[""],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=True,
                ),
            )
        except pyarrow.ArrowInvalid as error:
            raise UsageError(
                _not_utf8(title)
                if "UTF8" in str(error)
                else f"The manifest {title} is no proper table: {error}"
            ) from None
    columns, titles = table.columns, table.column_names
    if set(titles) >= _OF_OUR_OWN:
        columns = [unguarded(column) for column in columns]
        titles = unguarded(pyarrow.chunked_array([titles], pyarrow.string())).to_pylist()
    keep = {"file", "root"}
    columns = [
        column if name in keep else typed(column)
        for name, column in zip(titles, columns, strict=True)
    ]
    return pyarrow.table(columns, names=titles)


def _header(path: str, title: str, delimiter: str) -> list[str]:
    with open(path, encoding="utf-8-sig", newline="") as lines:
        try:
            return next((row for row in csv.reader(lines, delimiter=delimiter) if row), [])
        except UnicodeDecodeError:
            raise UsageError(_not_utf8(title)) from None
        except csv.Error as error:
            raise UsageError(f"The manifest {title} is no proper table: {error}.") from None


def _not_utf8(title: str) -> str:
    return (
        f"The manifest {title} is not in UTF-8: save it as UTF-8. "
        "Bytes of a file name that are no UTF-8 are written \\xNN."
    )


def _as_text(names: pyarrow.Table, title: str) -> pyarrow.Table:
    import pyarrow

    try:
        return names.cast(pyarrow.schema([(name, pyarrow.string()) for name in names.column_names]))
    except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError):
        types = ", ".join(f"{field.name} is {field.type}" for field in names.schema)
        raise UsageError(
            f"The manifest {title} does not name recordings by text: {types}."
        ) from None


def _carried(columns: list[str], reserved: frozenset[str]) -> list[str]:
    taken = set(reserved) | {"file", "root"}
    carried = []
    for number, column in enumerate(columns, 1):
        name = column or f"column_{number}"
        while name in taken or (name != column and name in columns):
            name = f"manifest_{name}"
        taken.add(name)
        carried.append(name)
    return carried
