"""Whether an Ogg file is whole, and one: else libsndfile makes up sound, or leaves some out.

What it makes up where a page is missing can be whatever lay in its memory, another recording too.
Of several streams that follow each other it reads the first.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from batchemo.audio.failure import Failure
from batchemo.audio.formats.mp3 import ReadAt

_HEAD = struct.Struct("<4sBBqIII")
_FIRST_PAGE, _LAST_PAGE = 0x02, 0x04
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


def find_ogg_damage(read_at: ReadAt, size: int) -> Failure | None:
    """Say why not all of an Ogg file would be heard as it was; None where it is whole."""
    streams: dict[int, _Stream] = {}
    place = 0
    while place < size:
        page = _page(read_at, place)
        if page is None:
            # Behind the end of all streams, tags and padding do no harm.
            break
        _, _, flags, position, serial, number, checksum = _HEAD.unpack_from(page)
        if _checksum(page) != checksum:
            return Failure("truncated", f"the Ogg page at byte {place:,} is damaged")
        if flags & _FIRST_PAGE and streams and _all_ended(streams):
            found = f"another Ogg stream follows the first at byte {place:,}: cut the file there"
            return Failure("unsupported", found)
        before = streams.get(serial)
        if before is not None and number != (before.number + 1) % 2**32:
            return Failure("truncated", f"an Ogg page before byte {place:,} is missing")
        if position == _NO_POSITION:
            position = before.position if before else 0
        elif before is not None and position < before.position:
            return Failure("truncated", f"the Ogg page at byte {place:,} is out of order")
        streams[serial] = _Stream(number, position, bool(flags & _LAST_PAGE))
        place += len(page)
    if not streams or not _all_ended(streams):
        return Failure("truncated", f"the Ogg stream breaks off at byte {place:,}")
    return None


def _all_ended(streams: Mapping[int, _Stream]) -> bool:
    return all(stream.ended for stream in streams.values())


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
