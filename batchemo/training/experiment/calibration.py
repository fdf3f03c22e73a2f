"""Calibrates nets for which nothing was watched: by what the nets of other folds said."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from batchemo.training.data.protocols import Split
from batchemo.training.experiment.context import Answers, RunContext
from batchemo.training.fit.scoring import fit_temperature

Sat = tuple[Split, Answers, "float | None"]
"""A trial, what its net answered, and the temperature that what it watched told, if anything."""

TEMPERATURE = "temperature"
"""Among the options of an evaluation: what calibrates the nets of all its folds."""

AS_IT_IS = 1.0
"""The temperature that changes nothing."""


def temperatures(context: RunContext, every: Sequence[Sat]) -> list[float]:
    """The temperature of each trial: its own, or what suits the tests of all other folds.

    So that nothing of a trial's own test, nor of its speakers, has a part in its calibration.
    """
    found: dict[str, float] = {}
    for split, _, own in every:
        if own is None and split.fold not in found:
            others = [sat for sat in every if sat[0].fold != split.fold]
            found[split.fold] = _fit(context, others)
    return [found[split.fold] if own is None else own for split, _, own in every]


def temperature_of_all(context: RunContext, every: Sequence[Sat]) -> float | None:
    """What suits all folds: for a net that learns from all; None where trials have their own."""
    if any(own is not None for _, _, own in every) or len({sat[0].fold for sat in every}) < 2:
        return None
    return _fit(context, every)


def _fit(context: RunContext, every: Sequence[Sat]) -> float:
    if not every:
        return AS_IT_IS
    logits = [said for _, answers, _ in every for said in answers.test]
    labels = [context.dataset(split.test).labels for split, _, _ in every]
    return fit_temperature(logits, np.concatenate(labels))
