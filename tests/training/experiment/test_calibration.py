"""Nets without validation are calibrated on the tests of other folds, never on their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from made_items import LABELS, made_example, made_items

from batchemo.training.data.protocols import Sample, Split
from batchemo.training.experiment.calibration import (
    UNCALIBRATED,
    corpus_weights,
    final_temperature,
    temperatures,
)
from batchemo.training.experiment.context import RunContext
from batchemo.training.experiment.runs import RunResult
from batchemo.training.fit.scoring import fit_temperature
from batchemo.training.recipes import get_recipe

EXAMPLES = [
    made_example(speaker, label, n) for speaker in "abc" for label in LABELS for n in (0, 1)
]
RECIPE = get_recipe("mfcc40")
CONTEXT = RunContext(RECIPE, made_items(EXAMPLES), LABELS, Path("nowhere"))
FOLDS = ("first", "second", "third")
FOLD_SIZE = len(EXAMPLES) // len(FOLDS)


def result(
    fold: str, *, confidence: float, seed: int = 0, temperature: float | None = None
) -> RunResult:
    """Return a run whose net is this confident, and wrong about each third recording."""
    start = FOLDS.index(fold) * FOLD_SIZE
    samples = tuple(Sample(example) for example in EXAMPLES[start : start + FOLD_SIZE])
    logits = tuple(
        confidence * np.eye(len(LABELS), dtype=np.float32)[[(label + (n % 3 == 0)) % len(LABELS)]]
        for n, label in enumerate(CONTEXT.label_indices(samples))
    )
    return RunResult(Split(fold, seed, (), (), samples), logits, (), temperature)


def fitted(results: Sequence[RunResult]) -> float:
    """Return the temperature that is fitted on all of these tests."""
    logits = [of_item for result in results for of_item in result.test]
    labels = np.concatenate([CONTEXT.label_indices(result.split.test) for result in results])
    return fit_temperature(logits, labels)


RESULTS = [
    result("first", confidence=1.0),
    result("second", confidence=4.0),
    result("third", confidence=9.0),
]


def test_the_temperature_of_a_fold_is_fitted_on_the_tests_of_all_others() -> None:
    first, second, third = RESULTS

    found = temperatures(CONTEXT, RESULTS)

    assert found == [fitted([second, third]), fitted([first, third]), fitted([first, second])]
    assert len(set(found)) == 3


def test_the_temperature_of_a_fold_does_not_depend_on_its_own_test() -> None:
    changed = [RESULTS[0], result("second", confidence=0.1), RESULTS[2]]

    before, after = temperatures(CONTEXT, RESULTS), temperatures(CONTEXT, changed)

    assert after[1] == before[1]
    assert after[0] != before[0]
    assert after[2] != before[2]


def test_nor_on_its_own_test_with_another_seed() -> None:
    def of_two_seeds(confidence: float) -> list[float]:
        again = [
            result("first", confidence=2.0, seed=1),
            result("second", confidence=confidence, seed=1),
        ]
        return temperatures(CONTEXT, [*RESULTS[:2], *again])

    low, high = of_two_seeds(0.1), of_two_seeds(9.0)

    assert (low[1], low[3]) == (high[1], high[3])
    assert low[1] == low[3], "all seeds of a fold have one temperature"
    assert low[0] != high[0]


def test_a_temperature_from_validation_takes_precedence() -> None:
    mixed = [RESULTS[0], result("second", confidence=4.0, temperature=3.5), RESULTS[2]]

    first, _, third = temperatures(CONTEXT, RESULTS)
    assert temperatures(CONTEXT, mixed) == [first, 3.5, third]


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_single_fold_stays_uncalibrated(seeds: int) -> None:
    results = [result("first", confidence=9.0, seed=seed) for seed in range(seeds)]

    assert temperatures(CONTEXT, results) == [UNCALIBRATED] * seeds
    assert final_temperature(CONTEXT, results) is None


def test_the_final_temperature_is_fitted_on_the_tests_of_all_folds() -> None:
    assert final_temperature(CONTEXT, RESULTS) == fitted(RESULTS)


def test_with_temperatures_from_validation_there_is_no_final_one() -> None:
    validated = [result(fold, confidence=4.0, temperature=2.0) for fold in FOLDS]

    assert final_temperature(CONTEXT, validated) is None
    assert final_temperature(CONTEXT, [validated[0], *RESULTS[1:]]) is None


def test_runs_are_matched_by_fold_in_whatever_order_they_come() -> None:
    second_seed = [replace(one, split=replace(one.split, seed=1)) for one in RESULTS]

    found = temperatures(CONTEXT, [*RESULTS, *second_seed[::-1]])

    assert found[:3] == found[:2:-1]


def test_corpora_count_the_same_and_those_that_are_only_tested_nothing() -> None:
    samples = samples_of("a sad", "a happy", "a sad", "b sad", "b calm")

    assert corpus_weights(samples).tolist() == [1 / 3, 1 / 3, 1 / 3, 1 / 2, 1 / 2]
    assert corpus_weights(samples, ("b",)).tolist() == [1 / 3, 1 / 3, 1 / 3, 0, 0]


def test_plain_speech_has_no_part_in_the_calibration() -> None:
    samples = samples_of("a sad", "a happy", "plain neutral", "plain neutral")

    assert corpus_weights(samples).tolist() == [1 / 2, 1 / 2, 0, 0]


def samples_of(*recordings: str) -> tuple[Sample, ...]:
    """Make a sample of each corpus and emotion."""
    pairs = [recording.split() for recording in recordings]
    return tuple(
        Sample(made_example("a", emotion, n, corpus=corpus))
        for n, (corpus, emotion) in enumerate(pairs)
    )


def test_where_others_are_only_tested_a_fold_stays_uncalibrated() -> None:
    weigh = partial(corpus_weights, test_only=("made",))

    assert temperatures(CONTEXT, RESULTS, weigh) == [UNCALIBRATED] * 3
    assert final_temperature(CONTEXT, RESULTS, weigh) == UNCALIBRATED
