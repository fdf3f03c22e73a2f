"""Walks a folder and yields the recordings below it, in the order of the bytes of their paths.

One folder is listed at a time, and only the names still to come on the way down are held. So the
first recording is yielded at once, however large the tree is. The order is that of the bytes of
each part of the path, not of the whole path: then a folder is listed in one go, and the order does
not depend on the locale.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from batchemo.common.text import for_display
from batchemo.sources.filters import FileFilter
from batchemo.sources.recording import Recording, Skipped

MAX_EXTENSIONS = 1000
"""How many extensions that were not asked for are counted."""


def walk(root: str, file_filter: FileFilter, skipped: Skipped) -> Iterator[Recording]:
    """Yield the recordings below `root`; count what is left out in `skipped`.

    Only regular files are yielded, and nothing is opened. Links are followed if the filter says
    so; then no folder is walked twice, since links may form circles.
    """
    visited: set[tuple[int, int]] = set()
    path = os.path.join(os.fsencode(root), b"")
    if file_filter.follow_links:
        _first_visit(path, visited)
    # A stack instead of recursion: a tree may be deeper than Python's recursion limit.
    stack = [_list_folder(path, "", file_filter, skipped)]
    while stack:
        folder = stack[-1]
        for name in folder.names:
            file = folder.prefix + os.fsdecode(name)
            is_folder = name in folder.subfolders
            if not (file_filter.enters(file) if is_folder else file_filter.accepts(file)):
                continue
            if name.startswith(b".") and not file_filter.hidden:
                skipped.hidden += 1
            elif not is_folder:
                recording = _stat_recording(folder.path + name, root, file, file_filter)
                if recording is not None:
                    yield recording
            elif file_filter.follow_links and not _first_visit(folder.path + name, visited):
                skipped.duplicates += 1
            else:
                subfolder = folder.path + name + b"/"
                stack.append(_list_folder(subfolder, file + "/", file_filter, skipped))
                break
        else:
            stack.pop()


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder that is being walked. Both paths end in a slash; the prefix of the root is empty."""

    path: bytes
    prefix: str
    """The path below the root."""
    names: Iterator[bytes]
    """What is still to be visited, files and folders, in order."""
    subfolders: set[bytes]


def _list_folder(path: bytes, prefix: str, file_filter: FileFilter, skipped: Skipped) -> _Folder:
    """List a folder, as far as that is possible."""
    follow = file_filter.follow_links
    names: list[bytes] = []
    subfolders: set[bytes] = set()
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                name = entry.name
                try:
                    if not follow and entry.is_symlink():
                        skipped.links += 1
                        continue
                    if entry.is_dir(follow_symlinks=follow):
                        is_folder = True
                    elif not name.lower().endswith(file_filter.suffixes):
                        if entry.is_file(follow_symlinks=follow):
                            count_extension(name, skipped)
                        continue
                    elif entry.is_file(follow_symlinks=follow):
                        is_folder = False
                    else:
                        continue
                except OSError as error:  # A link to itself, or to where we may not look.
                    _add_unreadable(entry.path, error, skipped)
                    continue
                names.append(name)
                if is_folder:
                    subfolders.add(name)
    except OSError as error:
        _add_unreadable(path, error, skipped)
    names.sort()
    return _Folder(path, prefix, iter(names), subfolders)


def count_extension(name: bytes, skipped: Skipped) -> None:
    """Count a file whose extension was not asked for."""
    stem, dot, extension = name.rpartition(b".")
    if not stem:  # A hidden file, or one without an extension.
        return
    text = os.fsdecode(dot + extension.lower())
    # Bounded, since every file may have an extension of its own.
    if text in skipped.other_extensions or len(skipped.other_extensions) < MAX_EXTENSIONS:
        skipped.other_extensions[text] += 1


def _stat_recording(path: bytes, root: str, file: str, file_filter: FileFilter) -> Recording | None:
    """Return the recording; None if the file was removed or replaced since it was listed."""
    try:
        status = os.stat(path, follow_symlinks=file_filter.follow_links)
    except FileNotFoundError:
        return None
    except OSError:
        return Recording(root, file, None, None)
    if stat.S_ISREG(status.st_mode):
        return Recording(root, file, status.st_size, status.st_mtime_ns)
    return None


def _first_visit(path: bytes, visited: set[tuple[int, int]]) -> bool:
    try:
        status = os.stat(path)
    except OSError:
        return True  # Listing it will fail too, and add the reason to `skipped`.
    identity = (status.st_dev, status.st_ino)
    if identity in visited:
        return False
    visited.add(identity)
    return True


def _add_unreadable(path: bytes, error: OSError, skipped: Skipped) -> None:
    text = for_display(os.fsdecode(path.rstrip(b"/") or b"/"))
    skipped.unreadable.append((text, error.strerror or str(error)))
