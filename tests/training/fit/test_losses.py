"""What a net pays for its surprise, with cross-entropy and with the focal loss."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest

from batchemo.training.data.batches import OUT_OF_REACH
from batchemo.training.hyperparameters import Hyperparameters

pytest.importorskip("tensorflow")

from batchemo.training.fit.trainer import output_exists, price

SURPRISES = np.array([0.01, 0.5, 1.0, 3.0], np.float32)


def focal(gamma: float) -> Hyperparameters:
    return Hyperparameters(loss="focal", focal_gamma=gamma)


def test_the_surprise_is_minus_the_logarithm_of_the_right_labels_probability() -> None:
    logits = np.array([[log(3), 0], [log(3), 0]], np.float32)

    told = output_exists(np.eye(2, dtype=np.float32), logits)

    assert np.asarray(told) == pytest.approx([log(4 / 3), log(4)])


def test_of_a_target_that_is_several_each_counts_by_its_share() -> None:
    logits = np.array([[log(3), 0]], np.float32)

    told = output_exists(np.array([[0.25, 0.75]], np.float32), logits)

    assert np.asarray(told) == pytest.approx([0.25 * log(4 / 3) + 0.75 * log(4)])


def test_a_class_out_of_reach_costs_nothing_and_is_no_way_out() -> None:
    reach = np.array([[0, 0, OUT_OF_REACH]], np.float32)
    logits = np.array([[log(3), 0, 50.0]], np.float32)

    told = output_exists(np.array([[1, 0, 0]], np.float32), logits + reach)

    assert np.asarray(told) == pytest.approx([log(4 / 3)])


def test_cross_entropy_is_the_surprise_itself() -> None:
    assert np.asarray(price(SURPRISES, Hyperparameters())).tolist() == SURPRISES.tolist()


def test_focal_with_gamma_0_is_cross_entropy() -> None:
    assert np.asarray(price(SURPRISES, focal(0))) == pytest.approx(SURPRISES)


def test_focal_fades_for_what_the_net_already_knows() -> None:
    easy, even, hard = -np.log(np.array([0.9, 0.5, 0.1], np.float32))

    prices = np.asarray(price(np.array([easy, even, hard]), focal(2)))

    # By hand: (1 - p) ** 2 times the surprise.
    assert prices == pytest.approx([0.01 * 0.1053605, 0.25 * 0.6931472, 0.81 * 2.3025851], rel=1e-4)


def test_the_higher_gamma_the_less_the_easy_counts_beside_the_hard() -> None:
    easy_beside_hard = []
    for gamma in (0, 1, 2, 5):
        easy, hard = np.asarray(price(np.array([0.1, 2.0], np.float32), focal(gamma)))
        easy_beside_hard.append(easy / hard)

    assert easy_beside_hard == sorted(easy_beside_hard, reverse=True)
    share = (1 - exp(-0.1)) / (1 - exp(-2.0))
    assert easy_beside_hard[-1] == pytest.approx(0.05 * share**5, rel=1e-3)


def test_the_validation_loss_has_the_same_price_as_the_lessons() -> None:
    """Plain arrays, as the watched recordings give them, cost what tensors cost."""
    import tensorflow as tf

    for hyperparameters in (Hyperparameters(), focal(2)):
        assert np.asarray(price(SURPRISES, hyperparameters)) == pytest.approx(
            np.asarray(price(tf.constant(SURPRISES), hyperparameters))
        )
