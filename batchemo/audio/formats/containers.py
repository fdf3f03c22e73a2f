"""Detects the format of a file by its first bytes, and reads how much audio its header declares."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Literal, TypeAlias

from batchemo.audio.file import ReadAt
from batchemo.audio.formats.media import MediaFormat, detect_media
from batchemo.audio.formats.mp3 import find_frame

SndfileFormat: TypeAlias = Literal[
    "WAV", "RIFX", "AIFF", "AU", "AU-LE", "W64", "CAF", "NIST", "FLAC", "OGG", "MP3"
]
"""`RIFX` and `AU-LE` are a WAV and an AU file in the other byte order."""
Format: TypeAlias = SndfileFormat | MediaFormat

# The first bytes, those from the eighth on, and the format that they identify.
_SIGNATURES: tuple[tuple[bytes, bytes, SndfileFormat], ...] = (
    (b"RIFF", b"WAVE", "WAV"),
    (b"RF64", b"WAVE", "WAV"),
    (b"BW64", b"WAVE", "WAV"),
    (b"RIFX", b"WAVE", "RIFX"),
    (b"FORM", b"AIFF", "AIFF"),
    (b"FORM", b"AIFC", "AIFF"),
    (b".snd", b"", "AU"),
    (b"dns.", b"", "AU-LE"),
    (b"riff", b"", "W64"),
    (b"caff", b"", "CAF"),
    (b"NIST", b"", "NIST"),
    (b"fLaC", b"", "FLAC"),
    (b"OggS", b"", "OGG"),
)
# Bounds for hostile files, which would else be read for ever. Real ones stay far below.
_MAX_TAGS = 10
_MAX_CHUNKS = 1000
# Streaming writers, which cannot seek back, leave 0, 0x7FFFF000, 0xFFFFFFFF and the like where the
# size of the audio belongs.
_UNKNOWN_SIZE_FROM = 0x7FFF_0000
_UNKNOWN_64_BIT_SIZE_FROM = 1 << 62
# SoX writes this, plus the fields of the chunk, into an AIFF that goes to a pipe.
_UNKNOWN_AIFF_SIZE_FROM = 0x7F00_0000
_FLAC_START = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")
"""The mark of a FLAC stream and the header of its first block, which always has 34 bytes."""
_FLAC_START_BYTES = 8
_SEARCH_BYTES = 1 << 20


def detect_format(read_at: ReadAt) -> Format | None:
    """Return the format that a file begins as; None for all that is not supported.

    >>> detect_format(lambda offset, count: b"RIFF....WAVEfmt "[offset : offset + count])
    'WAV'
    >>> detect_format(lambda offset, count: b"MATLAB 5.0 MAT-file"[offset : offset + count])
    """
    head = read_at(0, 12)
    for first, eighth, audio_format in _SIGNATURES:
        if head.startswith(first) and head.startswith(eighth, 8):
            # Of the codecs in Ogg, libsndfile lacks FLAC.
            return (detect_media(read_at, 0) or "OGG") if audio_format == "OGG" else audio_format
    return _detect_after_tags(read_at)


def _detect_after_tags(read_at: ReadAt) -> Format | None:
    """Detect what follows the ID3 tags that may open an MP3 or, by custom, a FLAC file."""
    offset = end_of_tags(read_at)
    if offset is None:
        return None
    if read_at(offset, 4) == b"fLaC":
        return "FLAC"
    # Before MP3, which may begin after bytes of all kinds.
    media_format = detect_media(read_at, offset)
    if media_format is not None:
        return media_format
    return None if find_frame(read_at, offset) is None else "MP3"


def end_of_tags(read_at: ReadAt) -> int | None:
    """Return the offset after the ID3 tags that open a file; None if there are too many of them."""
    offset = 0
    for _ in range(_MAX_TAGS):
        head = read_at(offset, 10)
        if head[:3] != b"ID3" or len(head) < 10:
            return offset
        digits = zip(head[6:], (21, 14, 7, 0), strict=True)  # of seven bits each
        offset += 10 + sum((byte & 0x7F) << shift for byte, shift in digits)
    return None


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """Where the audio of a file begins, and how many bytes of it the header declares."""

    start: int
    declared_bytes: int | None
    """None if a streaming writer left the size open."""
    patch: tuple[int, bytes] | None = None
    """An offset, and the bytes to put there for the audio to be read to the file's end."""

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
    if audio_format == "AIFF":
        return _find_in_aiff(read_at, size)
    if audio_format == "CAF":
        return _find_in_caf(read_at, size)
    find = {"W64": _find_in_w64, "NIST": _find_in_nist}
    return find[audio_format](read_at) if audio_format in find else None


def find_next_flac(read_at: ReadAt, size: int) -> int | None:
    """Return where a second FLAC stream begins in a file; None if there is only one.

    A decoder stops at the end of the first one, without an error.
    """
    first = end_of_tags(read_at) or 0
    offset = first + _FLAC_START_BYTES
    while offset < size:
        content = read_at(offset, _SEARCH_BYTES)
        match = _FLAC_START.search(content)
        if match:
            return offset + match.start()
        if len(content) < _SEARCH_BYTES:
            break
        # Overlapping, since the mark may lie across two pieces.
        offset += _SEARCH_BYTES - _FLAC_START_BYTES
    return None


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
        return AudioChunk(start, None, (size_offset, struct.pack("<Q", max(0, size - start))))
    return AudioChunk(start, length)


def _riff_chunk(read_at: ReadAt, size: int, start: int, length: int, byte_order: str) -> AudioChunk:
    """Return the audio of a RIFF file, where the size may be missing."""
    if length >= _UNKNOWN_SIZE_FROM and start + length > size:
        return AudioChunk(start, None)
    # A recorder that was cut off never wrote the size. But if another chunk follows at once, the
    # data chunk is truly empty.
    if length == 0 and size > start and not _is_chunk(read_at(start, 8), size - start, byte_order):
        return AudioChunk(start, None, (start - 4, struct.pack(byte_order + "I", 0xFFFF_FFFF)))
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


def _find_in_w64(read_at: ReadAt) -> AudioChunk | None:
    offset = 40
    for _ in range(_MAX_CHUNKS):
        head = read_at(offset, 24)
        if len(head) < 24:
            return None
        # A W64 chunk is aligned to 8 bytes, and its size counts its own header of 24 bytes.
        (length,) = struct.unpack("<Q", head[16:])
        if head[:4] == b"data":
            unknown = length <= 24 or length >= _UNKNOWN_64_BIT_SIZE_FROM
            return AudioChunk(offset + 24, None if unknown else length - 24)
        offset += max(24, (length + 7) // 8 * 8)
    return None


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
                return AudioChunk(offset + 16, None, (offset + 4, rest))
            return AudioChunk(offset + 16, None if length < 4 else length - 4)
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
