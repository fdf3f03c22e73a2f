"""Formats that PyAV decodes: recognises them, and finds where such a file breaks off.

libav reads a file as far as it goes: of one that was cut off, or of two that were joined, it
returns the part that it understands, without an error. So the outermost elements of the
containers, whose headers say how long they are, are compared with the file here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple, TypeAlias

from batchemo.audio.failure import Failure
from batchemo.audio.file import ReadAt
from batchemo.audio.formats.ogg import find_ogg_damage

MediaFormat: TypeAlias = Literal["MP4", "MATROSKA", "ASF", "AMR", "ADTS", "AC3", "EAC3", "OGG-FLAC"]


class MediaTraits(NamedTuple):
    """What is known of a format that PyAV decodes."""

    title: str
    """Its name for the user."""
    demuxer: str
    """The only demuxer of libav that may read it: none is ever guessed."""
    decoders: tuple[str, ...]
    """Decoders to prefer, in this order, over libav's own choice, where the build has them."""


# libav's own AMR decoders lack comfort noise (SID frames), which telephones write in pauses.
_AMR_DECODERS = ("libopencore_amrnb", "libopencore_amrwb")
MEDIA_FORMATS: Mapping[str, MediaTraits] = MappingProxyType(
    {
        "MP4": MediaTraits("MP4 (M4A, MOV, 3GP)", "mov", _AMR_DECODERS),
        "MATROSKA": MediaTraits("Matroska (WebM, MKA, MKV)", "matroska", ()),
        "ASF": MediaTraits("ASF (WMA, WMV)", "asf", ()),
        "AMR": MediaTraits("AMR", "amr", _AMR_DECODERS),
        "ADTS": MediaTraits("AAC (ADTS)", "aac", ()),
        "AC3": MediaTraits("AC3", "ac3", ()),
        "EAC3": MediaTraits("E-AC3", "eac3", ()),
        "OGG-FLAC": MediaTraits("Ogg FLAC", "ogg", ()),
    }
)

_MP4_FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
_MP4_BOXES = {
    *_MP4_FIRST_BOXES,
    *(b"moof", b"mfra", b"sidx", b"ssix", b"styp", b"uuid", b"meta", b"udta", b"pdin", b"pnot"),
    *(b"emsg", b"prft", b"PICT"),
}
"""The outermost boxes; whatever else follows the last one is padding, or tags."""
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_CLUSTER = b"\x1f\x43\xb6\x75"
_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
# The header of the data object alone: what a live stream leaves as its size.
_ASF_EMPTY_DATA = 50
_OGG_FLAC_PACKET = b"\x7fFLAC"
_AMR_MAGIC = (b"#!AMR\n", b"#!AMR-WB\n")
# The bytes of a frame by its type, the header included; 0 for types that are reserved.
_AMR_FRAME_BYTES = {
    b"#!AMR\n": (13, 14, 16, 18, 20, 21, 27, 32, 6, 0, 0, 0, 0, 0, 0, 1),
    b"#!AMR-WB\n": (18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 0, 0, 0, 0, 1, 1),
}
# This many frames, each beginning where the last one ends, are no coincidence.
_SEQUENCE_FRAMES = 3
_AC3_SYNC, _AC3_HEADER_BYTES = b"\x0b\x77", 6
# Of the versions of a frame's syntax, those up to the first are AC3, up to the second E-AC3.
_LAST_AC3, _LAST_EAC3 = 10, 16
_AC3_KILOBITS = (
    *(32, 40, 48, 56, 64, 80, 96, 112, 128, 160),
    *(192, 224, 256, 320, 384, 448, 512, 576, 640),
)
# Bounds the walk through a hostile file. A fragmented MP4 has two boxes a second, or fewer.
_MAX_ELEMENTS = 1_000_000


def detect_media(read_at: ReadAt, start: int) -> MediaFormat | None:
    """Return the format, of those that PyAV decodes, that a file begins as; None for all others.

    `start` is where ID3 tags, which may stand before frames of AAC, end.

    >>> detect_media(lambda offset, count: b"#!AMR\\n<..."[offset : offset + count], 0)
    'AMR'
    """
    head = read_at(0, 64)
    if head[4:8] in _MP4_FIRST_BOXES:
        return "MP4"
    if head.startswith(_EBML):
        return "MATROSKA"
    if head.startswith(_ASF_HEADER):
        return "ASF"
    if head.startswith(_AMR_MAGIC):
        return "AMR"
    if head.startswith(b"OggS") and head[28:33] == _OGG_FLAC_PACKET:
        return "OGG-FLAC"
    if _starts_frame_sequence(read_at, start, _adts_frame_length):
        return "ADTS"
    if _starts_frame_sequence(read_at, 0, _ac3_frame_length):
        return "AC3" if head[5] >> 3 <= _LAST_AC3 else "EAC3"
    return None


def find_media_damage(media_format: str, read_at: ReadAt, size: int) -> Failure | None:
    """Return why a file of `size` bytes cannot be decoded as a whole; None if nothing is known."""
    checks: dict[str, Callable[[ReadAt, int], Failure | None]] = {
        "MP4": _find_mp4_damage,
        "MATROSKA": _find_matroska_damage,
        "ASF": _find_asf_damage,
        "AC3": _find_ac3_damage,
        "EAC3": _find_ac3_damage,
        "AMR": _find_amr_damage,
        "OGG-FLAC": find_ogg_damage,
    }
    check = checks.get(media_format)
    return check(read_at, size) if check else None


def _starts_frame_sequence(
    read_at: ReadAt, offset: int, frame_length: Callable[[bytes], int]
) -> bool:
    """Whether frames follow each other from the offset on; fewer are enough if the file ends."""
    for number in range(_SEQUENCE_FRAMES):
        header = read_at(offset, 7)
        if number and not header:
            return True
        length = frame_length(header)
        if not length:
            return False
        offset += length
    return True


def _adts_frame_length(header: bytes) -> int:
    """Return the bytes of an ADTS frame: a sync word, layer 0, no reserved rate; 0 for no frame."""
    if len(header) < 7 or header[0] != 0xFF or header[1] & 0xF6 != 0xF0:
        return 0
    if header[2] >> 2 & 0xF > 12:
        return 0
    length = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    return length if length > 7 else 0


def _ac3_frame_length(header: bytes) -> int:
    """Return the bytes of an AC3 or E-AC3 frame; 0 for no frame."""
    if len(header) < _AC3_HEADER_BYTES or header[:2] != _AC3_SYNC or header[5] >> 3 > _LAST_EAC3:
        return 0
    if header[5] >> 3 > _LAST_AC3:
        return 2 * ((header[2] & 7) << 8 | header[3]) + 2
    rate, size = header[4] >> 6, header[4] & 0x3F
    if rate == 3 or size >= 2 * len(_AC3_KILOBITS):
        return 0
    kilobits = _AC3_KILOBITS[size >> 1]
    # In words of two bytes, at 48, 44.1 and 32 kHz; at 44.1 kHz some frames have one word more.
    words = (2 * kilobits, kilobits * 320 // 147 + (size & 1), 3 * kilobits)[rate]
    return 2 * words


def _find_mp4_damage(read_at: ReadAt, size: int) -> Failure | None:
    offset, indexes = 0, 0
    for _ in range(_MAX_ELEMENTS):
        head = read_at(offset, 16)
        if len(head) < 8 or head[4:8] not in _MP4_BOXES:
            break  # The end, or padding after it.
        length, name = struct.unpack(">I4s", head[:8])
        if length == 1 and len(head) == 16:
            (length,) = struct.unpack(">Q", head[8:])
        elif length == 0:  # A box that extends to the end of the file.
            length = size - offset
        if length < 8:
            break
        if indexes and name in (b"ftyp", b"moov"):
            return _joined("MP4", offset)
        indexes += name == b"moov"
        if offset + length > size:
            title = name.decode("ascii")
            return _cut_off(f"the box {title!r}", offset, length, size)
        offset += length
    if not indexes:
        detail = "the index of the recording (moov) is missing: it was not finished, or was cut off"
        return Failure("truncated", detail)
    return None


def _find_matroska_damage(read_at: ReadAt, size: int) -> Failure | None:
    offset, segments, is_closed = 0, 0, False
    for _ in range(_MAX_ELEMENTS):
        head = read_at(offset, 1)
        name = read_at(offset, 9 - head[0].bit_length()) if head else b""
        if not segments and name not in (_EBML, _SEGMENT):
            break
        if not 0 < len(name) <= 4:
            break  # The end, or padding after it.
        if segments and name == _EBML:
            return _joined("Matroska", offset)
        if segments and is_closed:
            break  # Padding, or tags.
        length, start = _ebml_size(read_at, offset + len(name))
        segments += name == _SEGMENT
        is_closed = name == _SEGMENT and length is not None
        if length is None:
            if name not in (_SEGMENT, _CLUSTER):
                break
            # A live recording does not say how long these are, but what they consist of does.
            offset = start
            continue
        if start + length > size:
            what = "the segment" if name == _SEGMENT else "the element"
            return _cut_off(what, offset, start - offset + length, size)
        offset = start + length
    return None


def _ebml_size(read_at: ReadAt, offset: int) -> tuple[int | None, int]:
    """Return the size that stands at the offset, None if it is open, and the offset after it."""
    head = read_at(offset, 8)
    count = 9 - head[0].bit_length() if head else 9
    if count > 8 or len(head) < count:
        return None, offset
    bits = 7 * count
    length = int.from_bytes(head[:count], "big") & (1 << bits) - 1
    return (None if length == (1 << bits) - 1 else length), offset + count


def _find_asf_damage(read_at: ReadAt, size: int) -> Failure | None:
    offset = 0
    for number in range(_MAX_ELEMENTS):
        head = read_at(offset, 24)
        if len(head) < 24:
            break
        name, length = head[:16], int.from_bytes(head[16:], "little")
        if number and name == _ASF_HEADER:
            return _joined("ASF", offset)
        if length <= (_ASF_EMPTY_DATA if name == _ASF_DATA else 24):
            break  # A live stream, which says nowhere how long it is; or padding.
        if offset + length > size:
            # What follows the audio is an index, of which nothing is needed.
            return _cut_off("the audio", offset, length, size) if number < 2 else None
        offset += length
    return None


def _find_ac3_damage(read_at: ReadAt, size: int) -> Failure | None:
    # Of a frame that is cut off, libav decodes what it can and makes up the rest.
    offset = 0
    while length := _ac3_frame_length(read_at(offset, _AC3_HEADER_BYTES)):
        if offset + length > size:
            return _cut_off("the frame", offset, length, size)
        offset += length
    rest = read_at(offset, _AC3_HEADER_BYTES)
    if rest and _AC3_SYNC.startswith(rest[:2]) and len(rest) < _AC3_HEADER_BYTES:
        return _cut_off("the frame", offset, _AC3_HEADER_BYTES, size)
    return None


def _find_amr_damage(read_at: ReadAt, size: int) -> Failure | None:
    magic = next(magic for magic in _AMR_MAGIC if read_at(0, len(magic)) == magic)
    lengths, offset = _AMR_FRAME_BYTES[magic], len(magic)
    while header := read_at(offset, 1):
        length = lengths[header[0] >> 3 & 0xF]
        if header[0] & 0x83 or not length:  # Bits that are 0 in every frame, or a reserved type.
            if read_at(offset, 5) == magic[:5]:
                return _joined("AMR", offset)
            detail = f"what stands at byte {offset:,} is no frame"
            return Failure("truncated", detail)
        if offset + length > size:
            return _cut_off("the frame", offset, length, size)
        offset += length
    return None


def _cut_off(what: str, offset: int, length: int, size: int) -> Failure:
    held = size - offset
    detail = f"{what} at byte {offset:,} should have {length:,} bytes, the file holds {held:,}"
    return Failure("truncated", detail)


def _joined(title: str, offset: int) -> Failure:
    detail = f"another {title} file follows the first at byte {offset:,}: cut the file there"
    return Failure("unsupported", detail)
