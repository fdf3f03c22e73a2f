"""Test signals: a synthetic voice made of pulses and formants, and edge cases."""

from __future__ import annotations

from functools import cache

import numpy as np
import soxr
from numpy.typing import NDArray

Floats = NDArray[np.float32]

VOWELS = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480))


def voice(rate: int, seconds: float = 3.0, seed: int = 0, pitch: float = 120.0) -> Floats:
    """Return vowels of a gliding voice, with pauses between them and a noise floor."""
    return _voice(rate, seconds, seed, pitch).copy()


# Making a signal takes longer than computing its features.
@cache
def _voice(rate: int, seconds: float, seed: int, pitch: float) -> Floats:
    rng = np.random.default_rng(seed)
    pieces = []
    while sum(map(len, pieces)) < seconds * rate:
        length = int(rate * rng.uniform(0.12, 0.35))
        glide = pitch * rng.uniform(0.8, 1.6) * np.linspace(1, rng.uniform(0.8, 1.3), length)
        pulses = np.diff(np.floor(np.cumsum(glide) / rate), prepend=0)
        sound = pulses + 0.02 * rng.standard_normal(length)
        for formant in VOWELS[rng.integers(len(VOWELS))]:
            sound = _resonate(sound, formant, rate)
        pieces += [sound * np.hanning(length), np.zeros(int(rate * rng.uniform(0.02, 0.25)))]
    signal = np.concatenate(pieces)[: round(seconds * rate)]
    signal = 0.3 * signal / np.abs(signal).max() + 1e-4 * rng.standard_normal(len(signal))
    return signal.astype(np.float32)


def _resonate(sound: NDArray[np.float64], formant: float, rate: int) -> NDArray[np.float64]:
    """Filter by two poles, as scipy.signal.lfilter would, which takes a second to import."""
    decay, angle = np.pi * 90 / rate, 2 * np.pi * formant / rate
    times = np.arange(len(sound))
    response = np.exp(-decay * times) * np.sin(angle * (times + 1)) / np.sin(angle)
    spectrum = np.fft.rfft(sound, 2 * len(sound)) * np.fft.rfft(response, 2 * len(sound))
    resonated: NDArray[np.float64] = np.fft.irfft(spectrum)[: len(sound)]
    return (1 - np.exp(-decay)) * resonated


@cache
def edge_cases(rate: int) -> dict[str, Floats]:
    """Return signals that no recording should be, and that some are."""
    time = np.arange(2 * rate) / rate
    impulse = np.zeros(rate)
    impulse[rate // 3] = 1
    half_silent = voice(rate, 2.0)
    half_silent[rate // 2 : rate] = 0
    signals = {
        "digital silence": np.zeros(rate),
        "one sample": np.array([0.5]),
        "one frame": voice(rate, 2.0)[10000:10400],
        "DC": np.full(rate, 0.5),
        "clipped to a square": np.sign(np.sin(2 * np.pi * 220 * time)),
        "impulse": impulse,
        "tone": 0.5 * np.sin(2 * np.pi * 1000 * time),
        "white noise": np.random.default_rng(1).standard_normal(rate) / 4,
        "very faint": voice(rate, 1.0) * 1e-5,
        "voice with digital silence in it": half_silent,
        # The resampler leaves almost nothing just below half the rate: bands there lie at -120 dB.
        "resampled from 48 kHz": soxr.resample(voice(48000, 2.0, seed=4), 48000, rate),
    }
    return {name: signal.astype(np.float32) for name, signal in signals.items()}
