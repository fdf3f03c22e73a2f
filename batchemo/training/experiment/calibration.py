"""Calibrates nets that have no validation recordings: on the tests of other folds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias

import numpy as np

from batchemo.common.arrays import Float64
from batchemo.training.data.protocols import Samples
from batchemo.training.experiment.context import RunContext
from batchemo.training.experiment.runs import RunResult
from batchemo.training.fit.scoring import fit_temperature

TEMPERATURE = "temperature"
"""Among the options of an evaluation: the temperature for a model that is trained on all folds."""

UNCALIBRATED = 1.0
"""The temperature that changes nothing."""


Weigh: TypeAlias = Callable[[Samples], Float64]
"""Returns how much each sample of all tests together counts in the calibration."""


def equal_weights(samples: Samples) -> Float64:
    """Return 1 for each sample."""
    return np.ones(len(samples))


def corpus_weights(samples: Samples, test_only: Collection[str] = ()) -> Float64:
    """Return weights by which each corpus counts the same, and some nothing.

    Those are the corpora that are only tested, and plain speech, which has a single class: an
    error there is always a claimed emotion, and it has no part in the other figures either.
    """
    counts = Counter(sample.example.corpus for sample in samples)
    classes: dict[str, set[str]] = {}
    for sample in samples:
        classes.setdefault(sample.example.corpus, set()).add(sample.example.emotion)
    without = {*test_only, *(name for name, found in classes.items() if len(found) == 1)}
    return np.array(
        [
            0.0 if sample.example.corpus in without else 1 / counts[sample.example.corpus]
            for sample in samples
        ]
    )


def temperatures(
    context: RunContext, results: Sequence[RunResult], weigh: Weigh = equal_weights
) -> list[float]:
    """Return the temperature of each run: its own, or one fitted on the tests of other folds.

    So nothing of a run's own test, nor of its speakers, takes part in its calibration.
    """
    of_folds: dict[str, float] = {}
    for result in results:
        fold = result.split.fold
        if result.temperature is None and fold not in of_folds:
            others = [other for other in results if other.split.fold != fold]
            of_folds[fold] = _fit(context, others, weigh)
    return [
        of_folds[result.split.fold] if result.temperature is None else result.temperature
        for result in results
    ]


def final_temperature(
    context: RunContext, results: Sequence[RunResult], weigh: Weigh = equal_weights
) -> float | None:
    """Return the temperature for a model that is trained on all folds, fitted on all tests.

    None where runs have their own, and where there is a single fold.
    """
    have_own = any(result.temperature is not None for result in results)
    if have_own or len({result.split.fold for result in results}) < 2:
        return None
    return _fit(context, results, weigh)


def between(other: float | None, fitted: float) -> float:
    """Return the geometric mean of two temperatures; the fitted one where there is no other.

    Unseen speakers of known corpora ask for a low temperature and left-out corpora for a high one,
    and a finished model, which does not know which it is given, has one for both.

    >>> between(0.5, 2.0), between(None, 2.0)
    (1.0, 2.0)
    """
    return fitted if other is None else float(np.sqrt(other * fitted))


def _fit(context: RunContext, results: Sequence[RunResult], weigh: Weigh) -> float:
    samples = tuple(sample for result in results for sample in result.split.test)
    weights = weigh(samples)
    if not weights.any():
        return UNCALIBRATED
    logits = [of_item for result in results for of_item in result.test]
    return fit_temperature(logits, context.label_indices(samples), weights)
