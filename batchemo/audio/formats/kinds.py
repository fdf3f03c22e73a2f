"""Which files may reach the decoder: those that begin as one of the formats does that are read.

libsndfile knows two dozen more. Some it tells by two bytes, so that a matrix or a firmware passes
for sound; some are read by code that nobody tends any more, which prints on the standard output,
believes sizes or is known to write past its memory.
"""

from __future__ import annotations

from typing import Literal

from batchemo.audio.formats.mpeg import ReadAt, find_frame

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


def kind_of(read_at: ReadAt) -> Kind | None:
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
