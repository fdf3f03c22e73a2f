"""The step from predictions to an evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from batchemo.evaluation import metrics
from batchemo.evaluation.aggregate import (
    COMPUTED,
    compute_figures,
    condition_figures,
    coverage_points,
    figure_of_fold,
    figure_of_seed,
    known_figures,
    over_seeds,
    rounded,
    speaker_adapted,
    split_by_condition,
)
from batchemo.evaluation.by_corpus import corpus_figures, without_plain_speech
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
    to_plain,
)


def evaluate(
    predictions: Sequence[Prediction], labels: Sequence[str], *, info: EvaluationInfo
) -> Evaluation:
    """Compute all figures of predictions; the emotion of each recording is one of the labels.

    Predictions under a recording condition (see `batchemo.evaluation.conditions`) have figures of
    their own, and no part in any other; so have those of plain speech beside other corpora.
    """
    by_corpus = tuple(corpus_figures(predictions, labels))
    unchanged, changed = split_by_condition(without_plain_speech(predictions))
    every = PredictionSet.from_predictions(unchanged, labels)
    examples = {prediction.example for prediction in unchanged}
    names = known_figures(every)
    # Under random and leaky, the model was trained on these speakers: what adaptation gains there
    # is not what a scan of new speakers gains.
    adapted = speaker_adapted(every) if info.protocol == "speaker" else None
    return Evaluation(
        info=replace(info, options=to_plain(info.options)),
        labels=tuple(labels),
        recordings=len(examples),
        predictions=len(unchanged),
        speakers=len({example.speaker for example in examples if example.speaker}),
        # The interval is of all speakers together, whereas these figures are means over corpora.
        figures=compute_figures(every, names, intervals=info.protocol != "corpus"),
        seeds=tuple(
            SeedFigures(seed, {name: figure_of_seed(of_seed, name) for name in names})
            for seed, of_seed in every.group_by(lambda prediction: prediction.seed)
        ),
        folds=tuple(
            _fold_figures(fold, of_fold)
            for fold, of_fold in every.group_by(lambda prediction: prediction.fold)
        ),
        classes=tuple(_class_figures(every)),
        confusion=_confusion(every),
        reliability=_reliability(every),
        coverage=coverage_points(every),
        speaker_adapted=adapted,
        conditions=tuple(condition_figures(every, changed)),
        by_corpus=by_corpus,
        groups={grouping: tuple(_group_figures(every, grouping)) for grouping in GROUPINGS},
    )


def _fold_figures(name: str, predictions: PredictionSet) -> FoldFigures:
    return FoldFigures(
        name,
        predictions.recordings,
        accuracy=figure_of_fold(predictions, "accuracy"),
        uar=figure_of_fold(predictions, "uar"),
        macro_f1=figure_of_fold(predictions, "macro_f1"),
    )


def _class_figures(predictions: PredictionSet) -> Iterator[ClassFigures]:
    confusions = over_seeds(predictions, lambda seed: seed.confusion)
    support = np.mean([confusion.sum(axis=1) for confusion in confusions], axis=0)
    by_figure = [
        [compute(confusion) for confusion in confusions]
        for compute in (metrics.precision, metrics.recall, metrics.f1)
    ]
    for index, label in enumerate(predictions.labels):
        of_class = ([seed[index] for seed in seeds] for seeds in by_figure)
        yield ClassFigures(label, rounded(support[index]), *map(_mean_of_known, of_class))


def _confusion(predictions: PredictionSet) -> Confusion:
    """Average the confusion matrices of the seeds, and take the shares of each row."""
    counts = np.mean(over_seeds(predictions, lambda seed: seed.confusion), axis=0)
    return Confusion(
        counts=tuple(tuple(map(rounded, row)) for row in counts),
        shares=tuple(
            tuple(None if np.isnan(share) else rounded(share) for share in row)
            for row in metrics.row_shares(counts)
        ),
    )


def _reliability(predictions: PredictionSet) -> tuple[Bin, ...]:
    """Return the bins of all predictions; their recordings are counted per seed."""
    seeds = len({prediction.seed for prediction in predictions.predictions})
    return tuple(
        Bin(
            low=filled.low,
            high=filled.high,
            recordings=rounded(filled.recordings / seeds),
            confidence=rounded(filled.confidence),
            accuracy=rounded(filled.accuracy),
        )
        for filled in metrics.reliability(predictions.confidence, predictions.correct)
    )


def _group_figures(predictions: PredictionSet, grouping: str) -> Iterator[GroupFigures]:
    def group_of(prediction: Prediction) -> str:
        value: str = getattr(prediction.example, grouping)
        return value or UNKNOWN

    for name, group in predictions.group_by(group_of):
        by_figure = (over_seeds(group, COMPUTED[figure]) for figure in ("accuracy", "uar"))
        yield GroupFigures(name, group.recordings, *(rounded(np.mean(f)) for f in by_figure))


def _mean_of_known(figures: Sequence[float]) -> float | None:
    known = [figure for figure in figures if not np.isnan(figure)]
    return rounded(np.mean(known)) if known else None
