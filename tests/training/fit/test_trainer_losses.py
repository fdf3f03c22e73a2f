"""The loss of an item: cross-entropy and the focal loss, with soft and with masked targets."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest

from batchemo.training.data.batches import MASKED
from batchemo.training.fit.trainer import item_loss, target_cross_entropy
from batchemo.training.hyperparameters import Hyperparameters

pytestmark = pytest.mark.tensorflow

CROSS_ENTROPIES = np.array([0.01, 0.5, 1.0, 3.0], np.float32)


def focal(gamma: float) -> Hyperparameters:
    return Hyperparameters(loss="focal", focal_gamma=gamma)


def test_cross_entropy_is_minus_the_logarithm_of_the_labels_probability() -> None:
    logits = np.array([[log(3), 0], [log(3), 0]], np.float32)

    values = target_cross_entropy(np.eye(2, dtype=np.float32), logits)

    assert np.asarray(values) == pytest.approx([log(4 / 3), log(4)])


def test_of_a_soft_target_each_class_counts_by_its_share() -> None:
    logits = np.array([[log(3), 0]], np.float32)

    values = target_cross_entropy(np.array([[0.25, 0.75]], np.float32), logits)

    assert np.asarray(values) == pytest.approx([0.25 * log(4 / 3) + 0.75 * log(4)])


def test_a_masked_class_costs_nothing_whatever_its_logit() -> None:
    mask = np.array([[0, 0, MASKED]], np.float32)
    logits = np.array([[log(3), 0, 50.0]], np.float32)

    values = target_cross_entropy(np.array([[1, 0, 0]], np.float32), logits + mask)

    assert np.asarray(values) == pytest.approx([log(4 / 3)])


def test_the_default_loss_is_the_cross_entropy_itself() -> None:
    losses = np.asarray(item_loss(CROSS_ENTROPIES, Hyperparameters()))

    assert losses.tolist() == CROSS_ENTROPIES.tolist()


def test_focal_with_gamma_0_is_cross_entropy() -> None:
    assert np.asarray(item_loss(CROSS_ENTROPIES, focal(0))) == pytest.approx(CROSS_ENTROPIES)


def test_focal_is_small_for_items_that_are_likely_already() -> None:
    easy, even, hard = -np.log(np.array([0.9, 0.5, 0.1], np.float32))

    losses = np.asarray(item_loss(np.array([easy, even, hard]), focal(2)))

    # By hand: (1 - p) ** 2 times the cross-entropy.
    assert losses == pytest.approx([0.01 * 0.1053605, 0.25 * 0.6931472, 0.81 * 2.3025851], rel=1e-4)


def test_the_higher_gamma_the_less_easy_items_count_against_hard_ones() -> None:
    ratios = []
    for gamma in (0, 1, 2, 5):
        easy, hard = np.asarray(item_loss(np.array([0.1, 2.0], np.float32), focal(gamma)))
        ratios.append(easy / hard)

    assert ratios == sorted(ratios, reverse=True)
    share = (1 - exp(-0.1)) / (1 - exp(-2.0))
    assert ratios[-1] == pytest.approx(0.05 * share**5, rel=1e-3)


def test_the_validation_loss_is_the_training_loss() -> None:
    """Of plain arrays, as in validation, and of tensors, as in training."""
    import tensorflow as tf

    for hyperparameters in (Hyperparameters(), focal(2)):
        assert np.asarray(item_loss(CROSS_ENTROPIES, hyperparameters)) == pytest.approx(
            np.asarray(item_loss(tf.constant(CROSS_ENTROPIES), hyperparameters))
        )
