"""What is recognised but not read is named, and never taken for an MP3 because of what it holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from encoded_recordings import recording

from batchemo.audio import Failure, WindowConfig, read_windows

CONFIG = WindowConfig(rate=16_000, window=3.0, hop=1.5)


def failure_of(content: bytes, path: Path) -> str:
    path.write_bytes(content)
    with pytest.raises(Failure) as raised, read_windows(str(path), CONFIG) as reader:
        list(reader)
    return str(raised.value)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"wvpk" + bytes(28), "WavPack"),
        (b"MAC \x96\x0f", "Monkey's Audio"),
        (b"#!SILK_V3", "SILK"),
        (b"FLV\x01\x05\0\0\0\x09", "Flash Video"),
        (b"RIFF\0\0\1\0AVI LIST", "AVI"),
        ((b"\x47" + bytes(187)) * 4, "MPEG transport stream"),
    ],
)
def test_a_format_that_is_not_read_is_named(head: bytes, name: str, recording_path: Path) -> None:
    expected = f"unsupported: {name}, a format that is not read: convert it"
    assert failure_of(head + bytes(100), recording_path) == expected
    # A video may hold frames of MP3.
    assert failure_of(head + recording("MP3"), recording_path) == expected


@pytest.mark.parametrize(("tag", "name"), [(0x50, "MPEG layer II"), (0xFF, "AAC"), (0x45, "G.726")])
@pytest.mark.parametrize(
    ("container", "byte_order"), [("WAV", "little"), ("RIFX", "big"), ("W64", "little")]
)
def test_an_encoding_in_wav_that_is_not_read_is_named(
    container: str, byte_order: str, tag: int, name: str, recording_path: Path
) -> None:
    content = bytearray(recording(container, "PCM_16"))
    start = content.index(b"fmt ") + (24 if container == "W64" else 8)
    content[start : start + 2] = tag.to_bytes(2, byte_order)  # type: ignore[arg-type]
    expected = f"unsupported: {container} that holds {name}, an encoding that is not read"
    assert failure_of(bytes(content), recording_path) == expected


def test_an_encoding_in_other_containers_that_is_not_read_is_named(recording_path: Path) -> None:
    page = b"OggS\0\2" + bytes(20) + bytes([1, 12]) + b"Speex   1.2\0"
    assert "OGG that holds Speex" in failure_of(page, recording_path)
    content = recording("CAF", "PCM_16").replace(b"lpcm", b"opus")
    assert "unsupported: CAF that holds Opus" in failure_of(content, recording_path)
