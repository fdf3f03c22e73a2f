"""Chroma: the power at each of the twelve pitch classes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from batchemo.common.arrays import Float32
from batchemo.features.pitch import tuning
from batchemo.features.spectrum import Spectrum, frozen, once

CLASSES = 12
_CENTRE_OCTAVE, _OCTAVE_WIDTH = 5.0, 2.0


@once
def chroma(spectrum: Spectrum) -> Float32:
    """The pitch classes from C on, each frame's strongest 1, (frames, 12): chroma_stft."""
    filters = chroma_filters(spectrum.rate, spectrum.n_fft, tuning(spectrum))
    raw = spectrum.power @ filters
    strongest = raw.max(axis=1, keepdims=True)
    audible = strongest >= np.finfo(np.float32).tiny
    classes: Float32 = raw / np.where(audible, strongest, np.float32(1))
    return classes


@lru_cache  # of the 100 tunings that there are, speakers share a few
def chroma_filters(rate: int, n_fft: int, tuning: float) -> Float32:
    """A Gaussian bump at each pitch class in every octave, (bins, 12): librosa.filters.chroma."""
    bins = n_fft // 2 + 1
    tuned_a = 440 * 2 ** (tuning / CLASSES) / 16
    # One bin more than there are, for the width of the last.
    hertz = np.arange(1, bins + 1) * (rate / n_fft)
    semitones = CLASSES * np.log2(hertz / tuned_a)
    # 0 Hz has no pitch: one and a half octaves below the first bin, it weighs next to nothing.
    semitones = np.concatenate(([semitones[0] - 1.5 * CLASSES], semitones))
    width = np.maximum(np.diff(semitones), 1)[:, None]
    semitones = semitones[:-1, None]

    half = CLASSES // 2
    distance = np.mod(semitones - np.arange(CLASSES) + half, CLASSES) - half
    bumps = np.exp(-0.5 * (2 * distance / width) ** 2)
    bumps /= np.sqrt(np.square(bumps).sum(axis=1, keepdims=True))
    octave = semitones / CLASSES
    bumps *= np.exp(-0.5 * ((octave - _CENTRE_OCTAVE) / _OCTAVE_WIDTH) ** 2)
    return frozen(np.roll(bumps, -3, axis=1).astype(np.float32))  # counted from A until here
