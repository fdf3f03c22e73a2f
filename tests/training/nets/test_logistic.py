"""Logistic regression: scikit-learn's where that can do it, and fair to corpora and speakers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_items import LABELS, made_example, made_items

from batchemo.training.data.dataset import Dataset, make_dataset
from batchemo.training.nets.logistic import (
    LogisticRegression,
    choose_l2,
    fit_regression,
    learn_regression,
    make_rows,
)

SPEAKERS = ("ann", "bob", "cy", "di")


def lessons_of(*corpora: str, labels: tuple[str, ...] = LABELS, hiss: float = 3.0) -> Dataset:
    """Four takes of each label by each speaker of each corpus, hard enough to tell apart."""
    examples = [
        made_example(f"{corpus}-{speaker}", label, take, corpus=corpus)
        for corpus in corpora
        for speaker in SPEAKERS
        for label in (labels if corpus == corpora[0] else labels[:2])
        for take in range(4)
    ]
    items = made_items(examples, shape=(6,), labels=labels, hiss=hiss)
    return make_dataset(items, labels, main_corpus=corpora[0])


def speakers_of(dataset: Dataset) -> list[str]:
    per_speaker = len(dataset.windows) // len(SPEAKERS)
    return [SPEAKERS[place // per_speaker] for place in range(len(dataset.windows))]


@pytest.mark.parametrize("labels", [LABELS, LABELS[:2]])
@pytest.mark.parametrize("l2", [1.0, 0.03])
def test_it_is_the_regression_of_scikit_learn(labels: tuple[str, ...], l2: float) -> None:
    from sklearn.linear_model import LogisticRegression

    rows = make_rows(lessons_of("made", labels=labels))
    ours = fit_regression(rows, l2)

    standard = (rows.vectors - ours.mean) / ours.spread
    theirs = LogisticRegression(C=1 / l2, tol=1e-8, max_iter=1000)
    if len(labels) == 2:  # two classes share one vector there, whose square then counts once
        theirs.set_params(C=2 / l2)
    theirs.fit(standard, rows.labels, sample_weight=rows.weights)
    told = np.exp(ours.logits(rows.vectors).astype(np.float64))
    told /= told.sum(axis=1, keepdims=True)
    assert told == pytest.approx(theirs.predict_proba(standard), abs=2e-3)


def test_the_features_are_scaled_by_weight() -> None:
    rows = make_rows(lessons_of("made"))
    learnt = fit_regression(rows, 0.1)
    mean = np.average(rows.vectors, axis=0, weights=rows.weights)
    variance = np.average((rows.vectors - mean) ** 2, axis=0, weights=rows.weights)
    assert learnt.mean == pytest.approx(mean, rel=1e-4)
    assert learnt.spread == pytest.approx(np.sqrt(variance), rel=1e-4)


@pytest.mark.parametrize("value", [0.0, 1e-6, -7.3, 1e4])
def test_a_feature_that_never_varies_has_no_say(value: float) -> None:
    dataset = lessons_of("made")
    windows = tuple(np.insert(one, 2, value, axis=1).astype(np.float32) for one in dataset.windows)
    with_it = fit_regression(make_rows(_with(dataset, windows)), 0.1)
    without = fit_regression(make_rows(dataset), 0.1)
    assert with_it.spread[2] == 1
    assert with_it.coefficients[2] == pytest.approx(np.zeros(3), abs=1e-4)
    assert np.delete(with_it.coefficients, 2, axis=0) == pytest.approx(
        without.coefficients, abs=1e-2
    )


def _with(dataset: Dataset, windows: tuple[np.ndarray, ...]) -> Dataset:
    return Dataset(windows, dataset.labels, dataset.corpora, dataset.recordings, dataset.classes)


def test_classes_items_and_windows_count_alike_and_corpora_as_told() -> None:
    dataset = lessons_of("home", "abroad", "afar")
    rows = make_rows(dataset, foreign=0.3)

    of_item = np.bincount(rows.items, weights=rows.weights)
    for corpus, share in enumerate((0.7, 0.15, 0.15)):
        here = dataset.corpora == corpus
        assert of_item[here].sum() == pytest.approx(share)
        for label in np.unique(dataset.labels[here]):
            own = of_item[here & (dataset.labels == label)]
            assert own.sum() == pytest.approx(share / len(np.unique(dataset.labels[here])))
            assert np.ptp(own) == pytest.approx(0)


def test_one_corpus_alone_counts_whole() -> None:
    assert make_rows(lessons_of("home"), foreign=0.3).weights.sum() == pytest.approx(1)


def test_a_corpus_teaches_nothing_about_classes_that_it_lacks() -> None:
    """Sad recordings exist at home only: those of abroad must not make sad less likely."""
    dataset = lessons_of("home", "abroad")
    rows = make_rows(dataset, foreign=0.9)
    free = replace(rows, possible=np.ones_like(rows.possible))

    sad = LABELS.index("sad")
    assert not rows.possible[dataset.corpora[rows.items] == 1, sad].any()
    fair, unfair = (
        (fit_regression(told, 0.1).logits(rows.vectors).argmax(axis=1) == sad)[rows.labels == sad]
        for told in (rows, free)
    )
    assert fair.mean() > unfair.mean() + 0.2


def test_a_start_changes_nothing() -> None:
    rows = make_rows(lessons_of("made"))
    cold = fit_regression(rows, 0.1)
    warm = fit_regression(rows, 0.1, start=fit_regression(rows, 1.0))
    assert warm.coefficients == pytest.approx(cold.coefficients, abs=5e-3)


def test_the_same_recordings_give_the_same_coefficients() -> None:
    dataset = lessons_of("made")
    first, second = (learn_regression(dataset, speakers_of(dataset)) for _ in range(2))
    assert (first.coefficients == second.coefficients).all()
    assert first.l2 == second.l2


@pytest.mark.parametrize(("hiss", "wanted"), [(0.3, 0.01), (60.0, 10.0)])
def test_what_carries_over_to_other_speakers_is_learnt_harder(hiss: float, wanted: float) -> None:
    dataset = lessons_of("made", hiss=hiss)
    rows = make_rows(dataset)
    assert choose_l2(rows, speakers_of(dataset), (10.0, 0.1, 0.01)) == wanted


def test_a_single_speaker_can_choose_nothing() -> None:
    dataset = lessons_of("made")
    assert choose_l2(make_rows(dataset), ["ann"] * len(dataset.windows), (0.5, 0.1)) == 0.5


def test_logits_are_what_a_dense_layer_behind_a_scaling_gives() -> None:
    learnt = learn_regression(dataset := lessons_of("made"), speakers_of(dataset))
    assert isinstance(learnt, LogisticRegression)
    parts = (learnt.mean, learnt.spread, learnt.coefficients, learnt.bias)
    assert [part.shape for part in parts] == [(6,), (6,), (6, 3), (3,)]
    assert {part.dtype for part in parts} == {np.dtype(np.float32)}
    window = dataset.windows[0]
    by_hand = ((window - learnt.mean) / learnt.spread) @ learnt.coefficients + learnt.bias
    assert learnt.logits(window) == pytest.approx(by_hand, abs=1e-5)
    assert learnt.logits(window).dtype == np.float32
