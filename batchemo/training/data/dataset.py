"""What a net is fitted to: feature items with the indices of their labels, corpora, recordings."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from batchemo.common.arrays import Bool, Float32, Index
from batchemo.training.data.feature_store import FeatureItem


@dataclass(frozen=True, slots=True)
class Dataset:
    """Items in a fixed order: the windows of each, and the indices of what it is."""

    windows: tuple[Float32, ...]
    labels: Index
    corpora: Index
    """The corpus of each item; 0 is the main corpus where one is named, or the first item's."""
    recordings: Index
    """The recording behind each item; all variants of a recording have the same index."""
    speakers: Index
    """The speaker of each item; in a corpus, all that are not known are one."""
    classes: int
    """How many labels there are, whether or not all have items."""

    def mean_and_std(self) -> tuple[Float32, Float32]:
        """Return the mean and standard deviation of each feature; 1 where a feature is constant."""
        # Item by item, and in two passes: all frames of a corpus as float64 would take gigabytes,
        # and the mean of squares minus the square of the mean would lose the small deviations.
        width = self.windows[0].shape[-1]
        total, squares, count = np.zeros(width), np.zeros(width), 0
        for index in range(len(self.windows)):
            rows = self._rows(index).astype(np.float64)
            total += rows.sum(axis=0)
            count += len(rows)
        mean = total / count
        for index in range(len(self.windows)):
            squares += ((self._rows(index) - mean) ** 2).sum(axis=0)
        std = np.sqrt(squares / count)
        std[std < 1e-12] = 1.0
        return mean.astype(np.float32), std.astype(np.float32)

    def competing_classes(self) -> Bool:
        """Return which classes compete for the items of each corpus, (corpora, classes).

        They are those that the corpus has: that its speakers were asked for no other says nothing
        about their voices. A corpus of a single class (plain speech, neutral throughout) would
        then teach nothing, as there is nothing to tell it from; that nothing else is expressed is
        just what it says, so all classes of the dataset compete for it.
        """
        competing = np.zeros((self.corpora.max() + 1, self.classes), np.bool_)
        competing[self.corpora, self.labels] = True
        single = competing.sum(axis=1) == 1
        competing[single] = competing.any(axis=0)
        return competing

    def _rows(self, index: int) -> Float32:
        """Return the frames or vectors of an item."""
        return self.windows[index].reshape(-1, self.windows[index].shape[-1])


def make_dataset(
    items: Sequence[FeatureItem],
    labels: Sequence[str],
    *,
    main_corpus: str | None = None,
) -> Dataset:
    """Return the dataset of items whose emotions are among the labels."""
    return Dataset(
        tuple(item.windows for item in items),
        np.array([labels.index(item.example.emotion) for item in items], np.intp),
        _indices([item.example.corpus for item in items], main_corpus),
        _indices([item.example.digest for item in items]),
        _indices([(item.example.corpus, item.example.speaker) for item in items]),
        len(labels),
    )


def _indices(names: Sequence[Hashable], first: Hashable = None) -> Index:
    """Return an index for each name, in the order of first occurrence; `first` gets 0."""
    order = sorted(dict.fromkeys(names), key=lambda name: name != first)
    index_of = {name: index for index, name in enumerate(order)}
    return np.array([index_of[name] for name in names], np.intp)


def balanced_weights(labels: Index, classes: int) -> Float32:
    """Return a weight for each class: classes weigh the same in sum, and the mean item weighs 1.

    >>> balanced_weights(np.array([0, 0, 0, 0, 1, 1]), 2).tolist()
    [0.75, 1.5]
    """
    counts = np.bincount(labels, minlength=classes)
    present = np.count_nonzero(counts)
    weights = len(labels) / (present * np.maximum(counts, 1))
    return np.where(counts > 0, weights, 0).astype(np.float32)


def oversample(labels: Index, random: np.random.Generator) -> Index:
    """Return the indices of all items, those of small classes repeated until classes are equal.

    How often an item is repeated differs by one at most from any other item of its class.

    >>> indices = oversample(np.array([0, 0, 0, 1]), np.random.default_rng(0))
    >>> sorted(indices.tolist())
    [0, 1, 2, 3, 3, 3]
    """
    largest = int(np.bincount(labels).max())
    indices = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        repeats, rest = divmod(largest, len(members))
        indices += [members] * repeats + [random.permutation(members)[:rest]]
    return np.concatenate(indices)
