"""Recordings named in a table (CSV, TSV or Parquet) whose other columns go into the results."""

from __future__ import annotations

import csv
import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from batchemo.common.memory import is_out_of_memory
from batchemo.common.text import for_display, from_text
from batchemo.common.turns import Turn, Turns
from batchemo.errors import UsageError
from batchemo.sources.filters import FileFilter
from batchemo.sources.objects import Named, look_up
from batchemo.sources.recording import Recording, Skipped, absolute_folder, split_path
from batchemo.sources.turns.table import COLUMNS as TURN_COLUMNS
from batchemo.sources.turns.table import has_turns, turns_of
from batchemo.tables.columns import TURNS
from batchemo.tables.write import unescape_formulas

if TYPE_CHECKING:
    import pyarrow

_PARQUET_MAGIC = b"PAR1"
_BATCH_ROWS = 4096
_RESULT_COLUMNS = {"root", "file", "status", "model"}
"""A table with all of these columns was written by batchemo."""
_PATH_COLUMNS = ("file", "root")
_DELIMITERS = (";", "\t", ",")
_BOOLEAN_SPELLINGS = ({"true", "false"}, {"True", "False"})


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of a manifest."""

    title: str
    """Its path as printable text, for messages."""
    paths: pyarrow.Table
    """The column `file`, and `root` if there is one, as text."""
    extras: pyarrow.Table
    """All other columns, under the names that they have in the results."""
    turns: Sequence[Turn] | None = None
    """The turn that each row is of; None where the rows are recordings as a whole."""

    def recordings(
        self, base: str, file_filter: FileFilter, skipped: Skipped
    ) -> Iterator[Recording]:
        """Yield a recording for each row; rows that name none are counted by `skipped`.

        Where the rows are turns, a recording comes once, where its first turn stands.
        """
        names: Iterable[Named] = self._names(base, skipped)
        rows: dict[tuple[str, str], list[int]] = {}
        if self.turns is not None:
            firsts = []
            for named in names:
                of_file = rows.setdefault((named.root, named.file), [])
                of_file.append(named.number)
                if len(of_file) == 1:
                    firsts.append(named)
            names = firsts
        for named, recording in look_up(names):
            if recording is None:
                path = for_display(os.path.join(named.root, named.file))
                title = f"row {named.number + 1} of {self.title}"
                skipped.reject(title, f"{path} is no regular file")
            elif file_filter.accepts(named.file):
                if self.turns is None:
                    yield recording
                else:
                    own = (self.turns[row] for row in rows[named.root, named.file])
                    yield replace(recording, turns=Turns(own))

    def _names(self, base: str, skipped: Skipped) -> Iterator[Named]:
        row = -1
        for batch in self.paths.to_batches(max_chunksize=_BATCH_ROWS):
            for cells in batch.to_pylist():
                row += 1
                try:
                    yield self._named(cells, row, base)
                except UsageError as error:
                    skipped.reject(f"row {row + 1} of {self.title}", str(error))

    def _named(self, cells: dict[str, Any], row: int, base: str) -> Named:
        """Return what a row names; UsageError if that is nothing."""
        name = from_text(cells["file"] or "")
        folder = absolute_folder(from_text(cells.get("root") or ""), base)
        if not name:
            raise UsageError("its file is empty")
        if "\0" in name or "\0" in folder:
            raise UsageError("its file holds a NUL character")
        root, file, access = split_path(name, folder)
        if not file:
            raise UsageError(f"{for_display(root)} names no file")
        return Named(root, file, row, row, access)


def read_manifest(path: str, reserved: frozenset[str] = frozenset()) -> Manifest:
    """Read a CSV, TSV or Parquet table with a column `file`.

    Names escaped as `common.text.to_text` does are unescaped, so a table of results is a manifest
    too. A column whose name is in `reserved` is called `manifest_<name>` in the results. With
    columns `start` and `end`, rows are turns, and `speaker` and `channel` belong to these.
    """
    title = for_display(path)
    with _unreadable_as_usage_error(title):
        table = _read_parquet(path, title) if _is_parquet(path) else _typed(read_table(path))
    columns = table.column_names
    if "file" not in columns:
        raise UsageError(
            f"The table {title} has no column `file`, which names the recordings. "
            f"Its columns are: {for_display(', '.join(columns)) or '(none)'}."
        )
    duplicates = sorted(name for name, count in Counter(columns).items() if count > 1)
    if duplicates:
        raise UsageError(
            f"The table {title} has more than one column {duplicates[0]!r}: rename one."
        )
    _check_values(table, title)
    paths = table.select([name for name in _PATH_COLUMNS if name in columns])
    extras = table.drop_columns(paths.column_names).replace_schema_metadata(None)
    turns = None
    if has_turns(columns):
        turns = turns_of(table, title)
        extras = extras.drop_columns([name for name in TURN_COLUMNS if name in columns])
        reserved = reserved | TURNS.keys()
    return Manifest(
        title=title,
        paths=_as_text(paths, title),
        extras=extras.rename_columns(result_names(extras.column_names, reserved)),
        turns=turns,
    )


def read_table(path: str) -> pyarrow.Table:
    r"""Read a CSV file, or a TSV file (`.tsv`, `.tab`), as columns of text; empty cells are null.

    A header without the expected delimiter, but with semicolons, tabs or commas, is split by these.
    The file must be UTF-8, with or without a byte order mark. Raises `UsageError` for everything
    that is wrong with it.

    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "corpus.csv")
    ...     _ = path.write_text("file,label\na.wav,calm\nb.wav,\n")
    ...     read_table(str(path)).to_pydict()
    {'file': ['a.wav', 'b.wav'], 'label': ['calm', None]}
    """
    import pyarrow
    from pyarrow import csv as arrow_csv

    title = for_display(path)
    with _unreadable_as_usage_error(title), open(path, "rb") as stream:
        # Arrow infers the type of a column that is not listed, so the header is read first.
        delimiter, header = _header(path, title)
        try:
            table = arrow_csv.read_csv(
                stream,
                # With one thread, Arrow's messages name the row that is wrong.
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
            why = for_display(str(error))
            if "UTF8" in why:
                raise UsageError(_not_utf8(title)) from None
            if "straddling" in why:
                why = "a row of it, or a text in quotes, is longer than a megabyte"
            raise UsageError(f"{title} is no proper table: {why}") from None
    columns, names = table.columns, table.column_names
    # Only our own CSV escapes formulas; in a table of another program a leading quote is data.
    if set(names) >= _RESULT_COLUMNS:
        columns = [unescape_formulas(column) for column in columns]
        names = unescape_formulas(pyarrow.chunked_array([names], pyarrow.string())).to_pylist()
    return pyarrow.table(columns, names=names)


@contextmanager
def _unreadable_as_usage_error(title: str) -> Iterator[None]:
    """Raise `UsageError` for a file that cannot be opened or read."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"The table {title} cannot be read: {error.strerror or error}.") from None


def _is_parquet(path: str) -> bool:
    with open(path, "rb") as stream:
        return stream.read(len(_PARQUET_MAGIC)) == _PARQUET_MAGIC


def _read_parquet(path: str, title: str) -> pyarrow.Table:
    import pyarrow
    from pyarrow import parquet

    with _unreadable_as_usage_error(title), open(path, "rb") as stream:
        try:
            return parquet.ParquetFile(stream).read()
        except (pyarrow.ArrowException, OSError) as error:
            if is_out_of_memory(error):
                raise MemoryError from None
            if isinstance(error, OSError) and error.errno is not None:
                raise
            shown = for_display(str(error))
            raise UsageError(f"The table {title} is a damaged Parquet file: {shown}") from None


def _header(path: str, title: str) -> tuple[str, list[str]]:
    """Return the delimiter of a table and the names of its columns."""
    expected = "\t" if path.lower().endswith((".tsv", ".tab")) else ","
    header = _first_row(path, title, expected)
    if len(header) == 1:
        # Programs write semicolons where the comma is the decimal mark, and tabs into a .csv.
        for delimiter in _DELIMITERS:
            if delimiter in header[0]:
                return delimiter, _first_row(path, title, delimiter)
    return expected, header


def _first_row(path: str, title: str, delimiter: str) -> list[str]:
    """Return the first row that is not empty."""
    with open(path, encoding="utf-8-sig", newline="") as lines:
        try:
            return next((row for row in csv.reader(lines, delimiter=delimiter) if row), [])
        except UnicodeDecodeError:
            raise UsageError(_not_utf8(title)) from None
        except csv.Error as error:
            shown = for_display(str(error))
            raise UsageError(f"{title} is no proper table: {shown}.") from None


def _not_utf8(title: str) -> str:
    return (
        f"The table {title} is not in UTF-8: save it as UTF-8. "
        "Bytes of a file name that are no UTF-8 are written \\xNN."
    )


def _typed(table: pyarrow.Table) -> pyarrow.Table:
    """Infer the types of all columns but those that hold paths."""
    import pyarrow

    columns = [
        column if name in _PATH_COLUMNS else infer_type(column)
        for name, column in zip(table.column_names, table.columns, strict=True)
    ]
    return pyarrow.table(columns, names=table.column_names)


def infer_type(column: pyarrow.ChunkedArray) -> pyarrow.ChunkedArray:
    """Convert a text column to int64, float64 or bool if converting back gives the same texts.

    So "01", "+1" and "0.50" keep their column text, and so does a column that has numbers both
    with and without ".0": no cell is ever changed beyond recognition.

    >>> import pyarrow
    >>> [str(infer_type(pyarrow.chunked_array([texts])).type) for texts in (["1", None], ["01"])]
    ['int64', 'string']
    """
    import pyarrow

    texts = [text for text in column.unique().to_pylist() if text is not None]
    if not texts:
        return column
    if any(set(texts) <= spellings for spellings in _BOOLEAN_SPELLINGS):
        return _replaced(column, {text: text.lower() == "true" for text in texts}, pyarrow.bool_())
    integers = _parse_all(texts, int, (str,))
    if integers and all(-(2**63) <= number < 2**63 for number in integers.values()):
        return _replaced(column, integers, pyarrow.int64())
    numbers = _parse_all(texts, float, (repr, _without_point))
    if numbers and all(map(math.isfinite, numbers.values())):
        return _replaced(column, numbers, pyarrow.float64())
    return column


def _parse_all(
    texts: list[str], parse: Callable[[str], Any], formats: tuple[Callable[[Any], str], ...]
) -> dict[str, Any]:
    """Return the value of each text; empty if one is no number or no format gives all texts back.

    Without the way back, a speaker "007" or a code "1e5" would come out of a scan as 7 and 100000.
    """
    try:
        values = {text: parse(text) for text in texts}
    except ValueError:
        return {}
    for format_value in formats:
        if all(format_value(value) == text for text, value in values.items()):
            return values
    return {}


def _without_point(number: float) -> str:
    return repr(number).removesuffix(".0")


def _replaced(
    column: pyarrow.ChunkedArray, values: dict[str, Any], to: pyarrow.DataType
) -> pyarrow.ChunkedArray:
    import pyarrow

    chunks = [
        pyarrow.array([None if text is None else values[text] for text in chunk.to_pylist()], to)
        for chunk in column.chunks
    ]
    return pyarrow.chunked_array(chunks, to)


def _check_values(table: pyarrow.Table, title: str) -> None:
    """Raise `UsageError` for values that cannot be written, before any recording is analysed."""
    import pyarrow

    for field, column in zip(table.schema, table.columns, strict=True):
        try:
            column.validate(full=True)
        except pyarrow.ArrowInvalid as error:
            raise UsageError(
                f"The table {title} has a damaged column {field.name!r}, or one that is not in "
                f"UTF-8: {for_display(str(error))}"
            ) from None
        zone = field.type.tz if pyarrow.types.is_timestamp(field.type) else None
        try:
            if zone is not None:
                pyarrow.array([0], field.type).cast(pyarrow.string())
        except pyarrow.ArrowInvalid:
            raise UsageError(
                f"The table {title} has times in the time zone {zone!r} (column "
                f"{field.name!r}), which is unknown here: convert them to UTC."
            ) from None


def _as_text(paths: pyarrow.Table, title: str) -> pyarrow.Table:
    import pyarrow

    try:
        return paths.cast(pyarrow.schema([(name, pyarrow.string()) for name in paths.column_names]))
    except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError):
        types = ", ".join(f"{field.name} is {field.type}" for field in paths.schema)
        raise UsageError(f"The table {title} does not name recordings by text: {types}.") from None


def result_names(columns: list[str], reserved: frozenset[str]) -> list[str]:
    """Return names that collide neither with columns of the results nor with each other."""
    taken = set(reserved) | set(_PATH_COLUMNS)
    names = []
    for number, column in enumerate(columns, 1):
        name = column or f"column_{number}"
        while name in taken or (name != column and name in columns):
            name = f"manifest_{name}"
        taken.add(name)
        names.append(name)
    return names
