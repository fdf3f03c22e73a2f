"""The rhythm of speech: stretches of voice and gaps between them, peaks and waves of the level."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from batchemo.common.arrays import Bool, Float32
from batchemo.features.statistics import mean_and_spread, runs

_WAVES = (0.5, 1, 2, 3, 4, 6, 8, 12, 16, 25)
"""In hertz, between which the level's waves are measured: phrases, words, syllables, sounds."""

NAMES = (
    "voiced_share",
    "voiced_mean",
    "voiced_spread",
    "voiced_longest",
    "voiced_rate",
    "gap_mean",
    "gap_spread",
    "peak_rate",
    "peak_mean",
    "peak_spread",
    "peak_unevenness",
    "loud_share",
    *(f"waves_{low:g}_{high:g}" for low, high in pairwise(_WAVES)),
)

_LOUD, _HIGH = -25.0, -20.0
"""In dB: above the one, a frame is loud; above the other, a peak may be a syllable."""
_SYLLABLE = 0.13
"""Seconds over which the level is smoothed before its peaks are counted."""
_FAINT = 1e-3


def rhythm(voiced: Bool, level: Float32, frame_rate: float) -> Float32:
    """`NAMES` of the frames of a window: seconds, how often a second, dB."""
    told = [*_stretches(voiced, frame_rate), *_peaks(level, frame_rate)]
    told.append(np.count_nonzero(level > _LOUD) / len(level))
    return np.array([*told, *_waves(level, frame_rate)], np.float32)


def _stretches(voiced: Bool, frame_rate: float) -> list[float]:
    """How long the voice sounds, how often it begins, and how long it pauses."""
    found = runs(voiced)
    lengths = (found[:, 1] - found[:, 0]) / frame_rate
    gaps = (found[1:, 0] - found[:-1, 1]) / frame_rate
    return [
        np.count_nonzero(voiced) / len(voiced),
        *mean_and_spread(lengths),
        lengths.max(initial=0),
        len(found) * frame_rate / len(voiced),
        *mean_and_spread(gaps),
    ]


def _peaks(level: Float32, frame_rate: float) -> list[float]:
    """How often the level peaks, how high, and how unevenly."""
    hump = _hump(max(1, round(_SYLLABLE * frame_rate / 2)))
    edge = np.ones(len(hump) // 2)
    smooth = np.convolve(np.concatenate([level[0] * edge, level, level[-1] * edge]), hump, "valid")
    middle = smooth[1:-1]
    peaking = (middle > smooth[:-2]) & (middle >= smooth[2:]) & (middle > _HIGH)
    at = np.flatnonzero(peaking) + 1
    return [
        len(at) * frame_rate / len(level),
        *mean_and_spread(smooth[at]),
        mean_and_spread((at[1:] - at[:-1]) / frame_rate)[1],
    ]


@lru_cache
def _hump(half: int) -> NDArray[np.float64]:
    """What smooths: weights that sum up to 1."""
    hump: NDArray[np.float64] = np.hanning(2 * half + 1)
    hump /= hump.sum()
    return hump


def _waves(level: Float32, frame_rate: float) -> Float32:
    """The logarithm of the power of the level's waves, band by band."""
    frames = len(level)
    points = max(512, 1 << (frames - 1).bit_length())
    waves = np.fft.rfft((level - level.mean()) * np.hanning(frames), points)
    power = np.square(np.abs(waves)) / frames
    edges = _edges(points, frame_rate)
    below = np.concatenate([[0], np.cumsum(power)])[edges]
    means = (below[1:] - below[:-1]) / np.maximum(1, edges[1:] - edges[:-1])
    told: Float32 = np.log(means + _FAINT)
    return told


@lru_cache
def _edges(points: int, frame_rate: float) -> NDArray[np.intp]:
    """Where the bands of `_WAVES` begin and end in a transform of so many points."""
    return np.searchsorted(np.fft.rfftfreq(points, 1 / frame_rate), _WAVES)
