"""Recordings named in a list, one an entry, as `find` and other programs write it."""

# Paths stay the strings they are: pathlib rewrites them, and costs more than the look-up itself.

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

from batchemo.common.text import for_display
from batchemo.sources.filters import Rules
from batchemo.sources.recording import Recording, Skipped, look_up, place
from batchemo.sources.walk import walk

_BLOCK = 1 << 16
# No system opens a longer path, so more of an entry is never kept.
_LONGEST = 1 << 15
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_list(
    stream: BinaryIO, title: str, null_separated: bool, base: str, rules: Rules, skipped: Skipped
) -> Iterator[Recording]:
    """Yield what the entries name: a folder is walked, a file that is not there is yielded too."""
    for number, raw in enumerate(_split(stream, b"\0" if null_separated else b"\n"), 1):
        entry = raw if null_separated else _line(raw, number)
        if not entry:
            continue
        problem = _problem(entry)
        if not problem:
            root, file = place(os.fsdecode(entry), base)
            path = os.path.join(root, file)
            recording = look_up(root, file)
            if recording is not None:
                if rules.choose(file):
                    yield recording
            elif os.path.isdir(path):
                yield from walk(path, rules, skipped)
            else:
                problem = f"{for_display(path)} is no regular file"
        if problem:
            skipped.rejected.append((f"entry {number} of {title}", problem))


def _split(stream: BinaryIO, separator: bytes) -> Iterator[bytes]:
    """Yield entries as soon as they arrive; of one without end only the start is kept."""
    rest = b""
    # read1 waits for no more than the other end of a pipe has written.
    while block := stream.read1(_BLOCK):  # type: ignore[attr-defined]
        *entries, rest = (rest + block).split(separator)
        yield from entries
        if len(rest) > _LONGEST:
            rest = rest[: _LONGEST + 1]
    if rest:
        yield rest


def _line(raw: bytes, number: int) -> bytes:
    line = raw.removesuffix(b"\r")
    return line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line


def _problem(entry: bytes) -> str:
    if len(entry) > _LONGEST:
        return "it is longer than any path: are the entries separated otherwise (see -0)?"
    if b"\0" in entry:
        return "it holds a NUL byte: are the entries separated by NUL (see -0)?"
    return ""
