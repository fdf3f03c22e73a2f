"""The files of a run's tables: checked before any work, and never replaced without being asked.

A run records in the chunk store (naming.json) that its tables are about to get their names. So the
same command after a kill can tell the tables that this very run has named from those of somebody
else, which a fresh run never replaces, and from those that an --update began with.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from batchemo.batch.chunk_store import STORE_SUFFIX, longest_chunk_path, store_folder
from batchemo.batch.options import STDOUT, ScanOptions
from batchemo.common.files import atomic_write, unfinished_path
from batchemo.common.text import for_display
from batchemo.errors import UsageError
from batchemo.sources import Recording
from batchemo.storage.url import is_url, without_access
from batchemo.tables.partitions import holds_other_files, is_partitioned
from batchemo.tables.write import FORMATS, table_format

if TYPE_CHECKING:
    from batchemo.batch.mirror import Mirror

_NAMING = "naming.json"


@dataclass(frozen=True, slots=True)
class OutputPaths:
    """The files of a run's tables."""

    recordings: Path
    segments: Path | None = None
    summary: Path | None = None
    embeddings: Path | None = None
    partition_by: str | None = None
    """What the recordings table is parted by, which is a folder then; None for a single file."""
    mirror: Mirror | None = None
    """What keeps the bucket up to date, where some of them are copies of objects."""

    def all(self) -> list[Path]:
        """List the files, the recordings table last: where it has its name, all have theirs."""
        paths = (self.segments, self.summary, self.embeddings, self.recordings)
        return [path for path in paths if path is not None]

    def existing(self) -> list[Path]:
        """List the files that are there."""
        # An empty folder may be there for a partitioned table to come.
        return [
            path
            for path in self.all()
            if path.exists() and not (path.is_dir() and not any(path.iterdir()))
        ]

    def shown(self, path: Path) -> str:
        """Return the path, or the URL of what it is a copy of."""
        return (self.mirror and self.mirror.url(path)) or str(path)

    def publish(self, path: Path) -> None:
        """Put a file that has got its name into the bucket, if it is a copy of what is there."""
        if self.mirror is not None:
            self.mirror.put(path)

    def without_own_files(self, recordings: Iterable[Recording]) -> Iterator[Recording]:
        """Yield the recordings that are no output, and lie in no chunk store, of this run."""
        # As text: a system call for each of millions of recordings would cost more than the walk.
        names = [self.shown(path) for path in self.all()]
        outputs, stores = set(names), tuple(f"{name}{STORE_SUFFIX}/" for name in names)
        if self.partition_by is not None:
            stores += (f"{self.shown(self.recordings)}/",)
        for recording in recordings:
            path = recording.path
            if path not in outputs and not path.startswith(stores):
                yield recording


def check_outputs(options: ScanOptions, mirror: Mirror | None = None) -> OutputPaths | None:
    """Check the names of all outputs; None where nothing is written to a file.

    With a mirror, the outputs in buckets are its copies.
    """
    if options.output is None or options.output == STDOUT:
        if options.segments or options.summary or options.embeddings:
            raise UsageError(
                "--segments, --summary and --embeddings need a file for the main table: -o FILE"
            )
        return None

    def path_of(name: str) -> Path:
        return mirror.local(name) if mirror is not None and is_url(name) else _resolve(name)

    outputs = OutputPaths(
        path_of(options.output),
        path_of(options.segments) if options.segments else None,
        path_of(options.summary) if options.summary else None,
        path_of(options.embeddings) if options.embeddings else None,
        options.partition_by,
        mirror,
    )
    if len(set(outputs.all())) < len(outputs.all()):
        raise UsageError("-o, --segments, --summary and --embeddings must name different files")
    if outputs.embeddings is not None and outputs.embeddings.suffix != ".parquet":
        raise UsageError(
            f"--embeddings {for_display(str(options.embeddings))}: an embedding is a list of "
            "numbers, which only Parquet can hold: name a .parquet file"
        )
    for path in outputs.all():
        if path == outputs.recordings and options.partition_by is not None:
            _check_partitioned(outputs, options)
        else:
            check_path(path)
    for source in _inputs(options):
        if _resolve(source) in outputs.all():
            raise UsageError(f"{for_display(source)} is read and written: name another output")
    return outputs


def check_output(output: str, *, overwrite: bool) -> Path:
    """Return the path of a single table, links followed; a UsageError where none may be written.

    >>> check_output("results.xls", overwrite=False)
    Traceback (most recent call last):
    batchemo.errors.UsageError: ...results.xls: the name of a table must end in .parquet, .csv, ...
    """
    if is_url(output):
        shown = for_display(without_access(output))
        raise UsageError(f"{shown}: only scan, plan and merge write to a bucket: name a file")
    path = _resolve(output)
    check_path(path)
    if path.exists() and not overwrite:
        raise table_exists(output)
    return path


def table_exists(output: str) -> UsageError:
    """Make the error for a single table that exists and that nobody asked to replace."""
    return UsageError(
        f"{for_display(output)} exists: --overwrite replaces it; another name (-o) keeps both"
    )


def check_path(path: Path) -> None:
    """Refuse a name without a table's ending or an existing folder, or of anything but a file."""
    shown = for_display(str(path))
    _check_length(path)
    if is_partitioned(path):
        raise UsageError(
            f"{shown} is a partitioned table: give --partition-by again, or name another output"
        )
    if table_format(path) == ".xlsx" and find_spec("xlsxwriter") is None:
        raise UsageError(
            f"{shown}: tables for Excel need the package XlsxWriter: pip install 'batchemo[excel]'"
        )
    if path.is_dir():
        raise UsageError(f"{shown} is a folder: name a file in it, such as {shown}/results.parquet")
    if path.exists() and not path.is_file():
        raise UsageError(f"{shown} is a pipe or a device, not a file: name another output")
    _check_parent(path)


def _check_parent(path: Path) -> None:
    if not path.parent.is_dir():
        folder = for_display(str(path.parent))
        raise UsageError(f"{folder}: there is no such folder to write to; make it first")


def _check_partitioned(outputs: OutputPaths, options: ScanOptions) -> None:
    """Refuse a partitioned table that cannot be written, or where other files are."""
    path, shown = outputs.recordings, for_display(str(options.output))
    if path.name.lower().endswith(FORMATS) or path.is_file():
        raise UsageError(f"{shown}: with --partition-by, -o names a folder for the files")
    _check_length(path)
    _check_parent(path)
    if holds_other_files(path) and path not in recorded_names(outputs):
        raise UsageError(
            f"{shown}: this folder holds other files: name a new or empty one for the table"
        )


def _check_length(path: Path) -> None:
    """Refuse a name that is too long for the temporary files beside it, whose names are longer."""
    for temporary in (unfinished_path(path), longest_chunk_path(path)):
        try:
            temporary.lstat()
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise UsageError(
                    f"{for_display(str(path))}: this name is too long, since files of longer names "
                    "lie beside it while it is written: choose a shorter one"
                ) from None


def _resolve(name: str) -> Path:
    """Follow links, so that a table replaces the file and not the link to it."""
    return Path(os.path.realpath(name))


def _inputs(options: ScanOptions) -> Iterator[str]:
    sources = options.sources
    for name in (sources.manifest, sources.files_from, sources.plan, *sources.paths):
        if name is not None:
            yield name


def output_exists(path: Path) -> UsageError:
    """Make the error for a table that exists and that nobody asked to replace."""
    return UsageError(
        f"{for_display(str(path))} exists. --update analyses only what is new or changed since; "
        "--overwrite begins anew; another name (-o) keeps both"
    )


def refuse_foreign(outputs: OutputPaths) -> None:
    """Refuse to replace tables that exist, unless an interrupted fresh run has named them."""
    named = recorded_names(outputs)
    for path in outputs.existing():
        if path not in named:
            raise output_exists(path)


@dataclass(frozen=True, slots=True)
class NamingRecord:
    """What an interrupted run has recorded about its tables."""

    tables: tuple[Path, ...] = ()
    """Those that were about to get their names. Before that there are none: but a record says that
    the chunks are those of a command without --update, which tries transient failures again."""
    update: bool = False
    """Whether it was a run with --update."""


def read_record(outputs: OutputPaths) -> NamingRecord | None:
    """Return the record of an interrupted run; None if there is none that can be read."""
    try:
        content = json.loads((store_folder(outputs.recordings) / _NAMING).read_text())
        named = {outputs.shown(path): path for path in outputs.all()}
        tables = tuple(named.get(name, Path(name)) for name in content["tables"])
        return NamingRecord(tables, content["update"])
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None


def write_record(outputs: OutputPaths, record: NamingRecord) -> None:
    """Write the record, in the place of an earlier one."""
    content = {"tables": [outputs.shown(path) for path in record.tables], "update": record.update}
    path = store_folder(outputs.recordings) / _NAMING
    with atomic_write(path) as stream:
        stream.write(json.dumps(content).encode())
    outputs.publish(path)


def recorded_names(outputs: OutputPaths) -> tuple[Path, ...]:
    """Return the tables that an interrupted run without --update was giving their names."""
    record = read_record(outputs)
    return () if record is None or record.update else record.tables


def discard_record(outputs: OutputPaths) -> None:
    """Remove the record, as when all tables have their names and no chunk is left."""
    path = store_folder(outputs.recordings) / _NAMING
    for leftover in (path, unfinished_path(path)):
        leftover.unlink(missing_ok=True)
    if outputs.mirror is not None:
        outputs.mirror.remove([path])
