"""Whether an Ogg file is whole: where a page is missing, libsndfile makes up the sound.

What it makes up can be whatever lay in its memory, another recording too.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from batchemo.audio.mpeg import ReadAt

_HEAD = struct.Struct("<4sBBqIII")
_LAST_PAGE = 0x04
_NO_POSITION = -1
_CHECKSUM = slice(22, 26)
# Ogg's checksum is zlib's with each byte, and the result, read from the other end.
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(slots=True)
class _Stream:
    """How far one of the streams in a file has come."""

    number: int
    position: int
    ended: bool


def flaw_of_ogg(read_at: ReadAt, size: int) -> str | None:
    """Say what is damaged or missing of an Ogg file; None where it is whole."""
    streams: dict[int, _Stream] = {}
    place = 0
    while place < size:
        page = _page(read_at, place)
        if page is None:
            # Behind the end of all streams, tags and padding do no harm.
            break
        _, _, flags, position, serial, number, checksum = _HEAD.unpack_from(page)
        if _checksum(page) != checksum:
            return f"the Ogg page at byte {place:,} is damaged"
        before = streams.get(serial)
        if before is not None and number != (before.number + 1) % 2**32:
            return f"an Ogg page before byte {place:,} is missing"
        if position == _NO_POSITION:
            position = before.position if before else 0
        elif before is not None and position < before.position:
            return f"the Ogg page at byte {place:,} is out of order"
        streams[serial] = _Stream(number, position, bool(flags & _LAST_PAGE))
        place += len(page)
    if not streams or not all(stream.ended for stream in streams.values()):
        return f"the Ogg stream breaks off at byte {place:,}"
    return None


def _page(read_at: ReadAt, place: int) -> bytes | None:
    """Read the page that begins at a place; None where none does, or not all of it is there."""
    head = read_at(place, 27 + 255)
    if len(head) < 27 or not head.startswith(b"OggS\0"):
        return None
    lacing = head[27 : 27 + head[26]]
    page = read_at(place, 27 + head[26] + sum(lacing))
    return page if len(page) == 27 + head[26] + sum(lacing) else None


def _checksum(page: bytes) -> int:
    """Compute the checksum of a page, as if its own were 0."""
    blank = bytearray(page)
    blank[_CHECKSUM] = bytes(4)
    mirrored = zlib.crc32(blank.translate(_MIRRORED), 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    return int.from_bytes(mirrored.to_bytes(4, "little").translate(_MIRRORED), "big")
