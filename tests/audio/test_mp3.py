"""All of an MP3 is heard, whatever its index says of its length, or if it has none."""

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
from batchemo.audio.formats.mp3 import count_frames, frame_length, missing_index, read_index

RATES = (8_000, 16_000, 22_050, 44_100)
SECONDS = 6


def mp3(rate: int, channels: int = 1, mode: str = "VARIABLE", seed: int = 0) -> bytes:
    """A low hum and then noise, or the other way round: the bitrate of neither is the mean."""
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


def without_index(content: bytes) -> bytes:
    return content[frame_length(content[:4]) :]


def heard(path: Path, content: bytes) -> np.ndarray:
    path.write_bytes(content)
    return decode(path)


def frames_of(content: bytes) -> int:
    return count_frames(lambda offset, count: content[offset : offset + count], 0, len(content))[0]


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("seed", [0, 1])
def test_without_an_index_all_of_it_is_heard_to_the_bit(
    rate: int, channels: int, seed: int, place: Path
) -> None:
    content = mp3(rate, channels, seed=seed)
    whole = heard(place, content)
    bare = heard(place, without_index(content))
    assert len(whole) == rate * SECONDS
    ahead = len(bare) - len(whole)
    assert 0 <= ahead < 0.25 * rate  # the encoder's delay and padding, which nothing tells now
    starts = [576 + delay for delay in (0, 1)]
    assert any(np.array_equal(bare[at : at + len(whole)], whole) for at in starts)


def test_a_constant_bitrate_needs_no_index_either(place: Path) -> None:
    content = without_index(mp3(16_000, mode="CONSTANT"))
    assert len(heard(place, content)) >= 16_000 * SECONDS
    # What stands behind the sound is not counted as sound.
    assert len(heard(place, content + b"APETAGEX" + bytes(400_000))) < 16_000 * (SECONDS + 0.25)


@pytest.mark.parametrize(
    "between", [b"", b"TAG" + bytes(125), b"ID3\4\0\0\0\5\0\0" + bytes(81_920)]
)
def test_recordings_in_a_row_are_all_heard(between: bytes, place: Path) -> None:
    content = mp3(16_000) + between + mp3(16_000, seed=1)
    assert len(heard(place, content)) >= 2 * 16_000 * SECONDS


def test_recordings_of_two_rates_in_a_row_are_refused_with_the_place(place: Path) -> None:
    first, second = mp3(16_000), mp3(44_100)
    for content in (first, without_index(first)):
        with pytest.raises(Failure, match=f"unsupported: .* at byte {len(content):,}"):
            heard(place, content + second)


def test_a_file_that_lost_its_second_half_is_still_truncated(place: Path) -> None:
    content = mp3(16_000, seed=1)
    with pytest.raises(Failure, match="truncated"):
        heard(place, content[: len(content) // 2])


def test_the_index_of_every_kind_of_frame_is_read() -> None:
    for rate in RATES:
        for channels in (1, 2):
            content = mp3(rate, channels)
            index = read_index(content[: frame_length(content[:4])])
            assert index is not None
            assert index.frames == frames_of(without_index(content))
            assert read_index(without_index(content)[:400]) is None
    fraunhofer = b"\xff\xfb\x90\xc4" + bytes(32) + b"VBRI" + bytes(6) + struct.pack(">II", 9000, 70)
    assert read_index(fraunhofer) == (70, 9000)


def test_an_index_that_fits_the_file_is_believed_without_a_look_at_the_rest() -> None:
    content = mp3(16_000)
    looks: list[tuple[int, int]] = []

    def read_at(offset: int, count: int) -> bytes:
        looks.append((offset, count))
        return content[offset : offset + count]

    assert missing_index(read_at, 0, len(content)) is None
    assert sum(count for _, count in looks) < 2_000


def test_frames_are_counted_over_what_lies_between_them() -> None:
    sound = without_index(mp3(16_000))
    count = frames_of(sound)
    assert frames_of(sound + b"\xff\xfb\x10" * 1_000 + sound) == 2 * count
    other = without_index(mp3(44_100))
    assert frames_of(sound + other) == count
    assert frames_of(sound + bytes(1 << 20)) == count
    assert frames_of(b"") == frames_of(b"RIFF" + sound) == 0


@given(st.binary(max_size=300), st.lists(st.binary(max_size=40), max_size=20))
def test_counting_ends_whatever_the_bytes(head: bytes, parts: list[bytes]) -> None:
    sound = b"\xff\xf3\x18\xc4" + bytes(32)  # the shortest frame but those at 24 kHz
    content = sound + head + sound.join(parts)
    assert 1 <= frames_of(content) <= 1 + len(parts) + len(content) // 4
