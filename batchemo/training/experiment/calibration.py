"""Calibrates nets that have no validation recordings: on the tests of other folds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from batchemo.training.experiment.context import RunContext
from batchemo.training.experiment.runs import RunResult
from batchemo.training.fit.scoring import fit_temperature

TEMPERATURE = "temperature"
"""Among the options of an evaluation: the temperature for a model that is trained on all folds."""

UNCALIBRATED = 1.0
"""The temperature that changes nothing."""


def temperatures(context: RunContext, results: Sequence[RunResult]) -> list[float]:
    """Return the temperature of each run: its own, or one fitted on the tests of other folds.

    So nothing of a run's own test, nor of its speakers, takes part in its calibration.
    """
    of_folds: dict[str, float] = {}
    for result in results:
        fold = result.split.fold
        if result.temperature is None and fold not in of_folds:
            others = [other for other in results if other.split.fold != fold]
            of_folds[fold] = _fit(context, others)
    return [
        of_folds[result.split.fold] if result.temperature is None else result.temperature
        for result in results
    ]


def final_temperature(context: RunContext, results: Sequence[RunResult]) -> float | None:
    """Return the temperature for a model that is trained on all folds, fitted on all tests.

    None where runs have their own, and where there is a single fold.
    """
    have_own = any(result.temperature is not None for result in results)
    if have_own or len({result.split.fold for result in results}) < 2:
        return None
    return _fit(context, results)


def _fit(context: RunContext, results: Sequence[RunResult]) -> float:
    if not results:
        return UNCALIBRATED
    logits = [of_item for result in results for of_item in result.test]
    labels = [context.label_indices(result.split.test) for result in results]
    return fit_temperature(logits, np.concatenate(labels))
