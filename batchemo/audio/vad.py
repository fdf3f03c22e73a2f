"""Decides whether a window holds speech, by a cheap test that almost all speech passes.

Speech changes its spectrum all the time, and in more than one way: the bands between 150 and
1900 Hz, which tell vowels apart and which every telephone line transmits, rise and fall against
each other. Steady sounds (tones, hum, noise, a constant) do not change, whatever their level does.
A sound that comes and goes over another one changes in one way only. So the measure is the spread
of the band levels along the *second* of their principal directions. Frames in which one or two
tones hold all the energy are left out: beeps and sirens change a lot, but are no speech.

What passes and what does not is measured by benchmarks/vad.py; docs/audio.md has the figures.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from batchemo.common.arrays import Float32, Index, overlapping_frames
from batchemo.common.fft import rfft

MIN_CHANGE_DB = 2.5
"""More than steady sounds reach, less than what speech keeps in noise."""

_COARSE_RATE = 4000
_FRAME_SECONDS = 0.04
_BAND_EDGES_HZ = (150, 300, 450, 600, 800, 1050, 1400, 1900)
# Frames are used within 30 dB of the loudest twentieth: not of the loudest, since a click can be
# far louder than a voice.
_ACTIVE_SHARE = 1e-3
_LOUD_SHARE = 20
_MIN_FRAMES = 8
# A tone under a Hann window spreads over about two bins, two tones over four, vowels over more.
_MIN_SPREAD_BINS = 5.0
# Levels are floored 40 dB below the frame's own, so that an empty band does not dominate.
_BAND_FLOOR = 1e-4
# Below this power is only the rounding noise of 24-bit audio.
_MIN_POWER = 1e-14


def is_speech(samples: Float32, rate: int) -> bool:
    """Whether a window of signal changes the way that speech does.

    >>> tone = np.sin(np.arange(48000, dtype=np.float32) / 10)
    >>> is_speech(tone, 16000)
    False
    """
    return spectral_change(samples, rate) >= MIN_CHANGE_DB


def spectral_change(samples: Float32, rate: int) -> float:
    """Return how much the spectrum changes in its second direction, in dB.

    0 if too few frames are loud enough and more than a tone.
    """
    coarse, coarse_rate = _downsample(samples, rate)
    layout = _frame_layout(coarse_rate)
    if len(coarse) < layout.size:
        return 0.0
    frames = overlapping_frames(coarse, layout.size, layout.size // 2)
    spectrum = rfft(frames * layout.taper)[:, layout.first_bin : layout.end_bin]
    power = spectrum.real**2 + spectrum.imag**2
    bands = np.add.reduceat(power, layout.band_starts, axis=1)
    total = bands.sum(axis=1)
    # The number of bins over which the energy is spread: 1 if one bin holds all of it.
    spread = total**2 / np.maximum(np.einsum("ij,ij->i", power, power), 1e-30)
    loud = max(1, len(total) // _LOUD_SHARE)
    min_power = max(_MIN_POWER, _ACTIVE_SHARE * float(np.partition(total, -loud)[-loud]))
    used = (total > min_power) & (spread > _MIN_SPREAD_BINS)
    # Summed over three frames, band levels of noise change less, those of speech just as much.
    bands = bands[:-2] + bands[1:-1] + bands[2:]
    return _second_spread(bands[used[1:-1]])


def _downsample(samples: Float32, rate: int) -> tuple[Float32, float]:
    """Return a signal at about 4 kHz, with its high frequencies lifted, and its exact rate.

    Averaging is a poor low-pass filter, but cheap, and good enough for levels of broad bands.
    """
    step = max(1, rate // _COARSE_RATE)
    length = len(samples) // step
    whole = samples[: length * step]
    coarse: Float32 = whole[::step].copy()
    for offset in range(1, step):
        coarse += whole[offset::step]
    coarse /= step
    return coarse[1:] - np.float32(0.97) * coarse[:-1], rate / step


class _FrameLayout(NamedTuple):
    size: int
    taper: Float32
    first_bin: int
    end_bin: int
    band_starts: Index
    """Counted from `first_bin`."""


@lru_cache(maxsize=8)
def _frame_layout(rate: float) -> _FrameLayout:
    """Return the frames' size and taper, and the bins where the bands begin."""
    size = 2 * round(rate * _FRAME_SECONDS / 2)
    taper = np.hanning(size + 1)[:-1].astype(np.float32)
    edges = np.searchsorted(np.fft.rfftfreq(size, 1 / rate), _BAND_EDGES_HZ)
    return _FrameLayout(size, taper, int(edges[0]), int(edges[-1]), edges[:-1] - edges[0])


def _second_spread(bands: Float32) -> float:
    """Return the standard deviation of band levels, in dB, along their second direction."""
    if len(bands) < _MIN_FRAMES:
        return 0.0
    levels = 10 * np.log10(bands + _BAND_FLOOR * bands.sum(axis=1, keepdims=True), dtype=np.float64)
    # Relative to the frame's mean level: how loud the frame is says nothing about its spectrum.
    levels -= levels.mean(axis=1, keepdims=True)
    levels -= levels.mean(axis=0)
    covariance = np.einsum("ij,ik->jk", levels, levels) / len(levels)
    # Rounding can make the eigenvalue of a signal that does not change slightly negative.
    return float(np.sqrt(max(0.0, np.linalg.eigvalsh(covariance)[-2])))
