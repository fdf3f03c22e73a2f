"""Opens everything that a user named as one stream of recordings."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from batchemo.common.files import is_temporary
from batchemo.common.text import for_display
from batchemo.errors import UsageError
from batchemo.sources.file_list import read_list
from batchemo.sources.filters import (
    DEFAULT_EXTENSIONS,
    FileFilter,
    compile_patterns,
    has_wildcards,
    parse_glob,
    suffixes_of,
)
from batchemo.sources.manifest import Manifest, read_manifest, result_names
from batchemo.sources.objects import stat_url, url_source, walk_bucket
from batchemo.sources.plan_file import Shard, open_plan
from batchemo.sources.recording import Recording, SeenPaths, Skipped, stat_recording
from batchemo.sources.walk import walk
from batchemo.storage.url import is_url
from batchemo.tables.columns import TURNS

if TYPE_CHECKING:
    import pyarrow

_Source = tuple[str, Callable[[Skipped], Iterator[Recording]]]
"""What a source is called in messages, and a function that yields its recordings and counts what
it leaves out."""


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What the user named, and what of it to take."""

    paths: tuple[str, ...] = ()
    """Folders, files, globs and URLs."""
    files_from: str | None = None
    """A list of files and folders; "-" reads it from standard input."""
    null_separated: bool = False
    """The entries of the list end in NUL, not in a newline."""
    manifest: str | None = None
    """A CSV, TSV or Parquet table with a column `file`."""
    base: str | None = None
    """What the names in list and manifest are relative to."""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    extensions: tuple[str, ...] = DEFAULT_EXTENSIONS
    hidden: bool = False
    follow_links: bool = False
    min_age: float = 0.0
    """Seconds since its last change before a file is taken."""
    turns: str | None = None
    """A file of turns, or a folder of such files: then rows are turns, not recordings."""
    plan: str | None = None
    """A plan that lists all recordings, instead of all of the above."""
    shard: Shard | None = None
    """The part of the plan to take; None for all of it."""


class Sources:
    """The recordings, as a stream in a fixed order, each real path once.

    Iterate once; `skipped` is complete afterwards.
    """

    def __init__(
        self,
        sources: list[_Source],
        options: SourceOptions,
        extras: pyarrow.Table | None,
        *,
        has_turns: bool = False,
    ) -> None:
        self._turns = None
        if options.turns is not None:
            from batchemo.sources.turns.lookup import GivenTurns

            is_only = len(sources) == len(options.paths) == 1 and os.path.isfile(options.paths[0])
            self._turns = GivenTurns(options.turns, is_only_recording=is_only)
        self.gives_turns = has_turns or self._turns is not None
        """Whether the rows are turns, from a manifest or from files of their own."""
        self.skipped = Skipped()
        self.extras = extras
        """The manifest's other columns; `Recording.row` is an index into them."""
        self._sources, self._shard = sources, options.shard
        # Measured from now: a file must not become old enough while the walk goes on, or two
        # walks of the same files could disagree.
        self._max_mtime_ns = (
            time.time_ns() - round(options.min_age * 1e9) if options.min_age else None
        )
        # A single walk that follows no links yields every file once, so that no paths need be
        # remembered.
        self._always_unique = (
            len(sources) == 1
            and not (options.files_from or options.manifest)
            and not options.follow_links
        )

    def __iter__(self) -> Iterator[Recording]:
        """Yield the recordings."""
        seen = SeenPaths()
        for title, recordings in self._sources:
            before = self.skipped.other_extensions.copy()
            recording = None
            found = (each for each in recordings(self.skipped) if not is_temporary(each.path))
            for recording in found:
                if not self._always_unique and not seen.add(recording.path):
                    self.skipped.duplicates += 1
                elif self._is_young(recording):
                    self.skipped.young += 1
                elif self._turns is not None:
                    yield self._turns.with_turns(recording)
                else:
                    yield recording
            if recording is None:
                others = self.skipped.other_extensions - before
                self.skipped.empty.append((for_display(title), others))
        if self._turns is not None and self._shard is None:
            self._turns.report_unused(self.skipped)

    def _is_young(self, recording: Recording) -> bool:
        return (
            self._max_mtime_ns is not None
            and recording.mtime_ns is not None
            and recording.mtime_ns > self._max_mtime_ns
        )


def open_sources(options: SourceOptions, reserved: frozenset[str] = frozenset()) -> Sources:
    """Check at once that the sources make sense; look for the recordings only on iteration.

    The manifest comes first, so that its columns are kept for files that a folder holds too; then
    the paths in the order given, then the list. A column of the manifest whose name is in
    `reserved` is renamed.

    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pathlib.Path(folder, "a.wav").touch()
    ...     [recording.file for recording in open_sources(SourceOptions((folder,)))]
    ['a.wav']
    """
    if options.plan is not None or options.shard is not None:
        return _open_planned(options, reserved)
    if options.turns is not None:
        reserved |= TURNS.keys()
    file_filter = _file_filter(options)
    sources: list[_Source] = []
    manifest = None
    if options.manifest is not None:
        manifest = read_manifest(options.manifest, reserved)
        folder = os.path.dirname(os.path.abspath(options.manifest))
        base = _base(options) or folder
        sources.append(_manifest_source(options.manifest, manifest, base, file_filter))
    sources.extend(_path_source(path, file_filter) for path in options.paths)
    if options.files_from is not None:
        sources.append(_list_source(options, file_filter))
    if not sources:
        raise UsageError(
            "No recordings were named: give a folder, a file or a glob, --files-from or --manifest."
        )
    if manifest is None:
        return Sources(sources, options, None)
    has_turns = manifest.turns is not None
    if has_turns and options.turns is not None:
        raise UsageError(
            f"the manifest {manifest.title} has turns (start, end), and --turns gives others: leave"
            " --turns out, or the columns start and end"
        )
    return Sources(sources, options, manifest.extras, has_turns=has_turns)


def refuse_turns(sources: Sources, why: str) -> None:
    """Raise a `UsageError` where the sources give turns, and only recordings can be taken."""
    if sources.gives_turns:
        raise UsageError(
            f"the manifest has columns start and end, so that its rows are turns, but {why}: leave"
            " out, or rename, these columns"
        )


def _open_planned(options: SourceOptions, reserved: frozenset[str]) -> Sources:
    if options.plan is None:
        raise UsageError("--shard is a part of a plan: give that by --plan plan.parquet")
    if replace(options, plan=None, shard=None, turns=None) != SourceOptions():
        raise UsageError(
            f"the plan {for_display(options.plan)} lists all recordings: leave out other sources,"
            " and what chooses among them"
        )
    if options.turns is not None:
        reserved |= TURNS.keys()
    plan = open_plan(options.plan)
    rows = plan.rows_of(options.shard)
    extras = plan.extras(rows)
    if extras is not None:
        extras = extras.rename_columns(result_names(extras.column_names, reserved))
    return Sources([(options.plan, lambda _: plan.recordings(rows))], options, extras)


def _file_filter(options: SourceOptions) -> FileFilter:
    if not options.min_age >= 0:  # Written so that NaN fails too.
        raise UsageError(f"The minimum age is {options.min_age} seconds: it cannot be negative.")
    has_patterns = options.include or options.exclude
    has_table = options.files_from is not None or options.manifest is not None
    if has_patterns and not has_table and options.paths and all(map(os.path.isfile, options.paths)):
        raise UsageError(
            "--include and --exclude choose among what folders, globs, lists and manifests hold, "
            "but here every file is named by itself. Name its folder, or quote the glob."
        )
    return FileFilter(
        suffixes=suffixes_of(options.extensions),
        hidden=options.hidden,
        follow_links=options.follow_links,
        include=compile_patterns(options.include),
        exclude=compile_patterns(options.exclude),
    )


def _base(options: SourceOptions) -> str | None:
    if options.base is None or is_url(options.base):
        return options.base
    if not os.path.isdir(options.base):
        raise UsageError(f"The base {for_display(options.base)} is no folder.")
    return os.path.abspath(options.base)


def _manifest_source(title: str, manifest: Manifest, base: str, file_filter: FileFilter) -> _Source:
    return title, lambda skipped: manifest.recordings(base, file_filter, skipped)


def _path_source(path: str, file_filter: FileFilter) -> _Source:
    """Return the source for a folder, a file, a glob or a URL; what exists is never a glob."""
    if is_url(path):
        return _url_source(path, file_filter)
    if not path:
        raise UsageError("One of the names given is empty: leave it out, or write . for here.")
    absolute = os.path.abspath(path)
    try:
        mode = os.stat(absolute).st_mode
        if stat.S_ISDIR(mode):
            # Listing it can fail although stat does not, and should do so now.
            os.scandir(absolute).close()
    except (OSError, ValueError) as error:
        if has_wildcards(path) and not os.path.lexists(absolute):
            return _glob_source(path, file_filter)
        raise UsageError(_not_found_or_unreadable(path, error)) from None
    if stat.S_ISDIR(mode):
        return absolute, lambda skipped: walk(absolute, file_filter, skipped)
    if stat.S_ISREG(mode):
        return absolute, lambda skipped: _single_file(absolute)
    raise UsageError(f"{for_display(path)} is neither a folder nor a regular file.")


def _url_source(address: str, file_filter: FileFilter) -> _Source:
    url, below = url_source(address, file_filter)
    if below is None:
        recording = stat_url(address)
        return url, lambda skipped: iter([recording])
    return url, lambda skipped: walk_bucket(url, below, skipped)


def _not_found_or_unreadable(path: str, error: OSError | ValueError) -> str:
    if isinstance(error, (FileNotFoundError, ValueError)):
        return f"There is no file or folder '{for_display(path)}': check the name."
    return f"{for_display(path)} cannot be read: {error.strerror or error}."


def _glob_source(path: str, file_filter: FileFilter) -> _Source:
    glob = parse_glob(path)
    if glob.names_extension:
        file_filter = replace(file_filter, suffixes=(b"",))
    # A glob without any match is a mistake, which is reported at once. With a match that --include
    # and --exclude leave out, it is not.
    glob_alone = replace(file_filter, glob=glob, include=None, exclude=None)
    if next(walk(glob.root, glob_alone, Skipped()), None) is None:
        raise UsageError(
            f"Nothing matches {for_display(path)}. Hidden files, links and other extensions than "
            "those asked for are not looked at."
        )
    filtered_glob = replace(file_filter, glob=glob)
    return path, lambda skipped: walk(glob.root, filtered_glob, skipped)


def _single_file(path: str) -> Iterator[Recording]:
    recording = stat_recording(os.path.dirname(path), os.path.basename(path))
    if recording is not None:
        yield recording


def _list_source(options: SourceOptions, file_filter: FileFilter) -> _Source:
    path = options.files_from or ""
    base = _base(options) or os.getcwd()
    if path == "-":
        if sys.stdin is None:
            raise UsageError("There is no standard input to read the list from.")
        title = "standard input"
    else:
        title = for_display(path)
        if os.path.isdir(path) or not os.access(path, os.R_OK):
            raise UsageError(f"The list {title} is no file that can be read.")

    def recordings(skipped: Skipped) -> Iterator[Recording]:
        with ExitStack() as stack:
            stream = sys.stdin.buffer if path == "-" else stack.enter_context(open(path, "rb"))
            yield from read_list(stream, title, options.null_separated, base, file_filter, skipped)

    return title, recordings
