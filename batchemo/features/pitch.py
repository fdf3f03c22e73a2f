"""Pitch as the peaks of a spectrum, the tuning they share, and chroma: power by pitch class."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from batchemo.common.arrays import Float32
from batchemo.features.spectrum import Spectrum, cached_kernel, read_only

_FMIN, _FMAX = 150.0, 4000.0
_THRESHOLD = np.float32(0.1)


class Peaks(NamedTuple):
    """The peaks of a spectrum, frame by frame: what librosa.piptrack has that is not 0."""

    frame: NDArray[np.intp]
    pitch: Float32
    """In hertz, between the bins."""
    height: Float32


def find_peaks(bins: Float32, rate: int) -> Peaks:
    """The peaks from 150 to 4000 Hz that reach a tenth of their frame's maximum.

    A parabola through the bin and its neighbours places each; only peaks are worked on, where
    librosa interpolates every bin. `bins` may be magnitudes or powers, (frames, 1 + n_fft // 2).
    """
    n_fft = 2 * (bins.shape[1] - 1)
    lowest = int(np.ceil(_FMIN * n_fft / rate))
    beyond = min(int(np.ceil(min(_FMAX, rate / 2) * n_fft / rate)), bins.shape[1] - 1)
    enough = _THRESHOLD * bins.max(axis=1, keepdims=True)
    middle = bins[:, lowest:beyond]
    left, right = bins[:, lowest - 1 : beyond - 1], bins[:, lowest + 1 : beyond + 1]
    peaking = (middle > enough) & (middle > left) & (middle >= right)
    # Of two dimensions, nonzero takes five times as long.
    at = np.divmod(np.flatnonzero(peaking), peaking.shape[1])

    centre = middle[at].astype(np.float64)
    curvature = right[at] + left[at] - 2 * centre
    slope = (right[at].astype(np.float64) - left[at]) / 2
    flat = np.abs(slope) >= np.abs(curvature)
    shift = np.where(flat, 0, -slope / np.where(flat, 1, curvature))
    pitch = (at[1] + lowest + shift) * (rate / n_fft)
    height = centre + slope * shift / 2
    return Peaks(at[0], pitch.astype(np.float32), height.astype(np.float32))


@cached_kernel
def mean_pitch(spectrum: Spectrum) -> Float32:
    """The mean pitch of each frame's peaks in hertz, 0 where there are none, (frames, 1).

    The mean of the non-zero `pitches` of `pitches, magnitudes = librosa.piptrack(y=…, sr=…)`.
    """
    peaks = find_peaks(spectrum.magnitude, spectrum.rate)
    frames = len(spectrum.magnitude)
    total = np.bincount(peaks.frame, weights=peaks.pitch, minlength=frames)
    count = np.bincount(peaks.frame, minlength=frames)
    return (total / np.maximum(count, 1)).astype(np.float32)[:, None]


def tuning(spectrum: Spectrum) -> float:
    """How far the peaks lie off the semitones of A440, -0.5 … 0.5: librosa.estimate_tuning.

    Of the louder half of the peaks, the commonest hundredth of a semitone; 0 without peaks.
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


CLASSES = 12
_CENTRE_OCTAVE, _OCTAVE_WIDTH = 5.0, 2.0


@cached_kernel
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
    return read_only(np.roll(bumps, -3, axis=1).astype(np.float32))  # counted from A until here
