"""Pitch as spectral peaks, the tuning that they share, and chroma: power by pitch class.

These are the classic features of librosa (piptrack, estimate_tuning, chroma_stft). The
fundamental frequency of a voice is another thing: see `f0`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from batchemo.common.arrays import Float32, Index
from batchemo.features.spectrum import Spectrum, cached_kernel, read_only

# The defaults of librosa.piptrack: the range of pitches in hertz, and the share of a frame's
# maximum that a peak must reach.
_FMIN, _FMAX = 150.0, 4000.0
_THRESHOLD = np.float32(0.1)

PITCH_CLASSES = 12
# The defaults of librosa.filters.chroma (`ctroct`, `octwidth`): octaves are weighted by a Gaussian
# around the fifth, two octaves wide.
_CENTRE_OCTAVE, _OCTAVE_WIDTH = 5.0, 2.0


class Peaks(NamedTuple):
    """The peaks of a spectrum, frame by frame: the non-zero entries of librosa.piptrack."""

    frame: Index
    pitch: Float32
    """In hertz, interpolated between bins."""
    height: Float32


def find_peaks(bins: Float32, rate: int) -> Peaks:
    """Return the peaks from 150 to 4000 Hz that reach a tenth of their frame's maximum.

    Each is placed by a parabola through its bin and the two neighbours. `bins` may hold
    magnitudes or powers, (frames, 1 + n_fft // 2).
    """
    n_fft = 2 * (bins.shape[1] - 1)
    start = int(np.ceil(_FMIN * n_fft / rate))
    stop = min(int(np.ceil(min(_FMAX, rate / 2) * n_fft / rate)), bins.shape[1] - 1)
    threshold = _THRESHOLD * bins.max(axis=1, keepdims=True)
    middle = bins[:, start:stop]
    left, right = bins[:, start - 1 : stop - 1], bins[:, start + 1 : stop + 1]
    is_peak = (middle > threshold) & (middle > left) & (middle >= right)
    # np.nonzero of a two-dimensional array takes five times as long as of a flat one.
    at = np.divmod(np.flatnonzero(is_peak), is_peak.shape[1])

    # Only the peaks are interpolated, where librosa interpolates every bin. In double precision:
    # the curvature is a small difference of large numbers.
    centre = middle[at].astype(np.float64)
    curvature = right[at] + left[at] - 2 * centre
    slope = (right[at].astype(np.float64) - left[at]) / 2
    # Where the parabola is flatter than its slope its vertex lies more than a bin away: librosa
    # leaves such a peak at the centre of its bin.
    flat = np.abs(slope) >= np.abs(curvature)
    shift = np.where(flat, 0, -slope / np.where(flat, 1, curvature))
    pitch = (at[1] + start + shift) * (rate / n_fft)
    height = centre + slope * shift / 2
    return Peaks(at[0], pitch.astype(np.float32), height.astype(np.float32))


@cached_kernel
def mean_pitch(spectrum: Spectrum) -> Float32:
    """Return the mean pitch of each frame's peaks in hertz, 0 without peaks, (frames, 1).

    The mean of the non-zero `pitches` of `pitches, magnitudes = librosa.piptrack(y=…, sr=…)`.
    """
    peaks = find_peaks(spectrum.magnitude, spectrum.rate)
    frames = len(spectrum.magnitude)
    total = np.bincount(peaks.frame, weights=peaks.pitch, minlength=frames)
    count = np.bincount(peaks.frame, minlength=frames)
    return (total / np.maximum(count, 1)).astype(np.float32)[:, None]


def tuning(spectrum: Spectrum) -> float:
    """Return the deviation of the peaks from A440, -0.5 … 0.5 semitones: estimate_tuning.

    The most frequent hundredth of a semitone among the louder half of the peaks; 0 without peaks.
    """
    peaks = find_peaks(spectrum.power, spectrum.rate)
    if not len(peaks.pitch):
        return 0.0
    loud = peaks.pitch[peaks.height >= np.median(peaks.height)]
    residual = np.mod(12 * np.log2(loud / np.float32(440 / 16)), 1)
    residual[residual >= 0.5] -= 1
    edges = np.linspace(-0.5, 0.5, 101)
    counts, _ = np.histogram(residual, edges)
    return float(edges[np.argmax(counts)])


@cached_kernel
def chroma(spectrum: Spectrum) -> Float32:
    """Return the power by pitch class, from C on, each frame's maximum 1: chroma_stft."""
    filters = chroma_filters(spectrum.rate, spectrum.n_fft, tuning(spectrum))
    raw = spectrum.power @ filters
    maximum = raw.max(axis=1, keepdims=True)
    # As librosa.util.normalize does, frames below the smallest normal number stay as they are:
    # dividing a denormal by a denormal gives rounding errors, and 0 by 0 gives NaN.
    audible = maximum >= np.finfo(np.float32).tiny
    classes: Float32 = raw / np.where(audible, maximum, np.float32(1))
    return classes


# `tuning` returns one of 100 values, and recordings of speech share a few of them.
@lru_cache
def chroma_filters(rate: int, n_fft: int, tuning: float) -> Float32:
    """Return Gaussians at each pitch class in each octave, (bins, 12): librosa.filters.chroma."""
    bins = n_fft // 2 + 1
    tuned_a = 440 * 2 ** (tuning / PITCH_CLASSES) / 16
    # One bin more than there are, for the width of the last.
    hertz = np.arange(1, bins + 1) * (rate / n_fft)
    semitones = PITCH_CLASSES * np.log2(hertz / tuned_a)
    # 0 Hz has no pitch. librosa places it 1.5 octaves below the first bin, where its weight is
    # next to nothing.
    semitones = np.concatenate(([semitones[0] - 1.5 * PITCH_CLASSES], semitones))
    width = np.maximum(np.diff(semitones), 1)[:, None]
    semitones = semitones[:-1, None]

    half = PITCH_CLASSES // 2
    distance = np.mod(semitones - np.arange(PITCH_CLASSES) + half, PITCH_CLASSES) - half
    filters = np.exp(-0.5 * (2 * distance / width) ** 2)
    filters /= np.sqrt(np.square(filters).sum(axis=1, keepdims=True))
    octave = semitones / PITCH_CLASSES
    filters *= np.exp(-0.5 * ((octave - _CENTRE_OCTAVE) / _OCTAVE_WIDTH) ** 2)
    # Counted from A until here; the columns returned begin with C, three semitones above.
    return read_only(np.roll(filters, -3, axis=1).astype(np.float32))
