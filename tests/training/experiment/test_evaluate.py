"""A finished bundle predicts what a scan predicts, and what its net predicts uncalibrated."""

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


def items_of(*window_counts: int, scale: float = 1.0) -> list[FeatureItem]:
    random = np.random.default_rng(0)
    return [
        FeatureItem(
            made_example("ann", "happy", take),
            "original",
            (scale * random.normal(size=(count, 20, 64))).astype(np.float32),
        )
        for take, count in enumerate(window_counts)
    ]


@pytest.fixture
def bundle(make_bundle: Callable[..., Bundle]) -> Bundle:
    return make_bundle(calibration={"method": "temperature", "temperature": 1.7})


def test_probabilities_are_the_mean_over_windows_as_in_a_scan(bundle: Bundle) -> None:
    items = items_of(1, 3)

    predictions = predict_with_bundle(bundle, items, LABELS)

    for prediction, item in zip(predictions, items, strict=True):
        expected = open_classifier(bundle).run(item.windows).probabilities.mean(axis=0)
        np.testing.assert_allclose(prediction.probabilities, expected, atol=1e-6)


@pytest.mark.parametrize("classes", [LABELS, LABELS[:2]])
def test_uncalibrated_probabilities_are_those_at_temperature_1(
    bundle: Bundle, make_bundle: Callable[..., Bundle], classes: tuple[str, ...]
) -> None:
    items, uncalibrated = items_of(1, 3), make_bundle(name="uncalibrated")

    predictions = predict_with_bundle(bundle, items, classes)

    expected = predict_with_bundle(uncalibrated, items, classes)
    for one, other in zip(predictions, expected, strict=True):
        np.testing.assert_allclose(one.uncalibrated, other.probabilities, atol=1e-5)
        np.testing.assert_allclose(other.uncalibrated, other.probabilities, atol=1e-12)


def test_probabilities_are_normalised_over_the_selected_classes(bundle: Bundle) -> None:
    items = items_of(2)

    [of_all], [of_some] = (
        predict_with_bundle(bundle, items, classes) for classes in (LABELS, LABELS[1:3])
    )

    assert sum(of_some.probabilities) == pytest.approx(1)
    assert of_some.probabilities[0] / of_some.probabilities[1] == pytest.approx(
        of_all.probabilities[1] / of_all.probabilities[2]
    )


def test_classes_with_a_probability_of_0_are_normalised_all_the_same(bundle: Bundle) -> None:
    [prediction] = predict_with_bundle(bundle, items_of(1, scale=1e4), LABELS[1:3])

    assert sum(prediction.probabilities) == pytest.approx(1)
    assert np.isfinite(prediction.uncalibrated).all()


def test_classes_that_the_bundle_lacks_are_refused(bundle: Bundle) -> None:
    with pytest.raises(UsageError, match="tiny does not know bored; it knows neutral, happy"):
        predict_with_bundle(bundle, items_of(1), ("happy", "bored"))
