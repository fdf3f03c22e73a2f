"""Knows the frames of an MP3, and finds the first where it begins with something else.

Many do: streams that were recorded begin in the midst of a frame; editors leave zeros or tags of
their own; a server says what it sends before it does.
"""

from __future__ import annotations

import re
from collections.abc import Callable

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
    place = find_row(read_at(start, LOOK + IN_A_ROW * LONGEST), 0, LOOK)
    return None if place is None else start + place


def find_row(content: bytes, start: int, end: int, kind: Kind | None = None) -> int | None:
    """Give the first place where frames of layer III, of one kind, follow each other."""
    for found in _SYNC.finditer(content, start, end):
        place = found.start()
        if begins_a_row(content, place, kind):
            return place
    return None


def begins_a_row(content: bytes, place: int = 0, kind: Kind | None = None) -> bool:
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
