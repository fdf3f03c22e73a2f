"""Probabilities are adapted to each speaker alone, whatever order and chunks they come in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchemo.bundles import softmax
from batchemo.bundles.speaker_adaptation import SpeakerMeans, adapt, log_probabilities

SEEDS = st.integers(0, 2**32 - 1)


def made_probabilities(seed: int, count: int = 12, labels: int = 9) -> np.ndarray:
    """Return random probabilities as a table holds them, in single precision."""
    scores = np.random.default_rng(seed).normal(scale=3, size=(count, labels))
    return softmax(scores).astype(np.float32)


def test_the_mean_probability_is_divided_by_to_the_power_of_n_in_n_plus_8() -> None:
    probabilities = made_probabilities(1).astype(np.float64)
    expected = probabilities / probabilities.mean(axis=0) ** (12 / 20)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(adapt(np.log(probabilities)), expected, atol=1e-7)


def test_a_label_that_is_almost_excluded_does_not_dominate() -> None:
    # By the mean of the logarithms, -12.6 for b, b would become ten thousand times as likely.
    probabilities = np.array([[0.9, 1e-8, 0.1], [0.5, 0.4, 0.1], [0.9, 1e-8, 0.1]] * 8)
    adapted = adapt(log_probabilities(probabilities / probabilities.sum(axis=1, keepdims=True)))
    assert adapted[0].argmax() == 0
    assert adapted[0, 1] < 1e-6


def test_logits_give_the_same_as_log_probabilities() -> None:
    logits = np.random.default_rng(2).normal(size=(6, 3))
    np.testing.assert_allclose(adapt(logits), adapt(np.log(softmax(logits))), atol=1e-7)


def test_half_of_the_errors_by_a_bias_of_the_speaker_are_corrected() -> None:
    unbiased = np.random.default_rng(3).normal(size=(200, 4))
    biased = unbiased + np.array([1.0, -0.5, 0.0, -0.5])
    assert (biased.argmax(axis=1) != unbiased.argmax(axis=1)).mean() > 0.25
    assert (adapt(biased).argmax(axis=1) != unbiased.argmax(axis=1)).mean() < 0.15


@given(SEEDS, st.data())
def test_neither_order_nor_chunks_change_a_bit(seed: int, data: st.DataObject) -> None:
    logs = log_probabilities(made_probabilities(seed))
    names = data.draw(st.lists(st.sampled_from(["a", "b", None]), min_size=12, max_size=12))
    order = data.draw(st.permutations(range(12)))
    cut = data.draw(st.integers(0, 12))
    at_once, in_chunks = SpeakerMeans(), SpeakerMeans()
    at_once.add(names, logs)
    for chunk in (order[:cut], order[cut:]):
        in_chunks.add([names[index] for index in chunk], logs[chunk])
    whole = at_once.adapt(names, logs)
    alone = [in_chunks.adapt([name], log[None])[0] for name, log in zip(names, logs, strict=True)]
    assert whole.tobytes() == np.stack(alone).tobytes()


@given(SEEDS)
def test_other_speakers_do_not_change_a_speaker(seed: int) -> None:
    logs = log_probabilities(made_probabilities(seed))
    speakers = SpeakerMeans()
    speakers.add(["a"] * 5 + ["b"] * 7, logs)
    assert speakers.adapt(["a"] * 5, logs[:5]).tobytes() == adapt(logs[:5]).tobytes()


def test_recordings_of_unknown_speakers_are_not_adapted() -> None:
    logs = log_probabilities(made_probabilities(4))
    speakers = SpeakerMeans()
    speakers.add([None] * 11 + ["a"], logs)
    np.testing.assert_allclose(speakers.adapt([None, "unseen"], logs[:2]), np.exp(logs[:2]))


def test_each_of_several_models_is_adapted_by_its_own_probabilities() -> None:
    one, other = log_probabilities(made_probabilities(5)), log_probabilities(made_probabilities(6))
    speakers, names = SpeakerMeans(), ["a"] * 12
    both = np.stack([one, other], axis=1)
    speakers.add(names, both)
    expected = np.stack([adapt(one), adapt(other)], axis=1)
    assert speakers.adapt(names, both).tobytes() == expected.tobytes()


def test_with_class_shares_they_are_divided_by_the_mean_and_multiplied_by_the_shares() -> None:
    probabilities, shares = made_probabilities(7, labels=3).astype(float), np.array([0.7, 0.2, 0.1])
    means, corpus = SpeakerMeans(), ["corpus"] * 12
    means.add(corpus, np.log(probabilities))
    adapted = means.adapt(
        [None] * 12, np.log(probabilities), corpora=corpus, log_shares=np.log(shares)
    )
    expected = shares * probabilities / probabilities.mean(axis=0) ** (12 / 20)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(adapted, expected, atol=1e-7)


def test_the_fewer_recordings_of_a_speaker_the_more_the_bias_of_the_corpus_counts() -> None:
    logs = log_probabilities(made_probabilities(8, labels=3))
    means, corpus = SpeakerMeans(), ["corpus"] * 12
    means.add(["one"] * 4 + ["other"] * 8, logs)
    means.add(corpus, logs)
    of_one, of_corpus = np.exp(logs[:4]).mean(axis=0), np.exp(logs).mean(axis=0)
    divisor = of_one ** (4 / 12) * of_corpus ** (12 / 20 * 8 / 12)
    expected = np.exp(logs[:4]) / divisor
    expected /= expected.sum(axis=1, keepdims=True)
    adapted = means.adapt(["one"] * 4, logs[:4], corpora=corpus[:4])
    np.testing.assert_allclose(adapted, expected, atol=1e-7)


def test_labels_that_the_corpus_does_not_have_stay_impossible() -> None:
    logs = log_probabilities(made_probabilities(9, labels=3))
    logs[:, 1] = -np.inf
    means, corpus = SpeakerMeans(), ["corpus"] * 12
    means.add(corpus, logs)
    adapted = means.adapt([None] * 12, logs, corpora=corpus, log_shares=np.zeros(3))
    assert (adapted[:, 1] == 0).all()
    np.testing.assert_allclose(adapted.sum(axis=1), 1)


def test_probabilities_of_0_and_1_stay_finite() -> None:
    adapted = adapt(log_probabilities([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]))
    assert np.isfinite(adapted).all()
    np.testing.assert_allclose(adapted.sum(axis=1), 1)


def test_as_many_names_as_recordings_are_needed() -> None:
    for names in (["a"], ["a", "b", "a"]):
        with pytest.raises(ValueError, match="2 recordings and the speakers of"):
            SpeakerMeans().add(names, np.zeros((2, 3)))
