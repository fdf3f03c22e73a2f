"""Cepstra, and how they move."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from batchemo.common.arrays import Float32
from batchemo.features.mel import decibels, mel_power
from batchemo.features.spectrum import Spectrum, frozen, once

_WIDTH = 9


@once
def mfcc(spectrum: Spectrum, n_mfcc: int = 20, n_mels: int = 128) -> Float32:
    """The first cepstra of the log-mels, (frames, n_mfcc): librosa.feature.mfcc."""
    return decibels(mel_power(spectrum, n_mels)) @ cosines(n_mels, n_mfcc)


@once
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
    return frozen(np.stack(slopes, axis=1).astype(np.float32))


@lru_cache
def cosines(n_mels: int, n_mfcc: int) -> Float32:
    """The orthonormal cosine transform (DCT-II), cut to the first coefficients."""
    angles = np.pi / n_mels * np.outer(np.arange(n_mels) + 0.5, np.arange(n_mfcc))
    waves = np.cos(angles) * np.sqrt(2 / n_mels)
    waves[:, 0] = np.sqrt(1 / n_mels)
    return frozen(waves.astype(np.float32))
