"""A random sample in strata of confidence, from which figures of all recordings can be estimated.

The order of the sample follows from the names of the recordings and a seed alone, so that nothing
needs to be written down to know later which answers belong to it: from each stratum, the first
ones in that order, as far as they are answered. Answers that another queue asked for are among them
only where their turn had come anyway.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from hashlib import blake2b

import numpy as np

from batchemo.common.arrays import Bool, Float32, Float64, Index
from batchemo.review.candidates import Candidates
from batchemo.tables.labels import Key

EDGES = (0.4, 0.6, 0.8, 0.9)
"""Where the strata of confidence meet. Fixed, so that new recordings change none of them."""


def strata_of(confidence: Float32) -> Index:
    """Return the stratum of each confidence.

    >>> strata_of(np.array([0.2, 0.4, 0.95], np.float32)).tolist()
    [0, 1, 4]
    """
    return np.digitize(confidence, np.array(EDGES, np.float32))


def random_order(keys: Sequence[Key], strata: Index, *, seed: int = 0) -> Index:
    """Return all rows in the order in which a sample takes them.

    A stratum gets a share of any sample by the root of its size: few strata of rare confidences
    would else have next to nothing, or common ones too little.
    """
    numbers = np.fromiter((_number(key, seed) for key in keys), np.uint64, len(keys))
    turns = np.empty(len(keys))
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        rows = rows[np.argsort(numbers[rows], kind="stable")]
        turns[rows] = (np.arange(len(rows)) + 0.5) / np.sqrt(len(rows))
    return np.lexsort((numbers, turns))


def sampled_rows(order: Index, strata: Index, answered: Bool) -> Bool:
    """Return which rows are a random sample: in each stratum, those answered before the first gap.

    >>> order, strata = np.array([2, 0, 1, 3]), np.array([0, 0, 1, 1])
    >>> sampled_rows(order, strata, np.array([False, True, True, False])).tolist()
    [False, False, True, False]
    """
    sampled = np.zeros(len(order), bool)
    for stratum in np.unique(strata):
        rows = order[strata[order] == stratum]
        gaps = np.flatnonzero(~answered[rows])
        sampled[rows[: gaps[0]] if len(gaps) else rows] = True
    return sampled


def sampling_weights(strata: Index, taken: Bool) -> Float64:
    """Return how many rows each taken one stands for; 0 for the others.

    A stratum without a taken row counts with its nearest one that has some.

    >>> sampling_weights(np.array([0, 0, 0, 1]), np.array([True, False, False, True])).tolist()
    [3.0, 0.0, 0.0, 1.0]
    """
    weights = np.zeros(len(strata))
    if not taken.any():
        return weights
    covered = np.unique(strata[taken])
    nearest = covered[np.abs(strata[:, None] - covered).argmin(axis=1)]
    for stratum in covered:
        rows = taken & (strata == stratum)
        weights[rows] = (nearest == stratum).sum() / rows.sum()
    return weights


def weights_of_sample(
    candidates: Candidates, answered: Collection[int], *, seed: int = 0
) -> Float64:
    """Return how many rows each answered row of the random sample stands for; 0 for the others."""
    strata = strata_of(candidates.confidence)
    order = random_order(candidates.keys, strata, seed=seed)
    taken = np.zeros(len(order), bool)
    taken[list(answered)] = True
    return sampling_weights(strata, sampled_rows(order, strata, taken))


def _number(key: Key, seed: int) -> int:
    name = f"{seed}\0{key.root}\0{key.file}\0{key.start}\0{key.end}"
    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big")
