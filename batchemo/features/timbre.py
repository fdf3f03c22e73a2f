"""The colour of a sound, frame by frame: where its energy lies, and how it is spread."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from batchemo.common.arrays import Float32
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
HARMONICS = 8

# In hertz: where the voice's harmonics lie below its formants, and the first formant.
_LOWEST = 50
_SLOPES = ((_LOWEST, 500), (500, 1500))
_DULL, _BRIGHT = 2000, 5000
_TREBLE = 4000
_SILENT = np.float32(1e-9)


def timbre(power: Float32, rate: int) -> Float32:
    """The colour of each frame, (frames, `NAMES`).

    Centroid and width of the magnitudes in kHz; flatness, the geometric over the arithmetic mean
    of the power from 50 Hz on, in dB; flux, the distance of the magnitudes, scaled to length 1,
    from those of the frame before; hammarberg, the highest peak below 2 kHz over that from 2 to 5,
    in dB; treble, the power above 4 kHz over that below, in dB; and the slopes of the spectrum
    from 50 to 500 and from 500 to 1500 Hz in dB/kHz.
    """
    table = _table(rate, power.shape[1])
    magnitude = np.sqrt(power)
    total, first, second = (magnitude @ table.moments).T
    total = np.maximum(total, _SILENT)
    centroid = first / total
    width = np.sqrt(np.maximum(second / total - centroid**2, 0))
    slopes = _level(power) @ table.slopes
    low, high, mean = _level(power @ table.shares).T
    flatness = slopes[:, -1] - mean
    dull, bright = (_level(power[:, bins].max(axis=1, initial=0)) for bins in table.peaks)
    tracks = [centroid, width, flatness, _flux(magnitude), dull - bright, high - low]
    return np.concatenate([np.stack(tracks, axis=1), slopes[:, :-1]], axis=1)


def harmonics(power: Float32, hertz: Float32, bin_width: float) -> Float32:
    """The first eight harmonics of each frame over all its power in dB, (frames, 8).

    The highest of five bins around each; one that lies above the spectrum's end is read there.
    """
    last = power.shape[1] - 3
    places = (hertz / bin_width)[:, None] * np.arange(1, HARMONICS + 1)
    nearest = np.minimum(np.maximum(np.rint(places).astype(np.intp), 2), last)
    rows = np.arange(len(power))[:, None]
    peaks = np.maximum.reduce([power[rows, nearest + offset] for offset in range(-2, 3)])
    return _level(peaks) - _level(power.sum(axis=1))[:, None]


def _flux(magnitude: Float32) -> Float32:
    length = np.sqrt(np.einsum("ij,ij->i", magnitude, magnitude))[:, None]
    unit = magnitude / np.maximum(length, _SILENT)
    change = unit[1:] - unit[:-1]
    flux = np.zeros(len(unit), np.float32)
    flux[1:] = np.sqrt(np.einsum("ij,ij->i", change, change))
    return flux


def _level(power: Float32) -> Float32:
    return decibels(power, range_db=None)


class _Table(NamedTuple):
    """What a power spectrum is multiplied with, by bins."""

    moments: Float32
    shares: Float32
    """The power below the treble, in it, and the mean."""
    peaks: Sequence[slice]
    slopes: Float32
    """Of levels: the two slopes, and the mean."""


@lru_cache
def _table(rate: int, bins: int) -> _Table:
    hertz = fft_frequencies(rate, 2 * (bins - 1))
    kilohertz = hertz / 1000
    moments = np.stack([np.ones(bins), kilohertz, kilohertz**2], axis=1)
    heard = hertz >= _LOWEST
    mean = heard / heard.sum()
    shares = np.stack([heard & (hertz < _TREBLE), hertz >= _TREBLE, mean], axis=1)
    edges = np.searchsorted(hertz, (_DULL, _BRIGHT))
    slopes = [_slope(kilohertz, low / 1000, high / 1000) for low, high in _SLOPES]
    return _Table(
        read_only(moments.astype(np.float32)),
        read_only(shares.astype(np.float32)),
        (slice(0, int(edges[0])), slice(int(edges[0]), int(edges[1]))),
        read_only(np.stack([*slopes, mean], axis=1).astype(np.float32)),
    )


def _slope(places: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """What weighs the values at these places into the slope of the line that fits them best."""
    inside = (places >= low) & (places <= high)
    offsets = np.where(inside, places - places[inside].mean(), 0) if inside.any() else 0 * places
    squares = np.square(offsets).sum()
    return offsets / squares if squares else offsets
