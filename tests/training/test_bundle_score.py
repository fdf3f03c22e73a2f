"""A finished bundle's verdicts are those of a scan, and of the same net before calibration."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from made_items import made_example

from batchemo.bundles import Bundle, open_runtime
from batchemo.errors import UsageError
from batchemo.training.data.feature_store import Item
from batchemo.training.experiment.evaluate import judge_with

LABELS = ("neutral", "happy", "sad", "angry")


def items(*windows: int, scale: float = 1.0) -> list[Item]:
    """Recordings of so many windows each."""
    random = np.random.default_rng(0)
    return [
        Item(
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

    judged = judge_with(bundle, every, LABELS)

    for one, item in zip(judged, every, strict=True):
        expected = open_runtime(bundle).run(item.windows).mean(axis=0)
        np.testing.assert_allclose(one.probabilities, expected, atol=1e-6)


def test_before_calibration_they_are_those_at_temperature_1(
    bundle: Bundle, make_bundle: Callable[..., Bundle]
) -> None:
    every, cold = items(1, 3), make_bundle(name="cold")

    for classes in (LABELS, LABELS[:2]):
        judged, before = judge_with(bundle, every, classes), judge_with(cold, every, classes)
        for one, other in zip(judged, before, strict=True):
            np.testing.assert_allclose(one.uncalibrated, other.probabilities, atol=1e-5)
            np.testing.assert_allclose(other.uncalibrated, other.probabilities, atol=1e-12)


def test_among_some_classes_the_probabilities_are_shared_out(bundle: Bundle) -> None:
    every = items(2)

    [whole], [some] = judge_with(bundle, every, LABELS), judge_with(bundle, every, LABELS[1:3])

    assert sum(some.probabilities) == pytest.approx(1)
    assert some.probabilities[0] / some.probabilities[1] == pytest.approx(
        whole.probabilities[1] / whole.probabilities[2]
    )


def test_classes_of_which_the_net_wants_to_know_nothing_share_all_the_same(bundle: Bundle) -> None:
    [judged] = judge_with(bundle, items(1, scale=1e4), LABELS[1:3])

    assert sum(judged.probabilities) == pytest.approx(1)
    assert np.isfinite(judged.uncalibrated).all()


def test_classes_that_it_does_not_know_are_refused(bundle: Bundle) -> None:
    with pytest.raises(UsageError, match="tiny does not know bored; it knows neutral, happy"):
        judge_with(bundle, items(1), ("happy", "bored"))
