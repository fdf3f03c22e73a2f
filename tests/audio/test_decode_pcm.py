"""Plain WAV files of 16 bits are decoded without libsndfile, to the same samples; no others are."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from batchemo.audio import Failure, open_audio
from batchemo.audio.decode import Decoder, open_decoder
from batchemo.audio.decode_pcm import PcmDecoder, open_pcm


def write_noise(path: Path, frames: int, channels: int = 1, rate: int = 16_000) -> None:
    samples = np.random.default_rng(frames).integers(-(2**15), 2**15, (frames, channels))
    soundfile.write(path, samples.astype(np.int16), rate, subtype="PCM_16")


def is_plain(path: Path) -> bool:
    with open_audio(str(path)) as file:
        return isinstance(open_decoder(file), PcmDecoder)


@settings(deadline=None, max_examples=30)
@given(frames=st.integers(1, 400), channels=st.integers(1, 3), block_values=st.integers(1, 300))
def test_samples_and_peaks_are_those_of_libsndfile(
    tmp_path_factory: pytest.TempPathFactory, frames: int, channels: int, block_values: int
) -> None:
    path = tmp_path_factory.mktemp("pcm") / "sound.wav"
    write_noise(path, frames, channels)
    with open_audio(str(path)) as file:
        decoder = open_pcm(file, block_values)
        assert decoder is not None
        blocks, peaks = [], []
        for block in decoder.blocks():
            blocks.append(block)
            peaks.append(decoder.peak)
        reference = Decoder(file, "WAV")
        expected = np.concatenate(list(reference.blocks()))
        assert decoder.at_end
        assert (decoder.declared_frames, decoder.sample_rate, decoder.channels) == (
            reference.declared_frames,
            reference.sample_rate,
            reference.channels,
        )
        assert decoder.full_scale == reference.full_scale
        reference.close()
    assert np.array_equal(np.concatenate(blocks), expected)
    assert peaks == [np.abs(block).max() for block in blocks]


def test_a_chunk_with_a_title_before_or_after_the_audio_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    write_noise(path, 100)
    content = path.read_bytes()
    title = b"LIST" + struct.pack("<I", 12) + b"INFOINAM" + bytes(4)
    for changed in (content[:36] + title + content[36:], content + title):
        path.write_bytes(changed)
        assert is_plain(path)


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("24 bits", lambda c: c[:34] + struct.pack("<H", 24) + c[36:]),
        ("floats", lambda c: c[:20] + struct.pack("<H", 3) + c[22:]),
        ("frames of another size", lambda c: c[:32] + struct.pack("<H", 4) + c[34:]),
        ("no channels", lambda c: c[:22] + struct.pack("<H", 0) + c[24:]),
        ("a part that is missing", lambda c: c[:-2]),
        ("no sound", lambda c: c[:40] + struct.pack("<I", 0) + c[44:]),
        ("a second sound", lambda c: c + c[36:]),
        ("a chunk that is not known", lambda c: c[:36] + b"odd!" + bytes(4) + c[36:]),
        ("a second format", lambda c: c[:36] + c[12:36] + c[36:]),
        ("a header alone", lambda c: c[:40]),
    ],
)
def test_what_is_unusual_is_left_to_libsndfile(what: str, change, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "sound.wav"
    write_noise(path, 100)
    path.write_bytes(change(path.read_bytes()))
    with open_audio(str(path)) as file:
        assert open_pcm(file, 1000) is None, what


def test_a_rate_that_is_refused_is_left_to_the_other_decoder(tmp_path: Path) -> None:
    write_noise(tmp_path / "slow.wav", 100, rate=500)
    assert not is_plain(tmp_path / "slow.wav")


def test_a_file_that_is_shortened_meanwhile_is_truncated(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    write_noise(path, 100)
    with open_audio(str(path)) as file:
        blocks = open_decoder(file).blocks()
        os.truncate(path, 144)
        with pytest.raises(Failure, match="0 of 100 frames could be read") as raised:
            next(blocks)
    assert raised.value.reason == "truncated"
