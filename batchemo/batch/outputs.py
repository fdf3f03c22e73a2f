"""Where the tables go: checked before any work is done, and never replaced unasked."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from batchemo.batch.chunk_store import longest_of_parts, store_folder
from batchemo.batch.options import STDOUT, ScanOptions
from batchemo.common.files import atomic_write, unfinished_path
from batchemo.common.text import for_display
from batchemo.errors import UsageError
from batchemo.sources import Recording
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


_NAMING = "naming.json"


@dataclass(frozen=True, slots=True)
class OutputPaths:
    """The files of a run's tables."""

    files: Path
    segments: Path | None = None
    summary: Path | None = None

    def all(self) -> list[Path]:
        """List them, the files table last: that it is there says that all are."""
        return [path for path in (self.segments, self.summary, self.files) if path is not None]

    def spared(self, recordings: Iterable[Recording]) -> Iterator[Recording]:
        """Yield the recordings without what is an output, or lies among the parts of one."""
        outputs = {str(target) for target in self.all()}
        parts = tuple(f"{store_folder(target)}{os.sep}" for target in self.all())
        for recording in recordings:
            path = recording.path
            if path not in outputs and not path.startswith(parts):
                yield recording


def output_paths(options: ScanOptions) -> OutputPaths | None:
    """Check the names of all outputs; None where nothing goes to a file."""
    if options.output is None or options.output == STDOUT:
        if options.segments or options.summary:
            raise UsageError("--segments and --summary need a file for the main table: -o FILE")
        return None
    targets = OutputPaths(
        _absolute(options.output),
        _absolute(options.segments) if options.segments else None,
        _absolute(options.summary) if options.summary else None,
    )
    if len(set(targets.all())) < len(targets.all()):
        raise UsageError("-o, --segments and --summary must name different files")
    for path in targets.all():
        check_place(path)
    for source in _inputs(options):
        if _absolute(source) in targets.all():
            raise UsageError(f"{for_display(source)} is read and written: name another output")
    return targets


def _absolute(name: str) -> Path:
    """Resolve links, so that a table takes the place of the file and not of the link to it."""
    return Path(os.path.realpath(name))


def _inputs(options: ScanOptions) -> Iterator[str]:
    sources = options.sources
    for name in (sources.manifest, sources.files_from, *sources.paths):
        if name is not None:
            yield name


def refuse_unasked(options: ScanOptions, targets: OutputPaths) -> None:
    """Refuse to replace what exists unless asked to."""
    if not (options.update or options.overwrite):
        refuse_existing(targets)


def refuse_existing(targets: OutputPaths) -> None:
    """Refuse to replace what exists, unless this run named it itself.

    A run that is killed between the naming of its tables and its very end leaves word of them.
    """
    own = _own_names(targets)
    for path in targets.all():
        if path.exists() and str(path) not in own:
            raise output_exists(path)


def output_exists(path: Path) -> UsageError:
    """Say that a table is there which nobody asked to replace."""
    return UsageError(
        f"{for_display(str(path))} exists. --update analyses only what is new or changed since; "
        "--overwrite begins anew; another name (-o) keeps both"
    )


def _own_names(targets: OutputPaths) -> list[str]:
    try:
        named: list[str] = json.loads((store_folder(targets.files) / _NAMING).read_text())
    except (FileNotFoundError, ValueError):
        return []
    return named


def named_by_killed_run(targets: OutputPaths) -> bool:
    """Tell whether a run was killed when it had named all its tables, and had only to tidy up."""
    own = _own_names(targets)
    return all(path.exists() and str(path) in own for path in targets.all())


def record_naming(targets: OutputPaths) -> None:
    """Leave word of the tables that are about to get their names."""
    word = json.dumps([str(path) for path in targets.all()])
    with atomic_write(store_folder(targets.files) / _NAMING) as stream:
        stream.write(word.encode())


def discard_naming(targets: OutputPaths) -> None:
    """Take that word back: all is done."""
    path = store_folder(targets.files) / _NAMING
    for each in (path, unfinished_path(path)):
        each.unlink(missing_ok=True)
