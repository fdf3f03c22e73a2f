"""Names formats and encodings that are recognised but not read, for the words of the failure."""

from __future__ import annotations

from typing import Literal

from batchemo.audio.file import ReadAt

# The first bytes, those from the eighth on, and the name of the format that they identify.
_FORMATS = (
    (b"wvpk", b"", "WavPack"),
    (b"MAC ", b"", "Monkey's Audio"),
    (b"TTA1", b"", "True Audio"),
    (b"MP+", b"", "Musepack"),
    (b"MPCK", b"", "Musepack"),
    (b"DSD ", b"", "DSF"),
    (b"FRM8", b"", "DSDIFF"),
    (b"#!SILK", b"", "SILK"),
    (b"\x02#!SILK", b"", "SILK"),
    (b".RMF", b"", "RealMedia"),
    (b"FLV\x01", b"", "Flash Video"),
    (b"RIFF", b"AVI ", "AVI"),
    (b"\x00\x00\x01\xba", b"", "MPEG program stream"),
    (b"MThd", b"", "MIDI"),
)
_TRANSPORT_PACKET, _TRANSPORT_SYNC = 188, b"\x47"
# Of the encodings in WAV, those that libsndfile does not know and that recorders write.
_WAV_ENCODINGS = {
    0x0022: "TrueSpeech",
    0x0042: "G.723.1",
    0x0045: "G.726",
    0x0050: "MPEG layer II",
    0x0064: "G.726",
    0x0083: "G.729",
    0x00FF: "AAC",
    0x0111: "G.723.1",
    0x0130: "ACELP",
    0x0133: "G.729",
    0x0160: "Windows Media Audio",
    0x0161: "Windows Media Audio",
    0x0162: "Windows Media Audio",
    0x1600: "AAC",
    0x2000: "AC3",
    0x674F: "Vorbis",
    0xA109: "Speex",
}
# libsndfile reads ALAC in CAF.
_CAF_ENCODINGS = {b"aac ": "AAC", b"opus": "Opus", b"samr": "AMR"}
_OGG_CODECS = ((b"Speex   ", "Speex"), (b"\x80theora", "Theora"))
_HEADER_BYTES = 4096


def name_other_format(read_at: ReadAt) -> str | None:
    """Return the name of a format that is recognised and not read; None for all others.

    >>> name_other_format(lambda offset, count: b"wvpk\\0\\0\\1\\0"[offset : offset + count])
    'WavPack'
    """
    head = read_at(0, 12)
    for first, eighth, name in _FORMATS:
        if head.startswith(first) and head.startswith(eighth, 8):
            return name
    packets = [read_at(number * _TRANSPORT_PACKET, 1) for number in range(4)]
    return "MPEG transport stream" if packets == [_TRANSPORT_SYNC] * 4 else None


def name_other_encoding(audio_format: str, read_at: ReadAt) -> str | None:
    """Return the name of an encoding that libsndfile does not know; None if it has none here."""
    head = read_at(0, _HEADER_BYTES)
    if audio_format in ("WAV", "RIFX", "W64"):
        start = head.find(b"fmt ") + (24 if audio_format == "W64" else 8)
        byte_order: Literal["big", "little"] = "big" if audio_format == "RIFX" else "little"
        return _WAV_ENCODINGS.get(int.from_bytes(head[start : start + 2], byte_order))
    if audio_format == "CAF":
        return _CAF_ENCODINGS.get(head[28:32])
    if audio_format == "OGG" and len(head) > 27:
        packet = head[27 + head[26] :]
        return next((name for magic, name in _OGG_CODECS if packet.startswith(magic)), None)
    return None
