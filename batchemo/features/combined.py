"""A picture of the speech and the statistics of the window in one array: for nets that use both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from batchemo.common.arrays import Float32
from batchemo.features.functionals import Functionals
from batchemo.features.logmel import SpeechLogMel

_PICTURE = SpeechLogMel()
_STATISTICS = Functionals()

N_STATISTICS = len(_STATISTICS.names())
"""How many numbers the first rows hold, one after the other; what is left of them is 0."""
STATISTICS_ROWS = -(-N_STATISTICS // _PICTURE.n_mels)
"""How many rows that takes; below them lies the picture."""


@dataclass(frozen=True, slots=True)
class Combined:
    """The functionals in the first rows, `logmel64`'s picture below; both with their defaults."""

    kind: ClassVar[str] = "combined"
    version: ClassVar[int] = 100 * SpeechLogMel.version + Functionals.version
    """Another as soon as one of the two is another."""

    def shape(self, rate: int, window: float) -> tuple[int, ...]:
        """Rows of statistics and frames, padding included, and bands."""
        frames, bands = _PICTURE.shape(rate, window)
        return STATISTICS_ROWS + frames, bands

    def names(self) -> tuple[str, ...]:
        """The bands."""
        return _PICTURE.names()

    def compute(self, samples: Float32, rate: int, window: float) -> Float32:
        """The statistics, then the picture, (rows, bands)."""
        statistics = _STATISTICS.compute(samples, rate, window)
        both: Float32 = combine(statistics[None], _PICTURE.compute(samples, rate, window)[None])[0]
        return both


def combine(statistics: Float32, pictures: Float32) -> Float32:
    """The joint features of windows, of which both are known already.

    >>> join(np.ones((2, 267), np.float32), np.zeros((2, 301, 64), np.float32)).shape
    (2, 306, 64)
    """
    count, _, bands = pictures.shape
    rows = np.zeros((count, STATISTICS_ROWS * bands), np.float32)
    rows[:, :N_STATISTICS] = statistics
    return np.concatenate([rows.reshape(count, STATISTICS_ROWS, bands), pictures], axis=1)
