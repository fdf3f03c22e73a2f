"""The head that is fitted: the base at first, and away from it as far as answers warrant."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from adaptation_examples import LABELS, corpus_of, make_examples
from scipy.special import log_softmax

from batchemo.adaptation.fit import (
    BaseOutput,
    balanced_weights,
    fit_head,
    normalised,
)

BASE = BaseOutput.for_labels(LABELS, LABELS)


def test_with_more_answers_the_weights_go_further_from_the_base() -> None:
    few, many = (fit_head(each, BASE, corpus_of(each)) for each in map(make_examples, (12, 120)))
    assert np.square(many.weights).sum() > 1.5 * np.square(few.weights).sum()


def test_the_accent_of_the_base_is_in_the_bias() -> None:
    examples = make_examples(60)
    fit = fit_head(examples, BASE, corpus_of(examples))
    assert fit.bias.argmin() == 1


def test_it_is_the_least_of_the_penalised_loss() -> None:
    examples = make_examples(24)
    corpus = corpus_of(examples)
    fit = fit_head(examples, BASE, corpus)
    weights = balanced_weights(examples.classes) / examples.window_counts()
    of_window = weights[examples.example_of_window]
    classes = examples.classes[examples.example_of_window]
    embedding = normalised(examples, corpus)

    def loss(scale: float, bias: np.ndarray, matrix: np.ndarray) -> float:
        logits = scale * examples.log_probabilities + bias + embedding @ matrix
        logs = log_softmax(logits, axis=1)[np.arange(len(classes)), classes]
        penalty = 0.5 * (scale - 1) ** 2 + 0.5 * bias @ bias + 5 / 24 * np.square(matrix).sum()
        return float(-(of_window * logs).sum() + penalty)

    least = loss(fit.scale, fit.bias, fit.weights)
    random = np.random.default_rng(0)
    for _ in range(20):
        near = (
            fit.scale + 0.05 * random.normal(),
            fit.bias + 0.05 * random.normal(size=3),
            fit.weights + 0.02 * random.normal(size=fit.weights.shape),
        )
        assert loss(*near) > least


def test_classes_weigh_the_same_however_often_they_were_answered() -> None:
    examples = make_examples(60, accent=0.0, signal=0.0)
    rare = np.flatnonzero(examples.classes == 2)[:3]
    chosen = np.sort(np.concatenate([np.flatnonzero(examples.classes != 2), rare]))
    few = examples.select(chosen)
    fit = fit_head(few, BASE, corpus_of(few))
    assert np.abs(fit.bias).max() < 1.0


def test_the_head_computes_the_same_from_what_the_base_gives() -> None:
    examples = make_examples(24)
    corpus = corpus_of(examples)
    base = BaseOutput.for_labels(LABELS, ("sad", "bored", "happy"))
    relabelled = make_examples(24)
    fit = fit_head(relabelled, base, corpus)
    head = fit.to_head(base, corpus)
    expected = fit.logits(base.of(examples.log_probabilities), normalised(examples, corpus))
    found = head.logits(examples.log_probabilities, examples.embedding)
    assert found == pytest.approx(expected)


def test_a_label_that_the_base_lacks_becomes_likely_where_it_was_answered() -> None:
    examples = make_examples(30)
    more = replace(examples, labels=(*LABELS, "bored"), classes=np.full(30, 3))
    base = BaseOutput.for_labels(LABELS, more.labels)
    fit = fit_head(more, base, corpus_of(examples))
    logits = fit.logits(base.of(more.log_probabilities), normalised(more, corpus_of(examples)))
    assert (logits.argmax(axis=1) == 3).all()


def test_embeddings_of_float32_are_not_copied_to_float64() -> None:
    examples = make_examples(30)
    fit = fit_head(examples, BASE, corpus_of(examples))
    embedding = normalised(examples, corpus_of(examples))
    expected = fit.logits(examples.log_probabilities, embedding)
    many = np.tile(embedding.astype(np.float32), (500, 8))
    wide = replace(fit, weights=np.tile(fit.weights / 8, (8, 1)))
    tracemalloc.start()
    found = wide.logits(np.tile(examples.log_probabilities, (500, 1)), many)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found[: len(expected)] == pytest.approx(expected, abs=1e-4)
    assert peak < many.nbytes
