"""What a net is fitted to: items with the numbers of their labels, corpora and recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from batchemo.common.arrays import Float32, Index
from batchemo.training.data.augment_spectrogram import sounding
from batchemo.training.data.feature_store import FeatureItem


def balanced_weights(labels: Index, classes: int) -> npt.NDArray[np.float32]:
    """The weight of each class, so that all classes weigh the same and the mean item weighs 1.

    >>> balanced_weights(np.array([0, 0, 0, 0, 1, 1]), 2).tolist()
    [0.75, 1.5]
    """
    counts = np.bincount(labels, minlength=classes)
    present = np.count_nonzero(counts)
    weights = len(labels) / (present * np.maximum(counts, 1))
    return np.where(counts > 0, weights, 0).astype(np.float32)


def oversampled(labels: Index, random: np.random.Generator) -> Index:
    """The places of all items, and again of some of the small classes, until classes are equal.

    An item's turns differ by one at most from those of any other item of its class.

    >>> places = oversampled(np.array([0, 0, 0, 1]), np.random.default_rng(0))
    >>> sorted(places.tolist())
    [0, 1, 2, 3, 3, 3]
    """
    most = int(np.bincount(labels).max())
    places = []
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        turns, rest = divmod(most, len(own))
        places += [own] * turns + [random.permutation(own)[:rest]]
    return np.concatenate(places)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Items in a fixed order: the windows of each, and what it is by number."""

    windows: tuple[Float32, ...]
    labels: Index
    corpora: Index
    """The corpus of each item; 0 is the one that is called home, or the first item's."""
    recordings: Index
    """The recording behind each item; its copies have the same number."""
    classes: int
    """How many labels there are, whether or not all have items."""
    floor: float | None = None
    """What the padding of pictures is made of; None where it is not told from sound."""

    def scaling(self) -> tuple[Float32, Float32]:
        """The mean and the spread of each feature; where nothing varies, the spread is 1."""
        # Chunk by chunk: all frames of a corpus as float64 would take gigabytes.
        width = self.windows[0].shape[-1]
        total, squares, count = np.zeros(width), np.zeros(width), 0
        for place in range(len(self.windows)):
            rows = self._rows(place).astype(np.float64)
            total += rows.sum(axis=0)
            count += len(rows)
        mean = total / count
        for place in range(len(self.windows)):
            squares += ((self._rows(place) - mean) ** 2).sum(axis=0)
        spread = np.sqrt(squares / count)
        spread[spread < 1e-12] = 1.0
        return mean.astype(np.float32), spread.astype(np.float32)

    def _rows(self, place: int) -> Float32:
        """The frames of an item, or its vectors; no padding where that can be told."""
        rows = self.windows[place].reshape(-1, self.windows[place].shape[-1])
        return rows if self.floor is None else rows[sounding(rows, self.floor)]


def make_dataset(
    items: Sequence[FeatureItem],
    labels: Sequence[str],
    *,
    main_corpus: str | None = None,
    floor: float | None = None,
) -> Dataset:
    """Number what the items are: labels by their places among all, the rest as it comes."""
    return Dataset(
        tuple(item.windows for item in items),
        np.array([labels.index(item.example.emotion) for item in items], np.intp),
        _numbers([item.example.corpus for item in items], main_corpus),
        _numbers([item.example.digest for item in items]),
        len(labels),
        floor,
    )


def _numbers(names: Sequence[str], first: str | None = None) -> Index:
    """A number for each name, in the order of their coming; `first` is 0 where it comes."""
    order = sorted(dict.fromkeys(names), key=lambda name: name != first)
    known = {name: number for number, name in enumerate(order)}
    return np.array([known[name] for name in names], np.intp)
