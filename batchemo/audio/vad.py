"""Whether a window sounds like speech: a cheap test that almost all speech passes.

Speech changes its spectrum all the time, and in more than one way: the bands between 150 and
1900 Hz, where the vowels are told apart and every telephone still hears, rise and fall against
each other. Steady sounds (tones, hum, noise, a constant) do not change, whatever their level does.
A sound that comes and goes over another one changes in one way only. So the measure is the spread
of the band levels in the *second* of their principal directions. Frames in which a tone or two
hold all the energy have no say: beeps and sirens change a lot, but are no speech.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from batchemo.common.arrays import Float32

MIN_CHANGE_DB = 2.5
"""Above what steady sounds reach, below what speech keeps in noise: figures in docs/audio.md."""

_COARSE_RATE = 4000
_FRAME_SECONDS = 0.04
_BAND_EDGES_HZ = (150, 300, 450, 600, 800, 1050, 1400, 1900)
# Frames count within 30 dB of the loudest twentieth: of it, as a click must not outshout a voice.
_ACTIVE_SHARE = 1e-3
_LOUD_SHARE = 20
_LEAST_FRAMES = 8
# A tone under a Hann window spreads over about two bins, two tones over four; vowels over more.
_LEAST_SPREAD_BINS = 5.0
# Levels are floored 40 dB below the frame's own, so that an empty band does not dominate.
_BAND_FLOOR = 1e-4
# Below the rounding noise of 24-bit sound there is nothing to hear.
_NO_POWER = 1e-14


def is_speech(samples: Float32, rate: int) -> bool:
    """Whether a window of signal changes the way that speech does.

    >>> tone = np.sin(np.arange(48000, dtype=np.float32) / 10)
    >>> sounds_like_speech(tone, 16000)
    False
    """
    return spectral_change(samples, rate) >= MIN_CHANGE_DB


def spectral_change(samples: Float32, rate: int) -> float:
    """How much the spectrum changes in its second direction, in dB; 0 for too little sound."""
    from scipy.fft import rfft

    coarse, coarse_rate = _coarsen(samples, rate)
    plan = _plan(coarse_rate)
    if len(coarse) < plan.size:
        return 0.0
    frames = sliding_window_view(coarse, plan.size)[:: plan.size // 2]
    spectrum = rfft(frames * plan.taper, axis=1)[:, plan.lowest : plan.highest]
    power = spectrum.real**2 + spectrum.imag**2
    bands = np.add.reduceat(power, plan.bands, axis=1)
    total = bands.sum(axis=1)
    spread = total**2 / np.maximum(np.einsum("ij,ij->i", power, power), 1e-30)
    loud = max(1, len(total) // _LOUD_SHARE)
    least = max(_NO_POWER, _ACTIVE_SHARE * float(np.partition(total, -loud)[-loud]))
    counted = (total > least) & (spread > _LEAST_SPREAD_BINS)
    # Three frames together are a steadier look at a band: noise then changes less, speech as much.
    bands = bands[:-2] + bands[1:-1] + bands[2:]
    return _second_spread(bands[counted[1:-1]])


def _coarsen(samples: Float32, rate: int) -> tuple[Float32, float]:
    """Bring a signal to about 4 kHz by averaging, and lift its high frequencies."""
    step = max(1, rate // _COARSE_RATE)
    length = len(samples) // step
    whole = samples[: length * step]
    coarse: Float32 = whole[::step].copy()
    for offset in range(1, step):
        coarse += whole[offset::step]
    coarse /= step
    return coarse[1:] - np.float32(0.97) * coarse[:-1], rate / step


def _second_spread(bands: Float32) -> float:
    """The standard deviation, in dB, of band levels along their second principal direction."""
    if len(bands) < _LEAST_FRAMES:
        return 0.0
    levels = 10 * np.log10(bands + _BAND_FLOOR * bands.sum(axis=1, keepdims=True), dtype=np.float64)
    levels -= levels.mean(axis=1, keepdims=True)
    levels -= levels.mean(axis=0)
    covariance = np.einsum("ij,ik->jk", levels, levels) / len(levels)
    return float(np.sqrt(max(0.0, np.linalg.eigvalsh(covariance)[-2])))


class _Plan(NamedTuple):
    size: int
    taper: Float32
    lowest: int
    highest: int
    bands: npt.NDArray[np.intp]


@lru_cache(maxsize=8)
def _plan(rate: float) -> _Plan:
    """The frames' size and taper, and the bins where the bands begin."""
    size = 2 * round(rate * _FRAME_SECONDS / 2)
    taper = np.hanning(size + 1)[:-1].astype(np.float32)
    edges = np.searchsorted(np.fft.rfftfreq(size, 1 / rate), _BAND_EDGES_HZ)
    return _Plan(size, taper, int(edges[0]), int(edges[-1]), edges[:-1] - edges[0])
