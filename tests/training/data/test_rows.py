"""All windows of a dataset at once: what is rare weighs as much as what is frequent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_items import made_dataset

from batchemo.training.data.rows import make_rows


def test_classes_items_and_windows_weigh_the_same_inside_corpora_with_fixed_shares() -> None:
    dataset = made_dataset("main", "second", "third")

    rows = make_rows(dataset, other_corpora_share=0.3)

    item_weights = np.bincount(rows.items, weights=rows.weights)
    for corpus, share in enumerate((0.7, 0.15, 0.15)):
        in_corpus = dataset.corpora == corpus
        labels = np.unique(dataset.labels[in_corpus])
        assert item_weights[in_corpus].sum() == pytest.approx(share)
        for label in labels:
            of_class = item_weights[in_corpus & (dataset.labels == label)]
            assert of_class.sum() == pytest.approx(share / len(labels))
            assert np.ptp(of_class) == pytest.approx(0)


def test_a_single_corpus_has_the_whole_weight() -> None:
    rows = make_rows(made_dataset("main"), other_corpora_share=0.3)

    assert rows.weights.sum() == pytest.approx(1)


def test_in_plain_speech_that_is_neutral_throughout_all_classes_compete() -> None:
    dataset = made_dataset("main", "plain")
    plain = replace(dataset, labels=np.where(dataset.corpora == 1, 0, dataset.labels))

    rows = make_rows(plain)

    assert rows.allowed[plain.corpora[rows.items] == 1].all()
