"""The log-mel spectrogram and the statistics of a window in one array, for nets that use both.

The statistics fill the first rows, the spectrogram the rows below:

    rows 0 … 4    the 267 numbers of `functionals`, row after row, then zeros
    rows 5 …      `logmel64`, a row a frame

One array, because a model takes one input, and because both are then cached and batched as one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from batchemo.common.arrays import Float32
from batchemo.features.functionals import Functionals
from batchemo.features.logmel import SpeechLogMel

_LOGMEL = SpeechLogMel()
_FUNCTIONALS = Functionals()

N_STATISTICS = len(_FUNCTIONALS.names())
"""How many of the numbers in the first rows are statistics; the rest are 0."""
STATISTICS_ROWS = -(-N_STATISTICS // _LOGMEL.n_mels)
"""How many rows the statistics take."""


@dataclass(frozen=True, slots=True)
class Combined:
    """`functionals` in the first rows, `logmel64` below; both with their default parameters."""

    kind: ClassVar[str] = "combined"
    # Changes whenever the version of either of the two changes.
    version: ClassVar[int] = 100 * SpeechLogMel.version + Functionals.version

    def shape(self, rate: int, window: float) -> tuple[int, ...]:
        """Return (rows of statistics + frames with padding, bands)."""
        frames, bands = _LOGMEL.shape(rate, window)
        return STATISTICS_ROWS + frames, bands

    def spectrum_shape(self, rate: int, window: float) -> tuple[int, int]:
        """Return (frames, bins) of the larger of the two spectra of a window."""
        return _FUNCTIONALS.spectrum_shape(rate, window)

    def names(self) -> tuple[str, ...]:
        """Return the names of the mel bands."""
        return _LOGMEL.names()

    def compute(self, samples: Float32, rate: int, window: float) -> Float32:
        """Return the statistics and the spectrogram below them, (rows, bands)."""
        statistics = _FUNCTIONALS.compute(samples, rate, window)
        spectrogram = _LOGMEL.compute(samples, rate, window)
        features: Float32 = combine(statistics[None], spectrogram[None])[0]
        return features


def combine(statistics: Float32, spectrograms: Float32) -> Float32:
    """Return the combined features of several windows, given both of their parts.

    >>> combine(np.ones((2, 267), np.float32), np.zeros((2, 301, 64), np.float32)).shape
    (2, 306, 64)
    """
    count, _, bands = spectrograms.shape
    rows = np.zeros((count, STATISTICS_ROWS * bands), np.float32)
    rows[:, :N_STATISTICS] = statistics
    return np.concatenate([rows.reshape(count, STATISTICS_ROWS, bands), spectrograms], axis=1)
