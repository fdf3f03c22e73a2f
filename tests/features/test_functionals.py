"""`functionals` describes the speech in a window, independent of how loud it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from feature_signals import Floats, voice
from hypothesis import given, settings
from hypothesis import strategies as st

from batchemo.errors import UsageError
from batchemo.features import extract, get_feature_set
from batchemo.features.f0 import REFERENCE_HZ

FEATURE_SET = get_feature_set("functionals")
RATE = FEATURE_SET.rate


def statistics_of(samples: Floats, **params: Any) -> dict[str, float]:
    feature_set = get_feature_set("functionals", **params)
    values = extract(feature_set, samples.astype(np.float32)).tolist()
    return dict(zip(feature_set.names, values, strict=True))


def synthetic_voice(pitch: Floats, breath: float = 0.01) -> Floats:
    """Harmonics that fall off by 6 dB an octave, at a pitch in hertz at every sample."""
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    harmonics = sum(np.sin(number * phase) / number for number in range(1, 13))
    noise = np.random.default_rng(0).standard_normal(len(pitch))
    return (0.2 * harmonics + breath * noise).astype(np.float32)


def steady(hertz: float, seconds: float = 2.0) -> Floats:
    return np.full(round(seconds * RATE), hertz)


def semitones(hertz: float) -> float:
    return float(12 * np.log2(hertz / REFERENCE_HZ))


@pytest.mark.parametrize("gain", [0.1, 0.01, 3.0])
def test_the_level_makes_no_difference(gain: float) -> None:
    samples = voice(RATE)
    assert extract(FEATURE_SET, np.float32(gain) * samples) == pytest.approx(
        extract(FEATURE_SET, samples), abs=2e-3, rel=2e-3
    )


def test_an_offset_and_silence_around_the_speech_make_no_difference() -> None:
    speech = voice(RATE, 1.5)
    silence = np.zeros(RATE // 2, np.float32)
    alone = extract(FEATURE_SET, np.concatenate([silence, speech, silence]))
    later = extract(FEATURE_SET, np.concatenate([silence, silence, speech, silence]))
    assert later == pytest.approx(alone, abs=0.05, rel=0.05)
    offset = extract(FEATURE_SET, np.concatenate([silence, speech, silence]) + np.float32(0.05))
    assert offset == pytest.approx(alone, abs=0.05, rel=0.05)


@settings(max_examples=10, deadline=None)
@given(st.floats(75, 450))
def test_a_steady_voice_has_its_pitch_and_hardly_moves(hertz: float) -> None:
    found = statistics_of(synthetic_voice(steady(hertz)))
    assert found["pitch_mean"] == pytest.approx(semitones(hertz), abs=0.1)
    assert found["pitch_range"] < 0.2
    assert found["voiced_share"] > 0.95
    assert found["voicing_p50"] > 0.9


def test_a_voice_without_its_fundamental_keeps_its_pitch() -> None:
    """As on the telephone, which carries nothing below 300 Hz."""
    samples = synthetic_voice(steady(120.0), breath=0.0)
    spectrum = np.fft.rfft(samples)
    spectrum[np.fft.rfftfreq(len(samples), 1 / RATE) < 300] = 0
    found = statistics_of(np.fft.irfft(spectrum, len(samples)))
    assert found["pitch_p50"] == pytest.approx(semitones(120), abs=0.1)


def test_a_rising_voice_rises() -> None:
    up = statistics_of(synthetic_voice(np.geomspace(120, 240, 2 * RATE)))
    down = statistics_of(synthetic_voice(np.geomspace(240, 120, 2 * RATE)))
    assert up["pitch_trend"] == pytest.approx(12, abs=0.5)
    assert down["pitch_trend"] == pytest.approx(-12, abs=0.5)
    assert up["glide_rising"] > 0.9 > 0.1 > down["glide_rising"]
    assert up["glide_mean"] == pytest.approx(12 / 200, abs=0.01)
    assert up["phrase_range_largest"] == pytest.approx(12, abs=0.7)


def test_noise_has_no_intonation() -> None:
    found = statistics_of(np.random.default_rng(0).standard_normal(2 * RATE))
    assert found["voiced_share"] < 0.02
    assert {value for name, value in found.items() if name.startswith(("pitch", "glide"))} == {0}


def test_timbre_separates_bright_from_dull_sounds() -> None:
    noise = np.random.default_rng(0).standard_normal(2 * RATE)
    spectrum = np.fft.rfft(noise)
    hertz = np.fft.rfftfreq(len(noise), 1 / RATE)
    dull, bright = (
        statistics_of(np.fft.irfft(spectrum * keep, len(noise)))
        for keep in (hertz < 1900, hertz > 2100)
    )
    assert dull["centroid_mean"] < 2 < bright["centroid_mean"]
    assert dull["treble_mean"] < -20 < 0 < bright["treble_mean"]
    assert dull["hammarberg_mean"] > 20 > 0 > bright["hammarberg_mean"]
    assert statistics_of(noise)["flatness_mean"] > dull["flatness_mean"] + 10


def test_harmonics_have_the_levels_of_the_voice() -> None:
    found = statistics_of(synthetic_voice(steady(150.0), breath=0.0))
    heights = [found[f"harmonic_{number}_mean"] for number in range(1, 9)]
    assert heights == sorted(heights, reverse=True)
    assert heights[0] - heights[1] == pytest.approx(6, abs=0.3)


def test_syllables_and_pauses_are_counted() -> None:
    beats = np.sin(2 * np.pi * 2 * np.arange(3 * RATE) / RATE) > 0  # 0.25 s on, 0.25 s off
    found = statistics_of(synthetic_voice(steady(150.0, 3.0)) * beats)
    assert found["voiced_rate"] == pytest.approx(2, abs=0.3)
    assert found["voiced_mean"] == pytest.approx(0.25, abs=0.05)
    assert found["gap_mean"] == pytest.approx(0.25, abs=0.05)
    modulation = {name: value for name, value in found.items() if name.startswith("waves")}
    assert max(modulation, key=lambda name: modulation[name]) in ("waves_1_2", "waves_2_3")


def test_windows_of_ten_seconds_and_of_two_frames_give_a_vector() -> None:
    for samples in (voice(RATE, 10.0), voice(RATE)[5000:5200]):
        vector = extract(FEATURE_SET, samples, window=10.0)
        assert vector.shape == FEATURE_SET.shape(10.0) == FEATURE_SET.shape()
        assert np.isfinite(vector).all()
        assert vector.any()


@pytest.mark.parametrize("constant", [0.0, 0.5, 1e-30, -1e30])
def test_without_sound_all_values_are_zero(constant: float) -> None:
    assert not extract(FEATURE_SET, np.full(RATE, constant, np.float32)).any()


def test_cepstra_and_frame_sizes_can_be_changed() -> None:
    more = get_feature_set("functionals", n_cepstra=12, hop=200, n_fft=2048, win_length=800)
    assert more.shape() == (FEATURE_SET.shape()[0] + 4 * 11,)
    assert np.isfinite(extract(more, voice(RATE))).all()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_cepstra": 26}, "n_cepstra"),
        ({"win_length": 2048}, "win_length"),
        ({"n_fft": 32, "win_length": 32}, "64"),
        ({"hop": 0}, "hop"),
        ({"fmin": 9000.0}, "fmin"),
        ({"sound_db": 0.0}, "sound_db"),
        ({"lowest_pitch": 500.0}, "highest_pitch"),
    ],
)
def test_invalid_parameters_are_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        get_feature_set("functionals", **params)
