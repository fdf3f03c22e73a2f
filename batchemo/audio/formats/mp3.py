"""Knows the frames of an MP3, and makes the index that a file lacks."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import NamedTuple

from batchemo.audio.failure import Failure

ReadAt = Callable[[int, int], bytes]
Kind = tuple[int, int]

LOOK = 1 << 16
"""So many bytes may stand before the first frame."""
IN_A_ROW = 3
"""So many frames, each where the last one ends, are no accident."""

_MPEG_1, _LAYER_3, _MONO = 3, 1, 3
_KILOBITS = {
    True: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""For MPEG-1, and for its later versions of lower rates."""
_RATES = (44_100, 48_000, 32_000)
_SHIFTS = {3: 0, 2: 1, 0: 2}
"""By version: how often the rate is halved."""
LONGEST = 1441
"""So many bytes a frame can have."""
_SYNC = re.compile(rb"\xff(?=[\xe2\xe3\xf2\xf3\xfa\xfb])")


def is_frame(head: bytes) -> bool:
    """Whether these bytes begin a frame of MPEG audio: sync, and no value that is reserved."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    return version != 1 and layer != 0 and head[2] >> 4 != 15 and head[2] >> 2 & 3 != 3


def find_frame(read_at: ReadAt, start: int) -> int | None:
    """Give the place of the first frame from `start` on; None where there is none near.

    Where one begins at once, it is believed; elsewhere several must follow each other.
    """
    if is_frame(read_at(start, 4)):
        return start
    place = find_frame_sequence(read_at(start, LOOK + IN_A_ROW * LONGEST), 0, LOOK)
    return None if place is None else start + place


def find_frame_sequence(
    content: bytes, start: int, end: int, kind: Kind | None = None
) -> int | None:
    """Give the first place where frames of layer III, of one kind, follow each other."""
    for found in _SYNC.finditer(content, start, end):
        place = found.start()
        if starts_frame_sequence(content, place, kind):
            return place
    return None


def starts_frame_sequence(content: bytes, place: int = 0, kind: Kind | None = None) -> bool:
    """Whether frames of layer III, of one kind, follow each other from this place on."""
    for _ in range(IN_A_ROW):
        head = content[place : place + 4]
        length = frame_length(head)
        if not length or kind not in (None, kind_of_frame(head)):
            return False
        kind = kind_of_frame(head)
        place += length
    return True


def kind_of_frame(head: bytes) -> Kind:
    """What all frames of a recording have in common: the version and the rate."""
    return head[1] & 0xFE, head[2] & 0x0C


def is_mpeg_1(head: bytes) -> bool:
    """Whether a frame is of the first version, not of the later ones of lower rates."""
    return head[1] >> 3 & 3 == _MPEG_1


def is_mono(head: bytes) -> bool:
    """Whether a frame holds one channel."""
    return head[3] >> 6 == _MONO


def frame_length(head: bytes) -> int:
    """Count the bytes of the frame that begins so; 0 where it does not tell, or is none."""
    if not is_frame(head) or head[2] >> 4 == 0 or head[1] >> 1 & 3 != _LAYER_3:
        return 0
    first, kilobits = is_mpeg_1(head), head[2] >> 4
    rate = _RATES[head[2] >> 2 & 3] >> _SHIFTS[head[1] >> 3 & 3]
    padding = head[2] >> 1 & 1
    return (144 if first else 72) * 1000 * _KILOBITS[first][kilobits - 1] // rate + padding


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


def read_index(frame: bytes) -> Index | None:
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


class AddedIndex(NamedTuple):
    """A frame with an index, and the place of the first frame of sound, which goes behind it."""

    frame: bytes
    sound: int


def missing_index(read_at: ReadAt, place: int, size: int) -> AddedIndex | None:
    """Give the index that a file should have had.

    `place` is that of the file's first frame. None where the file's own index counts all frames,
    or more than there are, and where the sound begins with no row of frames that tell their length.
    Raises `Failure` where frames of another rate follow, which libsndfile cannot read with these.
    """
    first = read_at(place, 4)
    length = frame_length(first)
    if not length:
        return None
    index = read_index(read_at(place, length))
    sound = place if index is None else place + length
    if index and index.frames and index.bytes >= (size - place) * (1 - _TOLERANCE):
        return None
    if not starts_frame_sequence(read_at(sound, IN_A_ROW * LONGEST)):
        return None
    frames, end = count_frames(read_at, sound, size)
    other = find_frame_sequence(read_at(end, LOOK + IN_A_ROW * LONGEST), 0, LOOK)
    if other is not None:
        found = f"frames of another kind follow at byte {end + other:,}: cut the file there"
        raise Failure("unsupported", found)
    if index and index.frames >= frames * (1 - _TOLERANCE):
        return None
    return AddedIndex(make_index(first, frames), sound)


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
        found = find_frame_sequence(chunk, place - start, len(chunk), kind_of_frame(first))
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
