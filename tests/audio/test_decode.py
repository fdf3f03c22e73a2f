"""All that is promised is read alike, and headers that lie or know nothing are seen."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from decoding import decode
from hypothesis import given, settings
from hypothesis import strategies as st
from voices import voice

from batchemo.audio import REASONS, Failure, open_audio
from batchemo.audio.decode import BLOCK_VALUES, Decoder, mix

RATE = 16_000
SPEECH = voice(1.00007)
ENCODINGS = [
    (container, subtype)
    for container in (
        *("WAV", "WAVEX", "RF64", "AIFF", "AU", "W64", "CAF", "NIST"),
        *("FLAC", "OGG", "MP3"),
    )
    for subtype in soundfile.available_subtypes(container)
]


def refusal(path: Path) -> Failure:
    with pytest.raises(Failure) as caught:
        decode(path)
    return caught.value


@pytest.mark.parametrize(("container", "subtype"), ENCODINGS)
def test_every_encoding_is_read_as_libsndfile_reads_it(
    container: str, subtype: str, place: Path
) -> None:
    try:
        soundfile.write(place, SPEECH, RATE, format=container, subtype=subtype)
        expected = soundfile.read(place, dtype="float32", always_2d=True)[0]
    except soundfile.LibsndfileError as error:
        pytest.skip(f"listed by libsndfile, but: {error}")
    # The MP3 decoder rounds otherwise from one run to the next.
    np.testing.assert_allclose(decode(place), expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("channels", [1, 2, 3, 8, 64])
def test_the_mix_is_the_mean_of_all_channels(channels: int, place: Path) -> None:
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, (1000, channels))
    soundfile.write(place, sound, RATE, subtype="FLOAT")
    np.testing.assert_allclose(mix(decode(place)), sound.mean(axis=1), atol=1e-6)


def test_blocks_are_bounded_whatever_the_number_of_channels(place: Path) -> None:
    soundfile.write(place, np.zeros((40_000, 64)), RATE)
    with open_audio(str(place)) as file:
        sizes = [block.size for block in Decoder(file).blocks()]
    assert len(sizes) > 1
    assert max(sizes) <= BLOCK_VALUES


@pytest.mark.parametrize(
    "container",
    ["WAV", "RIFX", "WAVEX", "RF64", "AIFF", "AU", "AU-LE", "W64", "CAF", "NIST"],
)
@pytest.mark.parametrize("kept", [0.9999, 0.5, 0.2])
def test_a_file_that_lost_its_end_is_truncated(container: str, kept: float, place: Path) -> None:
    form, order = {"RIFX": ("WAV", "BIG"), "AU-LE": ("AU", "LITTLE")}.get(
        container, (container, None)
    )
    soundfile.write(place, SPEECH, RATE, format=form, subtype="PCM_16", endian=order)
    data = place.read_bytes()
    end = data.rfind(b"\0") if container == "AIFF" else len(data)
    place.write_bytes(data[: int(end * kept)])
    failure = refusal(place)
    assert failure.reason == "truncated"
    assert "32,002 bytes" in failure.detail or "32,010 bytes" in failure.detail


@pytest.mark.parametrize("container", ["FLAC", "OGG", "MP3"])
def test_a_compressed_file_that_lost_its_second_half_is_truncated(
    container: str, place: Path
) -> None:
    soundfile.write(place, voice(4.0), RATE, format=container)
    place.write_bytes(place.read_bytes()[: place.stat().st_size // 2])
    assert refusal(place).reason == "truncated"


@pytest.mark.parametrize("size", [0, 0x7FFF_F000, 0x7FFF_FFFF, 0xFFFF_FFFF])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_what_a_streaming_writer_left_open_is_read_to_the_end(
    size: int, subtype: str, place: Path
) -> None:
    soundfile.write(place, SPEECH, RATE, subtype=subtype)
    expected = decode(place)
    data = bytearray(place.read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", size)
    data[4:8] = struct.pack("<I", size)
    place.write_bytes(data)
    np.testing.assert_array_equal(decode(place), expected)


def test_an_rf64_file_whose_sizes_were_never_written_is_read_to_the_end(place: Path) -> None:
    soundfile.write(place, SPEECH, RATE, format="RF64", subtype="PCM_16")
    expected = decode(place)
    data = bytearray(place.read_bytes())
    at = data.index(b"ds64") + 8
    data[at : at + 24] = bytes(24)
    place.write_bytes(data)
    np.testing.assert_array_equal(decode(place), expected)


def test_a_flac_stream_of_unknown_length_is_read_to_the_end(place: Path) -> None:
    soundfile.write(place, SPEECH, RATE, format="FLAC", subtype="PCM_16")
    expected = decode(place)
    data = bytearray(place.read_bytes())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    place.write_bytes(data)
    np.testing.assert_array_equal(decode(place), expected)


def test_chunks_around_the_sound_do_not_matter(place: Path) -> None:
    soundfile.write(place, SPEECH, RATE, subtype="PCM_16")
    expected = decode(place)
    data = place.read_bytes()
    extra = b"LIST" + struct.pack("<I", 5) + b"abcde\0"
    place.write_bytes(data[:12] + extra + data[12:] + extra)
    np.testing.assert_array_equal(decode(place), expected)


def test_an_empty_chunk_of_sound_before_another_chunk_has_no_frames(place: Path) -> None:
    soundfile.write(place, SPEECH[:0], RATE, subtype="PCM_16")
    extra = b"LIST" + struct.pack("<I", 6) + b"abcdef"
    data = bytearray(place.read_bytes() + extra)
    data[4:8] = struct.pack("<I", len(data) - 8)
    place.write_bytes(data)
    assert refusal(place).reason == "zero_frames"


def test_a_missing_pad_byte_is_no_loss(place: Path) -> None:
    soundfile.write(place, SPEECH[:1001], RATE, subtype="PCM_U8")
    data = place.read_bytes()
    place.write_bytes(data[: data.index(b"data") + 8 + 1001])
    assert len(decode(place)) == 1001


def test_a_header_whose_sound_was_never_written_has_no_frames(place: Path) -> None:
    soundfile.write(place, SPEECH, RATE, subtype="PCM_16")
    place.write_bytes(place.read_bytes()[:44])
    assert refusal(place).reason == "zero_frames"


def test_the_detail_of_an_empty_recording_names_its_bytes(place: Path) -> None:
    soundfile.write(place, SPEECH[:0], RATE, subtype="PCM_16")
    assert str(refusal(place)) == "zero_frames: 44 bytes, no frames"


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whatever_happened_to_a_file_it_is_frames_or_a_failure(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    place = tmp_path_factory.getbasetemp() / "hostile.wav"
    container = data.draw(
        st.sampled_from(["WAV", "RF64", "AIFF", "AU", "W64", "CAF", "NIST", "FLAC", "OGG"])
    )
    soundfile.write(place, SPEECH[:2000], RATE, format=container)
    content = bytearray(place.read_bytes())
    for at, byte in data.draw(st.lists(st.tuples(st.integers(0, 90), st.integers(0, 255)))):
        content[at % len(content)] = byte
    place.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        frames = decode(place)
    except Failure:
        return
    assert frames.dtype == np.float32
    assert frames.ndim == 2


@given(content=st.binary(max_size=200), kind=st.sampled_from([b"RIFF", b"RIFX", b"FORM", b".snd"]))
def test_any_bytes_behind_a_header_are_a_failure_or_frames(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, kind: bytes
) -> None:
    place = tmp_path_factory.getbasetemp() / "bytes.wav"
    form = {b"FORM": b"AIFF"}.get(kind, b"WAVE")
    place.write_bytes(kind + struct.pack("<I", len(content)) + form + content)
    try:
        decode(place)
    except Failure as failure:
        assert failure.reason in REASONS  # noqa: PT017 - there may be none
