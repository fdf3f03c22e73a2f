"""What begins like no format that is promised never reaches the decoder; what does is read."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest
import soundfile
from encoded_recordings import CONTAINERS, RATE, recording, seeds_of, sound

from batchemo.audio import AudioInfo, Failure, WindowConfig, read_windows
from batchemo.audio.formats.containers import detect_format

OTHERS = (
    *("VOC", "IRCAM", "SVX", "PAF", "PVF", "AVR", "HTK", "SDS", "XI", "WVE"),
    *("MAT4", "MAT5", "MPC2K"),
)
"""What libsndfile would read besides."""
OPTIONS = WindowConfig(rate=16_000, window=3.0, hop=1.5)


def hear(path: Path) -> AudioInfo:
    with read_windows(str(path), OPTIONS) as heard:
        list(heard)
    return heard.info


def begins(content: bytes) -> str | None:
    return detect_format(lambda offset, count: content[offset : offset + count])


def tagged(content: bytes, tags: int = 1) -> bytes:
    """Put ID3 tags of 200 bytes before a recording, as players do."""
    return (b"ID3\3\0\0\0\0\1\x48" + bytes(200)) * tags + content


@pytest.mark.parametrize("container", CONTAINERS)
def test_what_is_promised_is_known_by_its_first_bytes(container: str, place: Path) -> None:
    kinds = {begins(content) for content in seeds_of(container)}
    assert len(kinds) == 1
    assert None not in kinds
    place.write_bytes(recording(container))
    assert hear(place).duration == pytest.approx(0.75)


@pytest.mark.parametrize("container", OTHERS)
def test_what_else_libsndfile_reads_is_refused_before_it_is_read(
    container: str, place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(place, sound(), 44_100 if container == "XI" else RATE, format=container)
    with pytest.raises(Failure, match="begin like no known recording") as caught:
        hear(place)
    assert caught.value.reason == "not_audio"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("container", ["MP3", "FLAC"])
@pytest.mark.parametrize("tags", [1, 3])
def test_a_tag_before_the_sound_does_not_matter(container: str, tags: int, place: Path) -> None:
    place.write_bytes(tagged(recording(container), tags))
    assert hear(place).duration == pytest.approx(0.75)


@pytest.mark.parametrize("container", ["WAV", "AIFF", "OGG"])
def test_a_tag_hides_no_other_format(container: str) -> None:
    assert begins(tagged(recording(container))) is None


def test_tags_without_end_are_not_followed() -> None:
    assert begins(tagged(recording("MP3"), 11)) is None


@pytest.mark.parametrize("name", ["._", ".AppleDouble"])
def test_what_lies_in_the_current_folder_is_no_part_of_a_recording(
    name: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place.parent / name).write_bytes(b"\0" * 100)
    monkeypatch.chdir(place.parent)
    for container in CONTAINERS:
        place.write_bytes(recording(container))
        assert hear(place).duration == pytest.approx(0.75)


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
def test_what_stands_before_the_first_frame_of_an_mp3_is_passed_over(
    before: bytes, place: Path
) -> None:
    place.write_bytes(before + recording("MP3"))
    assert hear(place).duration == pytest.approx(0.75)


def test_frames_that_are_too_far_or_too_few_make_no_mp3() -> None:
    sound = recording("MP3")
    assert begins(bytes(1 << 16) + sound) is None
    assert begins(b"?" + sound[:100] + b"?" + sound[:100]) is None
    assert begins(random.Random(2).randbytes(1 << 17)) is None
