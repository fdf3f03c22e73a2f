"""All windows of a dataset at once, weighted: for what is fitted in one step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from batchemo.common.arrays import Bool, Float32, Float64, Index
from batchemo.training.data.dataset import Dataset


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The windows to fit to, one row each."""

    vectors: Float32
    """(rows, features)"""
    labels: Index
    weights: Float64
    """How much each row counts in the loss."""
    allowed: Bool
    """Which classes compete for each row, (rows, classes): see `Dataset.competing_classes`."""
    items: Index
    """The item of the dataset that each row is a window of."""


def make_rows(dataset: Dataset, *, other_corpora_share: float = 0.1) -> Rows:
    """Return all windows of all items, weighted.

    In each corpus all classes weigh the same, in a class all items, in an item all windows. The
    corpora other than the main one share `other_corpora_share` of the sum evenly.
    """
    windows_of_item = np.array([len(windows) for windows in dataset.windows])
    items = np.repeat(np.arange(len(windows_of_item)), windows_of_item)
    item_counts = np.zeros((dataset.corpora.max() + 1, dataset.classes))
    np.add.at(item_counts, (dataset.corpora, dataset.labels), 1)
    others = len(item_counts) - 1
    main_share = 1 - other_corpora_share if others else 1.0
    corpus_weights = np.array([main_share, *[other_corpora_share / max(1, others)] * others])
    class_weights = corpus_weights / (item_counts > 0).sum(axis=1)
    item_weights = class_weights[dataset.corpora] / item_counts[dataset.corpora, dataset.labels]
    row_weights = item_weights / windows_of_item
    return Rows(
        np.concatenate(dataset.windows),
        dataset.labels[items],
        row_weights[items],
        dataset.competing_classes()[dataset.corpora[items]],
        items,
    )
