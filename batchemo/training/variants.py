"""Variants of a recording's signal, made once and stored: other speeds, rooms, microphones."""

from __future__ import annotations

import numpy as np
import soxr

from batchemo.training.pictures import Float32, Variant


def faster(factor: float) -> Variant:
    """The recording played faster, or slower below 1: tempo and pitch change together.

    >>> faster(2.0)(np.zeros(1000, np.float32), 16000, np.random.default_rng(0)).shape
    (500,)
    """

    def play(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
        played: Float32 = soxr.resample(signal, rate * factor, rate, quality="HQ")
        return played

    return play


def elsewhere(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
    """The recording in some room, through some microphone, with some noise."""
    from scipy.signal import butter, fftconvolve, sosfilt

    decay = random.uniform(0.1, 0.5)
    time = np.arange(round(decay * rate)) / rate
    echoes = random.normal(size=len(time)) * 10 ** (-3 * time / decay)
    echoes *= random.uniform(0.2, 0.8) / np.linalg.norm(echoes)
    echoes[0] = 1
    heard = fftconvolve(signal, echoes)[: len(signal)]
    low, high = random.uniform(40, 300), random.uniform(0.4, 0.95) * rate / 2
    heard = sosfilt(butter(1, [low, high], "bandpass", fs=rate, output="sos"), heard)
    loudness = np.sqrt(np.mean(heard**2))
    noise = _coloured_noise(len(signal), random)
    heard += noise * loudness * 10 ** (-random.uniform(8, 30) / 20)
    moved: Float32 = heard.astype(np.float32)
    return moved


def _coloured_noise(length: int, random: np.random.Generator) -> Float32:
    """Noise of unit power, between white and brown."""
    spectrum = np.fft.rfft(random.normal(size=length))
    spectrum /= np.maximum(1, np.arange(len(spectrum))) ** random.uniform(0, 1)
    noise = np.fft.irfft(spectrum, length)
    coloured: Float32 = (noise / np.sqrt(np.mean(noise**2))).astype(np.float32)
    return coloured
