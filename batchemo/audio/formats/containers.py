"""Detects the format of a file by its first bytes."""

from __future__ import annotations

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
# A bound for hostile files, which would else be read for ever. Real ones have one or two.
_MAX_TAGS = 10


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
