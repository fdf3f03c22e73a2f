"""Logistic regression: scikit-learn's where that can do it, and fair to corpora and speakers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_items import LABELS, SPEAKERS, made_dataset

from batchemo.training.data.dataset import Dataset
from batchemo.training.data.rows import make_rows
from batchemo.training.nets.logistic import (
    LogisticRegression,
    fit_logistic,
    select_l2,
    train_logistic,
)


def speakers_of(dataset: Dataset) -> list[str]:
    """Return the speaker of each item of a dataset of one corpus."""
    items_per_speaker = len(dataset.windows) // len(SPEAKERS)
    return [SPEAKERS[item // items_per_speaker] for item in range(len(dataset.windows))]


@pytest.mark.parametrize("labels", [LABELS, LABELS[:2]])
@pytest.mark.parametrize("l2", [1.0, 0.03])
def test_it_is_the_regression_of_scikit_learn(labels: tuple[str, ...], l2: float) -> None:
    from sklearn.linear_model import LogisticRegression as Reference

    rows = make_rows(made_dataset("made", labels=labels))
    fitted = fit_logistic(rows, l2)

    standardised = (rows.vectors - fitted.mean) / fitted.std
    reference = Reference(C=1 / l2, tol=1e-8, max_iter=1000)
    if len(labels) == 2:  # Two classes share one vector there, whose square then counts once.
        reference.set_params(C=2 / l2)
    reference.fit(standardised, rows.labels, sample_weight=rows.weights)
    predicted = np.exp(fitted.logits(rows.vectors).astype(np.float64))
    predicted /= predicted.sum(axis=1, keepdims=True)
    assert predicted == pytest.approx(reference.predict_proba(standardised), abs=2e-3)


def test_features_are_standardised_by_weighted_mean_and_deviation() -> None:
    rows = make_rows(made_dataset("made"))

    fitted = fit_logistic(rows, 0.1)

    mean = np.average(rows.vectors, axis=0, weights=rows.weights)
    variance = np.average((rows.vectors - mean) ** 2, axis=0, weights=rows.weights)
    assert fitted.mean == pytest.approx(mean, rel=1e-4)
    assert fitted.std == pytest.approx(np.sqrt(variance), rel=1e-4)


@pytest.mark.parametrize("value", [0.0, 1e-6, -7.3, 1e4])
def test_a_constant_feature_changes_nothing(value: float) -> None:
    dataset = made_dataset("made")
    windows = tuple(
        np.insert(of_item, 2, value, axis=1).astype(np.float32) for of_item in dataset.windows
    )

    with_it = fit_logistic(make_rows(replace(dataset, windows=windows)), 0.1)

    without = fit_logistic(make_rows(dataset), 0.1)
    assert with_it.std[2] == 1
    assert with_it.coefficients[2] == pytest.approx(np.zeros(3), abs=1e-4)
    assert np.delete(with_it.coefficients, 2, axis=0) == pytest.approx(
        without.coefficients, abs=1e-2
    )


def test_a_corpus_has_no_influence_on_classes_that_it_lacks() -> None:
    """Sad recordings exist in the main corpus only: the other must not make sad less likely."""
    dataset = made_dataset("main", "other")
    rows = make_rows(dataset, other_corpora_share=0.9)
    all_allowed = replace(rows, allowed=np.ones_like(rows.allowed))
    sad = LABELS.index("sad")

    assert not rows.allowed[dataset.corpora[rows.items] == 1, sad].any()
    masked, unmasked = (
        np.mean(
            fit_logistic(one, 0.1).logits(rows.vectors).argmax(axis=1)[rows.labels == sad] == sad
        )
        for one in (rows, all_allowed)
    )
    assert masked > unmasked + 0.2


def test_a_start_does_not_change_the_result() -> None:
    rows = make_rows(made_dataset("made"))

    cold = fit_logistic(rows, 0.1)
    warm = fit_logistic(rows, 0.1, start=fit_logistic(rows, 1.0))

    assert warm.coefficients == pytest.approx(cold.coefficients, abs=5e-3)


def test_the_same_recordings_give_the_same_coefficients() -> None:
    dataset = made_dataset("made")

    first, second = (train_logistic(dataset, speakers_of(dataset)) for _ in range(2))

    assert (first.coefficients == second.coefficients).all()
    assert first.l2 == second.l2


@pytest.mark.parametrize(("noise", "expected"), [(0.3, 0.01), (60.0, 10.0)])
def test_the_selected_l2_is_the_weaker_the_better_speakers_predict_each_other(
    noise: float, expected: float
) -> None:
    dataset = made_dataset("made", noise=noise)

    selected = select_l2(make_rows(dataset), speakers_of(dataset), (10.0, 0.1, 0.01))

    assert selected == expected


def test_with_a_single_speaker_the_first_l2_is_taken() -> None:
    dataset = made_dataset("made")

    assert select_l2(make_rows(dataset), ["ann"] * len(dataset.windows), (0.5, 0.1)) == 0.5


def test_logits_are_those_of_a_dense_layer_after_standardisation() -> None:
    dataset = made_dataset("made")
    fitted = train_logistic(dataset, speakers_of(dataset))
    window = dataset.windows[0]

    logits = fitted.logits(window)

    parameters = (fitted.mean, fitted.std, fitted.coefficients, fitted.bias)
    assert isinstance(fitted, LogisticRegression)
    assert [array.shape for array in parameters] == [(6,), (6,), (6, 3), (3,)]
    assert {array.dtype for array in parameters} == {np.dtype(np.float32)}
    by_hand = ((window - fitted.mean) / fitted.std) @ fitted.coefficients + fitted.bias
    assert logits == pytest.approx(by_hand, abs=1e-5)
    assert logits.dtype == np.float32


def test_a_single_l2_is_taken_without_a_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = made_dataset("a")
    monkeypatch.delattr("batchemo.training.nets.logistic.fit_logistic")

    assert select_l2(make_rows(dataset), speakers_of(dataset), (0.5,)) == 0.5
