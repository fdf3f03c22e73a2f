"""The figures of a study as a bundle holds them, each with the protocol that gave it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from batchemo.training.corpora import EMOTIONS
from batchemo.training.evaluate import Heard, Scores, fit_temperature, interval_over_speakers, score

FoldsHeard: TypeAlias = Mapping[str, Sequence[Sequence[Heard]]]
"""Fold → for each seed what its net made of the fold's recordings."""

SHARED_WITH_EMOVO = ("neutral", "happy", "sad", "angry")

UNSEEN_ACTORS = (
    "by-actor folds of Luna-Jiménez et al. (2021), the four of five whose actors were at hand; "
    "each fold's net learnt from the other actors (and from nEMO) only; no epoch and no seed was "
    "chosen by these figures, but a first setting was given up after a look at the first fold "
    "(too much augmentation), so that the figures are a little hopeful; a recording's "
    "probabilities are the mean of its windows', as in a scan."
)
FOREIGN = (
    "EMOVO (Italian, six actors), never trained on; its recordings of the four classes, the "
    "probabilities shared out among these four; the shipped net."
)


def choose_temperature(folds: FoldsHeard) -> float:
    """The temperature over all folds, or 1 where that does not carry over to a fold left out."""
    names = list(folds)
    fitted = [_nll(folds, name, _temperature_without(folds, name)) for name in names]
    plain = [_nll(folds, name, 1.0) for name in names]
    return fit_temperature(_pool(folds, names)) if np.mean(fitted) < np.mean(plain) else 1.0


def unseen_actors(folds: FoldsHeard) -> dict[str, Any]:
    """The estimate of how well the shipped net does on speakers that it never heard."""
    plain = {name: [score(heard) for heard in seeds] for name, seeds in folds.items()}
    warm = [
        score(heard, _temperature_without(folds, name))
        for name, seeds in folds.items()
        for heard in seeds
    ]
    every = [scores for seeds in plain.values() for scores in seeds]
    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "recordings": seeds[0].recordings,
            "uar": _mean(seeds, "uar"),
            "accuracy": _mean(seeds, "accuracy"),
        }
        for name, seeds in plain.items()
    ]
    seeds = len(next(iter(folds.values())))
    intervals = [
        interval_over_speakers([one for tries in folds.values() for one in tries[seed]])
        for seed in range(seeds)
    ]
    return {
        "protocol": UNSEEN_ACTORS,
        "seeds": seeds,
        "recordings": sum(row["recordings"] for row in rows),
        "uar": _mean(every, "uar"),
        "uar_spread_over_folds": round(float(np.std([row["uar"] for row in rows], ddof=1)), 4),
        "uar_spread_over_seeds": _spread_over_seeds(plain) if seeds > 1 else None,
        "uar_interval_over_actors": [round(float(end), 4) for end in np.mean(intervals, axis=0)],
        "accuracy": _mean(every, "accuracy"),
        "ece": _mean(warm, "ece"),
        "ece_uncalibrated": _mean(every, "ece"),
        "recall": {
            name: round(float(np.mean([scores.recall[name] or 0.0 for scores in every])), 4)
            for name in EMOTIONS
        },
        "folds": rows,
    }


def foreign(heard: Sequence[Heard], temperature: float) -> dict[str, Any]:
    """What the shipped net makes of a language and a corpus that it never heard."""
    scores = score(heard, temperature, SHARED_WITH_EMOVO)
    return {
        "protocol": FOREIGN,
        "recordings": scores.recordings,
        **{name: round(getattr(scores, name), 4) for name in ("uar", "accuracy", "ece")},
        "recall": {name: round(share or 0.0, 4) for name, share in scores.recall.items()},
    }


def _pool(folds: FoldsHeard, names: Sequence[str]) -> list[Heard]:
    return [one for name in names for heard in folds[name] for one in heard]


def _temperature_without(folds: FoldsHeard, left_out: str) -> float:
    return fit_temperature(_pool(folds, [name for name in folds if name != left_out]))


def _nll(folds: FoldsHeard, name: str, temperature: float) -> float:
    return score(_pool(folds, [name]), temperature).nll


def _mean(scores: Sequence[Scores], figure: str) -> float:
    return round(float(np.mean([getattr(one, figure) for one in scores])), 4)


def _spread_over_seeds(scores: Mapping[str, Sequence[Scores]]) -> float:
    """The standard deviation, over seeds, of the mean over folds."""
    by_seed = np.mean([[one.uar for one in seeds] for seeds in scores.values()], axis=0)
    return round(float(np.std(by_seed, ddof=1)), 4)
