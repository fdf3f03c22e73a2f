"""Computes an evaluation from what nets said of recordings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from batchemo.errors import UsageError
from batchemo.training.judged import Judged
from batchemo.training.report import metrics
from batchemo.training.report.evaluation import (
    FIGURES,
    GROUPINGS,
    About,
    Confusion,
    Evaluation,
    Figure,
    OfClass,
    OfFold,
    OfGroup,
    OfSeed,
)
from batchemo.training.report.interval import Kind, interval_over_speakers
from batchemo.training.report.metrics import Bin, Float64, Places
from batchemo.training.report.plain import to_plain

DIGITS = 6
"""Of all figures: enough for people, and the same on every machine."""

UNKNOWN = "(unknown)"

Key = TypeVar("Key")


def evaluate(judged: Sequence[Judged], labels: Sequence[str], *, about: About) -> Evaluation:
    """All figures of what was judged; each emotion is one of the labels."""
    every = _Verdicts.of(judged, labels)
    examples = {one.example for one in judged}
    return Evaluation(
        about=replace(about, options=to_plain(about.options)),
        labels=tuple(labels),
        recordings=len(examples),
        judgements=len(judged),
        speakers=len({example.speaker for example in examples if example.speaker}),
        figures=_figures(every),
        seeds=tuple(
            OfSeed(seed, {name: _tidy(_seed_figure(own, name)) for name in FIGURES})
            for seed, own in every.by(lambda one: one.seed)
        ),
        folds=tuple(_of_fold(name, own) for name, own in every.by(lambda one: one.fold)),
        classes=tuple(_of_classes(every)),
        confusion=_confusion(every),
        reliability=_reliability(every),
        groups={name: tuple(_groups(every, name)) for name in GROUPINGS},
    )


@dataclass(frozen=True, slots=True)
class _Verdicts:
    """Some of what was judged, with its arrays."""

    judged: Sequence[Judged]
    labels: Sequence[str]
    probabilities: Float64
    truth: Places

    @classmethod
    def of(cls, judged: Sequence[Judged], labels: Sequence[str]) -> _Verdicts:
        if not judged:
            raise UsageError("no recording was judged: there is nothing to report")
        strange = sorted({one.example.emotion for one in judged} - set(labels))
        if strange:
            raise UsageError(f"{', '.join(strange)}: not among the labels {', '.join(labels)}")
        probabilities = np.array([one.probabilities for one in judged], np.float64)
        truth = np.array([list(labels).index(one.example.emotion) for one in judged])
        return cls(judged, labels, probabilities, truth)

    def by(self, key: Callable[[Judged], Key]) -> Iterator[tuple[Key, _Verdicts]]:
        """Part by a property, in the order of its values."""
        places: dict[Key, list[int]] = {}
        for place, one in enumerate(self.judged):
            places.setdefault(key(one), []).append(place)
        for value in sorted(places, key=lambda value: (isinstance(value, str), value)):
            own = places[value]
            judged = [self.judged[place] for place in own]
            yield value, _Verdicts(judged, self.labels, self.probabilities[own], self.truth[own])

    @property
    def told(self) -> Places:
        told: Places = self.probabilities.argmax(axis=1)
        return told

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        right: npt.NDArray[np.bool_] = self.told == self.truth
        return right

    @property
    def confidence(self) -> Float64:
        confidence: Float64 = self.probabilities.max(axis=1)
        return confidence

    @property
    def confusion(self) -> Float64:
        return metrics.count_confusions(self.truth, self.told, len(self.labels))

    @property
    def recordings(self) -> int:
        return len({one.example for one in self.judged})


_COMPUTED: Mapping[str, Callable[[_Verdicts], float]] = {
    "uar": lambda own: metrics.uar(own.confusion),
    "accuracy": lambda own: metrics.accuracy(own.confusion),
    "macro_f1": lambda own: metrics.macro_f1(own.confusion),
    "ece": lambda own: metrics.calibration_error(own.confidence, own.right),
    "brier": lambda own: metrics.brier(own.probabilities, own.truth),
}


def _figures(every: _Verdicts) -> dict[str, Figure]:
    counts = _counts_of_speakers(every)
    return {name: _figure(every, name, _interval(counts, name)) for name in FIGURES}


def _figure(every: _Verdicts, name: str, interval: tuple[float, float] | None) -> Figure:
    seeds = _over_seeds(every, lambda own: _seed_figure(own, name))
    folds = [_fold_figure(own, name) for _, own in every.by(lambda one: one.fold)]
    return Figure(_tidy(np.mean(seeds)), _spread(seeds), _spread(folds), interval)


def _seed_figure(own: _Verdicts, name: str) -> float:
    """The mean of the folds' figures."""
    return float(np.mean([_COMPUTED[name](fold) for _, fold in own.by(lambda one: one.fold)]))


def _fold_figure(own: _Verdicts, name: str) -> float:
    """The mean of the seeds' figures of a fold."""
    return float(np.mean(_over_seeds(own, _COMPUTED[name])))


def _over_seeds(some: _Verdicts, compute: Callable[[_Verdicts], float]) -> list[float]:
    return [compute(own) for _, own in some.by(lambda one: one.seed)]


def _counts_of_speakers(every: _Verdicts) -> tuple[Float64, Float64] | None:
    """What was right, and how much there was, by (seed, speaker, class); None if any is unknown."""
    seeds = sorted({one.seed for one in every.judged})
    speakers = sorted({one.example.speaker for one in every.judged})
    if "" in speakers:
        return None
    right = np.zeros((len(seeds), len(speakers), len(every.labels)))
    count = np.zeros_like(right)
    for one, truth, good in zip(every.judged, every.truth, every.right, strict=True):
        place = seeds.index(one.seed), speakers.index(one.example.speaker), truth
        count[place] += 1
        right[place] += good
    return right, count


def _interval(counts: tuple[Float64, Float64] | None, name: str) -> tuple[float, float] | None:
    kinds: dict[str, Kind] = {"uar": "uar", "accuracy": "accuracy"}
    if counts is None or name not in kinds:
        return None
    ends = interval_over_speakers(*counts, kinds[name])
    return ends and (_tidy(ends[0]), _tidy(ends[1]))


def _of_fold(name: str, own: _Verdicts) -> OfFold:
    figures = {figure: _tidy(_fold_figure(own, figure)) for figure in ("accuracy", "uar")}
    return OfFold(name, own.recordings, **figures, macro_f1=_tidy(_fold_figure(own, "macro_f1")))


def _of_classes(every: _Verdicts) -> Iterator[OfClass]:
    confusions = [own.confusion for _, own in every.by(lambda one: one.seed)]
    support = np.mean([confusion.sum(axis=1) for confusion in confusions], axis=0)
    kinds = (metrics.precision, metrics.recall, metrics.f1)
    columns = [[compute(confusion) for confusion in confusions] for compute in kinds]
    for place, label in enumerate(every.labels):
        told = ([seed[place] for seed in column] for column in columns)
        yield OfClass(label, _tidy(support[place]), *map(_mean_of_known, told))


def _confusion(every: _Verdicts) -> Confusion:
    """Mean counts over seeds, and what shares these are."""
    counts = np.mean([own.confusion for _, own in every.by(lambda one: one.seed)], axis=0)
    shares = metrics.shares_by_row(counts)
    return Confusion(
        counts=tuple(tuple(map(_tidy, row)) for row in counts),
        shares=tuple(tuple(_mean_of_known([one]) for one in row) for row in shares),
    )


def _reliability(every: _Verdicts) -> tuple[Bin, ...]:
    """The bins of all judgements; recordings are counted a seed."""
    seeds = len({one.seed for one in every.judged})
    return tuple(
        Bin(
            low=one.low,
            high=one.high,
            recordings=_tidy(one.recordings / seeds),
            confidence=_tidy(one.confidence),
            accuracy=_tidy(one.accuracy),
        )
        for one in metrics.reliability(every.confidence, every.right)
    )


def _groups(every: _Verdicts, grouping: str) -> Iterator[OfGroup]:
    def value(one: Judged) -> str:
        found: str = getattr(one.example, grouping)
        return found or UNKNOWN

    for name, own in every.by(value):
        figures = (_over_seeds(own, _COMPUTED[figure]) for figure in ("accuracy", "uar"))
        yield OfGroup(name, own.recordings, *(_tidy(np.mean(seeds)) for seeds in figures))


def _mean_of_known(figures: Sequence[float]) -> float | None:
    known = [figure for figure in figures if not np.isnan(figure)]
    return _tidy(np.mean(known)) if known else None


def _spread(figures: Sequence[float]) -> float | None:
    return _tidy(np.std(figures, ddof=1)) if len(figures) > 1 else None


def _tidy(figure: float | np.floating) -> float:
    return round(float(figure), DIGITS)
