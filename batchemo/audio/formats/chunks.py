"""Finds the audio in files of uncompressed formats, and how much of it their headers declare."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import NamedTuple

from batchemo.audio.failure import Failure
from batchemo.audio.file import Piece, ReadAt

# Bounds for hostile files, which would else be read for ever. Real ones stay far below.
_MAX_CHUNKS = 1000
# Streaming writers, which cannot seek back, leave 0, 0x7FFFF000, 0xFFFFFFFF and the like where the
# size of the audio belongs.
_UNKNOWN_SIZE_FROM = 0x7FFF_0000
_UNKNOWN_64_BIT_SIZE_FROM = 1 << 62
# SoX writes this, plus the fields of the chunk, into an AIFF that goes to a pipe.
_UNKNOWN_AIFF_SIZE_FROM = 0x7F00_0000


class _Header(NamedTuple):
    """What is equal in all headers of a format: the size of the audio, of 64 bits, ends each."""

    format_bytes: int
    """The first bytes, which say how the samples are encoded."""
    byte_order: str
    counted: int
    """The bytes that the size counts besides the audio."""
    bytes_after: int
    """The bytes of the header after the size."""


_CAF = _Header(52, ">", counted=4, bytes_after=4)
_W64 = _Header(80, "<", counted=24, bytes_after=0)


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """Where the audio of a file begins, and how many bytes of it the header declares."""

    start: int
    declared_bytes: int | None
    """None if a streaming writer left the size open."""
    pieces: tuple[Piece, ...] = ()
    """What the decoder must read in the place of the file; empty for the file as it is."""

    def missing_bytes(self, size: int) -> int:
        """Return how many declared bytes a file of `size` bytes lacks."""
        if self.declared_bytes is None:
            return 0
        return max(0, self.start + self.declared_bytes - size)


def find_audio_chunk(audio_format: str, read_at: ReadAt, size: int) -> AudioChunk | None:
    """Find the audio of a WAV (RIFF, RIFX, RF64, BW64), AIFF, AU, W64, CAF or NIST file.

    None for compressed formats, and for a file without audio: the decoder reports these itself.
    """
    if audio_format in ("WAV", "RIFX"):
        return _find_in_wav(read_at, size, "<" if audio_format == "WAV" else ">")
    if audio_format in ("AU", "AU-LE"):
        return _find_in_au(read_at, ">" if audio_format == "AU" else "<")
    if audio_format == "NIST":
        return _find_in_nist(read_at)
    find = {"AIFF": _find_in_aiff, "CAF": _find_in_caf, "W64": _find_in_w64}
    return find[audio_format](read_at, size) if audio_format in find else None


def _patched(offset: int, replacement: bytes, size: int) -> tuple[Piece, ...]:
    """Return the pieces of a file of `size` bytes with other bytes at the offset."""
    return range(offset), replacement, range(offset + len(replacement), size)


def _find_in_wav(read_at: ReadAt, size: int, byte_order: str) -> AudioChunk | None:
    offset, size_offset = 12, None
    for _ in range(_MAX_CHUNKS):
        head = read_at(offset, 8)
        if len(head) < 8:
            return None
        (length,) = struct.unpack(byte_order + "I", head[4:])
        start = offset + 8
        if head[:4] == b"ds64":
            size_offset = start + 8
        elif head[:4] == b"data":
            if size_offset is not None and length == 0xFFFF_FFFF:
                return _rf64_chunk(read_at, size, start, size_offset)
            return _riff_chunk(read_at, size, start, length, byte_order)
        offset = start + length + length % 2
    return None


def _rf64_chunk(read_at: ReadAt, size: int, start: int, size_offset: int) -> AudioChunk:
    """Return the audio of an RF64 file, whose 64-bit size stands in its `ds64` chunk."""
    (length,) = struct.unpack("<Q", read_at(size_offset, 8).ljust(8, b"\0"))
    if length == 0 or length >= _UNKNOWN_64_BIT_SIZE_FROM:
        rest = struct.pack("<Q", max(0, size - start))
        return AudioChunk(start, None, _patched(size_offset, rest, size))
    return AudioChunk(start, length)


def _riff_chunk(read_at: ReadAt, size: int, start: int, length: int, byte_order: str) -> AudioChunk:
    """Return the audio of a RIFF file, where the size may be missing."""
    if length >= _UNKNOWN_SIZE_FROM and start + length > size:
        return AudioChunk(start, None)
    # A recorder that was cut off never wrote the size. But if another chunk follows at once, the
    # data chunk is truly empty.
    if length == 0 and size > start and not _is_chunk(read_at(start, 8), size - start, byte_order):
        unknown = struct.pack(byte_order + "I", 0xFFFF_FFFF)
        return AudioChunk(start, None, _patched(start - 4, unknown, size))
    return AudioChunk(start, length)


def _is_chunk(head: bytes, remaining: int, byte_order: str) -> bool:
    """Whether `head` begins a chunk that fits into the `remaining` bytes of the file."""
    if len(head) < 8 or not all(0x20 <= byte < 0x7F for byte in head[:4]):
        return False
    (length,) = struct.unpack(byte_order + "I", head[4:])
    return bool(8 + length <= remaining)


def _find_in_aiff(read_at: ReadAt, size: int) -> AudioChunk | None:
    offset = 12
    for _ in range(_MAX_CHUNKS):
        head = read_at(offset, 8)
        if len(head) < 8:
            return None
        (length,) = struct.unpack(">I", head[4:])
        if head[:4] == b"SSND":
            is_open = length >= _UNKNOWN_AIFF_SIZE_FROM and offset + 8 + length > size
            unknown = length == 0 or length >= _UNKNOWN_SIZE_FROM or is_open
            return AudioChunk(offset + 8, None if unknown else length)
        offset += 8 + length + length % 2
    return None


def _find_in_w64(read_at: ReadAt, size: int) -> AudioChunk | None:
    offset = 40
    for _ in range(_MAX_CHUNKS):
        head = read_at(offset, 24)
        if len(head) < 24:
            return None
        # A W64 chunk is aligned to 8 bytes, and its size counts its own header of 24 bytes.
        (length,) = struct.unpack("<Q", head[16:])
        if head[:4] == b"data":
            is_empty = length <= _W64.counted
            piped = _between_headers(read_at, size, offset + 24, _W64) if is_empty else None
            unknown = is_empty or length >= _UNKNOWN_64_BIT_SIZE_FROM
            return piped or AudioChunk(offset + 24, None if unknown else length - 24)
        offset += max(24, (length + 7) // 8 * 8)
    return None


def _between_headers(
    read_at: ReadAt, size: int, header_bytes: int, header: _Header
) -> AudioChunk | None:
    """Return the audio of a CAF or W64 that SoX wrote into a pipe; None for all others.

    SoX writes these two by libsndfile, which goes back to replace the header when it knows more. In
    a pipe, the second header follows the first, and a last one ends the file.
    """
    first = read_at(0, header.format_bytes)
    if read_at(header_bytes, len(first)) != first:
        return None
    start, end = 2 * header_bytes, size - header_bytes
    if end < start or read_at(end, len(first)) != first:
        detail = "SoX wrote this into a pipe, and the header that belongs at the end is missing"
        raise Failure("truncated", detail)
    length = struct.pack(header.byte_order + "Q", end - start + header.counted)
    at = header_bytes - 8 - header.bytes_after
    pieces = (range(at), length, range(at + 8, header_bytes), range(start, end))
    return AudioChunk(start, end - start, pieces)


def _find_in_au(read_at: ReadAt, byte_order: str) -> AudioChunk | None:
    head = read_at(4, 8)
    if len(head) < 8:
        return None
    start, length = struct.unpack(byte_order + "II", head)
    return AudioChunk(start, None if length >= _UNKNOWN_SIZE_FROM else length)


def _find_in_caf(read_at: ReadAt, size: int) -> AudioChunk | None:
    offset = 8
    for _ in range(_MAX_CHUNKS):
        head = read_at(offset, 12)
        if len(head) < 12:
            return None
        (length,) = struct.unpack(">Q", head[4:])
        if head[:4] == b"data":  # Its first four bytes count edits; the audio follows them.
            if length >= _UNKNOWN_64_BIT_SIZE_FROM:
                # -1, which libsndfile refuses although the format allows it in the last chunk.
                rest = struct.pack(">Q", max(0, size - offset - 12))
                return AudioChunk(offset + 16, None, _patched(offset + 4, rest, size))
            is_empty = length <= _CAF.counted
            piped = _between_headers(read_at, size, offset + 16, _CAF) if is_empty else None
            return piped or AudioChunk(offset + 16, None if length < 4 else length - 4)
        offset += 12 + length
    return None


def _find_in_nist(read_at: ReadAt) -> AudioChunk | None:
    """Read a NIST SPHERE header, which is text, padded to the length that it states."""
    head = read_at(0, 1024)
    header_length = re.match(rb"NIST_1A\n *([0-9]{1,9})\n", head)
    fields = {
        name: int(value)
        for name, value in re.findall(rb"^([a-z_]+) -i ([0-9]{1,18})$", head, re.MULTILINE)
    }
    if not header_length or not fields.get(b"sample_count"):
        return None
    samples = fields[b"sample_count"] * fields.get(b"channel_count", 1)
    return AudioChunk(int(header_length[1]), samples * fields.get(b"sample_n_bytes", 1))
