"""Every supported encoding is decoded; wrong and incomplete headers are detected."""

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
from batchemo.audio.decode import BLOCK_VALUES, mix, open_decoder

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


def failure_of(path: Path) -> Failure:
    with pytest.raises(Failure) as raised:
        decode(path)
    return raised.value


@pytest.mark.parametrize(("container", "subtype"), ENCODINGS)
def test_every_encoding_is_decoded_as_by_libsndfile(
    container: str, subtype: str, recording_path: Path
) -> None:
    try:
        soundfile.write(recording_path, SPEECH, RATE, format=container, subtype=subtype)
        expected = soundfile.read(recording_path, dtype="float32", always_2d=True)[0]
    except soundfile.LibsndfileError as error:
        pytest.skip(f"listed by libsndfile, but cannot be written: {error}")
    # The MP3 decoder rounds differently from one run to the next.
    np.testing.assert_allclose(decode(recording_path), expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("channels", [1, 2, 3, 8, 64])
def test_the_mix_is_the_mean_of_all_channels(channels: int, recording_path: Path) -> None:
    signal = np.random.default_rng(0).uniform(-0.5, 0.5, (1000, channels))
    soundfile.write(recording_path, signal, RATE, subtype="FLOAT")
    np.testing.assert_allclose(mix(decode(recording_path)), signal.mean(axis=1), atol=1e-6)


def test_blocks_are_bounded_whatever_the_number_of_channels(recording_path: Path) -> None:
    soundfile.write(recording_path, np.zeros((40_000, 64)), RATE)
    with open_audio(str(recording_path)) as file:
        sizes = [block.size for block in open_decoder(file).blocks()]
    assert len(sizes) > 1
    assert max(sizes) <= BLOCK_VALUES


@pytest.mark.parametrize(
    "container",
    ["WAV", "RIFX", "WAVEX", "RF64", "AIFF", "AU", "AU-LE", "W64", "CAF", "NIST"],
)
@pytest.mark.parametrize("kept", [0.9999, 0.5, 0.2])
def test_a_file_that_lost_its_end_is_truncated(
    container: str, kept: float, recording_path: Path
) -> None:
    form, order = {"RIFX": ("WAV", "BIG"), "AU-LE": ("AU", "LITTLE")}.get(
        container, (container, None)
    )
    soundfile.write(recording_path, SPEECH, RATE, format=form, subtype="PCM_16", endian=order)
    data = recording_path.read_bytes()
    end = data.rfind(b"\0") if container == "AIFF" else len(data)
    recording_path.write_bytes(data[: int(end * kept)])
    failure = failure_of(recording_path)
    assert failure.reason == "truncated"
    assert "32,002 bytes" in failure.detail or "32,010 bytes" in failure.detail


@pytest.mark.parametrize("container", ["FLAC", "OGG", "MP3"])
def test_a_compressed_file_that_lost_its_second_half_is_truncated(
    container: str, recording_path: Path
) -> None:
    soundfile.write(recording_path, voice(4.0), RATE, format=container)
    recording_path.write_bytes(recording_path.read_bytes()[: recording_path.stat().st_size // 2])
    assert failure_of(recording_path).reason == "truncated"


@pytest.mark.parametrize("size", [0, 0x7FFF_F000, 0x7FFF_FFFF, 0xFFFF_FFFF])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_a_size_that_a_streaming_writer_left_open_means_the_rest_of_the_file(
    size: int, subtype: str, recording_path: Path
) -> None:
    soundfile.write(recording_path, SPEECH, RATE, subtype=subtype)
    expected = decode(recording_path)
    data = bytearray(recording_path.read_bytes())
    offset = data.index(b"data") + 4
    data[offset : offset + 4] = struct.pack("<I", size)
    data[4:8] = struct.pack("<I", size)
    recording_path.write_bytes(data)
    np.testing.assert_array_equal(decode(recording_path), expected)


def test_an_rf64_file_whose_sizes_were_never_written_is_read_to_the_end(
    recording_path: Path,
) -> None:
    soundfile.write(recording_path, SPEECH, RATE, format="RF64", subtype="PCM_16")
    expected = decode(recording_path)
    data = bytearray(recording_path.read_bytes())
    offset = data.index(b"ds64") + 8
    data[offset : offset + 24] = bytes(24)
    recording_path.write_bytes(data)
    np.testing.assert_array_equal(decode(recording_path), expected)


def test_a_flac_stream_of_unknown_length_is_read_to_the_end(recording_path: Path) -> None:
    soundfile.write(recording_path, SPEECH, RATE, format="FLAC", subtype="PCM_16")
    expected = decode(recording_path)
    data = bytearray(recording_path.read_bytes())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    recording_path.write_bytes(data)
    np.testing.assert_array_equal(decode(recording_path), expected)


def test_chunks_around_the_audio_do_not_matter(recording_path: Path) -> None:
    soundfile.write(recording_path, SPEECH, RATE, subtype="PCM_16")
    expected = decode(recording_path)
    data = recording_path.read_bytes()
    extra = b"LIST" + struct.pack("<I", 5) + b"abcde\0"
    recording_path.write_bytes(data[:12] + extra + data[12:] + extra)
    np.testing.assert_array_equal(decode(recording_path), expected)


def test_an_empty_data_chunk_before_another_chunk_has_no_frames(recording_path: Path) -> None:
    soundfile.write(recording_path, SPEECH[:0], RATE, subtype="PCM_16")
    extra = b"LIST" + struct.pack("<I", 6) + b"abcdef"
    data = bytearray(recording_path.read_bytes() + extra)
    data[4:8] = struct.pack("<I", len(data) - 8)
    recording_path.write_bytes(data)
    assert failure_of(recording_path).reason == "zero_frames"


def test_a_missing_pad_byte_is_not_truncated(recording_path: Path) -> None:
    soundfile.write(recording_path, SPEECH[:1001], RATE, subtype="PCM_U8")
    data = recording_path.read_bytes()
    recording_path.write_bytes(data[: data.index(b"data") + 8 + 1001])
    assert len(decode(recording_path)) == 1001


def test_a_header_without_audio_has_no_frames(recording_path: Path) -> None:
    soundfile.write(recording_path, SPEECH, RATE, subtype="PCM_16")
    recording_path.write_bytes(recording_path.read_bytes()[:44])
    assert failure_of(recording_path).reason == "zero_frames"


def test_the_detail_of_an_empty_recording_states_its_size(recording_path: Path) -> None:
    soundfile.write(recording_path, SPEECH[:0], RATE, subtype="PCM_16")
    assert str(failure_of(recording_path)) == "zero_frames: 44 bytes, no frames"


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_damaged_file_gives_frames_or_a_failure(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    recording_path = tmp_path_factory.getbasetemp() / "hostile.wav"
    container = data.draw(
        st.sampled_from(["WAV", "RF64", "AIFF", "AU", "W64", "CAF", "NIST", "FLAC", "OGG"])
    )
    soundfile.write(recording_path, SPEECH[:2000], RATE, format=container)
    content = bytearray(recording_path.read_bytes())
    for offset, byte in data.draw(st.lists(st.tuples(st.integers(0, 90), st.integers(0, 255)))):
        content[offset % len(content)] = byte
    recording_path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        frames = decode(recording_path)
    except Failure:
        return
    assert frames.dtype == np.float32
    assert frames.ndim == 2


@given(content=st.binary(max_size=200), magic=st.sampled_from([b"RIFF", b"RIFX", b"FORM", b".snd"]))
def test_arbitrary_bytes_after_a_header_give_frames_or_a_failure(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, magic: bytes
) -> None:
    recording_path = tmp_path_factory.getbasetemp() / "bytes.wav"
    form = {b"FORM": b"AIFF"}.get(magic, b"WAVE")
    recording_path.write_bytes(magic + struct.pack("<I", len(content)) + form + content)
    try:
        decode(recording_path)
    except Failure as failure:
        assert failure.reason in REASONS  # noqa: PT017 - there may be none
