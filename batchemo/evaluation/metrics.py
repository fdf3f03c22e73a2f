"""Figures of single-label classification, from true labels and predictions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

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


COVERAGES = tuple(round(1 - step / 20, 2) for step in range(20))
"""The shares of all recordings that a curve tells of, from all to the surest twentieth."""


@dataclass(frozen=True, slots=True)
class CoveragePoint:
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


FEWEST_SPEAKERS = 3
"""With fewer, drawing them anew tells nothing."""

Kind = Literal["uar", "accuracy"]


def interval_over_speakers(
    right: Float64, count: Float64, kind: Kind, *, draws: int = 2000, seed: int = 0
) -> tuple[float, float] | None:
    """The 95 % interval of a figure, from counts by (seed, speaker, class).

    Speakers are drawn with all that was heard of them, copies too, and the same speakers for
    every seed; a draw's figure is the mean of its seeds'.

    >>> everyone = np.ones((1, 5, 2))
    >>> interval_over_speakers(everyone, everyone, "uar")
    (1.0, 1.0)
    """
    speakers = count.shape[1]
    if speakers < FEWEST_SPEAKERS:
        return None
    drawn = np.random.default_rng(seed).integers(speakers, size=(draws, speakers))
    by_seed = [
        _figures(own_right[drawn].sum(axis=1), own_count[drawn].sum(axis=1), kind)
        for own_right, own_count in zip(right, count, strict=True)
    ]
    figures = np.mean(by_seed, axis=0)
    low, high = np.percentile(figures, [2.5, 97.5])
    return float(low), float(high)


def _figures(right: Float64, count: Float64, kind: Kind) -> Float64:
    """Each draw's figure, from its counts by (draw, class)."""
    if kind == "accuracy":
        shares: Float64 = right.sum(axis=1) / np.maximum(count.sum(axis=1), 1)
        return shares
    heard = count > 0
    recalls = np.divide(right, count, out=np.zeros_like(right), where=heard)
    means: Float64 = recalls.sum(axis=1) / np.maximum(heard.sum(axis=1), 1)
    return means
