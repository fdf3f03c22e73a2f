"""Reads a list of files and folders, one an entry, as `find` and other programs write it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

from batchemo.common.text import for_display
from batchemo.errors import UsageError
from batchemo.sources.filters import FileFilter
from batchemo.sources.objects import Named, look_up, walk_bucket
from batchemo.sources.recording import Recording, Skipped, split_path
from batchemo.sources.walk import walk
from batchemo.storage.url import is_bucket

_BLOCK_BYTES = 1 << 16
# No system opens a longer path, so no more of an entry is kept: a file that is no list at all, such
# as a recording, must not fill the memory.
_MAX_ENTRY_BYTES = 1 << 15
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_list(
    stream: BinaryIO,
    title: str,
    null_separated: bool,
    base: str,
    file_filter: FileFilter,
    skipped: Skipped,
) -> Iterator[Recording]:
    """Yield the recordings that the entries name; a folder is walked, a missing file is yielded.

    A bucket, and a URL in one that ends in a slash, is what a folder is elsewhere.

    Entries that name no recording are counted by `skipped`, with `title` for the list.
    """
    names = _names(stream, title, null_separated, base, skipped)
    for named, recording in look_up(names):
        path = os.path.join(named.root, named.file)
        if recording is not None:
            if file_filter.accepts(named.file):
                yield recording
        elif is_bucket(named.root):
            yield from walk_bucket(named.root, file_filter, skipped)
        elif os.path.isdir(path):
            yield from walk(path, file_filter, skipped)
        else:
            problem = f"{for_display(path)} is no regular file"
            skipped.reject(f"entry {named.number} of {title}", problem)


def _names(
    stream: BinaryIO, title: str, null_separated: bool, base: str, skipped: Skipped
) -> Iterator[Named]:
    for number, raw in enumerate(_split(stream, b"\0" if null_separated else b"\n"), 1):
        entry = raw if null_separated else _strip_line(raw, number)
        if not entry:
            continue
        problem = _problem(entry)
        if problem:
            skipped.reject(f"entry {number} of {title}", problem)
            continue
        name = os.fsdecode(entry)
        try:
            root, file, access = split_path(name, base)
        except UsageError as error:
            skipped.reject(f"entry {number} of {title}", str(error))
            continue
        if is_bucket(name) and name.endswith("/"):
            root, file = name.rstrip("/"), ""
        yield Named(root, file, number, access=access)


def _split(stream: BinaryIO, separator: bytes) -> Iterator[bytes]:
    """Yield entries as soon as they arrive; of one that never ends only the start is kept."""
    remainder = b""
    # read1 returns what the other end of a pipe has written; read would wait for a whole block.
    while block := stream.read1(_BLOCK_BYTES):  # type: ignore[attr-defined]
        *entries, remainder = (remainder + block).split(separator)
        yield from entries
        if len(remainder) > _MAX_ENTRY_BYTES:
            # One byte more than allowed, so that the entry is rejected and not taken for a path.
            remainder = remainder[: _MAX_ENTRY_BYTES + 1]
    if remainder:
        yield remainder


def _strip_line(raw: bytes, number: int) -> bytes:
    """Remove what editors on Windows add: a carriage return, and a mark before the first line."""
    line = raw.removesuffix(b"\r")
    return line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line


def _problem(entry: bytes) -> str:
    """Return why an entry cannot be a path; empty if it can."""
    if len(entry) > _MAX_ENTRY_BYTES:
        return "it is longer than any path: are the entries separated otherwise (see -0)?"
    if b"\0" in entry:
        return "it holds a NUL byte: are the entries separated by NUL (see -0)?"
    return ""
