"""A recording as it might have been made elsewhere: in a room, by a microphone, over a phone."""

from __future__ import annotations

import numpy as np

from batchemo.common.arrays import Float32, Float64
from batchemo.evaluation.conditions import as_long_as

_LINE_RATE = 8000


def in_a_room(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
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
    return _with_noise(heard, 8, 30, random)


def by_phone(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
    """The recording through a narrow band with steep ends, with little noise."""
    from scipy.signal import butter, sosfilt

    low, high = random.uniform(150, 400), min(random.uniform(2800, 4000), 0.45 * rate)
    heard = sosfilt(butter(4, [low, high], "bandpass", fs=rate, output="sos"), signal)
    return _with_noise(heard, 15, 40, random)


def over_a_line(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
    """The recording, noise and all, through a line that lets nothing pass outside its band."""
    import soxr
    from scipy.signal import butter, sosfilt

    heard = _with_noise(signal.astype(np.float64), 10, 40, random)
    low, high = random.uniform(150, 400), random.uniform(2800, 3800)
    # Nothing is left of a signal that is shorter than one sample of the line.
    narrow = soxr.resample(np.pad(heard, (0, rate // 100)), rate, _LINE_RATE)
    steep = butter(random.integers(2, 6), [low, high], "bandpass", fs=_LINE_RATE, output="sos")
    return as_long_as(signal, soxr.resample(sosfilt(steep, narrow), _LINE_RATE, rate))


def in_noise(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
    """The recording in noise, some of it loud."""
    return _with_noise(signal.astype(np.float64), 5, 30, random)


def _with_noise(heard: Float64, least: float, most: float, random: np.random.Generator) -> Float32:
    """What is heard, with noise that lies so many decibels below it, drawn evenly."""
    loudness = np.sqrt(np.mean(heard**2))
    noise = _coloured_noise(len(heard), random)
    heard = heard + noise * loudness * 10 ** (-random.uniform(least, most) / 20)
    return heard.astype(np.float32)


def _coloured_noise(length: int, random: np.random.Generator) -> Float64:
    """Noise of unit power, between white and brown."""
    spectrum = np.fft.rfft(random.normal(size=length))
    spectrum /= np.maximum(1, np.arange(len(spectrum))) ** random.uniform(0, 1)
    noise = np.fft.irfft(spectrum, length)
    coloured: Float64 = noise / np.sqrt(np.mean(noise**2))
    return coloured
