"""Finds the FLAC streams that follow each other in a file."""

from __future__ import annotations

import re

from batchemo.audio.file import ReadAt

_MARK = b"fLaC"
_START = re.compile(_MARK + rb"[\x00\x80]\x00\x00\x22")
"""The mark of a stream and the header of its first block, which always has 34 bytes."""
_START_BYTES = 8
_SEARCH_BYTES = 1 << 20


def find_flac_streams(read_at: ReadAt, first: int, size: int) -> list[int]:
    """Return where the streams of a file of `size` bytes begin; `first` is where the first does.

    A decoder stops at the end of the first one, without an error.
    """
    starts = [first]
    offset = first + _START_BYTES
    while offset < size:
        content = read_at(offset, min(_SEARCH_BYTES, size - offset))
        # Faster than a search for the regular expression.
        found = content.find(_MARK)
        while found >= 0:
            if _START.match(content, found):
                starts.append(offset + found)
            found = content.find(_MARK, found + 1)
        if len(content) < _SEARCH_BYTES:
            break
        # Overlapping, since a start may lie across two pieces.
        offset += _SEARCH_BYTES - _START_BYTES + 1
    return starts
