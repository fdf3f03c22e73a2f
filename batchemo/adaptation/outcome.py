"""Before and after: what a head changes for answers that it was not fitted to.

It helps where the labels of these answers became more probable by more than chance explains, every
class with the same weight, and neither their likelihood nor their recall fell. For that, the
base has the temperature that fits these answers best: a head that only makes it less certain, which
answers at random do as well, does not help. Few answers show little: then no model is written, and
the figures say why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from batchemo.adaptation.examples import Corpus, Examples
from batchemo.adaptation.fit import BaseOutput, balanced_weights, fit_head, normalised
from batchemo.adaptation.leave_out import Assessment, losses, recording_probabilities
from batchemo.common.arrays import Float64, Int64
from batchemo.evaluation import metrics

DRAWS = 2000
MIN_GROUPS = 5
"""With fewer, drawing them again says nothing of how much figures scatter."""

_LIKELIER = 1.0
"""Standard errors by which the probability has to rise. On five corpora, by 40 answers at random or
by the queue, no model that passed lost a point of UAR."""

_CURVE_SHARES = (0.25, 0.5, 0.75)
_CURVE_REPEATS = 8
_CURVE_LEAST = 8
"""Answers: fewer are no point of the curve."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of left-out answers; intervals hold 95 %, None where there are too few groups."""

    uar: float
    uar_interval: tuple[float, float] | None
    accuracy: float
    ece: float
    recall: tuple[float, ...]
    """Of each label; nan for one without answers."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Before and after, of the same left-out answers."""

    before: Figures
    after: Figures
    gain: float
    """Of UAR."""
    gain_interval: tuple[float, float] | None
    likelier: float
    """By how many standard errors the mean probability of their labels rose."""
    helps: bool


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The UAR of left-out answers, by how many answers the head was fitted to."""

    answers: int
    uar: float


def compare(examples: Examples, assessment: Assessment, groups: Sequence[str]) -> Comparison:
    """Compare what left-out examples got before and after."""
    names, group_indices = np.unique(np.array(groups, object), return_inverse=True)
    classes = examples.classes
    counts = _counts(group_indices, len(names), classes, np.ones(len(classes)), examples)
    uars, intervals = [], []
    for probabilities in (assessment.before, assessment.after):
        correct = (probabilities.argmax(axis=1) == classes).astype(np.float64)
        right = _counts(group_indices, len(names), classes, correct, examples)
        uars.append(_resampled_uar(right, counts))
        intervals.append(_interval(uars[-1]) if len(names) >= MIN_GROUPS else None)
    before, after = (
        _figures(probabilities, classes, interval)
        for probabilities, interval in zip(
            (assessment.before, assessment.after), intervals, strict=True
        )
    )
    # Where a class shares of the corpus are asked for, they have no part in whether it helps.
    everyone, weights = np.arange(len(classes)), balanced_weights(classes)
    rises = assessment.balanced[everyone, classes] - assessment.recalibrated[everyone, classes]
    by_group = np.bincount(group_indices, weights=rises * weights)
    error = by_group.std(ddof=1) * np.sqrt(len(names)) if len(names) > 1 else np.inf
    likelier = float(by_group.sum() / max(error, 1e-12))
    gains = uars[1] - uars[0]
    gain = after.uar - before.uar
    balanced_gain = _uar(assessment.balanced, classes) - before.uar
    # A few labels that become impossible may cost more than many that become more probable.
    loss_before, loss_after = (
        weights @ losses(probabilities, classes)
        for probabilities in (assessment.recalibrated, assessment.balanced)
    )
    return Comparison(
        before=before,
        after=after,
        gain=gain,
        gain_interval=_interval(gains) if len(names) >= MIN_GROUPS else None,
        likelier=likelier,
        helps=bool(likelier >= _LIKELIER and loss_after <= loss_before and balanced_gain >= 0),
    )


def _figures(
    probabilities: Float64, classes: Int64, interval: tuple[float, float] | None
) -> Figures:
    predicted = probabilities.argmax(axis=1)
    confusion = metrics.confusion_matrix(classes, predicted, probabilities.shape[1])
    return Figures(
        uar=metrics.uar(confusion),
        uar_interval=interval,
        accuracy=metrics.accuracy(confusion),
        ece=metrics.calibration_error(probabilities.max(axis=1), predicted == classes),
        recall=tuple(metrics.recall(confusion).tolist()),
    )


def _uar(probabilities: Float64, classes: Int64) -> float:
    return _figures(probabilities, classes, None).uar


def _counts(
    groups: Int64, group_count: int, classes: Int64, weights: Float64, examples: Examples
) -> Float64:
    """Return the sums of weights by (group, class)."""
    labels = len(examples.labels)
    cells = np.bincount(groups * labels + classes, weights=weights, minlength=group_count * labels)
    return cells.reshape(group_count, labels).astype(np.float64)


def _resampled_uar(correct: Float64, counts: Float64) -> Float64:
    """Return the UAR of draws of groups, the same draws for the same number of groups."""
    groups = len(counts)
    random = np.random.default_rng(0)
    drawn = random.multinomial(groups, np.full(groups, 1 / groups), size=DRAWS).astype(np.float64)
    totals, right = drawn @ counts, drawn @ correct
    present = totals > 0
    recalls = np.divide(right, totals, out=np.zeros_like(right), where=present)
    result: Float64 = recalls.sum(axis=1) / np.maximum(present.sum(axis=1), 1)
    return result


def _interval(values: Float64) -> tuple[float, float]:
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def learning_curve(
    examples: Examples,
    base: BaseOutput,
    corpus: Corpus,
    assessment: Assessment,
    groups: Sequence[str],
) -> tuple[CurvePoint, ...]:
    """Return the UAR by the number of answers, from none on to all but those of a fold."""
    start = _uar(assessment.before, examples.classes)
    points = [CurvePoint(0, start)]
    random = np.random.default_rng(0)
    names = np.unique(np.array(groups, object))
    for share in _CURVE_SHARES:
        if share * len(examples) < _CURVE_LEAST:
            continue
        uars = []
        for _ in range(_CURVE_REPEATS):
            chosen = set(random.permutation(names)[: max(1, round(share * len(names)))].tolist())
            inside = np.array([group in chosen for group in groups])
            if inside.all() or not inside.any():
                continue
            uars.append(_uar_of_rest(examples, base, corpus, inside))
        if uars:
            points.append(CurvePoint(round(share * len(examples)), float(np.mean(uars))))
    full = _uar(assessment.balanced, examples.classes)
    points.append(CurvePoint(len(examples) - len(examples) // assessment.folds, full))
    return tuple(points)


def _uar_of_rest(examples: Examples, base: BaseOutput, corpus: Corpus, inside: np.ndarray) -> float:
    fit = fit_head(examples.select(np.flatnonzero(inside)), base, corpus)
    rest = examples.select(np.flatnonzero(~inside))
    logits = fit.logits(base.of(rest.log_probabilities), normalised(rest, corpus))
    return _uar(recording_probabilities(logits, rest), rest.classes)


def expected_gain(points: Sequence[CurvePoint]) -> float:
    """Return what twice as many answers would bring: the slope over doublings, at least 0.

    >>> expected_gain([CurvePoint(0, 0.4), CurvePoint(20, 0.5), CurvePoint(40, 0.55)])
    0.05
    """
    known = [point for point in points if point.answers]
    if len(known) < 2:
        return 0.0
    doublings = np.log2([point.answers for point in known])
    slope = np.polyfit(doublings, [point.uar for point in known], 1)[0]
    return max(0.0, round(float(slope), 4))
