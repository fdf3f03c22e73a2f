"""Opens everything that a user named as one stream of recordings."""

# Paths stay the strings they are: pathlib rewrites them, and costs more than the look-up itself.

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from batchemo.common.text import for_display
from batchemo.errors import UsageError
from batchemo.sources.file_list import read_list
from batchemo.sources.filters import Rules, has_magic, parse_glob, selector, suffixes_of
from batchemo.sources.manifest import Manifest, read_manifest
from batchemo.sources.recording import RealPaths, Recording, Skipped, look_up
from batchemo.sources.walk import walk

if TYPE_CHECKING:
    import pyarrow

_Source = Callable[[Skipped], Iterator[Recording]]


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What the user named, and what of it to take."""

    paths: tuple[str, ...] = ()
    """Folders, files and globs."""
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
    extensions: tuple[str, ...] = ("wav",)
    hidden: bool = False
    follow_links: bool = False
    min_age: float = 0.0
    """Seconds since its last change before a file is taken."""


class Sources:
    """The recordings, as a stream in a fixed order, each real path once.

    Iterate once. The tally fills up on the way.
    """

    def __init__(self, sources: list[_Source], options: SourceOptions, manifest: Manifest | None):
        self.skipped = Skipped()
        self.extras: pyarrow.Table | None = manifest.extras if manifest else None
        """The manifest's other columns; `Recording.row` is an index into them."""
        self._sources = sources
        self._newest = time.time_ns() - round(options.min_age * 1e9) if options.min_age else None
        # One walk that follows no link comes by every file once, so nothing need be remembered.
        self._unique = (
            len(sources) == 1
            and not (options.files_from or options.manifest)
            and not options.follow_links
        )

    def __iter__(self) -> Iterator[Recording]:
        """Yield the recordings."""
        met = RealPaths()
        for source in self._sources:
            for recording in source(self.skipped):
                if not self._unique and not met.is_new(recording.path):
                    self.skipped.duplicates += 1
                elif self._is_young(recording):
                    self.skipped.young += 1
                else:
                    yield recording

    def _is_young(self, recording: Recording) -> bool:
        return (
            self._newest is not None
            and recording.mtime_ns is not None
            and recording.mtime_ns > self._newest
        )


def open_sources(options: SourceOptions, reserved: frozenset[str] = frozenset()) -> Sources:
    """Check at once that the sources make sense; look for the recordings only on iteration.

    The manifest comes first, so that its columns win over a folder that holds the same files;
    then the paths in the order given, then the list. `reserved` are the names that a column of
    the manifest may not keep.

    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pathlib.Path(folder, "a.wav").touch()
    ...     [recording.file for recording in open_sources(SourceOptions((folder,)))]
    ['a.wav']
    """
    rules = _rules(options)
    sources: list[_Source] = []
    manifest = None
    if options.manifest is not None:
        manifest = read_manifest(options.manifest, reserved)
        folder = os.path.dirname(os.path.abspath(options.manifest))
        sources.append(_manifest_source(manifest, _base(options) or folder, rules))
    sources.extend(_path_source(path, rules) for path in options.paths)
    if options.files_from is not None:
        sources.append(_list_source(options, rules))
    if not sources:
        raise UsageError(
            "No recordings were named: give a folder, a file or a glob, --files-from or --manifest."
        )
    return Sources(sources, options, manifest)


def _rules(options: SourceOptions) -> Rules:
    if not options.min_age >= 0:
        raise UsageError(f"The minimum age is {options.min_age} seconds: it cannot be negative.")
    filtered = options.include or options.exclude
    filterable = options.files_from is not None or options.manifest is not None
    if filtered and not filterable and options.paths and all(map(os.path.isfile, options.paths)):
        raise UsageError(
            "--include and --exclude choose among what folders, globs, lists and manifests hold, "
            "but here every file is named by itself. Name its folder, or quote the glob."
        )
    return Rules(
        suffixes=suffixes_of(options.extensions),
        hidden=options.hidden,
        follow_links=options.follow_links,
        include=selector(options.include),
        exclude=selector(options.exclude),
    )


def _base(options: SourceOptions) -> str | None:
    if options.base is None:
        return None
    if not os.path.isdir(options.base):
        raise UsageError(f"The base {for_display(options.base)} is no folder.")
    return os.path.abspath(options.base)


def _manifest_source(manifest: Manifest, base: str, rules: Rules) -> _Source:
    return lambda skipped: manifest.recordings(base, rules, skipped)


def _path_source(path: str, rules: Rules) -> _Source:
    if not path:
        raise UsageError("One of the names given is empty: leave it out, or write . for here.")
    absolute = os.path.abspath(path)
    try:
        mode = os.stat(absolute).st_mode
        if stat.S_ISDIR(mode):
            os.scandir(absolute).close()
    except (OSError, ValueError) as error:
        if has_magic(path) and not os.path.lexists(absolute):
            return _glob_source(path, rules)
        raise UsageError(_unreachable(path, error)) from None
    if stat.S_ISDIR(mode):
        return lambda skipped: walk(absolute, rules, skipped)
    if stat.S_ISREG(mode):
        return lambda skipped: _single(absolute)
    raise UsageError(f"{for_display(path)} is neither a folder nor a regular file.")


def _glob_source(path: str, rules: Rules) -> _Source:
    glob = parse_glob(path)
    if glob.names_extension:
        rules = replace(rules, suffixes=(b"",))
    alone = replace(rules, glob=glob, include=None, exclude=None)
    if next(walk(glob.root, alone, Skipped()), None) is None:
        raise UsageError(
            f"Nothing matches {for_display(path)}. Hidden files, links and other extensions than "
            "those asked for are not looked at."
        )
    ruled = replace(rules, glob=glob)
    return lambda skipped: walk(glob.root, ruled, skipped)


def _single(path: str) -> Iterator[Recording]:
    recording = look_up(os.path.dirname(path), os.path.basename(path))
    if recording is not None:
        yield recording


def _list_source(options: SourceOptions, rules: Rules) -> _Source:
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
            yield from read_list(stream, title, options.null_separated, base, rules, skipped)

    return recordings


def _unreachable(path: str, error: OSError | ValueError) -> str:
    if isinstance(error, (FileNotFoundError, ValueError)):
        return f"There is no file or folder '{for_display(path)}': check the name."
    return f"{for_display(path)} cannot be read: {error.strerror or error}."
