"""Writes the timelines of a table for another tool: a file for each recording, or a database.

    DIR/
      FOLDER/NAME.SUFFIX       for the recording FOLDER/NAME.wav

Where recordings come from several roots, each root has a folder of its name. Where two recordings
would get the same file, as a.wav and a.flac, the second keeps its ending: a.flac.SUFFIX.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from batchemo.common.files import atomic_write
from batchemo.common.text import for_display, from_text
from batchemo.errors import UsageError
from batchemo.tables.read import open_table
from batchemo.timelines.database import write_database
from batchemo.timelines.formats import FORMATS, Format
from batchemo.timelines.read import Timeline, read_timelines
from batchemo.timelines.stretches import Joining

DATABASE = "audformat"
"""The format that is one folder for all recordings."""

KINDS = (*FORMATS, DATABASE)
"""All formats by name."""


def export_timelines(
    table: str | Path,
    kind: str,
    folder: str | Path,
    joining: Joining = Joining(),  # noqa: B008
    *,
    overwrite: bool = False,
) -> int:
    """Write what is heard when in each recording of a table; return how many recordings.

    `kind` is one of `KINDS`. The folder must be new or empty, unless files may be replaced.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> table = folder / "windows.csv"
    >>> lines = "root,file,start,end,emotion,confidence,p_calm", "/rec,a.wav,0,5,calm,1,1"
    >>> _ = table.write_text("\\n".join(lines))
    >>> export_timelines(table, "rttm", folder / "labels")
    1
    >>> print((folder / "labels/a.rttm").read_text(), end="")
    SPEAKER a 1 0.000 5.000 <NA> <NA> calm <NA> <NA>
    """
    folder = Path(folder)
    if not overwrite and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            f"{for_display(str(folder))} is not empty: name another folder, or replace files of the"
            " same names with --overwrite"
        )
    timelines = read_timelines(table, joining)
    prefixes = _prefixes(table)
    folder.mkdir(parents=True, exist_ok=True)
    if kind == DATABASE:
        named = ((str(_relative_path(one, prefixes)), one) for one in timelines)
        return write_database(named, folder)
    return _write_files(timelines, FORMATS[kind], folder, prefixes)


def _write_files(
    timelines: Iterator[Timeline], form: Format, folder: Path, prefixes: dict[str, PurePosixPath]
) -> int:
    written: set[str] = set()
    for timeline in timelines:
        path = _relative_path(timeline, prefixes)
        name = path.with_suffix(form.suffix)
        if str(name) in written:
            name = path.with_name(path.name + form.suffix)
        written.add(str(name))
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        # Not durable: after a power cut, what is lost is exported again.
        for suffix, text in {form.suffix: form.text, **form.beside}.items():
            with atomic_write(target.with_suffix(suffix), durable=False) as file:
                file.write(text(timeline).encode())
    return len(written)


def _relative_path(timeline: Timeline, prefixes: dict[str, PurePosixPath]) -> PurePosixPath:
    """Return where a recording's file goes below the folder; never out of it."""
    path = PurePosixPath(from_text(timeline.file))
    if path.is_absolute() or ".." in path.parts or not path.name or "\0" in timeline.file:
        raise UsageError(
            f"{for_display(timeline.file)}: the table names a file that is not below its root: it"
            " is not as a scan wrote it"
        )
    return prefixes[timeline.root] / path


def _prefixes(table: str | Path) -> dict[str, PurePosixPath]:
    """Return the folder of each root: none for the only one, else its name, numbered if need be."""
    roots: dict[str, None] = {}
    for batch in open_table(table).batches(["root"]):
        roots.update(dict.fromkeys(batch.column("root").unique().to_pylist()))
    if len(roots) < 2:
        return dict.fromkeys(roots, PurePosixPath())
    prefixes: dict[str, PurePosixPath] = {}
    for root in roots:
        name = os.path.basename(from_text(root).rstrip("/")) or "root"
        taken = {str(prefix) for prefix in prefixes.values()}
        numbered = (name if n == 1 else f"{name}-{n}" for n in range(1, len(roots) + 1))
        prefixes[root] = PurePosixPath(next(one for one in numbered if one not in taken))
    return prefixes
