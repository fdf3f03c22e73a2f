"""Long recordings are cut into pieces, and each piece is read as it is in the whole recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from encoded_recordings import CONTAINERS, recording
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from voices import voice

from batchemo.audio import AudioInfo, Failure, Window, WindowConfig, decode, pieces, read_windows
from batchemo.audio.decode import open_decoder
from batchemo.audio.file import open_audio
from batchemo.audio.measures import Measures

RATE = 16_000
CONFIG = WindowConfig(rate=RATE, window=1.0, hop=0.75)
SOUGHT = (*("PCM_U8", "PCM_S8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"),)
SECONDS = 14
PIECE = 4.66
"""Seconds of the first of three pieces of such a recording."""


@pytest.fixture(autouse=True)
def short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of four seconds and more, and blocks that are shorter than a piece."""
    monkeypatch.setattr(pieces, "PIECE_SECONDS", 4)
    monkeypatch.setattr(decode, "BLOCK_VALUES", 20_000)


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of three pieces, with a pause in it and one clipped syllable."""
    signal = 5.0 * voice(SECONDS + 0.3, RATE)
    signal[80_000:100_000] = 0
    path = tmp_path_factory.mktemp("long") / "call.flac"
    soundfile.write(path, np.stack([signal, 0.5 * signal], axis=1).clip(-1, 1), RATE)
    return path


def read(
    path: Path, *configs: WindowConfig, piece: int | None = None
) -> tuple[list[Window], Measures, AudioInfo]:
    with read_windows(str(path), *configs, piece=piece) as reader:
        windows = list(reader)
    assert reader.measures is not None
    return windows, reader.measures, reader.info


def contents(windows: list[Window]) -> list[tuple[int, float, float, bool, bytes]]:
    return [(w.config_index, w.start, w.end, w.speech, w.samples.tobytes()) for w in windows]


def encodings() -> list[tuple[str, str]]:
    """All containers that libsndfile reads, with each encoding that is sought in them."""
    formats = {name: {"RIFX": "WAV", "AU-LE": "AU"}.get(name, name) for name in CONTAINERS}
    return [
        (container, subtype)
        for container, name in formats.items()
        for subtype in soundfile.available_subtypes(name)
        if subtype in SOUGHT or container == "FLAC"
    ]


@pytest.mark.parametrize(("container", "subtype"), encodings())
def test_what_is_sought_is_decoded_as_after_all_that_comes_before(
    container: str, subtype: str, recording_path: Path
) -> None:
    noise = 0.3 * np.random.default_rng(1).standard_normal(5 * RATE)
    try:
        recording_path.write_bytes(recording(container, subtype, channels=2, signal=noise))
    except soundfile.LibsndfileError as error:
        pytest.skip(f"listed by libsndfile, but cannot be written: {error}")
    with open_audio(str(recording_path)) as file:
        whole = np.concatenate(list(open_decoder(file).blocks()))
        decoder = open_decoder(file)
        assert decoder.seekable
        for start, stop in ((20_000, 33_000), (1, 10_000), (39_990, 40_000), (0, 5)):
            part = np.concatenate(list(decoder.blocks_of(range(start, stop))))
            assert np.array_equal(part, whole[start:stop])


@pytest.mark.parametrize("container", ["OGG", "MP3"])
def test_what_depends_on_what_came_before_is_not_sought(
    container: str, recording_path: Path
) -> None:
    recording_path.write_bytes(recording(container))
    with open_audio(str(recording_path)) as file:
        assert not open_decoder(file).seekable


configs_strategy = st.builds(
    WindowConfig,
    rate=st.sampled_from([RATE, 22_050]),
    window=st.sampled_from([0.5, 1.0, 2.0]),
    hop=st.sampled_from([0.25, 0.7, 1.0, 1.5, 3.0]),
)


@given(st.lists(configs_strategy, min_size=1, max_size=3))
@settings(
    max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_the_pieces_have_all_windows_and_measures_of_the_recording_bit_for_bit(
    call: Path, configs: list[WindowConfig]
) -> None:
    windows, measures, info = read(call, *configs)
    parts = [read(call, *configs, piece=number) for number in range(3)]
    for index in range(len(configs)):
        own = [window for window in windows if window.config_index == index]
        joined = [w for part in parts for w in part[0] if w.config_index == index]
        assert contents(joined) == contents(own)
    total = parts[0][1]
    for part in parts[1:]:
        total.add(part[1])
    assert total.describe(info) == info
    assert total.with_speech == measures.with_speech


def assert_as_uncut(path: Path, config: WindowConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that the pieces of a recording, of which there are some, change no bit of a window."""
    with read_windows(str(path), config) as reader:
        windows = list(reader)
    assert len(reader.pieces) > 1
    with monkeypatch.context() as patch:
        patch.setattr(pieces, "PIECE_SECONDS", 300)
        uncut, _, info = read(path, config)
    assert contents(windows) == contents(uncut)
    assert reader.info.silence == info.silence
    assert reader.info.duration == info.duration
    assert reader.info.rms_db == pytest.approx(info.rms_db, rel=1e-12)
    # A run of samples that crosses from one piece or block to the next may count for less.
    assert reader.info.clipped == pytest.approx(info.clipped, rel=1e-2)


@given(configs_strategy)
@settings(
    max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_a_recording_has_the_windows_that_it_would_have_uncut_bit_for_bit(
    call: Path, monkeypatch: pytest.MonkeyPatch, config: WindowConfig
) -> None:
    assert_as_uncut(call, config, monkeypatch)


@pytest.mark.parametrize(("sample_rate", "rate"), pieces.RESAMPLER_PERIODS)
def test_pieces_begin_where_the_resampler_gives_the_bits_of_the_whole(
    sample_rate: int, rate: int, recording_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = WindowConfig(rate=rate, window=1.0, hop=1.0)
    steps = pieces._steps(sample_rate, rate)
    assert steps is not None
    length = pieces._rounded_up(pieces.PIECE_SECONDS * sample_rate, steps[1])
    signal = 0.3 * np.random.default_rng(0).standard_normal(round(2.2 * length))
    signal[: 2 * sample_rate] = soxr.resample(voice(2.0), RATE, sample_rate)
    soundfile.write(recording_path, signal.clip(-1, 1), sample_rate, subtype="PCM_16")
    assert_as_uncut(recording_path, config, monkeypatch)


def test_a_recording_of_less_than_two_pieces_is_not_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, voice(7.9, RATE), RATE)
    with read_windows(str(path), CONFIG) as reader:
        list(reader)
    assert reader.pieces == (pieces.WHOLE,)


def test_the_pieces_of_an_open_recording_are_known_before_it_is_read(call: Path) -> None:
    with read_windows(str(call), CONFIG) as reader:
        reader.open()
        assert [piece.start for piece in reader.pieces] == [0, 76_160, 152_320]
        assert reader.info.duration is None
        assert contents(list(reader)) == contents(read(call, CONFIG)[0])


def test_damage_is_found_in_its_piece_and_the_same_in_the_whole(tmp_path: Path) -> None:
    path, signal = tmp_path / "a.wav", voice(14.0, RATE).astype(np.float32)
    signal[130_000] = np.inf
    soundfile.write(path, signal, RATE, subtype="FLOAT")
    found = []
    for piece in (None, 1):
        with (
            read_windows(str(path), CONFIG, piece=piece) as reader,
            pytest.raises(Failure, match="non_finite") as raised,
        ):
            list(reader)
        found.append((raised.value.detail, reader.info.duration))
    (detail, duration), (piece_detail, piece_duration) = found
    assert detail == piece_detail
    assert duration == pytest.approx(PIECE + piece_duration)
    assert read(path, CONFIG, piece=0)[2].duration == PIECE


def test_silence_and_the_level_are_those_of_all_pieces(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.concatenate([np.zeros(10 * RATE), voice(4.0, RATE)]), RATE)
    assert read(path, CONFIG, piece=0)[2].rms_db is None
    _, _, info = read(path, CONFIG)
    assert info.silence == pytest.approx(10 / 14, abs=0.1)
    soundfile.write(path, np.zeros(14 * RATE), RATE)
    with pytest.raises(Failure, match="silent"):
        read(path, CONFIG)


def test_a_piece_that_is_not_there_any_more_is_a_file_that_changed(call: Path) -> None:
    with pytest.raises(Failure, match="the file changed"):
        read(call, CONFIG, piece=3)
