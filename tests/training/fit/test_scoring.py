"""What a net says of items: the mean of their windows, at the temperature that suits it."""

from __future__ import annotations

import numpy as np
import pytest

from batchemo.common.arrays import Float32
from batchemo.training.fit.scoring import (
    fit_temperature,
    predict_items,
    probabilities,
    surprises,
)

RANDOM = np.random.default_rng(0)
LOGITS = [RANDOM.normal(size=(count, 3)).astype(np.float32) for count in (1, 4, 2)]


def softmax(logits: Float32) -> np.ndarray:
    shares = np.exp(logits.astype(np.float64))
    return shares / shares.sum(axis=-1, keepdims=True)


def verdicts(items: int, sure: float, right: float) -> tuple[list[Float32], np.ndarray]:
    """The logits of a net that is this sure, and this often right."""
    random = np.random.default_rng(1)
    labels = random.integers(3, size=items)
    told = np.where(random.random(items) < right, labels, (labels + 1) % 3)
    logits = sure * np.eye(3, dtype=np.float32)[told]
    return [*logits[:, None]], labels


def cost(logits: list[Float32], labels: np.ndarray, temperature: float) -> float:
    return float(surprises(probabilities(logits, temperature), labels).mean())


def test_an_items_probabilities_are_the_mean_of_its_windows() -> None:
    wanted = [softmax(own).mean(axis=0) for own in LOGITS]

    assert probabilities(LOGITS) == pytest.approx(np.stack(wanted), abs=1e-6)


def test_the_temperature_divides_the_logits_of_every_window() -> None:
    wanted = [softmax(own / 2.5).mean(axis=0) for own in LOGITS]

    assert probabilities(LOGITS, 2.5) == pytest.approx(np.stack(wanted), abs=1e-6)


@pytest.mark.parametrize("count", [1, 255, 256, 257, 600])
def test_every_item_gets_the_answers_to_its_own_windows(count: int) -> None:
    random = np.random.default_rng(count)
    windows = [random.normal(size=(size, 2)) for size in random.integers(1, 4, size=count)]
    asked: list[int] = []

    def graph(batch: Float32) -> Float32:
        asked.append(len(batch))
        return 2 * batch

    heard = predict_items(graph, windows)

    assert max(asked) <= 256
    assert all(np.array_equal(out, 2 * own) for out, own in zip(heard, windows, strict=True))


def test_the_surprise_is_that_of_the_right_label_and_finite_even_for_the_impossible() -> None:
    told = np.array([[0.25, 0.75], [1.0, 0.0]])

    assert surprises(told, np.array([1, 0])) == pytest.approx([-np.log(0.75), 0])
    assert np.isfinite(surprises(told, np.array([1, 1]))).all()


@pytest.mark.parametrize(("sure", "right"), [(12.0, 0.7), (1.0, 0.95)])
def test_a_fitted_temperature_makes_the_right_labels_likelier(sure: float, right: float) -> None:
    logits, labels = verdicts(200, sure, right)

    fitted = fit_temperature(logits, labels)

    assert cost(logits, labels, fitted) < cost(logits, labels, 1.0)
    for other in (0.8 * fitted, 1.25 * fitted):
        assert cost(logits, labels, fitted) < cost(logits, labels, other)


def test_who_is_too_sure_is_cooled_and_who_is_too_modest_is_not() -> None:
    assert fit_temperature(*verdicts(200, sure=12.0, right=0.7)) > 1
    assert fit_temperature(*verdicts(200, sure=1.0, right=0.95)) < 1
