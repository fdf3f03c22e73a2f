"""Finds and counts the frames of an MP3, and makes the Xing header that a file lacks.

A Xing header (also Info or VBRI) is a first frame that holds the number of frames in the place of
audio. libsndfile believes it: of a file whose header is missing or counts too few frames, such as
recordings joined end to end, it would leave out the rest without an error.
"""

from __future__ import annotations

import re
import struct
from typing import NamedTuple, TypeAlias

from batchemo.audio.failure import Failure
from batchemo.audio.file import ReadAt

StreamBits: TypeAlias = tuple[int, int]
"""The bits of a frame header that are equal in all frames of a stream: see `stream_bits`."""

SEARCH_BYTES = 1 << 16
"""The most bytes that may stand before the first frame."""
SEQUENCE_FRAMES = 3
"""This many frames, each beginning where the last one ends, are no coincidence; one can be."""
MAX_FRAME_BYTES = 1441

_MPEG_1, _LAYER_3, _MONO = 3, 1, 3
_KILOBITS = {
    True: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bitrates of layer III by their code, for MPEG-1 and for its later versions of lower rates."""
_SAMPLE_RATES = (44_100, 48_000, 32_000)
_HALVINGS = {3: 0, 2: 1, 0: 2}
"""By version: how often the sample rate is halved."""
_SYNC = re.compile(rb"\xff(?=[\xe2\xe3\xf2\xf3\xfa\xfb])")
"""The first bytes of a layer III header of any version, with and without a checksum."""

_HAS_FRAMES, _HAS_BYTES = 1, 2
_VBRI_OFFSET = 36
# What follows the last frame, and how encoders count, make a difference of up to this share.
_TOLERANCE = 0.02
_CHUNK_BYTES = 1 << 18
_NO_CHECKSUM = 1
_XING_BITRATE_CODE = {True: 5, False: 8}
"""For MPEG-1 and later: 64 kbit/s, where a frame has room for a Xing header at every rate."""


class XingHeader(NamedTuple):
    """What a file's first frame says of all others; 0 for what it does not say."""

    frames: int
    bytes: int


class AddedHeader(NamedTuple):
    """A frame with a Xing header, and the offset of the first audio frame, which follows it."""

    frame: bytes
    audio_start: int


def find_frame(read_at: ReadAt, start: int) -> int | None:
    """Return the offset of the first frame from `start` on; None if there is none nearby.

    A frame at `start` itself is believed; elsewhere a sequence of frames is required.
    """
    if is_frame(read_at(start, 4)):
        return start
    content = read_at(start, SEARCH_BYTES + SEQUENCE_FRAMES * MAX_FRAME_BYTES)
    offset = find_frame_sequence(content, 0, SEARCH_BYTES)
    return None if offset is None else start + offset


def make_missing_header(read_at: ReadAt, first_frame: int, size: int) -> AddedHeader | None:
    """Make the Xing header that a file of `size` bytes should have had.

    None if its own header counts all frames, or more than there are, and if the audio does not
    begin with a sequence of frames of known length. Raises `Failure` if frames of another sample
    rate follow, which libsndfile cannot decode together with the first ones.
    """
    frame = read_at(first_frame, 4)
    length = frame_length(frame)
    if not length:
        return None
    header = read_xing_header(read_at(first_frame, length))
    audio_start = first_frame if header is None else first_frame + length
    # A header that accounts for all bytes is believed without reading the rest of the file.
    if header and header.frames and header.bytes >= (size - first_frame) * (1 - _TOLERANCE):
        return None
    if not starts_frame_sequence(read_at(audio_start, SEQUENCE_FRAMES * MAX_FRAME_BYTES)):
        return None
    frames, end = count_frames(read_at, audio_start, size)
    rest = read_at(end, SEARCH_BYTES + SEQUENCE_FRAMES * MAX_FRAME_BYTES)
    other = find_frame_sequence(rest, 0, SEARCH_BYTES)
    if other is not None:
        detail = f"frames of another kind follow at byte {end + other:,}: cut the file there"
        raise Failure("unsupported", detail)
    if header and header.frames >= frames * (1 - _TOLERANCE):
        return None
    return AddedHeader(make_xing_frame(frame, frames), audio_start)


def read_xing_header(frame: bytes) -> XingHeader | None:
    """Read the Xing, Info or VBRI header that a frame holds; None for a frame of audio."""
    for checksum in (0, 2):
        offset = _xing_offset(frame) + checksum
        if frame[offset : offset + 4] in (b"Xing", b"Info"):
            (flags,) = _integers(frame, offset + 4, 1)
            # A field whose flag is not set is left out, so the bytes may stand in its place.
            fields = iter(_integers(frame, offset + 8, 2))
            frames = next(fields) if flags & _HAS_FRAMES else 0
            return XingHeader(frames, next(fields) if flags & _HAS_BYTES else 0)
    if frame[_VBRI_OFFSET : _VBRI_OFFSET + 4] == b"VBRI":
        size, frames = _integers(frame, _VBRI_OFFSET + 10, 2)
        return XingHeader(frames, size)
    return None


def count_frames(read_at: ReadAt, start: int, size: int) -> tuple[int, int]:
    """Count the frames from `start` on that are of one stream with the first.

    Whatever stands between them is passed over. Returns the count and where the last one ends.
    """
    first = read_at(start, 4)
    frames, end, chunk, chunk_start = 0, start, b"", start
    offset = start
    while offset < size and frame_length(first):
        # Refilled where a sequence of frames might not fit into what is left of the chunk.
        if offset + SEQUENCE_FRAMES * MAX_FRAME_BYTES > chunk_start + len(chunk) < size:
            chunk, chunk_start = read_at(offset, _CHUNK_BYTES), offset
        header = chunk[offset - chunk_start : offset - chunk_start + 4]
        length = frame_length(header)
        if length and stream_bits(header) == stream_bits(first):
            frames += 1
            end = offset = offset + length
            continue
        found = find_frame_sequence(chunk, offset - chunk_start, len(chunk), stream_bits(first))
        if found is not None:
            offset = chunk_start + found
        elif offset != chunk_start:
            chunk, chunk_start = read_at(offset, _CHUNK_BYTES), offset
        else:
            break  # A whole chunk without a frame: the audio has ended.
    return frames, end


def find_frame_sequence(
    content: bytes, start: int, end: int, stream: StreamBits | None = None
) -> int | None:
    """Return the first offset where a sequence of layer III frames of one stream begins."""
    for match in _SYNC.finditer(content, start, end):
        if starts_frame_sequence(content, match.start(), stream):
            return match.start()
    return None


def starts_frame_sequence(
    content: bytes, offset: int = 0, stream: StreamBits | None = None
) -> bool:
    """Whether a sequence of layer III frames of one stream begins at the offset."""
    for _ in range(SEQUENCE_FRAMES):
        header = content[offset : offset + 4]
        length = frame_length(header)
        if not length or stream not in (None, stream_bits(header)):
            return False
        stream = stream_bits(header)
        offset += length
    return True


def is_frame(header: bytes) -> bool:
    """Whether these bytes begin a frame of MPEG audio: sync, and no reserved value."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return False
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    return version != 1 and layer != 0 and header[2] >> 4 != 15 and header[2] >> 2 & 3 != 3


def frame_length(header: bytes) -> int:
    """Return the bytes of the layer III frame with this header; 0 if it is none or has no bitrate.

    >>> frame_length(bytes.fromhex("fffb90c4"))  # MPEG-1, 128 kbit/s, 44.1 kHz
    417
    """
    if not is_frame(header) or header[2] >> 4 == 0 or header[1] >> 1 & 3 != _LAYER_3:
        return 0
    mpeg_1, bitrate = is_mpeg_1(header), header[2] >> 4
    rate = _SAMPLE_RATES[header[2] >> 2 & 3] >> _HALVINGS[header[1] >> 3 & 3]
    padding = header[2] >> 1 & 1
    return (144 if mpeg_1 else 72) * 1000 * _KILOBITS[mpeg_1][bitrate - 1] // rate + padding


def stream_bits(header: bytes) -> StreamBits:
    """Return the version, layer and sample rate bits, equal in all frames of a stream."""
    return header[1] & 0xFE, header[2] & 0x0C


def is_mpeg_1(header: bytes) -> bool:
    """Whether a frame is of the first version, not of the later ones of lower rates."""
    return header[1] >> 3 & 3 == _MPEG_1


def is_mono(header: bytes) -> bool:
    """Whether a frame holds one channel."""
    return header[3] >> 6 == _MONO


def make_xing_frame(header: bytes, frames: int) -> bytes:
    """Make a frame of the same stream as `header` that says that `frames` frames follow."""
    bitrate = _XING_BITRATE_CODE[is_mpeg_1(header)] << 4
    own = bytes([header[0], header[1] | _NO_CHECKSUM, header[2] & 0x0C | bitrate, header[3]])
    xing = struct.pack(">4sII", b"Xing", _HAS_FRAMES, frames)
    return (own + bytes(_xing_offset(header) - 4) + xing).ljust(frame_length(own), b"\0")


def _xing_offset(header: bytes) -> int:
    """Return where a Xing header stands in a frame: after the header and the side information."""
    if is_mpeg_1(header):
        return 4 + (17 if is_mono(header) else 32)
    return 4 + (9 if is_mono(header) else 17)


def _integers(frame: bytes, offset: int, count: int) -> tuple[int, ...]:
    return struct.unpack(f">{count}I", frame[offset : offset + 4 * count].ljust(4 * count, b"\0"))
