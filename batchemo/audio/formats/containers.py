"""Which files may reach the decoder, and what their headers promise."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Literal

from batchemo.audio.formats.mp3 import ReadAt, find_frame

Kind = Literal["WAV", "RIFX", "AIFF", "AU", "AU-LE", "W64", "CAF", "NIST", "FLAC", "OGG", "MP3"]

# First bytes, and those from the eighth on.
_STARTS: tuple[tuple[bytes, bytes, Kind], ...] = (
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
_MOST_TAGS = 10


def detect_format(read_at: ReadAt) -> Kind | None:
    """Tell what a file begins as; None for what is not read.

    >>> kind_of(lambda offset, count: b"RIFF....WAVEfmt "[offset : offset + count])
    'WAV'
    >>> kind_of(lambda offset, count: b"MATLAB 5.0 MAT-file"[offset : offset + count])
    """
    head = read_at(0, 12)
    for first, eighth, kind in _STARTS:
        if head.startswith(first) and head.startswith(eighth, 8):
            return kind
    return _behind_tags(read_at)


def _behind_tags(read_at: ReadAt) -> Kind | None:
    """What stands behind the ID3 tags that may open an MP3 or, by custom, a FLAC file."""
    place = end_of_tags(read_at)
    if place is None:
        return None
    if read_at(place, 4) == b"fLaC":
        return "FLAC"
    return None if find_frame(read_at, place) is None else "MP3"


def end_of_tags(read_at: ReadAt) -> int | None:
    """Give the place behind the ID3 tags that open a file; None where there are far too many."""
    place = 0
    for _ in range(_MOST_TAGS):
        head = read_at(place, 10)
        if head[:3] != b"ID3" or len(head) < 10:
            return place
        digits = zip(head[6:], (21, 14, 7, 0), strict=True)  # of seven bits each
        place += 10 + sum((byte & 0x7F) << shift for byte, shift in digits)
    return None


# Writers that cannot seek back leave one of these where the size of the sound belongs.
_UNKNOWN_FROM = 0x7FFF_0000
_MOST_CHUNKS = 1000


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """Where the sound of a file begins, and how many bytes of it the header promises."""

    start: int
    promised: int | None
    """None where a streaming writer left the size open."""
    repair: tuple[int, bytes] | None = None
    """Bytes to put over the header, and where, for the sound to be read to the file's end."""

    def missing(self, size: int) -> int:
        """How many promised bytes a file of `size` bytes lacks."""
        return 0 if self.promised is None else max(0, self.start + self.promised - size)


def find_audio_chunk(kind: Kind, read_at: ReadAt, size: int) -> AudioChunk | None:
    """Find the sound of a WAV (RIFF, RIFX, RF64, BW64), AIFF, AU, W64, CAF or NIST file.

    None for compressed formats, and for a file without a chunk of sound: the decoder judges these.
    """
    if kind in ("WAV", "RIFX"):
        return _find_in_wav(read_at, size, "<" if kind == "WAV" else ">")
    if kind in ("AU", "AU-LE"):
        return _find_in_au(read_at, ">" if kind == "AU" else "<")
    find = {"AIFF": _find_in_aiff, "W64": _find_in_w64, "CAF": _find_in_caf, "NIST": _find_in_nist}
    return find[kind](read_at) if kind in find else None


def _find_in_wav(read_at: ReadAt, size: int, order: str) -> AudioChunk | None:
    position, wide = 12, None
    for _ in range(_MOST_CHUNKS):
        head = read_at(position, 8)
        if len(head) < 8:
            return None
        (length,) = struct.unpack(order + "I", head[4:])
        start = position + 8
        if head[:4] == b"ds64":
            wide = start + 8
        elif head[:4] == b"data":
            if wide is not None and length == 0xFFFF_FFFF:
                return _wide_chunk(read_at, size, start, wide)
            return _plain_chunk(read_at, size, start, length, order)
        position = start + length + length % 2
    return None


def _wide_chunk(read_at: ReadAt, size: int, start: int, wide: int) -> AudioChunk:
    """The sound of an RF64 file, whose 64-bit size stands in its `ds64` chunk, at `wide`."""
    (length,) = struct.unpack("<Q", read_at(wide, 8).ljust(8, b"\0"))
    if length == 0 or length >= 1 << 62:
        return AudioChunk(start, None, (wide, struct.pack("<Q", max(0, size - start))))
    return AudioChunk(start, length)


def _plain_chunk(read_at: ReadAt, size: int, start: int, length: int, order: str) -> AudioChunk:
    """The sound of a RIFF file, whose size is `length` if its writer came to say so."""
    if length >= _UNKNOWN_FROM and start + length > size:
        return AudioChunk(start, None)
    # A recorder that was cut off never wrote the size. But where another chunk follows at once,
    # the chunk of sound is truly empty.
    if length == 0 and size > start and not _is_chunk(read_at(start, 8), size - start, order):
        return AudioChunk(start, None, (start - 4, struct.pack(order + "I", 0xFFFF_FFFF)))
    return AudioChunk(start, length)


def _is_chunk(head: bytes, left: int, order: str) -> bool:
    """Whether `head` begins a chunk that fits into the `left` bytes of the file."""
    if len(head) < 8 or not all(0x20 <= byte < 0x7F for byte in head[:4]):
        return False
    (length,) = struct.unpack(order + "I", head[4:])
    return bool(8 + length <= left)


def _find_in_aiff(read_at: ReadAt) -> AudioChunk | None:
    position = 12
    for _ in range(_MOST_CHUNKS):
        head = read_at(position, 8)
        if len(head) < 8:
            return None
        (length,) = struct.unpack(">I", head[4:])
        if head[:4] == b"SSND":
            unknown = length == 0 or length >= _UNKNOWN_FROM
            return AudioChunk(position + 8, None if unknown else length)
        position += 8 + length + length % 2
    return None


def _find_in_w64(read_at: ReadAt) -> AudioChunk | None:
    position = 40
    for _ in range(_MOST_CHUNKS):
        head = read_at(position, 24)
        if len(head) < 24:
            return None
        (length,) = struct.unpack("<Q", head[16:])
        if head[:4] == b"data":
            unknown = length <= 24 or length >= 1 << 62
            return AudioChunk(position + 24, None if unknown else length - 24)
        position += max(24, (length + 7) // 8 * 8)
    return None


def _find_in_au(read_at: ReadAt, order: str) -> AudioChunk | None:
    head = read_at(4, 8)
    if len(head) < 8:
        return None
    start, promised = struct.unpack(order + "II", head)
    return AudioChunk(start, None if promised >= _UNKNOWN_FROM else promised)


def _find_in_caf(read_at: ReadAt) -> AudioChunk | None:
    position = 8
    for _ in range(_MOST_CHUNKS):
        head = read_at(position, 12)
        if len(head) < 12:
            return None
        (length,) = struct.unpack(">Q", head[4:])
        if head[:4] == b"data":  # It begins with the four bytes of a count of edits.
            unknown = length < 4 or length >= 1 << 62
            return AudioChunk(position + 16, None if unknown else length - 4)
        position += 12 + length
    return None


def _find_in_nist(read_at: ReadAt) -> AudioChunk | None:
    """The header is text, padded to the length that it names."""
    head = read_at(0, 1024)
    named = re.match(rb"NIST_1A\n *([0-9]{1,9})\n", head)
    numbers = {
        name: int(value)
        for name, value in re.findall(rb"^([a-z_]+) -i ([0-9]{1,18})$", head, re.MULTILINE)
    }
    if not named or not numbers.get(b"sample_count"):
        return None
    values = numbers[b"sample_count"] * numbers.get(b"channel_count", 1)
    return AudioChunk(int(named[1]), values * numbers.get(b"sample_n_bytes", 1))
