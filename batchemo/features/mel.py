"""Mel power, decibels and cepstra."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from batchemo.features.spectrum import Floats, Spectrum, fft_frequencies

# Slaney's scale: linear to 1 kHz, logarithmic above.
_HZ_PER_MEL = 200 / 3
_BREAK_HZ = 1000.0
_LOG_STEP = np.log(6.4) / 27

FAINTEST = 1e-10
"""The power at which decibels begin: all that is less counts as this."""


def mel_power(
    spectrum: Spectrum, n_mels: int = 128, fmin: float = 0.0, fmax: float | None = None
) -> Floats:
    """The power in each mel band, (frames, n_mels): librosa.feature.melspectrogram."""
    fmax = spectrum.rate / 2 if fmax is None else fmax
    return spectrum.power @ mel_filters(spectrum.rate, spectrum.n_fft, n_mels, fmin, fmax)


def decibels(power: Floats, reference: float = 1.0, range_db: float | None = 80.0) -> Floats:
    """Power in decibels, none more than `range_db` below the loudest: librosa.power_to_db."""
    level = np.log10(np.maximum(power, np.float32(FAINTEST)))
    level *= 10
    level -= np.float32(10 * np.log10(max(reference, FAINTEST)))
    if range_db is not None:
        np.maximum(level, level.max() - range_db, out=level)
    return level


@lru_cache
def mel_filters(rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float) -> Floats:
    """Slaney's triangles, each of unit area: librosa.filters.mel, transposed."""
    bins = fft_frequencies(rate, n_fft)[:, None]
    corners = mel_to_hz(np.linspace(*hz_to_mel([fmin, fmax]), n_mels + 2))
    low, centre, high = corners[:-2], corners[1:-1], corners[2:]
    rising = (bins - low) / (centre - low)
    falling = (high - bins) / (high - centre)
    filters = np.maximum(0, np.minimum(rising, falling)) * (2 / (high - low))
    filters = filters.astype(np.float32)
    filters.flags.writeable = False
    return filters


def hz_to_mel(hertz: ArrayLike) -> NDArray[np.float64]:
    """Hertz on Slaney's mel scale.

    >>> hz_to_mel([500.0, 1000.0, 6400.0])
    array([ 7.5, 15. , 42. ])
    """
    hertz = np.asarray(hertz, dtype=np.float64)
    above = np.log(np.maximum(hertz, _BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
    return np.minimum(hertz, _BREAK_HZ) / _HZ_PER_MEL + above


def mel_to_hz(mels: ArrayLike) -> NDArray[np.float64]:
    """Slaney's mels in hertz."""
    mels = np.asarray(mels, dtype=np.float64)
    break_mel = _BREAK_HZ / _HZ_PER_MEL
    growth = np.exp(_LOG_STEP * np.maximum(0, mels - break_mel))
    return np.minimum(mels, break_mel) * _HZ_PER_MEL * growth
