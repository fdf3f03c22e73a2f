"""A finished bundle's verdicts are those of a scan, and of the same net before calibration."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from made_items import made_example

from batchemo.bundles import Bundle, open_classifier
from batchemo.errors import UsageError
from batchemo.training.data.feature_store import FeatureItem
from batchemo.training.experiment.evaluate import predict_with_bundle

LABELS = ("neutral", "happy", "sad", "angry")


def items(*windows: int, scale: float = 1.0) -> list[FeatureItem]:
    """Recordings of so many windows each."""
    random = np.random.default_rng(0)
    return [
        FeatureItem(
            made_example("ann", "happy", take),
            "original",
            (scale * random.normal(size=(count, 20, 64))).astype(np.float32),
        )
        for take, count in enumerate(windows)
    ]


@pytest.fixture
def bundle(make_bundle: Callable[..., Bundle]) -> Bundle:
    return make_bundle(calibration={"method": "temperature", "temperature": 1.7})


def test_probabilities_are_the_mean_of_the_windows_as_in_a_scan(bundle: Bundle) -> None:
    every = items(1, 3)

    predictions = predict_with_bundle(bundle, every, LABELS)

    for one, item in zip(predictions, every, strict=True):
        expected = open_classifier(bundle).run(item.windows).mean(axis=0)
        np.testing.assert_allclose(one.probabilities, expected, atol=1e-6)


def test_before_calibration_they_are_those_at_temperature_1(
    bundle: Bundle, make_bundle: Callable[..., Bundle]
) -> None:
    every, cold = items(1, 3), make_bundle(name="cold")

    for classes in (LABELS, LABELS[:2]):
        predictions, before = (
            predict_with_bundle(bundle, every, classes),
            predict_with_bundle(cold, every, classes),
        )
        for one, other in zip(predictions, before, strict=True):
            np.testing.assert_allclose(one.uncalibrated, other.probabilities, atol=1e-5)
            np.testing.assert_allclose(other.uncalibrated, other.probabilities, atol=1e-12)


def test_among_some_classes_the_probabilities_are_shared_out(bundle: Bundle) -> None:
    every = items(2)

    [whole], [some] = (
        predict_with_bundle(bundle, every, LABELS),
        predict_with_bundle(bundle, every, LABELS[1:3]),
    )

    assert sum(some.probabilities) == pytest.approx(1)
    assert some.probabilities[0] / some.probabilities[1] == pytest.approx(
        whole.probabilities[1] / whole.probabilities[2]
    )


def test_classes_of_which_the_net_wants_to_know_nothing_share_all_the_same(bundle: Bundle) -> None:
    [predictions] = predict_with_bundle(bundle, items(1, scale=1e4), LABELS[1:3])

    assert sum(predictions.probabilities) == pytest.approx(1)
    assert np.isfinite(predictions.uncalibrated).all()


def test_classes_that_it_does_not_know_are_refused(bundle: Bundle) -> None:
    with pytest.raises(UsageError, match="tiny does not know bored; it knows neutral, happy"):
        predict_with_bundle(bundle, items(1), ("happy", "bored"))
