"""Figures as means over seeds of means over folds, with spreads and intervals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from batchemo.bundles.speaker_adaptation import adapt, log_probabilities
from batchemo.common.arrays import Float64
from batchemo.evaluation import metrics
from batchemo.evaluation.conditions import CONDITION_DESCRIPTIONS, CONDITIONS
from batchemo.evaluation.metrics import (
    COVERAGES,
    CoveragePoint,
    Kind,
    accuracy_at,
    interval_over_speakers,
    keep_most_confident,
)
from batchemo.evaluation.predictions import Prediction, PredictionSet
from batchemo.evaluation.results import FIGURES, ConditionFigures, Figure, SpeakerAdapted

DIGITS = 6
"""Of all figures: enough for people, and the same on every machine."""

Number = TypeVar("Number", float, Float64)


def _ece(own: PredictionSet) -> float:
    return metrics.calibration_error(own.confidence, own.right)


def _brier(own: PredictionSet) -> float:
    return metrics.brier(own.probabilities, own.truth)


def _before(compute: Callable[[PredictionSet], float]) -> Callable[[PredictionSet], float]:
    def of_uncalibrated(own: PredictionSet) -> float:
        before = own.before_calibration()
        return float("nan") if before is None else compute(before)

    return of_uncalibrated


COMPUTED: Mapping[str, Callable[[PredictionSet], float]] = {
    "uar": lambda own: metrics.uar(own.confusion),
    "accuracy": lambda own: metrics.accuracy(own.confusion),
    "accuracy_at_80": lambda own: accuracy_at(own.confidence, own.right, 0.8),
    "accuracy_at_50": lambda own: accuracy_at(own.confidence, own.right, 0.5),
    "macro_f1": lambda own: metrics.macro_f1(own.confusion),
    "ece": _ece,
    "ece_by_chance": lambda own: metrics.calibration_error_by_chance(own.confidence),
    "ece_uncalibrated": _before(_ece),
    "brier": _brier,
    "brier_uncalibrated": _before(_brier),
}


def known_figures(every: PredictionSet) -> tuple[str, ...]:
    """The names of the figures that there can be; some need the uncalibrated probabilities."""
    calibrated_only = every.before_calibration() is None
    return tuple(k for k in FIGURES if not (calibrated_only and k.endswith("_uncalibrated")))


def figures_of(every: PredictionSet, names: Sequence[str]) -> dict[str, Figure]:
    """These figures, each with what is known of its spread."""
    counts = _counts_of_speakers(every)
    return {name: _figure(every, name, _interval(counts, name)) for name in names}


def of_seed(own: PredictionSet, name: str) -> float:
    """A figure of one seed: the mean of its folds'."""
    return tidy(over_folds(own, COMPUTED[name]))


def of_fold(own: PredictionSet, name: str) -> float:
    """A figure of one fold: the mean of its seeds'."""
    return tidy(np.mean(over_seeds(own, COMPUTED[name])))


def coverage_curve(every: PredictionSet) -> tuple[CoveragePoint, ...]:
    """The curve at `COVERAGES`: of each the mean over seeds of the mean over folds."""

    def compute(own: PredictionSet) -> Float64:
        return np.array(keep_most_confident(own.confidence, own.right))

    seeds = over_seeds(every, lambda own: over_folds(own, compute))
    least, accuracy = np.mean(seeds, axis=0)
    return tuple(map(CoveragePoint, COVERAGES, map(tidy, least), map(tidy, accuracy)))


def over_seeds(some: PredictionSet, compute: Callable[[PredictionSet], Number]) -> list[Number]:
    """What is computed of each seed's answers."""
    return [compute(own) for _, own in some.by(lambda one: one.seed)]


def over_folds(own: PredictionSet, compute: Callable[[PredictionSet], Number]) -> Number:
    """The mean of what is computed of each fold's answers."""
    folds = [compute(fold) for _, fold in own.by(lambda one: one.fold)]
    mean: Number = np.mean(folds, axis=0)
    return mean


def spread(figures: Sequence[float]) -> float | None:
    """The standard deviation; None of a single figure."""
    return tidy(np.std(figures, ddof=1)) if len(figures) > 1 else None


def tidy(figure: float | np.floating) -> float:
    """Round a figure to what is told of it."""
    return round(float(figure), DIGITS)


def _figure(every: PredictionSet, name: str, interval: tuple[float, float] | None) -> Figure:
    seeds = over_seeds(every, lambda own: over_folds(own, COMPUTED[name]))
    folds = [
        float(np.mean(over_seeds(own, COMPUTED[name]))) for _, own in every.by(lambda one: one.fold)
    ]
    return Figure(tidy(np.mean(seeds)), spread(seeds), spread(folds), interval)


def _counts_of_speakers(every: PredictionSet) -> tuple[Float64, Float64] | None:
    """What was right, and how much there was, by (seed, speaker, class); None if any is unknown."""
    seeds = sorted({one.seed for one in every.predictions})
    speakers = sorted({one.example.speaker for one in every.predictions})
    if "" in speakers:
        return None
    right = np.zeros((len(seeds), len(speakers), len(every.labels)))
    count = np.zeros_like(right)
    for one, truth, good in zip(every.predictions, every.truth, every.right, strict=True):
        place = seeds.index(one.seed), speakers.index(one.example.speaker), truth
        count[place] += 1
        right[place] += good
    return right, count


def _interval(counts: tuple[Float64, Float64] | None, name: str) -> tuple[float, float] | None:
    kinds: dict[str, Kind] = {"uar": "uar", "accuracy": "accuracy"}
    if counts is None or name not in kinds:
        return None
    ends = interval_over_speakers(*counts, kinds[name])
    return ends and (tidy(ends[0]), tidy(ends[1]))


FEWEST_RECORDINGS = 16
"""With fewer of a speaker, what a net says of them tells little of the voice."""

_GROUPED_FIGURES = ("uar", "accuracy", "ece", "brier")


def grouped_by_speaker(every: PredictionSet) -> SpeakerAdapted | None:
    """The figures of adapted answers; None unless each speaker was heard often enough."""
    if not all(one.example.speaker for one in every.predictions):
        return None
    heard = Counter((one.seed, one.fold, one.example.speaker) for one in every.predictions).values()
    if min(heard) < FEWEST_RECORDINGS:
        return None
    return SpeakerAdapted(min(heard), max(heard), figures_of(_adapted(every), _GROUPED_FIGURES))


def _adapted(every: PredictionSet) -> PredictionSet:
    """What each net says of a recording, seen against all that it says of the speaker."""
    places: dict[tuple[int, str, str], list[int]] = {}
    for place, one in enumerate(every.predictions):
        places.setdefault((one.seed, one.fold, one.example.speaker), []).append(place)
    probabilities = np.empty_like(every.probabilities)
    for own in places.values():
        probabilities[own] = adapt(log_probabilities(every.probabilities[own]))
    return replace(every, probabilities=probabilities)


_CONDITION_FIGURES = ("uar", "accuracy", "ece")


def apart(
    predictions: Sequence[Prediction],
) -> tuple[list[Prediction], dict[str, list[Prediction]]]:
    """What was judged as it is, and what under each condition."""
    plain = [one for one in predictions if one.variant not in CONDITIONS]
    found = {name: [one for one in predictions if one.variant == name] for name in CONDITIONS}
    return plain, {name: changed for name, changed in found.items() if changed}


def of_conditions(
    every: PredictionSet, changed: dict[str, list[Prediction]]
) -> Iterator[ConditionFigures]:
    """Each condition's figures beside those of the same recordings as they are."""
    places = {_key(one): place for place, one in enumerate(every.predictions)}
    for name, predictions in changed.items():
        under = PredictionSet.of(predictions, every.labels)
        same = every.at(sorted(places[_key(one)] for one in predictions))
        before, after = (over_seeds(own, lambda one: of_seed(one, "uar")) for own in (same, under))
        changes = np.subtract(after, before).tolist()
        yield ConditionFigures(
            name,
            CONDITION_DESCRIPTIONS[name],
            under.recordings,
            every.recordings - under.recordings,
            **figures_of(under, _CONDITION_FIGURES),
            change=tidy(np.mean(changes)),
            change_spread_over_seeds=spread(changes),
        )


def _key(one: Prediction) -> tuple[object, ...]:
    return one.example, one.fold, one.seed
