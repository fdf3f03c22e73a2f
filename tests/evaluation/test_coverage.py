"""Coverage tells what is right of the surest answers, whatever the order of equals."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_predictions import LABELS, make_evaluation, make_info, make_prediction

from batchemo.evaluation import evaluate
from batchemo.evaluation.metrics import COVERAGES, accuracy_at, keep_most_confident

answers = st.lists(
    st.tuples(st.sampled_from([0.25, 0.5, 0.75, 1.0]), st.booleans()), min_size=1, max_size=40
)


def test_the_surest_are_kept_first() -> None:
    sure = np.array([0.3, 0.9, 0.5, 0.7])
    right = np.array([False, True, False, True])

    least, accuracy = keep_most_confident(sure, right, (1.0, 0.75, 0.5, 0.25))

    assert accuracy.tolist() == [0.5, pytest.approx(2 / 3), 1, 1]
    assert least.tolist() == [0.3, 0.5, 0.7, 0.9]


def test_equals_count_in_part_where_not_all_of_them_are_kept() -> None:
    # Of the four that are equal, two fit: each of them counts by half.
    sure = np.array([0.9, 0.5, 0.5, 0.5, 0.5])
    right = np.array([True, True, False, False, False])

    assert accuracy_at(sure, right, 0.6) == pytest.approx((1 + 2 * 0.25) / 3)


@given(answers, st.randoms(use_true_random=False))
def test_the_order_of_answers_does_not_matter(every: list, random: Random) -> None:
    shuffled = list(every)
    random.shuffle(shuffled)

    def curve(some: list) -> tuple:
        least, accuracy = keep_most_confident(*np.array(some, float).T)
        return least.tolist(), accuracy.tolist()

    assert curve(shuffled) == curve(every)
    least, accuracy = curve(every)
    assert accuracy[0] == pytest.approx(np.mean([right for _, right in every]))
    assert least == sorted(least)
    assert all(0 <= one <= 1 + 1e-12 for one in accuracy)


def test_an_evaluation_tells_the_same_at_80_and_50_percent_as_its_curve() -> None:
    found = make_evaluation()
    curve = {kept.coverage: kept.accuracy for kept in found.coverage}

    assert tuple(curve) == COVERAGES
    assert found.figures["accuracy"].mean == curve[1.0]
    assert found.figures["accuracy_at_80"].mean == curve[0.8]
    assert found.figures["accuracy_at_50"].mean == curve[0.5]


def test_each_fold_keeps_its_own_surest() -> None:
    # The nets of two folds differ in how sure they are: that must not decide who is kept.
    sure = [make_prediction("sad", "sad", name=f"{n}.wav", sure=0.9) for n in range(2)]
    unsure = [make_prediction("sad", "happy", name="c.wav", fold="2", sure=0.5)]
    unsure += [make_prediction("sad", "sad", name="d.wav", fold="2", sure=0.6)]

    found = evaluate([*sure, *unsure], LABELS, info=make_info())

    assert found.figures["accuracy"].mean == 0.75
    assert found.figures["accuracy_at_50"].mean == 1
    assert found.coverage[10].confidence == pytest.approx(0.75)
