"""Familiarity: a half for what is typical of the training recordings, none for what is far away."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_items import LABELS, made_example, made_items

from batchemo.common.arrays import Float32
from batchemo.training.data.dataset import Dataset, make_dataset
from batchemo.training.nets.familiarity import (
    EMBEDDING_SIZE,
    Familiarity,
    build_familiarity,
    fit_familiarity,
)

WIDTH = 300


def encodings(corpus: str, speakers: str, shift: float = 0.0) -> Dataset:
    examples = [
        made_example(speaker, label, take, corpus=corpus)
        for speaker in speakers
        for label in LABELS
        for take in range(25)
    ]
    dataset = make_dataset(made_items(examples, shape=(WIDTH,), noise=1.0), LABELS)
    return replace(dataset, windows=tuple(windows + shift for windows in dataset.windows))


TRAINED = encodings("made", "abcdefghij")


def vectors(dataset: Dataset) -> Float32:
    return np.concatenate(dataset.windows)


@pytest.fixture(scope="module")
def fitted() -> Familiarity:
    return fit_familiarity(TRAINED)


def test_it_is_a_half_on_the_training_recordings_and_near_0_far_away(fitted: Familiarity) -> None:
    scores = fitted.score(vectors(TRAINED))
    far = fitted.score(vectors(encodings("made", "a", shift=50.0)))

    assert np.median(scores) == pytest.approx(0.5, abs=0.05)
    assert scores.min() < 0.2
    assert scores.max() > 0.8
    assert far.max() < 0.01


def test_what_is_very_far_away_has_a_familiarity_without_overflow(fitted: Familiarity) -> None:
    with np.errstate(over="raise"):
        far = fitted.score(np.full((1, WIDTH), 1e18, np.float32))

    assert 0 <= far[0] < 1e-6


def test_the_embedding_has_mean_0_and_the_deviations_of_its_directions(
    fitted: Familiarity,
) -> None:
    embedding = fitted.embed(vectors(TRAINED))

    assert embedding.shape == (len(vectors(TRAINED)), EMBEDDING_SIZE)
    assert embedding.mean(axis=0) == pytest.approx(0, abs=1e-2)
    assert embedding.std(axis=0) == pytest.approx(fitted.deviations, rel=1e-2)
    # The directions in which recordings differ most come first.
    assert (np.diff(fitted.deviations) <= 0).all()
    assert fitted.deviations[0] > 2 * fitted.deviations[-1]
    assert fitted.standardise(vectors(TRAINED)).std(axis=0) == pytest.approx(1, abs=1e-2)


def test_fewer_numbers_than_an_embedding_has_give_as_many() -> None:
    narrow = replace(TRAINED, windows=tuple(windows[:, :5] for windows in TRAINED.windows))

    assert fit_familiarity(narrow).embed(vectors(narrow)).shape[1] == 5


def test_few_windows_give_few_directions_so_that_others_like_them_are_familiar_too() -> None:
    windows = np.random.default_rng(0).permutation(vectors(TRAINED))
    few = replace(TRAINED, windows=(windows[:60],), corpora=np.zeros(1, np.intp))

    fitted = fit_familiarity(few)

    assert fitted.embed(windows).shape[1] == 6
    assert np.median(fitted.score(windows[60:])) > 0.1


def test_each_corpus_weighs_the_same_however_many_recordings_it_has() -> None:
    small = encodings("small", "a", shift=5.0)
    both = replace(
        TRAINED,
        windows=TRAINED.windows + small.windows,
        corpora=np.concatenate([TRAINED.corpora, small.corpora + 1]),
    )

    fitted = fit_familiarity(both)

    means = [fitted.embed(vectors(part)).mean(axis=0) for part in (TRAINED, small)]
    assert np.mean(means, axis=0) == pytest.approx(0, abs=1e-3)
    assert np.abs(means[0]).max() > 0.5


@pytest.mark.tensorflow
def test_the_net_gives_the_same(fitted: Familiarity) -> None:
    given = np.concatenate([vectors(TRAINED)[:20], vectors(encodings("made", "a", 3.0))[:5]])

    outputs = build_familiarity(fitted)(given)

    np.testing.assert_allclose(outputs["embedding"], fitted.embed(given), atol=1e-4)
    assert outputs["familiarity"].shape == (25, 1)
    np.testing.assert_allclose(outputs["familiarity"][:, 0], fitted.score(given), atol=1e-4)
