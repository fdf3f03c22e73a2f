"""Checks that an Ogg stream is complete, and finds the streams that follow each other in a file.

Where a page is missing, libsndfile fills the gap with what lies in its memory, which can be audio
of another recording. Of several streams that follow each other it decodes only the first.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from batchemo.audio.failure import Failure
from batchemo.audio.file import ReadAt

_PAGE_HEADER = struct.Struct("<4sBBqIII")
_FIRST_PAGE, _LAST_PAGE = 0x02, 0x04
_NO_POSITION = -1
_CHECKSUM = slice(22, 26)
# Ogg's CRC is zlib's with the bits of each byte, and of the result, in reverse order. Mirroring
# the bytes makes zlib's C code usable; a loop over the bytes in Python would be far slower.
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(slots=True)
class _Stream:
    """The last page seen of one of the streams in a file."""

    page_number: int
    position: int
    ended: bool


def find_ogg_streams(read_at: ReadAt, size: int) -> list[int]:
    """Return where the streams of an Ogg file begin that follow each other.

    Streams that lie within each other count as one, which begins where the first of them does.
    """
    starts: list[int] = []
    unfinished: set[int] = set()
    offset = 0
    while offset < size and (head := _read_page_head(read_at, offset)):
        _, _, flags, _, serial, *_ = _PAGE_HEADER.unpack_from(head)
        if flags & _FIRST_PAGE:
            if not unfinished:
                starts.append(offset)
            unfinished.add(serial)
        if flags & _LAST_PAGE:
            unfinished.discard(serial)
        offset += _page_length(head)
    return starts


def find_ogg_damage(read_at: ReadAt, size: int) -> Failure | None:
    """Return why an Ogg file of `size` bytes cannot be decoded faithfully; None if it can."""
    streams: dict[int, _Stream] = {}
    offset = 0
    while offset < size:
        page = _read_page(read_at, offset)
        if page is None:
            # After the end of all streams, tags and padding do no harm.
            break
        _, _, flags, position, serial, number, checksum = _PAGE_HEADER.unpack_from(page)
        if _checksum(page) != checksum:
            return Failure("truncated", f"the Ogg page at byte {offset:,} is damaged")
        if flags & _FIRST_PAGE and streams and _all_ended(streams):
            detail = f"another Ogg stream follows the first at byte {offset:,}: cut the file there"
            return Failure("unsupported", detail)
        previous = streams.get(serial)
        if previous is not None and number != (previous.page_number + 1) % 2**32:
            return Failure("truncated", f"an Ogg page before byte {offset:,} is missing")
        if position == _NO_POSITION:
            position = previous.position if previous else 0
        elif previous is not None and position < previous.position:
            # libsndfile would take the step back for a gap of up to 2**63 samples.
            return Failure("truncated", f"the Ogg page at byte {offset:,} is out of order")
        streams[serial] = _Stream(number, position, bool(flags & _LAST_PAGE))
        offset += len(page)
    if not streams or not _all_ended(streams):
        return Failure("truncated", f"the Ogg stream breaks off at byte {offset:,}")
    return None


def _all_ended(streams: Mapping[int, _Stream]) -> bool:
    return all(stream.ended for stream in streams.values())


def _read_page(read_at: ReadAt, offset: int) -> bytes | None:
    """Read the page that begins at the offset; None if none does, or it is incomplete."""
    head = _read_page_head(read_at, offset)
    length = _page_length(head) if head else 0
    page = read_at(offset, length)
    return page if head and len(page) == length else None


def _read_page_head(read_at: ReadAt, offset: int) -> bytes | None:
    """Read the header of the page that begins at the offset; None if none does."""
    head = read_at(offset, 27 + 255)
    return head if len(head) >= 27 and head.startswith(b"OggS\0") else None


def _page_length(head: bytes) -> int:
    """Return the bytes of the page with this header, all of whose segments it lists."""
    segment_lengths = head[27 : 27 + head[26]]
    return 27 + head[26] + sum(segment_lengths)


def _checksum(page: bytes) -> int:
    """Compute the checksum of a page, which counts its own field as 0."""
    blank = bytearray(page)
    blank[_CHECKSUM] = bytes(4)
    mirrored = zlib.crc32(blank.translate(_MIRRORED), 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    return int.from_bytes(mirrored.to_bytes(4, "little").translate(_MIRRORED), "big")
