"""`logmel64` and `logmel80` show the speech in a window, without silence around it and loudness."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
from feature_signals import voice

from batchemo.common.arrays import Float32
from batchemo.features import extract, get_feature_set
from batchemo.features.logmel import SpeechLogMel
from batchemo.features.spectrum import Spectrum, frame_energies

FEATURE_SET = get_feature_set("logmel64")
RATE = FEATURE_SET.rate
FLOOR = -2.0


@pytest.mark.parametrize(
    ("name", "seconds", "loudest", "bands"),
    [
        ("logmel64", 3.0, 76, {"n_fft": 512, "n_mels": 64, "fmin": 50}),
        ("logmel80", 5.0, 126, {"n_fft": 400, "n_mels": 80, "fmin": 0}),
    ],
)
def test_frames_and_bands_equal_librosas(
    name: str, seconds: float, loudest: int, bands: dict[str, int]
) -> None:
    samples = voice(RATE, seconds)
    logmel = extract(get_feature_set(name, trim_db=200.0), samples)
    power = librosa.feature.melspectrogram(
        y=samples, sr=RATE, win_length=400, hop_length=160, fmax=8000, **bands
    )
    level = librosa.power_to_db(power, top_db=None).T
    level -= np.sort(level.max(axis=1))[-loudest:].mean()  # a quarter of the frames
    assert np.allclose(logmel, np.maximum(level, -80) / 20 + 2, atol=1e-3)


def test_silence_around_speech_makes_no_difference() -> None:
    speech = voice(RATE, 1.0)
    speech[:160] = speech[-160:] = 0
    silence = np.zeros(RATE // 2, dtype=np.float32)
    early = extract(FEATURE_SET, np.concatenate([silence, speech, silence]))
    late = extract(FEATURE_SET, np.concatenate([silence, silence, speech, silence]))
    assert np.allclose(early, late, atol=1e-4)


def test_padding_at_the_end_is_the_floor() -> None:
    logmel = extract(FEATURE_SET, voice(RATE, 1.0))
    assert (logmel[101:] == FLOOR).all()
    assert (logmel[:20] > FLOOR).any()


def test_a_tenth_of_a_second_is_kept_around_loud_frames() -> None:
    samples = 1e-4 * np.random.default_rng(0).standard_normal(3 * RATE).astype(np.float32)
    samples[RATE : 2 * RATE] += 0.3 * np.sin(np.arange(RATE, dtype=np.float32))
    logmel = extract(FEATURE_SET, samples)
    visible = int((logmel > FLOOR).any(axis=1).sum())
    assert abs(visible - (100 + 2 * 10)) <= 4


@pytest.mark.parametrize("gain", [0.5, 3.0])
def test_the_level_makes_no_difference(gain: float) -> None:
    samples = voice(RATE, 3.0)
    louder = extract(FEATURE_SET, np.float32(gain) * samples)
    assert np.allclose(louder, extract(FEATURE_SET, samples), atol=1e-3)


def test_a_constant_offset_does_not_count_as_loud() -> None:
    samples = np.zeros(3 * RATE, dtype=np.float32)
    samples[RATE : 2 * RATE] = voice(RATE, 1.0)
    with_offset = extract(FEATURE_SET, samples + np.float32(0.002))
    assert (with_offset[150:] == FLOOR).all()


def test_digital_silence_is_all_floor() -> None:
    assert (extract(FEATURE_SET, np.zeros(RATE, dtype=np.float32)) == FLOOR).all()
    assert (extract(FEATURE_SET, np.full(RATE, 1e-12, dtype=np.float32)) == FLOOR).all()


@pytest.mark.parametrize("name", ["logmel64", "logmel80"])
@pytest.mark.parametrize("offset", [0.0, 0.3])
def test_silence_is_not_transformed_and_makes_no_difference_to_any_bit(
    name: str, offset: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An offset is loud by the energy of the samples: then all frames are transformed."""
    feature_set = get_feature_set(name)
    silence = 1e-4 * np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    samples = np.concatenate([silence, voice(RATE, 0.8), silence]) + np.float32(offset)
    transformed, power_of = [], Spectrum.power_of

    def count(spectrum: Spectrum, chosen: slice) -> Float32:
        power = power_of(spectrum, chosen)
        transformed.append(len(power))
        return power

    monkeypatch.setattr(Spectrum, "power_of", count)
    logmel = extract(feature_set, samples)
    assert (sum(transformed) < 130) == (offset == 0.0)
    monkeypatch.setattr(SpeechLogMel, "_candidates", lambda *_: slice(None))
    assert np.array_equal(logmel, extract(feature_set, samples))


@pytest.mark.parametrize(
    ("n_fft", "win_length", "hop"), [(512, 400, 160), (400, 400, 160), (64, 64, 100)]
)
def test_energies_of_frames_are_those_of_their_spectrum(
    n_fft: int, win_length: int, hop: int
) -> None:
    samples = voice(RATE, 0.7) + np.float32(0.01)
    spectrum = Spectrum(samples, rate=RATE, n_fft=n_fft, hop=hop, win_length=win_length)
    power = spectrum.power
    both_sides = 2 * power.sum(axis=1) - power[:, 0] - power[:, -1]
    assert np.allclose(n_fft * frame_energies(spectrum), both_sides, rtol=1e-4, atol=1e-6)
