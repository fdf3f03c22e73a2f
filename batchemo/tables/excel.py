"""Writes tables as .xlsx, for people: they are not read back.

Texts are stored as texts: none is run as a formula or becomes a link, whatever it begins with.
"""

from __future__ import annotations

import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from batchemo.errors import BatchemoError
from batchemo.tables.write import MAX_XLSX_ROWS, csv_schema

if TYPE_CHECKING:
    import pyarrow as pa

_DATE_FORMAT = "yyyy-mm-dd hh:mm:ss"
_MADE = datetime(1980, 1, 1)
_LONGEST_TEXT = 32_767
"""What a cell holds."""


class ExcelTableWriter:
    """Writes one sheet, row by row, in bounded memory."""

    def __init__(self, sink: str | Path | IO[bytes], schema: pa.Schema) -> None:
        import xlsxwriter

        self._names = csv_schema(schema).names
        # Rows wait in files here until the end.
        self._folder = tempfile.TemporaryDirectory(prefix="batchemo-excel-")
        texts = ("strings_to_formulas", "strings_to_urls", "strings_to_numbers")
        options: dict[str, Any] = {"constant_memory": True, "tmpdir": self._folder.name}
        options |= dict.fromkeys(texts, False)
        target = str(sink) if isinstance(sink, Path) else sink
        self._workbook: Any = xlsxwriter.Workbook(target, options)
        self._workbook.set_properties({"created": _MADE})
        self._dates = self._workbook.add_format({"num_format": _DATE_FORMAT})
        self._sheet: Any = self._workbook.add_worksheet("batchemo")
        self._sheet.freeze_panes(1, 0)
        for column, name in enumerate(self._names):
            self._sheet.write_string(0, column, name)
        self._row = 1

    def write(self, table: pa.Table) -> None:
        """Append the rows."""
        if self._row + table.num_rows > MAX_XLSX_ROWS:
            raise BatchemoError(
                f"a sheet of Excel has no more than {MAX_XLSX_ROWS - 1:,} rows: write .parquet or"
                " .csv"
            )
        columns = [_values(column) for column in table.columns]
        for row in zip(*columns, strict=True):
            for column, value in enumerate(row):
                self._write_cell(column, value)
            self._row += 1

    def _write_cell(self, column: int, value: Any) -> None:
        if value is None:
            return
        if isinstance(value, bool):
            self._sheet.write_boolean(self._row, column, value)
        elif isinstance(value, (int, float)):
            self._sheet.write_number(self._row, column, value)
        elif isinstance(value, datetime):
            self._sheet.write_datetime(self._row, column, value, self._dates)
        else:
            text = str(value)
            if len(text) > _LONGEST_TEXT:
                raise BatchemoError(
                    f"a text in the column {self._names[column]} has {len(text):,} characters, "
                    f"and a cell of Excel holds {_LONGEST_TEXT:,}: write .parquet or .csv"
                )
            self._sheet.write_string(self._row, column, text)

    def close(self) -> None:
        """Write the file."""
        from xlsxwriter.exceptions import FileCreateError

        try:
            self._workbook.close()
        except FileCreateError as error:
            cause = error.args[0] if error.args else error
            raise cause if isinstance(cause, OSError) else OSError(str(error)) from None
        finally:
            self._folder.cleanup()

    def abandon(self) -> None:
        """Leave the file unfinished."""
        self._workbook.fileclosed = True
        self._folder.cleanup()


def _values(column: pa.ChunkedArray) -> list[Any]:
    """Return the values of a column, times as UTC without their zone, which Excel has not."""
    import pyarrow as pa

    if pa.types.is_timestamp(column.type):
        seconds = column.cast(pa.timestamp("us", column.type.tz), safe=False).to_pylist()
        return [None if value is None else _without_zone(value) for value in seconds]
    return list(column.to_pylist())


def _without_zone(value: datetime) -> datetime | str:
    utc = value if value.tzinfo is None else value.astimezone(timezone.utc).replace(tzinfo=None)
    return utc if utc.year >= 1900 else utc.isoformat()
