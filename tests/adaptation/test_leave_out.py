"""Left-out answers have no part in what is said of them."""

from __future__ import annotations

import numpy as np
import pytest
from adaptation_examples import LABELS, corpus_of, make_examples
from hypothesis import given
from hypothesis import strategies as st

from batchemo.adaptation.fit import BaseOutput
from batchemo.adaptation.leave_out import (
    MAX_FOLDS,
    assess,
    assign_folds,
    base_probabilities,
    recording_probabilities,
)

BASE = BaseOutput.for_labels(LABELS, LABELS)


@given(st.lists(st.tuples(st.text(max_size=2), st.integers(0, 2)), min_size=1, max_size=60))
def test_groups_stay_together_and_folds_are_not_empty(answers: list[tuple[str, int]]) -> None:
    groups = [group for group, _ in answers]
    folds = assign_folds(groups, np.array([label for _, label in answers]))
    assert len(set(zip(groups, folds.tolist(), strict=True))) == len(set(groups))
    count = min(MAX_FOLDS, len(set(groups)))
    assert sorted(set(folds.tolist())) == list(range(count))


def test_folds_do_not_depend_on_the_order_of_the_answers() -> None:
    groups = [str(index) for index in range(50)]
    classes = np.arange(50) % 3
    order = np.random.default_rng(0).permutation(50)
    shuffled = assign_folds([groups[index] for index in order], classes[order])
    assert shuffled.tolist() == assign_folds(groups, classes)[order].tolist()


def test_embeddings_that_tell_the_classes_help() -> None:
    examples = make_examples(45)
    groups = [key.file for key in examples.keys]
    found = assess(examples, BASE, corpus_of(examples), groups)
    before, after = (
        (probabilities.argmax(axis=1) == examples.classes).mean()
        for probabilities in (found.before, found.after)
    )
    assert after > before + 0.2
    assert found.folds == MAX_FOLDS


def test_labels_by_chance_are_not_learnt() -> None:
    """A head that had seen what it is tested on would be right of most of it."""
    examples = make_examples(45, accent=0.0, signal=0.0)
    random = np.random.default_rng(3)
    noise = type(examples)(
        examples.labels,
        random.integers(0, 3, 45),
        examples.keys,
        examples.example_of_window,
        examples.embedding,
        examples.log_probabilities,
    )
    found = assess(noise, BASE, corpus_of(noise), [key.file for key in noise.keys])
    assert (found.after.argmax(axis=1) == noise.classes).mean() < 0.5


def test_probabilities_are_the_mean_over_windows() -> None:
    examples = make_examples(4)
    logits = examples.log_probabilities
    found = recording_probabilities(logits, examples)
    assert found[0] == pytest.approx(np.exp(logits[examples.example_of_window == 0]).mean(axis=0))
    assert found.sum(axis=1) == pytest.approx(np.ones(4))


def test_the_base_says_nothing_of_labels_that_it_lacks() -> None:
    examples = make_examples(4)
    found = base_probabilities(examples, BaseOutput.for_labels(LABELS, ("sad", "bored")))
    assert found.tolist() == [[1.0, 0.0]] * 4
    nothing = base_probabilities(examples, BaseOutput.for_labels(LABELS, ("bored", "tired")))
    assert nothing.tolist() == [[0.5, 0.5]] * 4
