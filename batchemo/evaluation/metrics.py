"""Figures of single-label classification, from what was true and what was said.

A class without recordings has no recall, precision or F1, and takes no part in averages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from batchemo.common.arrays import Float64, Int64

BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Recordings of about the same confidence, and the share of them that was told right."""

    low: float
    high: float
    recordings: float
    confidence: float
    accuracy: float


def count_confusions(truth: Int64, told: Int64, classes: int) -> Float64:
    """Count, for each true class (row), how often each class was told (column).

    >>> count_confusions(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
    array([[1., 1.],
           [0., 1.]])
    """
    flat = np.bincount(truth * classes + told, minlength=classes * classes)
    return flat.reshape(classes, classes).astype(np.float64)


def shares_by_row(confusion: Float64) -> Float64:
    """Of each true class, the share told as each class; nan for classes without recordings."""
    return _divide(confusion, confusion.sum(axis=1, keepdims=True))


def recall(confusion: Float64) -> Float64:
    """Of each class, the share that was told right."""
    return _divide(np.diag(confusion), confusion.sum(axis=1))


def precision(confusion: Float64) -> Float64:
    """Of all told as a class, the share that is of it; 0 if nothing was told so."""
    told = _divide(np.diag(confusion), np.maximum(confusion.sum(axis=0), 1e-12))
    return np.where(confusion.sum(axis=1) > 0, told, np.nan)


def f1(confusion: Float64) -> Float64:
    """The harmonic mean of each class's precision and recall."""
    there = confusion.sum(axis=1)
    whole = np.where(there > 0, there + confusion.sum(axis=0), 0)
    return _divide(2 * np.diag(confusion), whole)


def accuracy(confusion: Float64) -> float:
    """The share of recordings that was told right."""
    return float(np.trace(confusion) / confusion.sum())


def uar(confusion: Float64) -> float:
    """Unweighted average recall: the mean of the classes' recalls.

    >>> uar(np.array([[9.0, 0.0], [1.0, 0.0]]))
    0.5
    """
    return float(np.nanmean(recall(confusion)))


def macro_f1(confusion: Float64) -> float:
    """The mean of the classes' F1."""
    return float(np.nanmean(f1(confusion)))


def brier(probabilities: Float64, truth: Int64) -> float:
    """The mean squared distance of the probabilities from the truth: 0 at best, 2 at worst."""
    right = np.eye(probabilities.shape[1])[truth]
    return float(((probabilities - right) ** 2).sum(axis=1).mean())


def calibration_error(
    confidence: Float64, right: npt.NDArray[np.bool_], *, bins: int = BINS
) -> float:
    """Expected calibration error: how far confidence is from the share that is right.

    >>> calibration_error(np.array([0.75, 0.75]), np.array([True, False]))
    0.25
    """
    every = reliability(confidence, right, bins=bins)
    return sum(
        abs(one.confidence - one.accuracy) * one.recordings / len(confidence) for one in every
    )


def calibration_error_by_chance(confidence: Float64, *, bins: int = BINS) -> float:
    """The calibration error to expect of confidences that are right: on few recordings not 0.

    In each bin the number of the right ones is taken to be normally distributed.

    >>> round(calibration_error_by_chance(np.full(100, 0.5)), 3)
    0.04
    """
    variance = np.bincount(_places(confidence, bins), confidence * (1 - confidence))
    return float(np.sqrt(2 / np.pi * variance).sum() / len(confidence))


def reliability(
    confidence: Float64, right: npt.NDArray[np.bool_], *, bins: int = BINS
) -> tuple[Bin, ...]:
    """Sort recordings into bins of equal width by confidence; empty bins are left out."""
    return tuple(_bins(confidence, right, bins))


def _bins(confidence: Float64, right: npt.NDArray[np.bool_], bins: int) -> Iterator[Bin]:
    places = _places(confidence, bins)
    for place in range(bins):
        inside = places == place
        if inside.any():
            yield Bin(
                low=place / bins,
                high=(place + 1) / bins,
                recordings=float(inside.sum()),
                confidence=float(confidence[inside].mean()),
                accuracy=float(right[inside].mean()),
            )


def _places(confidence: Float64, bins: int) -> Int64:
    """The bin of each confidence."""
    return np.minimum((confidence * bins).astype(np.int64), bins - 1)


def _divide(upper: Float64, lower: Float64) -> Float64:
    """Divide, with nan where there is nothing to divide by."""
    whole = np.broadcast_to(lower, upper.shape)
    shares: Float64 = np.full(upper.shape, np.nan)
    np.divide(upper, whole, out=shares, where=whole > 0)
    return shares
