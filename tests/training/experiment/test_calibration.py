"""Nets that watched nothing are calibrated by other folds, never by their own test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_items import LABELS, made_example, made_items

from batchemo.training.data.protocols import Split
from batchemo.training.experiment.calibration import (
    AS_IT_IS,
    Sat,
    temperature_of_all,
    temperatures,
)
from batchemo.training.experiment.context import Answers, RunContext
from batchemo.training.fit.scoring import fit_temperature
from batchemo.training.hyperparameters import Hyperparameters
from batchemo.training.recipes import get_recipe

ITEMS = made_items(
    [made_example(who, label, n) for who in "abc" for label in LABELS for n in (0, 1)]
)
ROOM = RunContext(get_recipe("mfcc40"), Hyperparameters(), ITEMS, LABELS, Path("nowhere"))
FOLDS = ("first", "second", "third")
EACH = len(ITEMS) // len(FOLDS)


def sat(fold: str, *, sure: float, seed: int = 0, own: float | None = None) -> Sat:
    """A trial whose net is this sure of itself, and wrong about each third recording."""
    begin = FOLDS.index(fold) * EACH
    places = tuple(range(begin, begin + EACH))
    labels = [LABELS.index(ITEMS[place].example.emotion) for place in places]
    said = tuple(
        np.full((len(ITEMS[place].windows), len(LABELS)), 0, np.float32)
        + sure * np.eye(len(LABELS), dtype=np.float32)[(label + (n % 3 == 0)) % len(LABELS)]
        for n, (place, label) in enumerate(zip(places, labels, strict=True))
    )
    return Split(fold, seed, (), (), places), Answers(said, ()), own


def suits(every: Sequence[Sat]) -> float:
    """The temperature under which all of these tests are likeliest."""
    logits = [said for _, answers, _ in every for said in answers.test]
    labels = np.concatenate([ROOM.dataset(split.test).labels for split, _, _ in every])
    return fit_temperature(logits, labels)


EVERY = [sat("first", sure=1.0), sat("second", sure=4.0), sat("third", sure=9.0)]


def test_a_fold_has_the_temperature_that_suits_the_tests_of_all_others() -> None:
    first, second, third = EVERY

    told = temperatures(ROOM, EVERY)

    assert told == [suits([second, third]), suits([first, third]), suits([first, second])]
    assert len(set(told)) == 3


def test_a_folds_temperature_does_not_depend_on_its_own_test() -> None:
    otherwise = [EVERY[0], sat("second", sure=0.1), EVERY[2]]

    before, after = temperatures(ROOM, EVERY), temperatures(ROOM, otherwise)

    assert after[1] == before[1]
    assert after[0] != before[0]
    assert after[2] != before[2]


def test_nor_on_its_own_test_by_another_seed() -> None:
    def of_two_seeds(sure: float) -> list[float]:
        again = [sat("first", sure=2.0, seed=1), sat("second", sure=sure, seed=1)]
        return temperatures(ROOM, [*EVERY[:2], *again])

    one, other = of_two_seeds(0.1), of_two_seeds(9.0)

    assert (one[1], one[3]) == (other[1], other[3])
    assert one[1] == one[3], "seeds of a fold have one temperature"
    assert one[0] != other[0]


def test_what_a_trial_watched_itself_wins() -> None:
    mixed = [EVERY[0], sat("second", sure=4.0, own=3.5), EVERY[2]]

    assert temperatures(ROOM, mixed) == [
        temperatures(ROOM, EVERY)[0],
        3.5,
        temperatures(ROOM, EVERY)[2],
    ]


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_single_fold_stays_as_it_is(seeds: int) -> None:
    every = [sat("first", sure=9.0, seed=seed) for seed in range(seeds)]

    assert temperatures(ROOM, every) == [AS_IT_IS] * seeds
    assert temperature_of_all(ROOM, every) is None


def test_a_net_that_learns_from_all_has_what_suits_all_folds() -> None:
    assert temperature_of_all(ROOM, EVERY) == suits(EVERY)


def test_where_trials_have_their_own_there_is_none_for_all() -> None:
    watched = [sat(fold, sure=4.0, own=2.0) for fold in FOLDS]

    assert temperature_of_all(ROOM, watched) is None
    assert temperature_of_all(ROOM, [watched[0], *EVERY[1:]]) is None


def test_a_trial_is_calibrated_as_it_was_tested_wherever_it_stands() -> None:
    """By fold, not by place: seeds may come in any order."""
    seconds = [(replace(split, seed=1), answers, own) for split, answers, own in EVERY]

    told = temperatures(ROOM, [*EVERY, *seconds[::-1]])

    assert told[:3] == told[:2:-1]
