"""Finds the first frame of an MP3 that begins with something else, as many do.

Streams that were recorded begin in the midst of a frame; editors leave zeros or tags of their own;
a server says what it sends before it does.
"""

from __future__ import annotations

import re
from collections.abc import Callable

ReadAt = Callable[[int, int], bytes]

LOOK = 1 << 16
"""So many bytes may stand before the first frame."""
IN_A_ROW = 3
"""So many frames, each where the last one ends, are no accident."""

_MPEG_1, _LAYER_3 = 3, 1
_KILOBITS = {
    True: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""For MPEG-1, and for its later versions of lower rates."""
_RATES = (44_100, 48_000, 32_000)
_SHIFTS = {3: 0, 2: 1, 0: 2}
"""By version: how often the rate is halved."""
_LONGEST = 1441


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
    content = read_at(start, LOOK + IN_A_ROW * _LONGEST)
    for found in re.finditer(rb"\xff(?=[\xe2\xe3\xf2\xf3\xfa\xfb])", content[:LOOK]):
        if _begins_a_row(content, found.start()):
            return start + found.start()
    return None


def _begins_a_row(content: bytes, place: int) -> bool:
    """Whether frames of layer III, of one version and one rate, follow each other from here."""
    kind = None
    for _ in range(IN_A_ROW):
        head = content[place : place + 4]
        length = _length(head) if is_frame(head) else 0
        if not length or kind not in (None, (head[1] & 0xFE, head[2] & 0x0C)):
            return False
        kind = head[1] & 0xFE, head[2] & 0x0C
        place += length
    return True


def _length(head: bytes) -> int:
    """Count the bytes of a frame; 0 where its header does not tell."""
    version, index = head[1] >> 3 & 3, head[2] >> 4
    if index == 0 or head[1] >> 1 & 3 != _LAYER_3:
        return 0
    first = version == _MPEG_1
    rate = _RATES[head[2] >> 2 & 3] >> _SHIFTS[version]
    padding = head[2] >> 1 & 1
    return (144 if first else 72) * 1000 * _KILOBITS[first][index - 1] // rate + padding
