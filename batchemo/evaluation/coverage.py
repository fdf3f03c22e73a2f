"""What accuracy is left when only the most confident answers are kept (risk and coverage)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from batchemo.common.arrays import Float64

COVERAGES = tuple(round(1 - step / 20, 2) for step in range(20))
"""The shares of all recordings that a curve tells of, from all to the surest twentieth."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The most confident recordings, up to a share of all."""

    coverage: float
    confidence: float
    """That of the least confident among them."""
    accuracy: float


def keep_most_confident(
    confidence: Float64,
    right: npt.NDArray[np.bool_],
    coverages: Sequence[float] = COVERAGES,
) -> tuple[Float64, Float64]:
    """The least confidence, and the accuracy, of what is kept at each coverage.

    Of recordings that are equally confident, all are kept alike: each by the share that still
    fits. So the order of recordings does not matter.

    >>> sure, right = np.array([0.9, 0.6, 0.6, 0.3]), np.array([True, True, False, False])
    >>> least, accuracy = keep_most_confident(sure, right, (1.0, 0.5, 0.25))
    >>> least.tolist(), accuracy.tolist()
    ([0.3, 0.6, 0.9], [0.5, 0.75, 1.0])
    """
    levels, places, counts = np.unique(-confidence, return_inverse=True, return_counts=True)
    kept = np.cumsum(counts)
    good = np.cumsum(np.bincount(places, weights=right))
    # Rounded: 0.55 x 20 recordings are 11, not a hair more.
    wanted = np.round(np.multiply(coverages, len(confidence)), 9)
    accuracy = np.interp(wanted, [0, *kept], [0, *good]) / wanted
    return -levels[np.searchsorted(kept, wanted)], accuracy


def accuracy_at(confidence: Float64, right: npt.NDArray[np.bool_], coverage: float) -> float:
    """The accuracy of the most confident recordings, up to this share of all."""
    return float(keep_most_confident(confidence, right, (coverage,))[1][0])
