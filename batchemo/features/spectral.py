"""The shape of the spectrum and of the waveform, frame by frame, equal to librosa's."""

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

CONTRAST_BANDS = 7
# The defaults of librosa.feature.spectral_contrast (`fmin`, `quantile`).
_FIRST_OCTAVE = 200.0
_QUANTILE = 0.02
# The default of librosa.zero_crossings: samples fainter than this count as positive.
_ZERO_THRESHOLD = np.float32(1e-10)


@cached_kernel
def bandwidth(spectrum: Spectrum) -> Float32:
    """Return the spectral bandwidth in hertz, (frames, 1): librosa.feature.spectral_bandwidth."""
    # √(E[f²] - E[f]²): one matrix product gives all three moments, where the deviation of every
    # bin from the centroid of its frame would need an array as large as the spectrum.
    moments = spectrum.magnitude @ _moment_weights(spectrum.rate, spectrum.n_fft)
    # In double precision, because the variance is a difference of two large numbers.
    total, first, second = np.asarray(moments.T, dtype=np.float64)
    total[total < np.finfo(np.float32).tiny] = 1
    variance = second / total - (first / total) ** 2
    nyquist = spectrum.rate / 2
    deviation: Float32 = (np.sqrt(np.maximum(variance, 0)) * nyquist).astype(np.float32)
    return deviation[:, None]


@cached_kernel
def contrast(spectrum: Spectrum) -> Float32:
    """Return peaks over valleys in dB in seven bands, (frames, 7): spectral_contrast.

    The bands are what lies below 200 Hz and the octaves above; the peak of a band is the mean of
    the loudest 2 % of its bins, the valley that of the faintest 2 %.
    """
    peaks = np.empty((len(spectrum.magnitude), CONTRAST_BANDS), dtype=np.float32)
    valleys = np.empty_like(peaks)
    for index, band in enumerate(_contrast_bands(spectrum.rate, spectrum.n_fft)):
        bins = spectrum.magnitude[:, band.start : band.stop]
        # A full sort, although a partition would do: numpy vectorises sorting of float32, but not
        # partitioning, and the full sort is the faster one.
        ordered = np.sort(bins, axis=1)
        valleys[:, index] = ordered[:, : band.n_extreme].mean(axis=1)
        peaks[:, index] = ordered[:, -band.n_extreme :].mean(axis=1)
    return decibels(peaks) - decibels(valleys)


@cached_kernel
def zero_crossing_rate(spectrum: Spectrum) -> Float32:
    """Return the share of samples at which the sign changes, (frames, 1): zero_crossing_rate."""
    n_fft, hop = spectrum.n_fft, spectrum.hop
    # Both ends are padded with the outermost sample, not with zeros, as librosa does: padding
    # must not add a crossing.
    negative = np.pad(spectrum.samples < -_ZERO_THRESHOLD, n_fft // 2, mode="edge")
    # Differences of a running count: frames overlap, and counting within each would read every
    # sample once for each of its frames.
    crossed = np.concatenate(([0], np.cumsum(negative[1:] != negative[:-1])))
    starts = np.arange(0, len(negative) - n_fft + 1, hop)
    crossings = crossed[starts + n_fft - 1] - crossed[starts]
    return (crossings / n_fft).astype(np.float32)[:, None]


@cached_kernel
def rms(spectrum: Spectrum) -> Float32:
    """Return the root mean square of each frame before windowing, (frames, 1): feature.rms."""
    # einsum squares and sums in one pass; np.square would copy the overlapping frames.
    energy = np.einsum("ij,ij->i", spectrum.frames, spectrum.frames)
    level: Float32 = np.sqrt(energy / np.float32(spectrum.n_fft))
    return level[:, None]


class _ContrastBand(NamedTuple):
    start: int
    stop: int
    n_extreme: int
    """How many bins make the peak, and how many the valley."""


@lru_cache
def _contrast_bands(rate: int, n_fft: int) -> tuple[_ContrastBand, ...]:
    frequencies = fft_frequencies(rate, n_fft)
    edges = [0.0, *(_FIRST_OCTAVE * 2.0**octave for octave in range(CONTRAST_BANDS))]
    if edges[-2] >= rate / 2:
        raise ValueError(f"spectral contrast needs a rate above {2 * edges[-2]:g} Hz, not {rate}")
    bands = []
    for index, (low, high) in enumerate(pairwise(edges)):
        # librosa's conventions: a band begins one bin below its lower edge, the last band reaches
        # to the end of the spectrum, and the last bin of every other band counts towards the
        # 2 % but is left out of the sort, as it belongs to the next band.
        start = int(np.searchsorted(frequencies, low)) - (index > 0)
        stop = int(np.searchsorted(frequencies, high, side="right"))
        if index == CONTRAST_BANDS - 1:
            stop = len(frequencies)
        n_extreme = max(1, round(_QUANTILE * (stop - start)))
        bands.append(_ContrastBand(start, stop - (index < CONTRAST_BANDS - 1), n_extreme))
    return tuple(bands)


@lru_cache
def _moment_weights(rate: int, n_fft: int) -> Float32:
    """Return the weights of the moments of order 0, 1 and 2, (bins, 3)."""
    # In units of the Nyquist frequency, so that squares keep their precision in float32.
    unit = fft_frequencies(rate, n_fft) / (rate / 2)
    return read_only(np.stack([np.ones_like(unit), unit, unit**2], axis=1).astype(np.float32))
