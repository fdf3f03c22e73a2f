"""The shape of the spectrum and of the waveform, frame by frame."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from batchemo.common.arrays import Float32
from batchemo.features.mel import decibels
from batchemo.features.spectrum import (
    Spectrum,
    cached_kernel,
    fft_frequencies,
    read_only,
)

BANDS = 7
_FIRST_OCTAVE = 200.0
_QUANTILE = 0.02


@cached_kernel
def bandwidth(spectrum: Spectrum) -> Float32:
    """The deviation of the magnitudes around their centroid in hertz, (frames, 1).

    librosa.feature.spectral_bandwidth, as √(E[f²] - E[f]²) from one product with (1, f, f²).
    """
    moments = spectrum.magnitude @ _powers(spectrum.rate, spectrum.n_fft)
    total, first, second = np.asarray(moments.T, dtype=np.float64)
    total[total < np.finfo(np.float32).tiny] = 1
    variance = second / total - (first / total) ** 2
    nyquist = spectrum.rate / 2
    deviation: Float32 = (np.sqrt(np.maximum(variance, 0)) * nyquist).astype(np.float32)
    return deviation[:, None]


@cached_kernel
def contrast(spectrum: Spectrum) -> Float32:
    """Peaks over valleys in decibels in the octaves from 200 Hz on and below, (frames, 7).

    librosa.feature.spectral_contrast: the means of the loudest and of the faintest 2 % of bins.
    """
    peaks = np.empty((len(spectrum.magnitude), BANDS), dtype=np.float32)
    valleys = np.empty_like(peaks)
    for band, octave in enumerate(_octaves(spectrum.rate, spectrum.n_fft)):
        bins = spectrum.magnitude[:, octave.start : octave.stop]
        # A whole sort: numpy vectorises it, and not the partition that would be enough.
        ordered = np.sort(bins, axis=1)
        valleys[:, band] = ordered[:, : octave.share].mean(axis=1)
        peaks[:, band] = ordered[:, -octave.share :].mean(axis=1)
    return decibels(peaks) - decibels(valleys)


class _Octave(NamedTuple):
    start: int
    stop: int
    share: int
    """How many bins make a peak, and a valley."""


@lru_cache
def _octaves(rate: int, n_fft: int) -> tuple[_Octave, ...]:
    frequencies = fft_frequencies(rate, n_fft)
    edges = [0.0, *(_FIRST_OCTAVE * 2.0**octave for octave in range(BANDS))]
    if edges[-2] >= rate / 2:
        raise ValueError(f"spectral contrast needs a rate above {2 * edges[-2]:g} Hz, not {rate}")
    octaves = []
    for band, (low, high) in enumerate(pairwise(edges)):
        start = int(np.searchsorted(frequencies, low)) - (band > 0)
        stop = int(np.searchsorted(frequencies, high, side="right"))
        if band == BANDS - 1:
            stop = len(frequencies)
        share = max(1, round(_QUANTILE * (stop - start)))
        # The last bin of an octave counts towards the share but belongs to the next octave.
        octaves.append(_Octave(start, stop - (band < BANDS - 1), share))
    return tuple(octaves)


@lru_cache
def _powers(rate: int, n_fft: int) -> Float32:
    # In units of the Nyquist frequency, which keeps the squares within float32's reach.
    unit = fft_frequencies(rate, n_fft) / (rate / 2)
    return read_only(np.stack([np.ones_like(unit), unit, unit**2], axis=1).astype(np.float32))


_ZERO = np.float32(1e-10)


@cached_kernel
def zero_crossing_rate(spectrum: Spectrum) -> Float32:
    """The share of samples in a frame at which the sign changes, (frames, 1).

    librosa.feature.zero_crossing_rate: what is fainter than 1e-10 counts as positive, and the
    signal goes on at both ends with its outermost sample, so that no padding crosses anything.
    """
    n_fft, hop = spectrum.n_fft, spectrum.hop
    negative = np.pad(spectrum.samples < -_ZERO, n_fft // 2, mode="edge")
    crossed = np.concatenate(([0], np.cumsum(negative[1:] != negative[:-1])))
    starts = np.arange(0, len(negative) - n_fft + 1, hop)
    crossings = crossed[starts + n_fft - 1] - crossed[starts]
    return (crossings / n_fft).astype(np.float32)[:, None]


@cached_kernel
def rms(spectrum: Spectrum) -> Float32:
    """The root mean square of each frame, before any window, (frames, 1): librosa.feature.rms."""
    energy = np.einsum("ij,ij->i", spectrum.frames, spectrum.frames)
    level: Float32 = np.sqrt(energy / np.float32(spectrum.n_fft))
    return level[:, None]
