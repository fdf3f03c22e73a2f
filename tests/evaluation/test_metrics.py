"""Every figure is the one that scikit-learn, or a calculation by hand, gives."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchemo.evaluation import metrics
from batchemo.evaluation.metrics import accuracy_at, coverage_curve, interval_over_speakers

CLASSES = 4
pairs = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60)


def confusion(true_and_predicted: list[tuple[int, int]]) -> np.ndarray:
    return metrics.confusion_matrix(*np.array(true_and_predicted).T, CLASSES)


@given(pairs)
def test_figures_equal_those_of_scikit_learn(true_and_predicted: list[tuple[int, int]]) -> None:
    from sklearn import metrics as reference

    true, predicted = np.array(true_and_predicted).T
    counts = confusion(true_and_predicted)
    present = sorted(set(true.tolist()))
    per_class = reference.precision_recall_fscore_support(
        true, predicted, labels=present, zero_division=0
    )

    assert (counts == reference.confusion_matrix(true, predicted, labels=range(CLASSES))).all()
    assert metrics.accuracy(counts) == pytest.approx(reference.accuracy_score(true, predicted))
    assert metrics.uar(counts) == pytest.approx(per_class[1].mean())
    assert metrics.macro_f1(counts) == pytest.approx(per_class[2].mean())
    for compute, expected in zip(
        (metrics.precision, metrics.recall, metrics.f1), per_class, strict=False
    ):
        np.testing.assert_allclose(compute(counts)[present], expected)


@given(pairs)
def test_a_class_without_recordings_has_no_figures_and_no_share(
    true_and_predicted: list[tuple[int, int]],
) -> None:
    counts = confusion(true_and_predicted)
    empty = counts.sum(axis=1) == 0

    for figures in (metrics.precision(counts), metrics.recall(counts), metrics.f1(counts)):
        assert (np.isnan(figures) == empty).all()
    assert np.nansum(metrics.row_shares(counts)) == pytest.approx((~empty).sum())


def test_the_brier_score_runs_from_certain_and_correct_to_certain_and_wrong() -> None:
    true_classes = np.array([0, 1])

    assert metrics.brier(np.eye(2), true_classes) == 0
    assert metrics.brier(np.eye(2)[::-1], true_classes) == 2
    assert metrics.brier(np.full((2, 2), 0.5), true_classes) == pytest.approx(0.5)


def test_the_calibration_error_is_weighted_by_bins() -> None:
    confidence = np.array([1.0, 1.0, 1.0, 0.55])
    correct = np.array([True, True, True, False])

    assert metrics.calibration_error(confidence, correct) == pytest.approx(0.55 / 4)


def test_bins_hold_every_recording_and_empty_ones_are_left_out() -> None:
    bins = metrics.reliability(np.array([1.0, 0.95, 0.31]), np.array([True, False, True]))

    assert [(filled.low, filled.high, filled.recordings, filled.accuracy) for filled in bins] == [
        (0.3, 0.4, 1, 1),
        (0.9, 1.0, 2, 0.5),
    ]


@pytest.mark.parametrize("recordings", [60, 300, 1000])
def test_the_calibration_error_by_chance_is_what_perfect_calibration_shows(
    recordings: int,
) -> None:
    random = np.random.default_rng(0)
    confidence = random.uniform(0.2, 1.0, recordings)
    draws = random.uniform(size=(400, recordings)) < confidence

    shown = np.mean([metrics.calibration_error(confidence, correct) for correct in draws])

    assert metrics.calibration_error_by_chance(confidence) == pytest.approx(shown, rel=0.1)


predictions = st.lists(
    st.tuples(st.sampled_from([0.25, 0.5, 0.75, 1.0]), st.booleans()), min_size=1, max_size=40
)


def test_the_most_confident_are_kept_first() -> None:
    confidence = np.array([0.3, 0.9, 0.5, 0.7])
    correct = np.array([False, True, False, True])

    least, accuracy = coverage_curve(confidence, correct, (1.0, 0.75, 0.5, 0.25))

    assert accuracy.tolist() == [0.5, pytest.approx(2 / 3), 1, 1]
    assert least.tolist() == [0.3, 0.5, 0.7, 0.9]


def test_equal_confidences_count_in_part_where_not_all_of_them_are_kept() -> None:
    # Of the four that are equal, two fit: each of them counts by half.
    confidence = np.array([0.9, 0.5, 0.5, 0.5, 0.5])
    correct = np.array([True, True, False, False, False])

    assert accuracy_at(confidence, correct, 0.6) == pytest.approx((1 + 2 * 0.25) / 3)


@given(predictions, st.randoms(use_true_random=False))
def test_a_coverage_curve_does_not_depend_on_the_order(every: list, random: Random) -> None:
    shuffled = list(every)
    random.shuffle(shuffled)

    def curve(some: list) -> tuple:
        least, accuracy = coverage_curve(*np.array(some, float).T)
        return least.tolist(), accuracy.tolist()

    assert curve(shuffled) == curve(every)
    least, accuracy = curve(every)
    assert accuracy[0] == pytest.approx(np.mean([correct for _, correct in every]))
    assert least == sorted(least)
    assert all(0 <= share <= 1 + 1e-12 for share in accuracy)


def test_the_interval_is_as_wide_as_speakers_differ() -> None:
    count = np.ones((2, 10, 1))
    half = np.zeros((2, 10, 1))
    half[:, :5] = 1

    assert interval_over_speakers(count, count, "uar") == (1, 1)
    low, high = interval_over_speakers(half, count, "accuracy") or (0, 0)
    assert 0.1 < low < 0.4
    assert 0.6 < high < 0.9


def test_more_seeds_do_not_pass_for_more_speakers() -> None:
    correct = np.zeros((1, 8, 2))
    correct[:, ::2] = 1
    count = np.ones_like(correct)

    one_seed = interval_over_speakers(correct, count, "uar")
    five_seeds = interval_over_speakers(np.repeat(correct, 5, 0), np.repeat(count, 5, 0), "uar")

    assert one_seed == five_seeds


def test_two_speakers_are_too_few_for_an_interval() -> None:
    assert interval_over_speakers(np.ones((1, 2, 1)), np.ones((1, 2, 1)), "uar") is None
