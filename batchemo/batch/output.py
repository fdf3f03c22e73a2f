"""Where a table goes: checked before any work is done."""

from __future__ import annotations

import errno
from pathlib import Path

from batchemo.batch.chunk_store import longest_of_parts
from batchemo.common.files import unfinished_path
from batchemo.common.text import for_display
from batchemo.errors import UsageError
from batchemo.tables.write import table_format


def check_output(output: str, *, overwrite: bool) -> Path:
    """Give the path of a table that may be written; a UsageError where it may not.

    >>> check_output("results.xlsx", overwrite=False)
    Traceback (most recent call last):
    batchemo.errors.UsageError: results.xlsx: the name of a table must end in .parquet or .csv, ...
    """
    path, shown = Path(output), for_display(output)
    check_place(path)
    if path.exists() and not overwrite:
        raise UsageError(f"{shown} exists: --overwrite replaces it; another name (-o) keeps both")
    return path


def check_place(path: Path) -> None:
    """Refuse a name that is no table's, leads to no folder, or is something else's already."""
    shown = for_display(str(path))
    table_format(path)
    _check_length(path)
    if path.is_dir():
        raise UsageError(f"{shown} is a folder: name a file in it, such as {shown}/results.parquet")
    if path.exists() and not path.is_file():
        raise UsageError(f"{shown} is a pipe or a device, not a file: name another output")
    if not path.parent.is_dir():
        folder = for_display(str(path.parent))
        raise UsageError(f"{folder}: there is no such folder to write to; make it first")


def _check_length(path: Path) -> None:
    """Refuse a name that leaves no room for those of the files that lie beside it meanwhile."""
    for helper in (unfinished_path(path), longest_of_parts(path)):
        try:
            helper.lstat()
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise UsageError(
                    f"{for_display(str(path))}: this name is too long, since files of longer names "
                    "lie beside it while it is written: choose a shorter one"
                ) from None
