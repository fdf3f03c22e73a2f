"""Pitch as the peaks of a spectrum: their mean, and the tuning that they have in common."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from batchemo.common.arrays import Float32
from batchemo.features.spectrum import Spectrum, once

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


@once
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
