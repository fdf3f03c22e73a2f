"""Cepstra, and how they move."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from batchemo.features.mel import decibels, mel_power
from batchemo.features.spectrum import Floats, Spectrum, frozen, once

_WIDTH = 9


@once
def mfcc(spectrum: Spectrum, n_mfcc: int = 20, n_mels: int = 128) -> Floats:
    """The first cepstra of the log-mels, (frames, n_mfcc): librosa.feature.mfcc."""
    return decibels(mel_power(spectrum, n_mels)) @ cosines(n_mels, n_mfcc)


@once
def mfcc_delta(spectrum: Spectrum, order: int, n_mfcc: int = 20, n_mels: int = 128) -> Floats:
    """The movement of the cepstra, first or second order, (frames, n_mfcc)."""
    return delta(mfcc(spectrum, n_mfcc, n_mels), order)


def delta(track: Floats, order: int = 1) -> Floats:
    """The derivative along the frames of a polynomial fitted to nine: librosa.feature.delta.

    The polynomial is of that order, so its derivative is a constant: the first and the last four
    frames, which librosa reads off the polynomial of the first and the last nine, all have the
    derivative of that one. Fewer than nine frames, which librosa refuses, do not move.

    >>> delta(np.arange(20, dtype=np.float32)[:, None] * 3)[[0, 10]].round(5).tolist()
    [[3.0], [3.0]]
    """
    if len(track) < _WIDTH:
        return np.zeros_like(track)
    nines = np.lib.stride_tricks.sliding_window_view(track, _WIDTH, axis=0)
    return np.pad(nines @ _slope(order), ((_WIDTH // 2, _WIDTH // 2), (0, 0)), mode="edge")


@lru_cache
def _slope(order: int) -> Floats:
    """What weighs nine frames into the derivative of the polynomial that fits them best."""
    steps = np.arange(_WIDTH) - _WIDTH // 2
    powers = np.vander(steps, order + 1, increasing=True)
    factorial = float(np.prod(np.arange(1, order + 1)))
    return frozen((np.linalg.pinv(powers)[order] * factorial).astype(np.float32))


@lru_cache
def cosines(n_mels: int, n_mfcc: int) -> Floats:
    """The orthonormal cosine transform (DCT-II), cut to the first coefficients."""
    angles = np.pi / n_mels * np.outer(np.arange(n_mels) + 0.5, np.arange(n_mfcc))
    waves = np.cos(angles) * np.sqrt(2 / n_mels)
    waves[:, 0] = np.sqrt(1 / n_mels)
    return frozen(waves.astype(np.float32))
