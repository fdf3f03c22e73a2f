"""The rhythm of speech: stretches of voice and gaps between them, peaks and waves of the level."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from batchemo.features.fundamental import Mask
from batchemo.features.spectrum import Floats
from batchemo.features.statistics import runs

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


def rhythm(voiced: Mask, level: Floats, frame_rate: float) -> Floats:
    """`NAMES` of the frames of a window: seconds, how often a second, dB."""
    told = [*_stretches(voiced, frame_rate), *_peaks(level, frame_rate)]
    told.append(float((level > _LOUD).mean()))
    return np.array([*told, *_waves(level, frame_rate)], np.float32)


def _stretches(voiced: Mask, frame_rate: float) -> list[float]:
    """How long the voice sounds, how often it begins, and how long it pauses."""
    found = runs(voiced)
    lengths = np.array([end - begin for begin, end in found]) / frame_rate
    gaps = np.array([later - end for (_, end), (later, _) in pairwise(found)]) / frame_rate
    return [
        float(voiced.mean()),
        *_mean_and_spread(lengths),
        float(lengths.max(initial=0)),
        len(found) * frame_rate / len(voiced),
        *_mean_and_spread(gaps),
    ]


def _peaks(level: Floats, frame_rate: float) -> list[float]:
    """How often the level peaks, how high, and how unevenly."""
    half = max(1, round(_SYLLABLE * frame_rate / 2))
    hump = np.hanning(2 * half + 1)
    smooth = np.convolve(np.pad(level, half, mode="edge"), hump / hump.sum(), mode="valid")
    middle = smooth[1:-1]
    peaking = (middle > smooth[:-2]) & (middle >= smooth[2:]) & (middle > _HIGH)
    at = np.flatnonzero(peaking) + 1
    return [
        len(at) * frame_rate / len(level),
        *_mean_and_spread(smooth[at]),
        _mean_and_spread(np.diff(at) / frame_rate)[1],
    ]


def _waves(level: Floats, frame_rate: float) -> list[float]:
    """The logarithm of the power of the level's waves, band by band."""
    frames = len(level)
    points = max(512, 1 << (frames - 1).bit_length())
    waves = np.fft.rfft((level - level.mean()) * np.hanning(frames), points)
    power = np.square(np.abs(waves)) / frames
    edges = np.searchsorted(np.fft.rfftfreq(points, 1 / frame_rate), _WAVES)
    bands = (power[low:high] for low, high in pairwise(edges))
    return [float(np.log((band.mean() if len(band) else 0.0) + _FAINT)) for band in bands]


def _mean_and_spread(values: np.ndarray) -> tuple[float, float]:
    """Both 0 where there are no values."""
    return (float(values.mean()), float(values.std())) if len(values) else (0.0, 0.0)
