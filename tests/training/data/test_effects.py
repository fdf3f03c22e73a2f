"""What speakers add to vectors is told apart from what classes are."""

from __future__ import annotations

import numpy as np
import pytest
from made_items import made_dataset

from batchemo.training.data.effects import SpeakerShift, fit_effects, fit_speaker_shift

MEANS = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
EFFECTS = np.array([[1.0, 1.0], [-1.0, 3.0]])


def test_effects_are_recovered_from_speakers_that_lack_classes() -> None:
    labels = np.array([0, 1, 2, 2, 2, 0, 0, 0, 1])
    speakers = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1])
    vectors = MEANS[labels] + EFFECTS[speakers]

    effects = fit_effects(vectors, labels, speakers, np.ones(9), classes=3)

    # A constant may be in the means of the classes: differences are what counts.
    np.testing.assert_allclose(effects[1] - effects[0], EFFECTS[1] - EFFECTS[0], atol=0.1)


def test_a_class_without_vectors_changes_nothing() -> None:
    labels, speakers = np.array([0, 1, 0]), np.array([0, 0, 1])
    vectors = MEANS[labels] + EFFECTS[speakers]

    with_it = fit_effects(vectors, labels, speakers, np.ones(3), classes=3)
    without = fit_effects(vectors, labels, speakers, np.ones(3), classes=2)

    np.testing.assert_allclose(with_it, without)


def test_a_speaker_of_little_weight_has_a_small_effect() -> None:
    labels, speakers = np.zeros(4, np.intp), np.array([0, 0, 1, 2])
    vectors = EFFECTS[[0, 0, 1, 1]]

    effects = fit_effects(vectors, labels, speakers, np.array([1, 1, 1, 1e-3]), classes=1)

    assert np.abs(effects[2]).max() < np.abs(effects[1]).max() / 2


def test_a_shift_moves_a_vector_to_another_speaker() -> None:
    effects = np.array([[0, 0], [1, 0], [5, 5]], np.float32)
    speakers = np.array([0, 1, 2] * 30)

    shift = SpeakerShift(effects).draw(speakers, 1.0, np.random.default_rng(0))

    moved = {tuple(row) for row in (effects[speakers] + shift).tolist()}
    assert moved == {tuple(row) for row in effects.tolist()}


def test_a_share_of_vectors_is_moved() -> None:
    effects = np.arange(2000, dtype=np.float32)[:, None]
    speakers = np.arange(2000)

    shift = SpeakerShift(effects).draw(speakers, 0.3, np.random.default_rng(0))

    assert np.mean(shift != 0) == pytest.approx(0.3, abs=0.04)


def test_the_effects_of_all_speakers_of_a_dataset_are_fitted() -> None:
    dataset = made_dataset("main", "other")

    shift = fit_speaker_shift(dataset, other_corpora_share=0.5)

    assert shift.effects.shape == (8, 6)
    assert shift.effects.dtype == np.float32
