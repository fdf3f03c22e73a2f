"""Computes an evaluation from what nets said of recordings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from batchemo.evaluation import metrics
from batchemo.evaluation.aggregate import (
    COMPUTED,
    apart,
    coverage_curve,
    figures_of,
    grouped_by_speaker,
    known_figures,
    of_conditions,
    of_fold,
    of_seed,
    over_seeds,
    tidy,
)
from batchemo.evaluation.metrics import Bin
from batchemo.evaluation.predictions import Prediction, PredictionSet
from batchemo.evaluation.results import (
    GROUPINGS,
    UNKNOWN,
    ClassFigures,
    Confusion,
    Evaluation,
    EvaluationInfo,
    FoldFigures,
    GroupFigures,
    SeedFigures,
    SpeakerAdapted,
    to_plain,
)


def evaluate(
    predictions: Sequence[Prediction], labels: Sequence[str], *, info: EvaluationInfo
) -> Evaluation:
    """All figures of what was judged; each emotion is one of the labels.

    What was heard under a condition (see `training.conditions`) has its own figures, and no part
    in any other.
    """
    plain, changed = apart(predictions)
    every = PredictionSet.of(plain, labels)
    examples = {one.example for one in plain}
    names = known_figures(every)
    return Evaluation(
        info=replace(info, options=to_plain(info.options)),
        labels=tuple(labels),
        recordings=len(examples),
        predictions=len(plain),
        speakers=len({example.speaker for example in examples if example.speaker}),
        figures=figures_of(every, names),
        seeds=tuple(
            SeedFigures(seed, {name: of_seed(own, name) for name in names})
            for seed, own in every.by(lambda one: one.seed)
        ),
        folds=tuple(_of_fold(name, own) for name, own in every.by(lambda one: one.fold)),
        classes=tuple(_of_classes(every)),
        confusion=_confusion(every),
        reliability=_reliability(every),
        coverage=coverage_curve(every),
        speaker_adapted=_grouped(every, info),
        conditions=tuple(of_conditions(every, changed)),
        groups={name: tuple(_groups(every, name)) for name in GROUPINGS},
    )


def _grouped(every: PredictionSet, info: EvaluationInfo) -> SpeakerAdapted | None:
    """Where speakers are known from training, their voices are too: then it would tell nothing."""
    return grouped_by_speaker(every) if info.protocol == "speaker" else None


def _of_fold(name: str, own: PredictionSet) -> FoldFigures:
    return FoldFigures(
        name,
        own.recordings,
        accuracy=of_fold(own, "accuracy"),
        uar=of_fold(own, "uar"),
        macro_f1=of_fold(own, "macro_f1"),
    )


def _of_classes(every: PredictionSet) -> Iterator[ClassFigures]:
    confusions = over_seeds(every, lambda own: own.confusion)
    support = np.mean([confusion.sum(axis=1) for confusion in confusions], axis=0)
    kinds = (metrics.precision, metrics.recall, metrics.f1)
    columns = [[compute(confusion) for confusion in confusions] for compute in kinds]
    for place, label in enumerate(every.labels):
        told = ([seed[place] for seed in column] for column in columns)
        yield ClassFigures(label, tidy(support[place]), *map(_mean_of_known, told))


def _confusion(every: PredictionSet) -> Confusion:
    """Mean counts over seeds, and what shares these are."""
    counts = np.mean(over_seeds(every, lambda own: own.confusion), axis=0)
    shares = metrics.shares_by_row(counts)
    return Confusion(
        counts=tuple(tuple(map(tidy, row)) for row in counts),
        shares=tuple(tuple(_mean_of_known([one]) for one in row) for row in shares),
    )


def _reliability(every: PredictionSet) -> tuple[Bin, ...]:
    """The bins of all judgements; recordings are counted a seed."""
    seeds = len({one.seed for one in every.predictions})
    return tuple(
        Bin(
            low=one.low,
            high=one.high,
            recordings=tidy(one.recordings / seeds),
            confidence=tidy(one.confidence),
            accuracy=tidy(one.accuracy),
        )
        for one in metrics.reliability(every.confidence, every.right)
    )


def _groups(every: PredictionSet, grouping: str) -> Iterator[GroupFigures]:
    def value(one: Prediction) -> str:
        found: str = getattr(one.example, grouping)
        return found or UNKNOWN

    for name, own in every.by(value):
        figures = (over_seeds(own, COMPUTED[figure]) for figure in ("accuracy", "uar"))
        yield GroupFigures(name, own.recordings, *(tidy(np.mean(seeds)) for seeds in figures))


def _mean_of_known(figures: Sequence[float]) -> float | None:
    known = [figure for figure in figures if not np.isnan(figure)]
    return tidy(np.mean(known)) if known else None
