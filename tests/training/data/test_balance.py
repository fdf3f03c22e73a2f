"""Small classes are not forgotten: their mistakes weigh more, or their recordings come again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchemo.training.data.dataset import balanced_weights, oversampled

labels_of_items = st.lists(st.integers(0, 5), min_size=1, max_size=60).map(
    lambda numbers: np.array(numbers, np.intp)
)


@given(labels_of_items)
def test_all_classes_weigh_the_same_and_the_mean_item_weighs_one(labels) -> None:
    weights = balanced_weights(labels, 6)

    of_class = [float(weights[label] * np.sum(labels == label)) for label in np.unique(labels)]
    assert of_class == pytest.approx([len(labels) / len(of_class)] * len(of_class), rel=1e-5)
    assert float(weights[labels].mean()) == pytest.approx(1, rel=1e-5)


@given(labels_of_items)
def test_the_weights_are_those_that_scikit_learn_calls_balanced(labels) -> None:
    from sklearn.utils.class_weight import compute_class_weight

    present = np.unique(labels)
    wanted = compute_class_weight("balanced", classes=present, y=labels)

    assert balanced_weights(labels, 6)[present] == pytest.approx(wanted, rel=1e-5)


def test_a_class_without_items_weighs_nothing() -> None:
    assert balanced_weights(np.array([0, 2]), 4).tolist() == [1, 0, 1, 0]


@given(labels_of_items, st.integers(0, 2**32))
def test_oversampled_classes_are_equal_and_turns_differ_by_one_at_most(labels, seed) -> None:
    places = oversampled(labels, np.random.default_rng(seed))

    turns = np.bincount(places, minlength=len(labels))
    most = np.bincount(labels).max()
    for label in np.unique(labels):
        own = turns[labels == label]
        assert own.sum() == most
        assert own.min() >= 1
        assert own.max() - own.min() <= 1


def test_whose_turn_it_is_once_more_is_drawn() -> None:
    labels = np.array([0] * 15 + [1] * 10)

    drawn = {tuple(sorted(oversampled(labels, np.random.default_rng(seed)))) for seed in range(5)}

    assert len(drawn) > 1
