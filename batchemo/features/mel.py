"""Mel power in decibels, and the cepstra (MFCC) made of it."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from batchemo.common.arrays import Float32
from batchemo.features.spectrum import (
    Spectrum,
    cached_kernel,
    fft_frequencies,
    read_only,
)

# Slaney's scale: linear to 1 kHz, logarithmic above.
_HZ_PER_MEL = 200 / 3
_BREAK_HZ = 1000.0
_LOG_STEP = float(np.log(6.4)) / 27

_BLOCK = 16

FAINTEST = 1e-10
"""The power at which decibels begin: all that is less counts as this."""


@cached_kernel
def mel_power(
    spectrum: Spectrum, n_mels: int = 128, fmin: float = 0.0, fmax: float | None = None
) -> Float32:
    """The power in each mel band, (frames, n_mels): librosa.feature.melspectrogram."""
    top = spectrum.rate / 2 if fmax is None else fmax
    return mel_bands(spectrum.power, spectrum.rate, n_mels, fmin, top)


def mel_bands(power: Float32, rate: int, n_mels: int, fmin: float, fmax: float) -> Float32:
    """The same of some frames alone, given their power spectra."""
    mel = np.empty((len(power), n_mels), dtype=np.float32)
    for block in _blocks(rate, 2 * (power.shape[1] - 1), n_mels, fmin, fmax):
        np.matmul(power[:, block.bins], block.filters, out=mel[:, block.bands])
    return mel


@cached_kernel
def mel_decibels(spectrum: Spectrum, n_mels: int = 128) -> Float32:
    """Mel power in decibels below the loudest of the signal: power_to_db(…, ref=np.max)."""
    power = mel_power(spectrum, n_mels)
    return decibels(power, reference=float(power.max()))


def decibels(power: Float32, reference: float = 1.0, range_db: float | None = 80.0) -> Float32:
    """Power in decibels, none more than `range_db` below the loudest: librosa.power_to_db.

    >>> decibels(np.array([1, 0.1, 0], dtype=np.float32))
    array([  0., -10., -80.], dtype=float32)
    """
    level: Float32 = np.maximum(power, np.float32(FAINTEST))
    np.log10(level, out=level)
    level *= 10
    if reference != 1:
        level -= np.float32(10 * np.log10(max(reference, FAINTEST)))
    if range_db is not None:
        np.maximum(level, level.max() - range_db, out=level)
    return level


@lru_cache
def mel_filters(rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float) -> Float32:
    """Slaney's triangles, each of unit area, (bins, n_mels): librosa.filters.mel, transposed."""
    bins = fft_frequencies(rate, n_fft)[:, None]
    lowest, highest = _hz_to_mel(np.array([fmin, fmax]))
    corners = _mel_to_hz(np.linspace(lowest, highest, n_mels + 2))
    low, centre, high = corners[:-2], corners[1:-1], corners[2:]
    rising = (bins - low) / (centre - low)
    falling = (high - bins) / (high - centre)
    filters = np.maximum(0, np.minimum(rising, falling)) * (2 / (high - low))
    return read_only(filters.astype(np.float32))


class _Block(NamedTuple):
    """Neighbouring bands and the only bins that they hear."""

    bands: slice
    bins: slice
    filters: Float32


@lru_cache
def _blocks(rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float) -> tuple[_Block, ...]:
    """The filters without most of their zeros: a seventh of the work of one whole product."""
    filters = mel_filters(rate, n_fft, n_mels, fmin, fmax)
    blocks = []
    for first in range(0, n_mels, _BLOCK):
        bands = slice(first, min(first + _BLOCK, n_mels))
        heard = np.flatnonzero(filters[:, bands].any(axis=1))
        bins = slice(int(heard[0]), int(heard[-1]) + 1) if len(heard) else slice(0, 0)
        blocks.append(_Block(bands, bins, read_only(np.ascontiguousarray(filters[bins, bands]))))
    return tuple(blocks)


def _hz_to_mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    above: NDArray[np.float64] = np.log(np.maximum(hertz, _BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
    return np.minimum(hertz, _BREAK_HZ) / _HZ_PER_MEL + above


def _mel_to_hz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    break_mel = _BREAK_HZ / _HZ_PER_MEL
    growth: NDArray[np.float64] = np.exp(_LOG_STEP * np.maximum(0, mels - break_mel))
    return np.minimum(mels, break_mel) * _HZ_PER_MEL * growth


_WIDTH = 9


@cached_kernel
def mfcc(spectrum: Spectrum, n_mfcc: int = 20, n_mels: int = 128) -> Float32:
    """The first cepstra of the log-mels, (frames, n_mfcc): librosa.feature.mfcc."""
    return decibels(mel_power(spectrum, n_mels)) @ cosines(n_mels, n_mfcc)


@cached_kernel
def mfcc_delta(spectrum: Spectrum, order: int, n_mfcc: int = 20, n_mels: int = 128) -> Float32:
    """The movement of the cepstra, first or second order, (frames, n_mfcc)."""
    return delta(mfcc(spectrum, n_mfcc, n_mels), order)


def delta(track: Float32, *orders: int) -> Float32:
    """Derivatives along the frames of polynomials fitted to nine: librosa.feature.delta.

    Of each order one, side by side: (frames, orders × columns). The polynomial is of that order,
    so its derivative is a constant: the first and the last four frames, which librosa reads off
    the polynomial of the first and the last nine, all have the derivative of that one. Fewer than
    nine frames, which librosa refuses, do not move.

    >>> delta(np.arange(20, dtype=np.float32)[:, None] * 3, 1)[[0, 10]].round(5).tolist()
    [[3.0], [3.0]]
    """
    frames, columns = track.shape
    if frames < _WIDTH:
        return np.zeros((frames, len(orders) * columns), np.float32)
    nines = np.lib.stride_tricks.sliding_window_view(track, _WIDTH, axis=0)
    moving = (nines @ _slopes(orders)).transpose(0, 2, 1).reshape(len(nines), -1)
    nearest = np.minimum(np.maximum(np.arange(frames) - _WIDTH // 2, 0), len(nines) - 1)
    derivatives: Float32 = moving[nearest]
    return derivatives


@lru_cache
def _slopes(orders: tuple[int, ...]) -> Float32:
    """What weighs nine frames into the derivatives of the polynomials that fit them best."""
    steps = np.arange(_WIDTH) - _WIDTH // 2
    slopes = []
    for order in orders:
        powers = np.vander(steps, order + 1, increasing=True)
        factorial = float(np.prod(np.arange(1, order + 1)))
        slopes.append(np.linalg.pinv(powers)[order] * factorial)
    return read_only(np.stack(slopes, axis=1).astype(np.float32))


@lru_cache
def cosines(n_mels: int, n_mfcc: int) -> Float32:
    """The orthonormal cosine transform (DCT-II), cut to the first coefficients."""
    angles = np.pi / n_mels * np.outer(np.arange(n_mels) + 0.5, np.arange(n_mfcc))
    waves = np.cos(angles) * np.sqrt(2 / n_mels)
    waves[:, 0] = np.sqrt(1 / n_mels)
    return read_only(waves.astype(np.float32))
