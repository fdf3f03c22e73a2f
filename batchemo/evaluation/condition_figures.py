"""What it costs when the same recordings are heard otherwise: figures by condition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from batchemo.evaluation.answers import Answers
from batchemo.evaluation.conditions import CONDITIONS, TOLD
from batchemo.evaluation.evaluation import OfCondition
from batchemo.evaluation.figures import (
    figures_of,
    of_seed,
    over_seeds,
    spread,
    tidy,
)
from batchemo.evaluation.judged import Judged

_FIGURES = ("uar", "accuracy", "ece")


def apart(judged: Sequence[Judged]) -> tuple[list[Judged], dict[str, list[Judged]]]:
    """What was judged as it is, and what under each condition."""
    plain = [one for one in judged if one.copy not in CONDITIONS]
    found = {name: [one for one in judged if one.copy == name] for name in CONDITIONS}
    return plain, {name: changed for name, changed in found.items() if changed}


def of_conditions(every: Answers, changed: dict[str, list[Judged]]) -> Iterator[OfCondition]:
    """Each condition's figures beside those of the same recordings as they are."""
    places = {_key(one): place for place, one in enumerate(every.judged)}
    for name, judged in changed.items():
        under = Answers.of(judged, every.labels)
        same = every.at(sorted(places[_key(one)] for one in judged))
        before, after = (over_seeds(own, lambda one: of_seed(one, "uar")) for own in (same, under))
        changes = np.subtract(after, before).tolist()
        yield OfCondition(
            name,
            TOLD[name],
            under.recordings,
            every.recordings - under.recordings,
            **figures_of(under, _FIGURES),
            change=tidy(np.mean(changes)),
            change_spread_over_seeds=spread(changes),
        )


def _key(one: Judged) -> tuple[object, ...]:
    return one.example, one.fold, one.seed
