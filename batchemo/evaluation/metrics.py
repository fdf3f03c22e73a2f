"""Figures of single-label classification, computed from true classes and predictions.

Everything here works on arrays: confusion matrices of shape (true class, predicted class), the
confidence of each prediction (its greatest probability) and whether it is correct.
"""

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
    """Predictions of about the same confidence, and the share of them that is correct."""

    low: float
    high: float
    recordings: float
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class CoveragePoint:
    """The most confident predictions, up to a share of all."""

    coverage: float
    confidence: float
    """That of the least confident among them."""
    accuracy: float


def confusion_matrix(true_classes: Int64, predicted_classes: Int64, classes: int) -> Float64:
    """Count, for each true class (row), how often each class was predicted (column).

    >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
    array([[1., 1.],
           [0., 1.]])
    """
    cells = np.bincount(true_classes * classes + predicted_classes, minlength=classes * classes)
    return cells.reshape(classes, classes).astype(np.float64)


def row_shares(confusion: Float64) -> Float64:
    """Return the shares of each true class; nan for classes without recordings."""
    return _divide(confusion, confusion.sum(axis=1, keepdims=True))


def recall(confusion: Float64) -> Float64:
    """Return the recall of each class; nan for classes without recordings."""
    return _divide(np.diag(confusion), confusion.sum(axis=1))


def precision(confusion: Float64) -> Float64:
    """Return the precision of each class: 0 if it was never predicted, as scikit-learn has it."""
    # The floor only takes effect where a column is empty, and there the numerator is 0.
    shares = _divide(np.diag(confusion), np.maximum(confusion.sum(axis=0), 1e-12))
    return np.where(confusion.sum(axis=1) > 0, shares, np.nan)


def f1(confusion: Float64) -> Float64:
    """Return the harmonic mean of each class's precision and recall."""
    support = confusion.sum(axis=1)
    total = np.where(support > 0, support + confusion.sum(axis=0), 0)
    return _divide(2 * np.diag(confusion), total)


def accuracy(confusion: Float64) -> float:
    """Return the share of predictions that are correct."""
    return float(np.trace(confusion) / confusion.sum())


def uar(confusion: Float64) -> float:
    """Return the unweighted average recall: the mean of the classes' recalls.

    >>> uar(np.array([[9.0, 0.0], [1.0, 0.0]]))
    0.5
    """
    return float(np.nanmean(recall(confusion)))


def macro_f1(confusion: Float64) -> float:
    """Return the mean of the classes' F1."""
    return float(np.nanmean(f1(confusion)))


def brier(probabilities: Float64, true_classes: Int64) -> float:
    """Return the mean squared distance from the true classes: 0 at best, 2 at worst."""
    targets = np.eye(probabilities.shape[1])[true_classes]
    return float(((probabilities - targets) ** 2).sum(axis=1).mean())


def calibration_error(
    confidence: Float64, correct: npt.NDArray[np.bool_], *, bins: int = BINS
) -> float:
    """Return the expected calibration error: how far confidence is from the share that is correct.

    >>> calibration_error(np.array([0.75, 0.75]), np.array([True, False]))
    0.25
    """
    return sum(
        abs(filled.confidence - filled.accuracy) * filled.recordings / len(confidence)
        for filled in reliability(confidence, correct, bins=bins)
    )


def calibration_error_by_chance(confidence: Float64, *, bins: int = BINS) -> float:
    """Return the calibration error to expect of perfectly calibrated confidences.

    On few recordings it is not 0: the share that is correct in a bin scatters around its
    confidence. The number of correct predictions in a bin is taken to be normally distributed, so
    that its mean absolute deviation is sqrt(2 / pi) standard deviations.

    >>> round(calibration_error_by_chance(np.full(100, 0.5)), 3)
    0.04
    """
    variance = np.bincount(_bin_indices(confidence, bins), confidence * (1 - confidence))
    return float(np.sqrt(2 / np.pi * variance).sum() / len(confidence))


def reliability(
    confidence: Float64, correct: npt.NDArray[np.bool_], *, bins: int = BINS
) -> tuple[Bin, ...]:
    """Sort predictions into bins of equal width by confidence; empty bins are left out."""
    return tuple(_filled_bins(confidence, correct, bins))


def _filled_bins(confidence: Float64, correct: npt.NDArray[np.bool_], bins: int) -> Iterator[Bin]:
    indices = _bin_indices(confidence, bins)
    for index in range(bins):
        inside = indices == index
        if inside.any():
            yield Bin(
                low=index / bins,
                high=(index + 1) / bins,
                recordings=float(inside.sum()),
                confidence=float(confidence[inside].mean()),
                accuracy=float(correct[inside].mean()),
            )


def _bin_indices(confidence: Float64, bins: int) -> Int64:
    """Return the bin of each confidence; a confidence of 1 belongs to the last one."""
    return np.minimum((confidence * bins).astype(np.int64), bins - 1)


def _divide(numerator: Float64, denominator: Float64) -> Float64:
    """Divide, with nan where there is nothing to divide by."""
    whole = np.broadcast_to(denominator, numerator.shape)
    shares: Float64 = np.full(numerator.shape, np.nan)
    np.divide(numerator, whole, out=shares, where=whole > 0)
    return shares


COVERAGES = tuple(round(1 - step / 20, 2) for step in range(20))
"""The shares of all recordings at which a coverage curve is computed, from 100 % to 5 %."""


def coverage_curve(
    confidence: Float64,
    correct: npt.NDArray[np.bool_],
    coverages: Sequence[float] = COVERAGES,
) -> tuple[Float64, Float64]:
    """Return the least confidence, and the accuracy, of what is kept at each coverage.

    Of predictions with equal confidence, all are kept alike, each by the share that still fits:
    so the order of recordings does not matter.

    >>> confidence = np.array([0.9, 0.6, 0.6, 0.3])
    >>> correct = np.array([True, True, False, False])
    >>> least, accuracy = coverage_curve(confidence, correct, (1.0, 0.5, 0.25))
    >>> least.tolist(), accuracy.tolist()
    ([0.3, 0.6, 0.9], [0.5, 0.75, 1.0])
    """
    levels, indices, counts = np.unique(-confidence, return_inverse=True, return_counts=True)
    kept = np.cumsum(counts)
    correct_among_kept = np.cumsum(np.bincount(indices, weights=correct))
    # Rounded, since 0.55 * 20 is a little more than 11 in floating point: that would be a
    # twelfth recording.
    wanted = np.round(np.multiply(coverages, len(confidence)), 9)
    accuracy = np.interp(wanted, [0, *kept], [0, *correct_among_kept]) / wanted
    return -levels[np.searchsorted(kept, wanted)], accuracy


def accuracy_at(confidence: Float64, correct: npt.NDArray[np.bool_], coverage: float) -> float:
    """Return the accuracy of the most confident predictions, up to this share of all."""
    return float(coverage_curve(confidence, correct, (coverage,))[1][0])


MIN_SPEAKERS = 3
"""With fewer speakers, a bootstrap over them has too few different draws to mean anything."""

ResampledFigure = Literal["uar", "accuracy"]


def interval_over_speakers(
    correct: Float64, count: Float64, figure: ResampledFigure, *, draws: int = 2000, seed: int = 0
) -> tuple[float, float] | None:
    """Bootstrap the 95 % interval of a figure from counts by (seed, speaker, class).

    A speaker is drawn with all their recordings, augmented ones too, because recordings of one
    speaker are not independent. The same speakers are drawn for every seed, and a draw's figure
    is the mean over the seeds: else more seeds would pass for more speakers.

    >>> all_correct = np.ones((1, 5, 2))
    >>> interval_over_speakers(all_correct, all_correct, "uar")
    (1.0, 1.0)
    """
    speakers = count.shape[1]
    if speakers < MIN_SPEAKERS:
        return None
    drawn = np.random.default_rng(seed).integers(speakers, size=(draws, speakers))
    by_seed = [
        _figures_of_draws(
            correct_of_seed[drawn].sum(axis=1), count_of_seed[drawn].sum(axis=1), figure
        )
        for correct_of_seed, count_of_seed in zip(correct, count, strict=True)
    ]
    figures = np.mean(by_seed, axis=0)
    low, high = np.percentile(figures, [2.5, 97.5])
    return float(low), float(high)


def _figures_of_draws(correct: Float64, count: Float64, figure: ResampledFigure) -> Float64:
    """Return each draw's figure, from its counts by (draw, class)."""
    if figure == "accuracy":
        shares: Float64 = correct.sum(axis=1) / np.maximum(count.sum(axis=1), 1)
        return shares
    present = count > 0
    recalls = np.divide(correct, count, out=np.zeros_like(correct), where=present)
    means: Float64 = recalls.sum(axis=1) / np.maximum(present.sum(axis=1), 1)
    return means
