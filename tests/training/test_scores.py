"""Figures are computed as they are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from batchemo.training.corpora import EMOTIONS, Example
from batchemo.training.evaluate import (
    Heard,
    file_probabilities,
    fit_temperature,
    interval_over_speakers,
    score,
)
from batchemo.training.figures import choose_temperature, unseen_actors


def heard(emotion: str, *windows: dict[str, float], speaker: str = "ravdess-01") -> Heard:
    """A recording whose windows have these logits, 0 where none is given."""
    logits = [[told.get(name, 0.0) for name in EMOTIONS] for told in windows]
    example = Example(Path("a.wav"), "ravdess", speaker, "male", emotion, "normal")
    return Heard(example, np.array(logits, np.float32))


def test_a_recordings_probabilities_are_the_mean_of_its_windows() -> None:
    one = heard("sad", {"sad": 50.0}, {"happy": 50.0}, {"happy": 50.0})

    [told] = file_probabilities([one])

    assert told[EMOTIONS.index("sad")] == pytest.approx(1 / 3)
    assert told[EMOTIONS.index("happy")] == pytest.approx(2 / 3)


def test_among_some_classes_their_probabilities_are_shared_out() -> None:
    one = heard("sad", {"calm": 50.0, "sad": 1.0, "happy": 0.0})

    [told] = file_probabilities([one], classes=("sad", "happy"))

    np.testing.assert_allclose(told, [np.e / (np.e + 1), 1 / (np.e + 1)], atol=1e-6)


def test_uar_counts_classes_and_accuracy_counts_recordings() -> None:
    right, wrong = heard("sad", {"sad": 9.0}), heard("happy", {"sad": 9.0})

    scores = score([right] * 9 + [wrong])

    assert scores.accuracy == pytest.approx(0.9)
    assert scores.uar == pytest.approx(0.5)
    assert scores.recall["sad"] == 1
    assert scores.recall["happy"] == 0
    assert scores.recall["calm"] is None


def test_recordings_of_other_classes_do_not_count() -> None:
    scores = score([heard("sad", {"sad": 1.0}), heard("calm", {})], classes=("sad", "happy"))

    assert scores.recordings == 1


def test_temperature_cools_what_is_too_sure() -> None:
    sure = {"sad": 4.0}
    too_sure = [heard("sad", sure)] * 6 + [heard("happy", sure)] * 4

    temperature = fit_temperature(too_sure)

    assert temperature > 1
    assert score(too_sure, temperature).nll < score(too_sure).nll


def test_a_temperature_that_does_not_carry_over_is_not_used() -> None:
    right, wrong = heard("sad", {"sad": 3.0}), heard("happy", {"sad": 3.0})
    alike = {"a": [[right, right, wrong]], "b": [[right, wrong, right]]}
    unlike = {"a": [[right] * 9], "b": [[wrong] * 5 + [right] * 5]}

    assert choose_temperature(alike) > 1
    assert choose_temperature(unlike) == 1


def test_the_interval_is_as_wide_as_speakers_differ() -> None:
    good = [heard("sad", {"sad": 1.0}, speaker=f"s{k}") for k in range(5)]
    bad = [heard("sad", {"happy": 1.0}, speaker=f"t{k}") for k in range(5)]

    assert interval_over_speakers(good) == (1.0, 1.0)
    low, high = interval_over_speakers(good + bad)
    assert 0.1 < low < 0.4
    assert 0.6 < high < 0.9


def test_the_figures_of_a_study_average_folds_and_seeds() -> None:
    right = [heard(name, {name: 5.0}) for name in EMOTIONS]
    wrong = [heard(name, {"calm": 5.0}) for name in EMOTIONS]

    figures = unseen_actors({"one": [right, right], "two": [right, wrong]})

    assert figures["seeds"] == 2
    assert [fold["uar"] for fold in figures["folds"]] == [1.0, 0.5625]
    assert figures["uar"] == pytest.approx(0.7812, abs=1e-3)
    assert figures["recordings"] == 16
    assert figures["uar_spread_over_seeds"] > 0
