"""What needs no spectrum: zero crossings and level, in the frames of the spectrum."""

from __future__ import annotations

import numpy as np

from batchemo.common.arrays import Float32
from batchemo.features.spectrum import Spectrum, once

_ZERO = np.float32(1e-10)


@once
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


@once
def rms(spectrum: Spectrum) -> Float32:
    """The root mean square of each frame, before any window, (frames, 1): librosa.feature.rms."""
    energy = np.einsum("ij,ij->i", spectrum.frames, spectrum.frames)
    level: Float32 = np.sqrt(energy / np.float32(spectrum.n_fft))
    return level[:, None]
