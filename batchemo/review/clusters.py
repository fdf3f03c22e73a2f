"""Recordings that stand for the others: the ones nearest to the centres of k-means."""

from __future__ import annotations

import numpy as np

from batchemo.common.arrays import Float32, Float64, Index

SAMPLE = 10_000
"""Points from which the centres are computed: more change them little, and take long."""
_ROUNDS = 25


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
