"""Predictions as arrays keep their order, and are refused where labels do not fit."""

from __future__ import annotations

import pytest
from made_predictions import LABELS, make_prediction

from batchemo.errors import UsageError
from batchemo.evaluation.predictions import PredictionSet


def test_no_predictions_are_refused() -> None:
    with pytest.raises(UsageError, match="there are no predictions"):
        PredictionSet.from_predictions([], LABELS)


def test_an_emotion_that_is_no_label_is_refused() -> None:
    with pytest.raises(UsageError, match="bored: not among the labels sad, happy, angry"):
        PredictionSet.from_predictions([make_prediction("bored", "sad")], LABELS)


def test_arrays_have_a_row_for_each_prediction() -> None:
    predictions = [
        make_prediction("sad", "happy", confidence=0.8),
        make_prediction("angry", "angry", confidence=0.6),
    ]

    found = PredictionSet.from_predictions(predictions, LABELS)

    assert found.true_classes.tolist() == [0, 2]
    assert found.predicted_classes.tolist() == [1, 2]
    assert found.correct.tolist() == [False, True]
    assert found.confidence.tolist() == [0.8, 0.6]
    assert found.confusion.tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 1]]


def test_groups_are_sorted_by_value_and_keep_the_order_inside() -> None:
    predictions = [
        make_prediction("sad", "sad", seed=seed, name=name) for seed, name in ((2, "b"), (0, "c"))
    ]
    predictions.append(make_prediction("happy", "sad", seed=2, name="a"))

    groups = dict(
        PredictionSet.from_predictions(predictions, LABELS).group_by(lambda one: one.seed)
    )

    assert list(groups) == [0, 2]
    assert [one.example.path.name for one in groups[2].predictions] == ["b", "a"]
    assert groups[2].true_classes.tolist() == [0, 1]
