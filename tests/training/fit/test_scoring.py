"""Scores of items: the mean over their windows, at the temperature that calibrates them."""

from __future__ import annotations

import numpy as np
import pytest

from batchemo.common.arrays import Float32, Float64, Index
from batchemo.training.fit.scoring import (
    cross_entropy,
    fit_temperature,
    predict_items,
    probabilities,
)

RANDOM = np.random.default_rng(0)
LOGITS = [RANDOM.normal(size=(count, 3)).astype(np.float32) for count in (1, 4, 2)]


def softmax(logits: Float32) -> Float64:
    weights = np.exp(logits.astype(np.float64))
    return weights / weights.sum(axis=-1, keepdims=True)


def made_logits(items: int, confidence: float, accuracy: float) -> tuple[list[Float32], Index]:
    """Return the logits of a net that is this confident and this often right, and the labels."""
    random = np.random.default_rng(1)
    labels = random.integers(3, size=items)
    predicted = np.where(random.random(items) < accuracy, labels, (labels + 1) % 3)
    logits = confidence * np.eye(3, dtype=np.float32)[predicted]
    return [*logits[:, None]], labels


def mean_cross_entropy(logits: list[Float32], labels: Index, temperature: float) -> float:
    return float(cross_entropy(probabilities(logits, temperature), labels).mean())


def test_the_probabilities_of_an_item_are_the_mean_over_its_windows() -> None:
    expected = [softmax(of_item).mean(axis=0) for of_item in LOGITS]

    assert probabilities(LOGITS) == pytest.approx(np.stack(expected), abs=1e-6)


def test_the_temperature_divides_the_logits_of_every_window() -> None:
    expected = [softmax(of_item / 2.5).mean(axis=0) for of_item in LOGITS]

    assert probabilities(LOGITS, 2.5) == pytest.approx(np.stack(expected), abs=1e-6)


@pytest.mark.parametrize("count", [1, 255, 256, 257, 600])
def test_every_item_gets_the_logits_of_its_own_windows(count: int) -> None:
    random = np.random.default_rng(count)
    windows = [random.normal(size=(size, 2)) for size in random.integers(1, 4, size=count)]
    batch_sizes: list[int] = []

    def forward(batch: Float32) -> Float32:
        batch_sizes.append(len(batch))
        return 2 * batch

    logits = predict_items(forward, windows)

    assert max(batch_sizes) <= 256
    assert all(np.array_equal(out, 2 * own) for out, own in zip(logits, windows, strict=True))


def test_cross_entropy_is_that_of_the_label_and_finite_even_at_probability_0() -> None:
    predicted = np.array([[0.25, 0.75], [1.0, 0.0]])

    assert cross_entropy(predicted, np.array([1, 0])) == pytest.approx([-np.log(0.75), 0])
    assert np.isfinite(cross_entropy(predicted, np.array([1, 1]))).all()


@pytest.mark.parametrize(("confidence", "accuracy"), [(12.0, 0.7), (1.0, 0.95)])
def test_the_fitted_temperature_has_the_lowest_cross_entropy(
    confidence: float, accuracy: float
) -> None:
    logits, labels = made_logits(200, confidence, accuracy)

    fitted = fit_temperature(logits, labels)

    lowest = mean_cross_entropy(logits, labels, fitted)
    assert lowest < mean_cross_entropy(logits, labels, 1.0)
    for other in (0.8 * fitted, 1.25 * fitted):
        assert lowest < mean_cross_entropy(logits, labels, other)


def test_overconfident_nets_get_a_temperature_above_1_and_underconfident_ones_below() -> None:
    assert fit_temperature(*made_logits(200, confidence=12.0, accuracy=0.7)) > 1
    assert fit_temperature(*made_logits(200, confidence=1.0, accuracy=0.95)) < 1
