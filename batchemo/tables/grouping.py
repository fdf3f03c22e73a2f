"""What recordings can be grouped by: a column, a part of the path, a date."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from batchemo.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

DATES = {"year": "%Y", "month": "%Y-%m", "date": "%Y-%m-%d"}

FOLDER, PART, REGEX = "folder", "part:", "regex:"


def check_group_by(group_by: str | None, columns: Iterable[str]) -> None:
    """Refuse a grouping that the table cannot give, before anything is computed."""
    columns = list(columns)
    if group_by is None or group_by in columns or group_by in DATES or is_of_path(group_by):
        return
    raise UsageError(
        f"cannot group by {group_by!r}: it is no column of the table ({', '.join(columns)}), "
        "nor folder, part:N, regex:PATTERN, date, month or year"
    )


def is_of_path(group_by: str) -> bool:
    """Tell whether this names something of a recording's path.

    >>> is_of_path("folder"), is_of_path("part:0"), is_of_path("regex:^[a-z]+")
    (True, False, True)
    """
    if group_by.startswith(REGEX):
        _pattern(group_by)
        return True
    return group_by == FOLDER or re.fullmatch(rf"{PART}[1-9]\d*", group_by) is not None


def _pattern(group_by: str) -> re.Pattern[str]:
    try:
        return re.compile(group_by.removeprefix(REGEX))
    except re.error as error:
        raise UsageError(f"{group_by}: this is no regular expression: {error}") from None


def group_names(table: pa.Table, group_by: str) -> pa.Array | pa.ChunkedArray:
    """Give the name of each row's group as text, null for a row that is in none.

    `folder` is the folder a recording lies in, `part:N` the Nth part of its path, `regex:PATTERN`
    what the pattern's first group, or all of it, finds in the path; `date`, `month` and `year` are
    those of its last change; all else is the name of a column, and a column's name comes first.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if group_by in table.column_names:
        return as_text(table[group_by]).cast(pa.string())
    if group_by in DATES:
        return pc.strftime(table["mtime"], format=DATES[group_by])
    return pa.array(_of_paths(table["file"].to_pylist(), group_by), pa.string())


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Give a column of dictionaries as the text that it stands for, any other as it is."""
    import pyarrow as pa

    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def _of_paths(files: list[str], group_by: str) -> Iterator[str | None]:
    if group_by == FOLDER:
        return (file.rpartition("/")[0] or None for file in files)
    if group_by.startswith(REGEX):
        matches = map(_pattern(group_by).search, files)
        return (match and match[min(1, match.re.groups)] for match in matches)
    number = int(group_by.removeprefix(PART))
    parts = (file.split("/")[:-1] for file in files)
    return (path[number - 1] if number <= len(path) else None for path in parts)
