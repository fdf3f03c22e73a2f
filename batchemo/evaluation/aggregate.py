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
from batchemo.evaluation.metrics import COVERAGES, CoveragePoint, ResampledFigure
from batchemo.evaluation.predictions import Prediction, PredictionSet
from batchemo.evaluation.results import FIGURES, ConditionFigures, Figure, SpeakerAdapted

DIGITS = 6
"""Decimals of all figures: enough for readers, and few enough to be equal on every machine."""

Number = TypeVar("Number", float, Float64)


def _ece(predictions: PredictionSet) -> float:
    return metrics.calibration_error(predictions.confidence, predictions.correct)


def _brier(predictions: PredictionSet) -> float:
    return metrics.brier(predictions.probabilities, predictions.true_classes)


def _before_calibration(
    compute: Callable[[PredictionSet], float],
) -> Callable[[PredictionSet], float]:
    def compute_uncalibrated(predictions: PredictionSet) -> float:
        uncalibrated = predictions.before_calibration()
        return float("nan") if uncalibrated is None else compute(uncalibrated)

    return compute_uncalibrated


def _accuracy_at(coverage: float) -> Callable[[PredictionSet], float]:
    return lambda predictions: metrics.accuracy_at(
        predictions.confidence, predictions.correct, coverage
    )


COMPUTED: Mapping[str, Callable[[PredictionSet], float]] = {
    "uar": lambda predictions: metrics.uar(predictions.confusion),
    "accuracy": lambda predictions: metrics.accuracy(predictions.confusion),
    "accuracy_at_80": _accuracy_at(0.8),
    "accuracy_at_50": _accuracy_at(0.5),
    "macro_f1": lambda predictions: metrics.macro_f1(predictions.confusion),
    "ece": _ece,
    "ece_by_chance": lambda predictions: metrics.calibration_error_by_chance(
        predictions.confidence
    ),
    "ece_uncalibrated": _before_calibration(_ece),
    "brier": _brier,
    "brier_uncalibrated": _before_calibration(_brier),
}
"""How each of `FIGURES` is computed of one seed and fold."""


def known_figures(predictions: PredictionSet) -> tuple[str, ...]:
    """Return the names of the figures that can be computed.

    Those before calibration need the uncalibrated probabilities of all predictions.
    """
    no_uncalibrated = predictions.before_calibration() is None
    return tuple(
        name for name in FIGURES if not (no_uncalibrated and name.endswith("_uncalibrated"))
    )


def compute_figures(
    predictions: PredictionSet, names: Sequence[str], *, intervals: bool = True
) -> dict[str, Figure]:
    """Return these figures, each with its spreads and its interval where they are known."""
    counts = _counts_by_speaker(predictions) if intervals else None
    return {name: _figure(predictions, name, _interval(counts, name)) for name in names}


def figure_of_seed(predictions: PredictionSet, name: str) -> float:
    """Return a figure of one seed: the mean over its folds."""
    return rounded(mean_over_folds(predictions, COMPUTED[name]))


def figure_of_fold(predictions: PredictionSet, name: str) -> float:
    """Return a figure of one fold: the mean over its seeds."""
    return rounded(np.mean(over_seeds(predictions, COMPUTED[name])))


def coverage_points(predictions: PredictionSet) -> tuple[CoveragePoint, ...]:
    """Return the curve at `COVERAGES`: at each the mean over seeds of the mean over folds."""

    def curve(fold: PredictionSet) -> Float64:
        return np.array(metrics.coverage_curve(fold.confidence, fold.correct))

    seeds = over_seeds(predictions, lambda seed: mean_over_folds(seed, curve))
    confidence, accuracy = np.mean(seeds, axis=0)
    return tuple(map(CoveragePoint, COVERAGES, map(rounded, confidence), map(rounded, accuracy)))


def over_seeds(
    predictions: PredictionSet, compute: Callable[[PredictionSet], Number]
) -> list[Number]:
    """Compute something for the predictions of each seed."""
    return [compute(seed) for _, seed in predictions.group_by(lambda prediction: prediction.seed)]


def mean_over_folds(
    predictions: PredictionSet, compute: Callable[[PredictionSet], Number]
) -> Number:
    """Compute something for the predictions of each fold, and return the mean."""
    folds = [compute(fold) for _, fold in predictions.group_by(lambda prediction: prediction.fold)]
    mean: Number = np.mean(folds, axis=0)
    return mean


def spread(figures: Sequence[float]) -> float | None:
    """Return the standard deviation; None for a single figure."""
    return rounded(np.std(figures, ddof=1)) if len(figures) > 1 else None


def rounded(figure: float | np.floating) -> float:
    """Round a figure to the decimals that are reported."""
    return round(float(figure), DIGITS)


def _figure(predictions: PredictionSet, name: str, interval: tuple[float, float] | None) -> Figure:
    compute = COMPUTED[name]
    seeds = over_seeds(predictions, lambda seed: mean_over_folds(seed, compute))
    folds = [
        float(np.mean(over_seeds(fold, compute)))
        for _, fold in predictions.group_by(lambda prediction: prediction.fold)
    ]
    return Figure(rounded(np.mean(seeds)), spread(seeds), spread(folds), interval)


def _counts_by_speaker(predictions: PredictionSet) -> tuple[Float64, Float64] | None:
    """Return correct predictions and all of them by (seed, speaker, class).

    None if any speaker is unknown: then no bootstrap over speakers is possible.
    """
    seeds = sorted({prediction.seed for prediction in predictions.predictions})
    speakers = sorted({prediction.example.speaker for prediction in predictions.predictions})
    if "" in speakers:
        return None
    seed_index = {seed: index for index, seed in enumerate(seeds)}
    speaker_index = {speaker: index for index, speaker in enumerate(speakers)}
    correct = np.zeros((len(seeds), len(speakers), len(predictions.labels)))
    count = np.zeros_like(correct)
    rows = zip(predictions.predictions, predictions.true_classes, predictions.correct, strict=True)
    for prediction, true_class, is_correct in rows:
        cell = seed_index[prediction.seed], speaker_index[prediction.example.speaker], true_class
        count[cell] += 1
        correct[cell] += is_correct
    return correct, count


def _interval(counts: tuple[Float64, Float64] | None, name: str) -> tuple[float, float] | None:
    resampled: dict[str, ResampledFigure] = {"uar": "uar", "accuracy": "accuracy"}
    if counts is None or name not in resampled:
        return None
    ends = metrics.interval_over_speakers(*counts, resampled[name])
    return ends and (rounded(ends[0]), rounded(ends[1]))


MIN_RECORDINGS = 16
"""With fewer recordings of a speaker, the mean of what a model predicts for them says little about
the voice: it depends too much on which emotions they happen to express."""

_ADAPTED_FIGURES = ("uar", "accuracy", "ece", "brier")


def speaker_adapted(predictions: PredictionSet) -> SpeakerAdapted | None:
    """Return the figures with probabilities adapted to each speaker, as `scan --speaker` does.

    None where a speaker is unknown or has fewer than `MIN_RECORDINGS` recordings.
    """
    if not all(prediction.example.speaker for prediction in predictions.predictions):
        return None
    counts = Counter(
        (prediction.seed, prediction.fold, prediction.example.speaker)
        for prediction in predictions.predictions
    )
    fewest, most = min(counts.values()), max(counts.values())
    if fewest < MIN_RECORDINGS:
        return None
    return SpeakerAdapted(fewest, most, compute_figures(_adapt(predictions), _ADAPTED_FIGURES))


def _adapt(predictions: PredictionSet) -> PredictionSet:
    """Adapt each model's probabilities to each speaker, over all that it predicted for them."""
    rows: dict[tuple[int, str, str], list[int]] = {}
    for row, prediction in enumerate(predictions.predictions):
        rows.setdefault((prediction.seed, prediction.fold, prediction.example.speaker), []).append(
            row
        )
    probabilities = np.empty_like(predictions.probabilities)
    for of_speaker in rows.values():
        probabilities[of_speaker] = adapt(log_probabilities(predictions.probabilities[of_speaker]))
    return replace(predictions, probabilities=probabilities)


_CONDITION_FIGURES = ("uar", "accuracy", "ece")


def split_by_condition(
    predictions: Sequence[Prediction],
) -> tuple[list[Prediction], dict[str, list[Prediction]]]:
    """Return the predictions of unchanged recordings, and those under each condition.

    Augmentations are no conditions: their predictions are with those of unchanged recordings.
    """
    unchanged = [prediction for prediction in predictions if prediction.variant not in CONDITIONS]
    changed = {
        name: [prediction for prediction in predictions if prediction.variant == name]
        for name in CONDITIONS
    }
    return unchanged, {name: some for name, some in changed.items() if some}


def condition_figures(
    unchanged: PredictionSet, changed: Mapping[str, Sequence[Prediction]]
) -> Iterator[ConditionFigures]:
    """Yield each condition's figures, and its change against the same recordings unchanged.

    A condition can leave a recording without speech: then it has no prediction here, and the
    unchanged recording is left out of the comparison too.
    """
    row_of = {_identity(prediction): row for row, prediction in enumerate(unchanged.predictions)}
    for name, predictions in changed.items():
        under = PredictionSet.from_predictions(predictions, unchanged.labels)
        same = unchanged.take(sorted(row_of[_identity(prediction)] for prediction in predictions))
        before, after = (
            over_seeds(some, lambda seed: figure_of_seed(seed, "uar")) for some in (same, under)
        )
        changes = np.subtract(after, before).tolist()
        yield ConditionFigures(
            name,
            CONDITION_DESCRIPTIONS[name],
            under.recordings,
            unchanged.recordings - under.recordings,
            **compute_figures(under, _CONDITION_FIGURES),
            change=rounded(np.mean(changes)),
            change_spread_over_seeds=spread(changes),
        )


def _identity(prediction: Prediction) -> tuple[object, ...]:
    """What a recording under a condition and the unchanged one have in common."""
    return prediction.example, prediction.fold, prediction.seed
