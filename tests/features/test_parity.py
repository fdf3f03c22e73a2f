"""Every classic feature equals librosa's within its documented tolerance."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import librosa
import numpy as np
import pytest
from feature_signals import Floats, edge_cases, voice
from tolerances import TOLERANCES

from batchemo.features.mel import decibels, mel_decibels, mel_filters, mel_power, mfcc, mfcc_delta
from batchemo.features.pitch import chroma, chroma_filters, mean_pitch, tuning
from batchemo.features.spectral import bandwidth, contrast, rms, zero_crossing_rate
from batchemo.features.spectrum import DoubleSpectrum, Spectrum

RATE = 22050
SIGNALS = {
    "low voice": voice(RATE, 3.0, seed=1, pitch=100),
    "middle voice": voice(RATE, 3.0, seed=2, pitch=170),
    "high voice": voice(RATE, 3.0, seed=3, pitch=260),
    **edge_cases(RATE),
}


def librosa_mel(y: Floats) -> Floats:
    return librosa.feature.melspectrogram(y=y, sr=RATE)


def librosa_delta(y: Floats, order: int) -> Floats:
    return librosa.feature.delta(librosa.feature.mfcc(y=y, sr=RATE), order=order)


def librosa_tuning(y: Floats) -> Floats:
    power = np.abs(librosa.stft(y)) ** 2
    return np.array([[librosa.estimate_tuning(S=power, sr=RATE)]])


def librosa_mean_pitch(y: Floats) -> Floats:
    pitches, _ = librosa.piptrack(y=y, sr=RATE)
    means = [frame[frame > 0].mean() if frame.any() else 0 for frame in pitches.T]
    return np.array([means])


Kernel = Callable[[Spectrum], Any]
Reference = Callable[[Floats], Floats]
FEATURES: dict[str, tuple[Kernel, Reference]] = {
    "mel": (mel_power, librosa_mel),
    "mel_db": (mel_decibels, lambda y: librosa.power_to_db(librosa_mel(y), ref=np.max)),
    "mfcc": (
        lambda spectrum: mfcc(spectrum, n_mfcc=40),
        lambda y: librosa.feature.mfcc(y=y, sr=RATE, n_mfcc=40),
    ),
    "mfcc_delta": (lambda spectrum: mfcc_delta(spectrum, 1), lambda y: librosa_delta(y, 1)),
    "mfcc_delta2": (lambda spectrum: mfcc_delta(spectrum, 2), lambda y: librosa_delta(y, 2)),
    "tuning": (lambda spectrum: np.array([[tuning(spectrum)]]), librosa_tuning),
    "chroma": (chroma, lambda y: librosa.feature.chroma_stft(y=y, sr=RATE)),
    "contrast": (contrast, lambda y: librosa.feature.spectral_contrast(y=y, sr=RATE)),
    "bandwidth": (bandwidth, lambda y: librosa.feature.spectral_bandwidth(y=y, sr=RATE)),
    "zcr": (zero_crossing_rate, lambda y: librosa.feature.zero_crossing_rate(y)),
    "rms": (rms, lambda y: librosa.feature.rms(y=y)),
    "pitch": (mean_pitch, librosa_mean_pitch),
}
PAIRS = [
    (feature, signal)
    for feature in FEATURES
    for signal in SIGNALS
    if signal not in TOLERANCES[feature].meaningless_on
    and not (feature.startswith("mfcc_delta") and len(SIGNALS[signal]) < 8 * 512)
]


def spectrum_of(samples: Floats, rate: int = RATE) -> Spectrum:
    return DoubleSpectrum(samples, rate=rate, n_fft=2048, hop=512)


@pytest.mark.parametrize(("feature", "signal"), PAIRS)
def test_feature_equals_librosas(feature: str, signal: str) -> None:
    kernel, reference = FEATURES[feature]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # librosa warns of short signals and of silence
        expected = reference(SIGNALS[signal]).T
    computed = kernel(spectrum_of(SIGNALS[signal]))

    assert computed.shape == expected.shape
    largest = TOLERANCES[feature].largest
    if feature == "mel":
        largest *= expected.max()
    assert np.abs(computed - expected).max() <= largest


def test_every_feature_has_a_tolerance_and_every_tolerance_a_test() -> None:
    assert set(FEATURES) == set(TOLERANCES)
    assert {name for tolerance in TOLERANCES.values() for name in tolerance.meaningless_on} <= set(
        SIGNALS
    )


def test_voices_differ_in_tuning() -> None:
    found = {tuning(spectrum_of(voice(RATE, 2.0, seed=seed))) for seed in range(4)}
    assert len(found) > 1


@pytest.mark.parametrize("rate", [16000, 44100])
@pytest.mark.parametrize("feature", ["chroma_stft", "spectral_contrast", "spectral_bandwidth"])
def test_parity_holds_at_other_rates(rate: int, feature: str) -> None:
    name = feature.split("_")[0 if feature.startswith("chroma") else 1]
    samples = voice(rate, 1.5)
    expected = getattr(librosa.feature, feature)(y=samples, sr=rate)
    computed = FEATURES[name][0](spectrum_of(samples, rate))
    assert np.abs(computed - expected.T).max() <= TOLERANCES[name].largest * rate / RATE


def test_contrast_refuses_a_rate_too_low_for_its_bands() -> None:
    with pytest.raises(ValueError, match="12800 Hz"):
        contrast(spectrum_of(voice(8000, 1.0), 8000))


@pytest.mark.parametrize(
    ("rate", "n_fft", "bands", "fmin", "fmax"),
    [(16000, 512, 64, 50, 8000), (22050, 2048, 128, 0, 11025), (8000, 256, 10, 300, 3400)],
)
def test_mel_filters_equal_librosas(
    rate: int, n_fft: int, bands: int, fmin: int, fmax: int
) -> None:
    expected = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=bands, fmin=fmin, fmax=fmax)
    assert np.allclose(mel_filters(rate, n_fft, bands, fmin, fmax).T, expected, atol=1e-8)


@pytest.mark.parametrize("deviation", [-0.5, 0.0, 0.37])
def test_chroma_filters_equal_librosas(deviation: float) -> None:
    expected = librosa.filters.chroma(sr=RATE, n_fft=2048, tuning=deviation)
    assert np.allclose(chroma_filters(RATE, 2048, deviation).T, expected, atol=1e-7)


@pytest.mark.parametrize("range_db", [None, 80.0, 20.0])
@pytest.mark.parametrize("reference", [1.0, 1e-3, 0.0])
def test_decibels_equal_librosas(range_db: float | None, reference: float) -> None:
    power = np.logspace(-14, 4, 50, dtype=np.float32)
    expected = librosa.power_to_db(power, ref=reference, top_db=range_db)
    assert np.allclose(decibels(power, reference, range_db), expected, atol=1e-4)
