"""The timbre of a sound, frame by frame: where its energy lies, and how it is spread."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from batchemo.common.arrays import Float32, Float64
from batchemo.features.mel import decibels
from batchemo.features.spectrum import fft_frequencies, read_only

NAMES = (
    "centroid",
    "width",
    "flatness",
    "flux",
    "hammarberg",
    "treble",
    "slope_low",
    "slope_middle",
)
N_HARMONICS = 8

# In hertz. The slopes are those of eGeMAPS: below 500 Hz lie a voice's first harmonics, up to
# 1500 Hz its first formant; the limits of the Hammarberg index are its definition.
_LOWEST = 50
_SLOPE_RANGES = ((_LOWEST, 500), (500, 1500))
_HAMMARBERG_LOW, _HAMMARBERG_HIGH = 2000, 5000
_TREBLE = 4000
_MIN_MAGNITUDE = np.float32(1e-9)
"""Divisors are at least this: a silent frame gives 0, not NaN."""


def timbre(power: Float32, rate: int) -> Float32:
    """Return the timbre of each frame, (frames, `NAMES`).

    Centroid and width of the magnitudes in kHz; flatness, the geometric over the arithmetic mean
    of the power from 50 Hz on, in dB; flux, the distance of the magnitudes, scaled to length 1,
    from those of the frame before; hammarberg, the highest peak below 2 kHz over that from 2 to 5,
    in dB; treble, the power above 4 kHz over that below, in dB; and the slopes of the spectrum
    from 50 to 500 and from 500 to 1500 Hz in dB/kHz.
    """
    weights = _weights(rate, power.shape[1])
    magnitude = np.sqrt(power)
    # Sums over bins are matrix products with constant weights: one pass over the spectrum each.
    total, first, second = (magnitude @ weights.moments).T
    total = np.maximum(total, _MIN_MAGNITUDE)
    centroid = first / total
    width = np.sqrt(np.maximum(second / total - centroid**2, 0))
    slopes = _level(power) @ weights.slopes
    below_treble, treble, mean = _level(power @ weights.bands).T
    flatness = slopes[:, -1] - mean
    low_peak = _level(power[:, weights.hammarberg_low].max(axis=1, initial=0))
    high_peak = _level(power[:, weights.hammarberg_high].max(axis=1, initial=0))
    tracks = [
        centroid,
        width,
        flatness,
        _flux(magnitude),
        low_peak - high_peak,
        treble - below_treble,
    ]
    return np.concatenate([np.stack(tracks, axis=1), slopes[:, :-1]], axis=1)


def harmonics(power: Float32, hertz: Float32, bin_width: float) -> Float32:
    """Return the level of the first eight harmonics relative to the frame's power in dB.

    (frames, 8), for the fundamental frequency of each frame. A harmonic's level is the maximum of
    five bins around it; one above the spectrum's end is read at the end.
    """
    last = power.shape[1] - 3
    positions = (hertz / bin_width)[:, None] * np.arange(1, N_HARMONICS + 1)
    nearest = np.minimum(np.maximum(np.rint(positions).astype(np.intp), 2), last)
    rows = np.arange(len(power))[:, None]
    # Five bins, because an error of the fundamental is multiplied by the harmonic's number.
    peaks = np.maximum.reduce([power[rows, nearest + offset] for offset in range(-2, 3)])
    return _level(peaks) - _level(power.sum(axis=1))[:, None]


def _flux(magnitude: Float32) -> Float32:
    """Return the change of the normalised spectrum since the frame before; 0 in the first."""
    length = np.sqrt(np.einsum("ij,ij->i", magnitude, magnitude))[:, None]
    unit = magnitude / np.maximum(length, _MIN_MAGNITUDE)
    change = unit[1:] - unit[:-1]
    flux = np.zeros(len(unit), np.float32)
    flux[1:] = np.sqrt(np.einsum("ij,ij->i", change, change))
    return flux


def _level(power: Float32) -> Float32:
    return decibels(power, range_db=None)


class _Weights(NamedTuple):
    """What a spectrum is multiplied with, by bins, and the bins of the Hammarberg index."""

    moments: Float32
    """Of magnitudes: orders 0, 1 and 2, in kHz."""
    bands: Float32
    """Of power: the sum below the treble, the sum of the treble, the mean."""
    slopes: Float32
    """Of levels in dB: the two slopes, the mean."""
    hammarberg_low: slice
    hammarberg_high: slice


@lru_cache
def _weights(rate: int, bins: int) -> _Weights:
    hertz = fft_frequencies(rate, 2 * (bins - 1))
    kilohertz = hertz / 1000
    moments = np.stack([np.ones(bins), kilohertz, kilohertz**2], axis=1)
    in_range = hertz >= _LOWEST
    mean = in_range / in_range.sum()
    bands = np.stack([in_range & (hertz < _TREBLE), hertz >= _TREBLE, mean], axis=1)
    low, high = np.searchsorted(hertz, (_HAMMARBERG_LOW, _HAMMARBERG_HIGH)).tolist()
    slopes = [_slope_weights(kilohertz, a / 1000, b / 1000) for a, b in _SLOPE_RANGES]
    return _Weights(
        moments=read_only(moments.astype(np.float32)),
        bands=read_only(bands.astype(np.float32)),
        slopes=read_only(np.stack([*slopes, mean], axis=1).astype(np.float32)),
        hammarberg_low=slice(0, low),
        hammarberg_high=slice(low, high),
    )


def _slope_weights(positions: Float64, low: float, high: float) -> Float64:
    """Return the weights that turn values at these positions into the slope of a fitted line."""
    inside = (positions >= low) & (positions <= high)
    if not inside.any():
        return np.zeros_like(positions)
    offsets = np.where(inside, positions - positions[inside].mean(), 0)
    squares = np.square(offsets).sum()
    return offsets / squares if squares else offsets
