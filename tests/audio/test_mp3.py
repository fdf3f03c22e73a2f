"""All of an MP3 is decoded, even if its Xing header is wrong or missing."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from decoding import decode
from hypothesis import given
from hypothesis import strategies as st

from batchemo.audio import Failure
from batchemo.audio.formats.mp3 import (
    count_frames,
    frame_length,
    make_missing_header,
    read_xing_header,
)

RATES = (8_000, 16_000, 22_050, 44_100)
SECONDS = 6


def mp3(rate: int, channels: int = 1, mode: str = "VARIABLE", seed: int = 0) -> bytes:
    """Return a hum and then noise, or the reverse: the bitrate of neither is the mean."""
    random = np.random.default_rng(seed)
    half = rate * SECONDS // 2
    hum = 0.001 * np.sin(2 * np.pi * 200 * np.arange(half) / rate)
    noise = (0.3 * random.normal(size=half)).clip(-1, 1)
    signal = np.concatenate([noise, hum] if seed % 2 else [hum, noise])
    file = io.BytesIO()
    soundfile.write(
        file,
        np.repeat(signal[:, None], channels, axis=1),
        rate,
        format="MP3",
        bitrate_mode=mode,
        compression_level=0.5,
    )
    return file.getvalue()


def without_header(content: bytes) -> bytes:
    return content[frame_length(content[:4]) :]


def decoded(path: Path, content: bytes) -> np.ndarray:
    path.write_bytes(content)
    return decode(path)


def frames_of(content: bytes) -> int:
    return count_frames(lambda offset, count: content[offset : offset + count], 0, len(content))[0]


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("seed", [0, 1])
def test_without_a_xing_header_all_is_decoded_bit_for_bit(
    rate: int, channels: int, seed: int, recording_path: Path
) -> None:
    content = mp3(rate, channels, seed=seed)
    whole = decoded(recording_path, content)
    without = decoded(recording_path, without_header(content))
    assert len(whole) == rate * SECONDS
    added = len(without) - len(whole)
    assert 0 <= added < 0.25 * rate  # the encoder's delay and padding, which the header declared
    offsets = [576 + delay for delay in (0, 1)]
    assert any(np.array_equal(without[at : at + len(whole)], whole) for at in offsets)


def test_a_constant_bitrate_needs_no_xing_header_either(recording_path: Path) -> None:
    content = without_header(mp3(16_000, mode="CONSTANT"))
    assert len(decoded(recording_path, content)) >= 16_000 * SECONDS
    # What follows the audio is not counted as audio.
    assert len(decoded(recording_path, content + b"APETAGEX" + bytes(400_000))) < 16_000 * (
        SECONDS + 0.25
    )


@pytest.mark.parametrize(
    "between", [b"", b"TAG" + bytes(125), b"ID3\4\0\0\0\5\0\0" + bytes(81_920)]
)
def test_recordings_joined_end_to_end_are_all_decoded(between: bytes, recording_path: Path) -> None:
    content = mp3(16_000) + between + mp3(16_000, seed=1)
    assert len(decoded(recording_path, content)) >= 2 * 16_000 * SECONDS


def test_joined_recordings_of_two_rates_are_refused_with_the_offset(recording_path: Path) -> None:
    first, second = mp3(16_000), mp3(44_100)
    for content in (first, without_header(first)):
        with pytest.raises(Failure, match=f"unsupported: .* at byte {len(content):,}"):
            decoded(recording_path, content + second)


def test_a_file_that_lost_its_second_half_is_still_truncated(recording_path: Path) -> None:
    content = mp3(16_000, seed=1)
    with pytest.raises(Failure, match="truncated"):
        decoded(recording_path, content[: len(content) // 2])


def test_the_xing_header_of_every_version_and_channel_count_is_read() -> None:
    for rate in RATES:
        for channels in (1, 2):
            content = mp3(rate, channels)
            header = read_xing_header(content[: frame_length(content[:4])])
            assert header is not None
            assert header.frames == frames_of(without_header(content))
            assert read_xing_header(without_header(content)[:400]) is None
    fraunhofer = b"\xff\xfb\x90\xc4" + bytes(32) + b"VBRI" + bytes(6) + struct.pack(">II", 9000, 70)
    assert read_xing_header(fraunhofer) == (70, 9000)


def test_the_rest_of_a_file_is_not_read_if_its_xing_header_fits() -> None:
    content = mp3(16_000)
    reads: list[tuple[int, int]] = []

    def read_at(offset: int, count: int) -> bytes:
        reads.append((offset, count))
        return content[offset : offset + count]

    assert make_missing_header(read_at, 0, len(content)) is None
    assert sum(count for _, count in reads) < 2_000


def test_frames_are_counted_across_what_stands_between_them() -> None:
    sound = without_header(mp3(16_000))
    count = frames_of(sound)
    assert frames_of(sound + b"\xff\xfb\x10" * 1_000 + sound) == 2 * count
    other = without_header(mp3(44_100))
    assert frames_of(sound + other) == count
    assert frames_of(sound + bytes(1 << 20)) == count
    assert frames_of(b"") == frames_of(b"RIFF" + sound) == 0


@given(st.binary(max_size=300), st.lists(st.binary(max_size=40), max_size=20))
def test_counting_frames_ends_for_arbitrary_bytes(head: bytes, parts: list[bytes]) -> None:
    sound = b"\xff\xf3\x18\xc4" + bytes(32)  # the shortest frame but those at 24 kHz
    content = sound + head + sound.join(parts)
    assert 1 <= frames_of(content) <= 1 + len(parts) + len(content) // 4
