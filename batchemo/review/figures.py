"""What the labels of a review say about the predictions of a table.

Figures are estimates for all recordings of the table: an answer stands for the recordings of the
same predicted label and a confidence like its own. They are without bias where the answers are a
random sample; if there is one (`sampling`), other answers do not count for them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from batchemo.common.arrays import Bool, Float64, Index
from batchemo.review.agreement import Agreement, agreement
from batchemo.review.candidates import Candidates
from batchemo.review.sampling import (
    EDGES,
    random_order,
    sampled_rows,
    sampling_weights,
    strata_of,
)
from batchemo.tables.labels import UNSURE, Labels

MIN_SAMPLE = 20
"""Answers of a random sample from which on figures come from it alone."""
MIN_IN_STRATUM = 2
COMMON = 0.05
"""The share of the recordings from which on a stratum needs `MIN_IN_STRATUM` answers."""
MIN_ABOVE = 5
"""Answers above a threshold without which nothing is said about it."""
_Z = 1.959964
"""Of a 95 % interval."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share as estimated from answers, with its 95 % interval."""

    answers: int
    share: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class ClassPrecision:
    """How many of the recordings that are predicted as a label have it."""

    label: str
    predicted: int
    precision: Share


@dataclass(frozen=True, slots=True)
class ConfidenceBin:
    """Recordings of about the same confidence."""

    low: float
    high: float
    recordings: int
    confidence: float | None
    """The mean."""
    correct: Share


@dataclass(frozen=True, slots=True)
class Threshold:
    """The least confidence from which on predictions are precise enough."""

    label: str | None
    """None for all labels."""
    confidence: float | None
    """None where no threshold is known to be enough."""
    kept: float | None
    """The share of the recordings that are that confident."""
    precision: Share | None


@dataclass(frozen=True)
class Figures:
    """All that the labels say."""

    answers: int
    """Recordings of the table that somebody answered."""
    unsure: int
    """Those on which there is no single label."""
    elsewhere: int
    """Recordings that were answered and are not in the table."""
    shown: int
    """Answers that were given after the prediction was shown."""
    is_random: bool
    """Whether the figures come from a random sample."""
    used: int
    """Recordings from which they come."""
    accuracy: Share
    precision: tuple[ClassPrecision, ...]
    confusion: dict[tuple[str, str], list[int]]
    """The rows behind each cell: by the true and by the predicted label; of all answers."""
    confidence: tuple[ConfidenceBin, ...]
    wanted: float
    thresholds: tuple[Threshold, ...]
    agreement: Agreement
    labels: dict[int, str]
    """The label of each row that has one."""
    weights: Float64
    """How many recordings each row stands for; 0 where it does not count."""


def compute_figures(
    candidates: Candidates, labels: Labels, *, precision: float = 0.8, seed: int = 0
) -> Figures:
    """Return what the labels say; `precision` is wanted of a threshold."""
    current = labels.current_answers()
    agreed = labels.agreed()
    rows = {candidates.positions[key]: key for key in current if key in candidates.positions}
    truth = {row: agreed[key] for row, key in rows.items() if key in agreed}
    strata = strata_of(candidates.confidence)
    used, is_random = _used(candidates, strata, list(rows), list(truth), seed)
    weights = np.zeros(len(strata))
    for number in range(len(candidates.labels)):
        of_class = candidates.predicted == number
        weights[of_class] = sampling_weights(strata[of_class], used[of_class])
    correct = np.zeros(len(strata), bool)
    for row, label in truth.items():
        correct[row] = candidates.prediction(row) == label
    everything = np.ones(len(strata), bool)
    classes = [
        (label, candidates.predicted == number) for number, label in enumerate(candidates.labels)
    ]
    return Figures(
        answers=len(rows),
        unsure=len(rows) - len(truth),
        elsewhere=len(current) - len(rows),
        shown=sum(1 for said in current.values() for a in said.values() if a.shown),
        is_random=is_random,
        used=int(used.sum()),
        accuracy=_share(weights, correct, everything),
        precision=tuple(
            ClassPrecision(label, int(mask.sum()), _share(weights, correct, mask))
            for label, mask in classes
        ),
        confusion=_confusion(candidates, truth),
        confidence=tuple(_bins(candidates, strata, weights, correct)),
        wanted=precision,
        thresholds=tuple(
            _threshold(label, candidates, weights, correct, mask, precision)
            for label, mask in [(None, everything), *classes]
        ),
        agreement=agreement(labels.current()),
        labels=truth,
        weights=weights,
    )


def wilson(share: float, count: float) -> tuple[float, float]:
    """Return the 95 % interval of a share of a number of answers, by Wilson.

    >>> low, high = wilson(1.0, 10)
    >>> round(low, 3), round(high, 3)
    (0.722, 1.0)
    """
    square = _Z**2
    centre = (share + square / (2 * count)) / (1 + square / count)
    spread = np.sqrt(share * (1 - share) / count + square / (4 * count**2))
    half = _Z * spread / (1 + square / count)
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def _used(
    candidates: Candidates, strata: Index, answered: list[int], labelled: list[int], seed: int
) -> tuple[Bool, bool]:
    """Return the rows from which figures come, and whether they are a random sample."""
    has_answer, has_label = np.zeros(len(strata), bool), np.zeros(len(strata), bool)
    has_answer[answered] = True
    has_label[labelled] = True
    order = random_order(candidates.keys, strata, seed=seed)
    sample = sampled_rows(order, strata, has_answer) & has_label
    is_random = int(sample.sum()) >= MIN_SAMPLE and _covers(sample, strata)
    return (sample if is_random else has_label), is_random


def _covers(sample: Bool, strata: Index) -> bool:
    """Whether a sample has answers in all strata but tiny ones: otherwise it is there by chance."""
    sizes = np.bincount(strata)
    sampled = np.bincount(strata[sample], minlength=len(sizes))
    return bool((sampled[sizes >= COMMON * len(strata)] >= MIN_IN_STRATUM).all())


def _share(weights: Float64, correct: Bool, mask: Bool) -> Share:
    counted = weights[mask]
    counted, right = counted[counted > 0], correct[mask][counted > 0]
    if not len(counted):
        return Share(0, None, None, None)
    share = float(counted[right].sum() / counted.sum())
    # So many answers of equal weight would be as certain.
    effective = counted.sum() ** 2 / (counted**2).sum()
    return Share(len(counted), share, *wilson(share, float(effective)))


def _confusion(candidates: Candidates, truth: dict[int, str]) -> dict[tuple[str, str], list[int]]:
    cells: dict[tuple[str, str], list[int]] = {}
    for row in sorted(truth):
        cells.setdefault((truth[row], candidates.prediction(row)), []).append(row)
    return cells


def _bins(
    candidates: Candidates, strata: Index, weights: Float64, correct: Bool
) -> list[ConfidenceBin]:
    edges = [0.0, *EDGES, 1.0]
    bins = []
    for number, (low, high) in enumerate(pairwise(edges)):
        mask = strata == number
        mean = float(candidates.confidence[mask].mean()) if mask.any() else None
        found = _share(weights, correct, mask)
        bins.append(ConfidenceBin(low, high, int(mask.sum()), mean, found))
    return bins


def _threshold(
    label: str | None,
    candidates: Candidates,
    weights: Float64,
    correct: Bool,
    mask: Bool,
    wanted: float,
) -> Threshold:
    """Return the lowest confidence of an answer above which the precision is as wanted."""
    confidence = candidates.confidence
    rows = np.flatnonzero(mask & (weights > 0))
    rows = rows[np.argsort(-confidence[rows], kind="stable")]
    if len(rows) < MIN_ABOVE:
        return Threshold(label, None, None, None)
    right = np.cumsum(weights[rows] * correct[rows])
    precise = right / np.cumsum(weights[rows]) >= wanted
    # Answers of equal confidence stay together.
    last = np.append(np.diff(confidence[rows]) != 0, True)
    enough = np.flatnonzero(precise & last & (np.arange(len(rows)) >= MIN_ABOVE - 1))
    if not len(enough):
        return Threshold(label, None, None, None)
    least = float(confidence[rows[enough[-1]]])
    above = mask & (confidence >= np.float32(least))
    kept = float(above.sum() / mask.sum())
    return Threshold(label, least, kept, _share(weights, correct, above))


def label_counts(labels: Labels) -> Counter[str]:
    """Return how many recordings have each label; `unsure` where there is no single one."""
    agreed = labels.agreed()
    return Counter(agreed.get(key, UNSURE) for key in labels.current())
