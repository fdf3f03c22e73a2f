"""The figures of each corpus by itself, and what is claimed of plain speech.

Plain speech is a corpus that is neutral, or calm, throughout. A recall of one class says little;
that an emotion is claimed where none is expressed says much.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

import numpy as np

from batchemo.common.arrays import Float64
from batchemo.corpora import NO_EMOTION
from batchemo.evaluation.aggregate import (
    COMPUTED,
    compute_figures,
    over_seeds,
    rounded,
    split_by_condition,
)
from batchemo.evaluation.predictions import Prediction, PredictionSet
from batchemo.evaluation.results import CorpusFigures, Figure


def without_plain_speech(predictions: Sequence[Prediction]) -> list[Prediction]:
    """Return the predictions but for those of plain speech; all where there are no others."""
    plain = {name for name, emotions in _emotions(predictions).items() if _is_plain(emotions)}
    others = [prediction for prediction in predictions if prediction.example.corpus not in plain]
    return others or list(predictions)


def corpus_figures(
    predictions: Sequence[Prediction], labels: Sequence[str]
) -> Iterator[CorpusFigures]:
    """Yield the figures of each corpus, by its name; conditions have no part in them."""
    unchanged, _ = split_by_condition(predictions)
    # One fold: a fold of speakers need not have recordings of every corpus.
    pooled = [replace(prediction, fold="all") for prediction in unchanged]
    every = PredictionSet.from_predictions(pooled, labels)
    emotions = _emotions(pooled)
    for corpus, found in every.group_by(lambda prediction: prediction.example.corpus):
        examples = {prediction.example for prediction in found.predictions}
        classes = emotions[corpus]
        is_plain = _is_plain(classes)
        yield CorpusFigures(
            corpus,
            tuple(sorted({example.language for example in examples if example.language})),
            len(examples),
            len({example.speaker for example in examples if example.speaker}),
            len(classes),
            uar=None if is_plain else compute_figures(found, ("uar",))["uar"],
            uar_among_classes=None if is_plain else _uar_among(found, classes),
            accuracy=_mean(found, COMPUTED["accuracy"]),
            confidence=_mean(found, lambda seed: float(seed.confidence.mean())),
            ece=_mean(found, COMPUTED["ece"]),
            claimed=_claimed(found) if is_plain else None,
        )


def _emotions(predictions: Sequence[Prediction]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for prediction in predictions:
        found.setdefault(prediction.example.corpus, set()).add(prediction.example.emotion)
    return {corpus: frozenset(emotions) for corpus, emotions in found.items()}


def _is_plain(emotions: Collection[str]) -> bool:
    """Whether a corpus with these emotions is plain speech."""
    return len(emotions) == 1 and set(emotions) <= set(NO_EMOTION)


def _mean(predictions: PredictionSet, compute: Callable[[PredictionSet], float]) -> float:
    return rounded(np.mean(over_seeds(predictions, compute)))


def _uar_among(predictions: PredictionSet, classes: frozenset[str]) -> float:
    """Return the UAR of the most probable of these classes."""
    excluded = [label not in classes for label in predictions.labels]
    among = np.where(excluded, -1.0, predictions.probabilities)
    return _mean(replace(predictions, probabilities=among), COMPUTED["uar"])


def _claimed(predictions: PredictionSet) -> Figure:
    """Return the share of recordings for which an emotion is claimed, with its interval."""
    claims = [label not in NO_EMOTION for label in predictions.labels]
    claimed = np.array(claims)[predictions.predicted_classes]
    # As if "claimed" were the class to predict: its accuracy is the share that is claimed.
    two_classes: Float64 = np.stack([~claimed, claimed], axis=1).astype(np.float64)
    as_classes = PredictionSet(
        predictions.predictions,
        ("not claimed", "claimed"),
        two_classes,
        np.ones(len(claimed), np.int64),
    )
    return compute_figures(as_classes, ("accuracy",))["accuracy"]
