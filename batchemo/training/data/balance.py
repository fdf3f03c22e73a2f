"""What small classes get so that a net does not forget them: weights, or more turns."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from batchemo.common.arrays import Index


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
