"""What answers would teach a model."""

from __future__ import annotations

import numpy as np
from made_review import made_probabilities

from batchemo.review.head import updated_probabilities

PROBABILITIES = made_probabilities(40)
POINTS = np.random.default_rng(1).normal(size=(40, 4)).astype(np.float32) / 2
NONE = np.array([], np.int64)


def test_without_answers_it_is_the_model() -> None:
    found = updated_probabilities(POINTS, PROBABILITIES, NONE, NONE)
    np.testing.assert_allclose(found, PROBABILITIES, atol=1e-5)


def test_answers_are_learnt_and_carried_to_neighbours() -> None:
    truth = (POINTS[:, 0] > 0).astype(np.int64)
    rows = np.arange(20)
    found = updated_probabilities(POINTS, PROBABILITIES, rows, truth[rows]).argmax(axis=1)
    assert (found[20:] == truth[20:]).mean() > (
        PROBABILITIES[20:].argmax(axis=1) == truth[20:]
    ).mean()
    assert (found[:20] == truth[:20]).mean() > 0.7


def test_a_label_that_the_model_does_not_know_becomes_likely_where_it_was_answered() -> None:
    rows = np.flatnonzero(POINTS[:, 1] > 0.4)
    found = updated_probabilities(POINTS, PROBABILITIES, rows, np.full(len(rows), 3))
    assert found.shape == (40, 4)
    assert (found[rows].argmax(axis=1) == 3).all()
