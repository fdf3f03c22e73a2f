"""Every figure is the one that scikit-learn, or a hand, computes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchemo.evaluation import metrics
from batchemo.evaluation.metrics import interval_over_speakers

pairs = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60)


def confusion(told: list[tuple[int, int]]) -> np.ndarray:
    truth, said = np.array(told).T
    return metrics.count_confusions(truth, said, 4)


@given(pairs)
def test_figures_are_those_of_scikit_learn(told: list[tuple[int, int]]) -> None:
    from sklearn import metrics as reference

    truth, said = np.array(told).T
    counts = confusion(told)
    heard = sorted(set(truth.tolist()))
    per_class = reference.precision_recall_fscore_support(
        truth, said, labels=heard, zero_division=0
    )

    assert (counts == reference.confusion_matrix(truth, said, labels=range(4))).all()
    assert metrics.accuracy(counts) == pytest.approx(reference.accuracy_score(truth, said))
    assert metrics.uar(counts) == pytest.approx(per_class[1].mean())
    assert metrics.macro_f1(counts) == pytest.approx(per_class[2].mean())
    for compute, expected in zip(
        (metrics.precision, metrics.recall, metrics.f1), per_class, strict=False
    ):
        np.testing.assert_allclose(compute(counts)[heard], expected)


@given(pairs)
def test_a_class_without_recordings_has_no_figures_and_no_share(
    told: list[tuple[int, int]],
) -> None:
    counts = confusion(told)
    silent = counts.sum(axis=1) == 0

    for figures in (metrics.precision(counts), metrics.recall(counts), metrics.f1(counts)):
        assert (np.isnan(figures) == silent).all()
    assert np.nansum(metrics.shares_by_row(counts)) == pytest.approx((~silent).sum())


def test_the_brier_score_runs_from_sure_and_right_to_sure_and_wrong() -> None:
    truth = np.array([0, 1])

    assert metrics.brier(np.eye(2), truth) == 0
    assert metrics.brier(np.eye(2)[::-1], truth) == 2
    assert metrics.brier(np.full((2, 2), 0.5), truth) == pytest.approx(0.5)


def test_calibration_error_is_weighed_by_bins() -> None:
    confidence = np.array([1.0, 1.0, 1.0, 0.55])
    right = np.array([True, True, True, False])

    assert metrics.calibration_error(confidence, right) == pytest.approx(0.55 / 4)


def test_bins_hold_every_recording_and_empty_ones_are_left_out() -> None:
    bins = metrics.reliability(np.array([1.0, 0.95, 0.31]), np.array([True, False, True]))

    assert [(one.low, one.high, one.recordings, one.accuracy) for one in bins] == [
        (0.3, 0.4, 1, 1),
        (0.9, 1.0, 2, 0.5),
    ]


def test_the_interval_is_as_wide_as_speakers_differ() -> None:
    count = np.ones((2, 10, 1))
    half = np.zeros((2, 10, 1))
    half[:, :5] = 1

    assert interval_over_speakers(count, count, "uar") == (1, 1)
    low, high = interval_over_speakers(half, count, "accuracy") or (0, 0)
    assert 0.1 < low < 0.4
    assert 0.6 < high < 0.9


def test_more_seeds_do_not_pass_for_more_speakers() -> None:
    right = np.zeros((1, 8, 2))
    right[:, ::2] = 1
    count = np.ones_like(right)

    once = interval_over_speakers(right, count, "uar")
    often = interval_over_speakers(np.repeat(right, 5, 0), np.repeat(count, 5, 0), "uar")

    assert once == often


def test_two_speakers_are_too_few_for_an_interval() -> None:
    assert interval_over_speakers(np.ones((1, 2, 1)), np.ones((1, 2, 1)), "uar") is None


@pytest.mark.parametrize("recordings", [60, 300, 1000])
def test_the_calibration_error_by_chance_is_what_right_confidences_show(recordings: int) -> None:
    random = np.random.default_rng(0)
    confidence = random.uniform(0.2, 1.0, recordings)
    splits = random.uniform(size=(400, recordings)) < confidence

    shown = np.mean([metrics.calibration_error(confidence, right) for right in splits])

    assert metrics.calibration_error_by_chance(confidence) == pytest.approx(shown, rel=0.1)
