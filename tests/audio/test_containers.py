"""Only files that begin like a supported format reach the decoder, and those are read."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest
import soundfile
from encoded_recordings import CONTAINERS, RATE, recording, seeds_of, speech

from batchemo.audio import AudioInfo, Failure, WindowConfig, read_windows
from batchemo.audio.formats.containers import detect_format

OTHER_FORMATS = (
    *("VOC", "IRCAM", "SVX", "PAF", "PVF", "AVR", "HTK", "SDS", "XI", "WVE"),
    *("MAT4", "MAT5", "MPC2K"),
)
"""What libsndfile would read as well."""
CONFIG = WindowConfig(rate=16_000, window=3.0, hop=1.5)


def read_info(path: Path) -> AudioInfo:
    with read_windows(str(path), CONFIG) as reader:
        list(reader)
    return reader.info


def detect(content: bytes) -> str | None:
    return detect_format(lambda offset, count: content[offset : offset + count])


def tagged(content: bytes, tags: int = 1) -> bytes:
    """Put ID3 tags of 200 bytes before a recording, as players do."""
    return (b"ID3\3\0\0\0\0\1\x48" + bytes(200)) * tags + content


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_supported_format_is_detected_by_its_first_bytes_and_read(
    container: str, recording_path: Path
) -> None:
    formats = {detect(content) for content in seeds_of(container)}
    assert len(formats) == 1
    assert None not in formats
    recording_path.write_bytes(recording(container))
    assert read_info(recording_path).duration == pytest.approx(0.75)


@pytest.mark.parametrize("container", OTHER_FORMATS)
def test_an_unsupported_format_is_refused_before_libsndfile_reads_it(
    container: str, recording_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(
        recording_path, speech(), 44_100 if container == "XI" else RATE, format=container
    )
    with pytest.raises(Failure, match="begin like no known recording") as raised:
        read_info(recording_path)
    assert raised.value.reason == "not_audio"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("container", ["MP3", "FLAC"])
@pytest.mark.parametrize("tags", [1, 3])
def test_tags_before_the_audio_do_not_matter(
    container: str, tags: int, recording_path: Path
) -> None:
    recording_path.write_bytes(tagged(recording(container), tags))
    assert read_info(recording_path).duration == pytest.approx(0.75)


@pytest.mark.parametrize("container", ["WAV", "AIFF", "OGG"])
def test_tags_are_only_accepted_before_mp3_and_flac(container: str) -> None:
    assert detect(tagged(recording(container))) is None


def test_no_more_than_ten_tags_are_skipped() -> None:
    assert detect(tagged(recording("MP3"), 11)) is None


@pytest.mark.parametrize("name", ["._", ".AppleDouble"])
def test_a_resource_fork_in_the_current_folder_is_not_decoded(
    name: str, recording_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (recording_path.parent / name).write_bytes(b"\0" * 100)
    monkeypatch.chdir(recording_path.parent)
    for container in CONTAINERS:
        recording_path.write_bytes(recording(container))
        assert read_info(recording_path).duration == pytest.approx(0.75)


def ape_tag() -> bytes:
    return b"APETAGEX" + struct.pack("<IIIQ", 2000, 40, 1, 0x8000_0000) + b"Title\0a voice\0" * 3


@pytest.mark.parametrize(
    "before",
    [
        bytes(1),
        bytes(20_000),
        random.Random(1).randbytes(5_000),
        tagged(bytes(500)),
        b"TAG" + bytes(125),
        ape_tag(),
        b"HTTP/1.0 200 OK\r\nContent-Type: audio/mpeg\r\n\r\n",
        b"\xff" * 3_000,
        recording("MP3")[1000:1100],
    ],
    ids=["byte", "zeros", "noise", "padding", "old tag", "ape", "http", "ones", "half a frame"],
)
def test_bytes_before_the_first_frame_of_an_mp3_are_skipped(
    before: bytes, recording_path: Path
) -> None:
    recording_path.write_bytes(before + recording("MP3"))
    assert read_info(recording_path).duration == pytest.approx(0.75)


def test_frames_that_are_too_far_away_or_too_few_make_no_mp3() -> None:
    signal = recording("MP3")
    assert detect(bytes(1 << 16) + signal) is None
    assert detect(b"?" + signal[:100] + b"?" + signal[:100]) is None
    assert detect(random.Random(2).randbytes(1 << 17)) is None
