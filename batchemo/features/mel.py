"""Mel-band power, decibels, MFCCs and their deltas, equal to librosa's within rounding."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from batchemo.common.arrays import Float32, Float64
from batchemo.features.spectrum import (
    Spectrum,
    cached_kernel,
    fft_frequencies,
    read_only,
)

MIN_POWER = 1e-10
"""The smallest power on the decibel scale (`amin` of librosa.power_to_db): less counts as this."""

# Slaney's mel scale, librosa's default: linear up to 1 kHz, logarithmic above.
_HZ_PER_MEL = 200 / 3
_BREAK_HZ = 1000.0
_LOG_STEP = float(np.log(6.4)) / 27

_BANDS_PER_BLOCK = 16
_DELTA_WIDTH = 9
"""Frames that a polynomial is fitted to: librosa's default."""


@cached_kernel
def mel_power(
    spectrum: Spectrum, n_mels: int = 128, fmin: float = 0.0, fmax: float | None = None
) -> Float32:
    """Return the power in each mel band, (frames, n_mels): librosa.feature.melspectrogram."""
    highest = spectrum.rate / 2 if fmax is None else fmax
    return mel_bands(spectrum.power, spectrum.rate, n_mels, fmin, highest)


def mel_bands(power: Float32, rate: int, n_mels: int, fmin: float, fmax: float) -> Float32:
    """Return the power in each mel band of some frames, given their power spectra."""
    mel = np.empty((len(power), n_mels), dtype=np.float32)
    for block in _filter_blocks(rate, 2 * (power.shape[1] - 1), n_mels, fmin, fmax):
        np.matmul(power[:, block.bins], block.filters, out=mel[:, block.bands])
    return mel


@cached_kernel
def mel_decibels(spectrum: Spectrum, n_mels: int = 128) -> Float32:
    """Return mel power in dB relative to the signal's maximum: power_to_db(…, ref=np.max)."""
    power = mel_power(spectrum, n_mels)
    return decibels(power, reference=float(power.max()))


def decibels(power: Float32, reference: float = 1.0, range_db: float | None = 80.0) -> Float32:
    """Convert power to decibels, at most `range_db` below the maximum: librosa.power_to_db.

    >>> decibels(np.array([1, 0.1, 0], dtype=np.float32))
    array([  0., -10., -80.], dtype=float32)
    """
    level: Float32 = np.maximum(power, np.float32(MIN_POWER))
    np.log10(level, out=level)
    level *= 10
    if reference != 1:
        level -= np.float32(10 * np.log10(max(reference, MIN_POWER)))
    if range_db is not None:
        np.maximum(level, level.max() - range_db, out=level)
    return level


@cached_kernel
def mfcc(spectrum: Spectrum, n_mfcc: int = 20, n_mels: int = 128) -> Float32:
    """Return the first MFCCs, (frames, n_mfcc): librosa.feature.mfcc."""
    return decibels(mel_power(spectrum, n_mels)) @ dct_matrix(n_mels, n_mfcc)


@cached_kernel
def mfcc_delta(spectrum: Spectrum, order: int, n_mfcc: int = 20, n_mels: int = 128) -> Float32:
    """Return the deltas of the MFCCs of first or second order, (frames, n_mfcc)."""
    return delta(mfcc(spectrum, n_mfcc, n_mels), order)


def delta(track: Float32, *orders: int) -> Float32:
    """Return derivatives over time of polynomials fitted to nine frames: librosa.feature.delta.

    The columns of each order follow one another: (frames, orders × columns). Unlike librosa,
    which refuses fewer than nine frames, the deltas of so short a track are 0.

    >>> delta(np.arange(20, dtype=np.float32)[:, None] * 3, 1)[[0, 10]].round(5).tolist()
    [[3.0], [3.0]]
    """
    frames, columns = track.shape
    if frames < _DELTA_WIDTH:
        return np.zeros((frames, len(orders) * columns), np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(track, _DELTA_WIDTH, axis=0)
    derivatives = (windows @ _delta_weights(orders)).transpose(0, 2, 1).reshape(len(windows), -1)
    # The polynomial's degree is the order of the derivative, which is therefore constant over the
    # nine frames. librosa's mode="interp" evaluates the first and the last polynomial at the
    # four frames on each edge: here that is the same as repeating its derivative there.
    nearest = np.minimum(np.maximum(np.arange(frames) - _DELTA_WIDTH // 2, 0), len(windows) - 1)
    deltas: Float32 = derivatives[nearest]
    return deltas


@lru_cache
def _delta_weights(orders: tuple[int, ...]) -> Float32:
    """Return the weights that turn nine frames into the derivative of the least-squares fit."""
    steps = np.arange(_DELTA_WIDTH) - _DELTA_WIDTH // 2
    weights = []
    for order in orders:
        powers = np.vander(steps, order + 1, increasing=True)
        factorial = float(np.prod(np.arange(1, order + 1)))
        weights.append(np.linalg.pinv(powers)[order] * factorial)
    return read_only(np.stack(weights, axis=1).astype(np.float32))


@lru_cache
def dct_matrix(n_mels: int, n_mfcc: int) -> Float32:
    """Return the orthonormal DCT-II, limited to the first coefficients, (n_mels, n_mfcc)."""
    angles = np.pi / n_mels * np.outer(np.arange(n_mels) + 0.5, np.arange(n_mfcc))
    matrix = np.cos(angles) * np.sqrt(2 / n_mels)
    matrix[:, 0] = np.sqrt(1 / n_mels)
    return read_only(matrix.astype(np.float32))


@lru_cache
def mel_filters(rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float) -> Float32:
    """Return triangular filters of unit area, (bins, n_mels): librosa.filters.mel transposed."""
    bins = fft_frequencies(rate, n_fft)[:, None]
    lowest, highest = _hz_to_mel(np.array([fmin, fmax]))
    corners = _mel_to_hz(np.linspace(lowest, highest, n_mels + 2))
    low, centre, high = corners[:-2], corners[1:-1], corners[2:]
    rising = (bins - low) / (centre - low)
    falling = (high - bins) / (high - centre)
    filters = np.maximum(0, np.minimum(rising, falling)) * (2 / (high - low))
    return read_only(filters.astype(np.float32))


class _FilterBlock(NamedTuple):
    """Adjacent mel bands and the only bins at which any of them is not 0."""

    bands: slice
    bins: slice
    filters: Float32


@lru_cache
def _filter_blocks(
    rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float
) -> tuple[_FilterBlock, ...]:
    """Split the filters into blocks without most of their zeros.

    Each band covers few bins: block by block, a seventh of the multiplications of one product
    with the whole matrix is left.
    """
    filters = mel_filters(rate, n_fft, n_mels, fmin, fmax)
    blocks = []
    for first in range(0, n_mels, _BANDS_PER_BLOCK):
        bands = slice(first, min(first + _BANDS_PER_BLOCK, n_mels))
        used = np.flatnonzero(filters[:, bands].any(axis=1))
        bins = slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 0)
        block = np.ascontiguousarray(filters[bins, bands])
        blocks.append(_FilterBlock(bands, bins, read_only(block)))
    return tuple(blocks)


def _hz_to_mel(hertz: Float64) -> Float64:
    above: Float64 = np.log(np.maximum(hertz, _BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
    return np.minimum(hertz, _BREAK_HZ) / _HZ_PER_MEL + above


def _mel_to_hz(mels: Float64) -> Float64:
    break_mel = _BREAK_HZ / _HZ_PER_MEL
    growth: Float64 = np.exp(_LOG_STEP * np.maximum(0, mels - break_mel))
    return np.minimum(mels, break_mel) * _HZ_PER_MEL * growth
