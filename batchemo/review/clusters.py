"""Recordings that stand for the others: those nearest to the centres of k-means, and those that
have others near them.
"""

from __future__ import annotations

import numpy as np

from batchemo.common.arrays import Float32, Float64, Index

SAMPLE = 10_000
"""Points from which the centres are computed: more change them little, and take long."""
_ROUNDS = 25
NEIGHBOURS = 20
NEIGHBOUR_SAMPLE = 2000
"""Points among which neighbours are looked for: all would take the square of their number."""
_ROWS_AT_A_TIME = 4096


def medoids(points: Float32, count: int, *, seed: int = 0) -> Index:
    """Return the point nearest to each of `count` centres, of the largest cluster first.

    >>> points = np.array([[0.0], [0.1], [0.2], [5.0], [5.1]], np.float32)
    >>> medoids(points, 2)[0]
    np.int64(1)
    """
    rng = np.random.default_rng(seed)
    count = min(count, len(points))
    sample = points
    if len(points) > SAMPLE:
        sample = points[np.sort(rng.choice(len(points), SAMPLE, replace=False))]
    centres = _first_centres(sample, count, rng)
    for _ in range(_ROUNDS):
        nearest = squared_distances(sample, centres).argmin(axis=1)
        moved = _means(sample, nearest, centres)
        if np.array_equal(moved, centres):
            break
        centres = moved
    distances = squared_distances(points, centres)
    sizes = np.bincount(distances.argmin(axis=1), minlength=count)
    chosen: list[int] = []
    for centre in np.argsort(-sizes, kind="stable"):
        chosen.append(int(distances[:, centre].argmin()))
        distances[chosen[-1]] = np.inf
    return np.array(chosen, np.intp)


def densities(points: Float32, *, seed: int = 0) -> Float32:
    """Return how near each point is to its nearest neighbours among a sample: 1 for the median.

    >>> points = np.array([[0.0], [0.1], [0.2], [5.0]], np.float32)
    >>> densities(points).argmin()
    np.int64(3)
    """
    sample = np.arange(len(points))
    if len(points) > NEIGHBOUR_SAMPLE:
        rng = np.random.default_rng(seed)
        sample = np.sort(rng.choice(len(points), NEIGHBOUR_SAMPLE, replace=False))
    nearest = min(NEIGHBOURS, len(sample) - 1)
    if nearest < 1:
        return np.ones(len(points), np.float32)
    means = np.empty(len(points), np.float32)
    for start in range(0, len(points), _ROWS_AT_A_TIME):
        rows = np.arange(start, min(start + _ROWS_AT_A_TIME, len(points)))
        distances = squared_distances(points[rows], points[sample])
        own = np.isin(rows, sample)
        # A point is no neighbour of its own.
        distances[own, np.searchsorted(sample, rows[own])] = np.inf
        means[rows] = np.partition(distances, nearest - 1, axis=1)[:, :nearest].mean(axis=1)
    typical = float(np.median(means))
    # Copies of one point are as dense as can be, but not infinitely.
    result: Float32 = 1 / np.sqrt(np.maximum(means / max(typical, 1e-12), 0.01))
    return result


def squared_distances(points: Float32, others: Float32) -> Float32:
    """Return the squared distance of each point from each of others, (points, others)."""
    distances = np.empty((len(points), len(others)), np.float32)
    np.matmul(points, others.T, out=distances)
    distances *= -2
    distances += _squared_lengths(points)[:, None]
    distances += _squared_lengths(others)
    return np.maximum(distances, 0, out=distances)


def _squared_lengths(points: Float32) -> Float32:
    lengths: Float32 = np.einsum("ij,ij->i", points, points)
    return lengths


def _first_centres(points: Float32, count: int, rng: np.random.Generator) -> Float32:
    """Draw centres one after another, with a chance by the distance from those before."""
    chosen = [int(rng.integers(len(points)))]
    distances: Float64 = squared_distances(points, points[chosen])[:, 0].astype(np.float64)
    while len(chosen) < count:
        total = distances.sum()
        # All that is left are copies of centres.
        chances = distances / total if total > 0 else None
        # The best of a few draws: one alone often leaves a cluster without a centre.
        drawn = rng.choice(len(points), 2 + int(np.log(count)), p=chances)
        left = np.minimum(distances[:, None], squared_distances(points, points[drawn]))
        best = int(left.sum(axis=0).argmin())
        chosen.append(int(drawn[best]))
        distances = left[:, best]
    centres: Float32 = points[chosen]
    return centres


def _means(points: Float32, nearest: Index, centres: Float32) -> Float32:
    """Return the mean of the points of each centre; a centre without points stays."""
    moved = centres.copy()
    order = np.argsort(nearest, kind="stable")
    found, firsts = np.unique(nearest[order], return_index=True)
    counts = np.diff([*firsts, len(points)])
    sums = np.add.reduceat(points[order], firsts, axis=0)
    moved[found] = sums / counts[:, None].astype(np.float32)
    return np.asarray(moved)
