"""Gives an MP3 the index that it lacks, so that all of it is heard.

libsndfile reads as many frames as the first one tells. Where that has no index of them, the number
is guessed from the first frame's bitrate, which is far off if the bitrate varies; where a file is
several in a row, the index is of the first alone. In both cases the rest would be lost unnoticed.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from batchemo.audio.failure import Failure
from batchemo.audio.formats.mpeg import (
    IN_A_ROW,
    LONGEST,
    LOOK,
    ReadAt,
    begins_a_row,
    find_row,
    frame_length,
    is_mono,
    is_mpeg_1,
    kind_of_frame,
)

_HAS_FRAMES, _HAS_BYTES = 1, 2
_VBRI_AT = 36
# What stands behind the last frame, and how an encoder counts, make so much of a difference.
_TOLERANCE = 0.02
_CHUNK = 1 << 18
_NO_CHECKSUM = 1
_INDEX_KILOBITS = {True: 5, False: 8}
"""By version: the code of 64 kbit/s, at which a frame has room for an index at every rate."""


class Index(NamedTuple):
    """What a file's first frame tells of all others; 0 for what it does not tell."""

    frames: int
    bytes: int


def index_of(frame: bytes) -> Index | None:
    """Read the index that stands in a frame in the place of sound; None where there is sound."""
    for checksum in (0, 2):
        place = _side(frame) + checksum
        if frame[place : place + 4] in (b"Xing", b"Info"):
            (flags,) = _numbers(frame, place + 4, 1)
            told = iter(_numbers(frame, place + 8, 2))
            frames = next(told) if flags & _HAS_FRAMES else 0
            return Index(frames, next(told) if flags & _HAS_BYTES else 0)
    if frame[_VBRI_AT : _VBRI_AT + 4] == b"VBRI":
        size, frames = _numbers(frame, _VBRI_AT + 10, 2)
        return Index(frames, size)
    return None


class Supplement(NamedTuple):
    """A frame with an index, and the place of the first frame of sound, which goes behind it."""

    frame: bytes
    sound: int


def right_index(read_at: ReadAt, place: int, size: int) -> Supplement | None:
    """Give the index that a file should have had.

    `place` is that of the file's first frame. None where the file's own index counts all frames,
    or more than there are, and where the sound begins with no row of frames that tell their length.
    Raises `Failure` where frames of another rate follow, which libsndfile cannot read with these.
    """
    first = read_at(place, 4)
    length = frame_length(first)
    if not length:
        return None
    index = index_of(read_at(place, length))
    sound = place if index is None else place + length
    if index and index.frames and index.bytes >= (size - place) * (1 - _TOLERANCE):
        return None
    if not begins_a_row(read_at(sound, IN_A_ROW * LONGEST)):
        return None
    frames, end = count_frames(read_at, sound, size)
    other = find_row(read_at(end, LOOK + IN_A_ROW * LONGEST), 0, LOOK)
    if other is not None:
        found = f"frames of another kind follow at byte {end + other:,}: cut the file there"
        raise Failure("unsupported", found)
    if index and index.frames >= frames * (1 - _TOLERANCE):
        return None
    return Supplement(make_index(first, frames), sound)


def count_frames(read_at: ReadAt, place: int, size: int) -> tuple[int, int]:
    """Count the frames from `place` on that are like the first, over whatever lies between them.

    Gives their number and where the last one ends.
    """
    first = read_at(place, 4)
    frames, end, chunk, start = 0, place, b"", place
    while place < size and frame_length(first):
        if place + IN_A_ROW * LONGEST > start + len(chunk) < size:
            chunk, start = read_at(place, _CHUNK), place
        head = chunk[place - start : place - start + 4]
        length = frame_length(head)
        if length and kind_of_frame(head) == kind_of_frame(first):
            frames += 1
            end = place = place + length
            continue
        found = find_row(chunk, place - start, len(chunk), kind_of_frame(first))
        if found is not None:
            place = start + found
        elif place != start:
            chunk, start = read_at(place, _CHUNK), place
        else:
            break  # so much of something else lies behind the last frame, not between two
    return frames, end


def make_index(head: bytes, frames: int) -> bytes:
    """A frame like the one that begins with `head`, with an index in the place of sound."""
    code = _INDEX_KILOBITS[is_mpeg_1(head)] << 4
    plain = bytes([head[0], head[1] | _NO_CHECKSUM, head[2] & 0x0C | code, head[3]])
    told = struct.pack(">4sII", b"Xing", _HAS_FRAMES, frames)
    return (plain + bytes(_side(head) - 4) + told).ljust(frame_length(plain), b"\0")


def _side(head: bytes) -> int:
    """The place in a frame where an index stands: behind the header and the side information."""
    if is_mpeg_1(head):
        return 4 + (17 if is_mono(head) else 32)
    return 4 + (9 if is_mono(head) else 17)


def _numbers(frame: bytes, place: int, count: int) -> tuple[int, ...]:
    return struct.unpack(f">{count}I", frame[place : place + 4 * count].ljust(4 * count, b"\0"))
