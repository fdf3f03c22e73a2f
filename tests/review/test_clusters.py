"""Medoids: one for each cluster, whatever the points are like."""

from __future__ import annotations

import numpy as np
import pytest

from batchemo.review import clusters
from batchemo.review.clusters import densities, medoids, squared_distances


def groups(sizes: list[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(len(sizes), 8)) * 10
    member = np.repeat(np.arange(len(sizes)), sizes)
    return (centres[member] + rng.normal(size=(len(member), 8))).astype(np.float32), member


@pytest.mark.parametrize("seed", range(5))
def test_each_group_has_a_medoid_and_the_largest_comes_first(seed: int) -> None:
    points, member = groups([50, 200, 20, 100])
    chosen = medoids(points, 4, seed=seed)
    assert member[chosen].tolist() == [1, 3, 0, 2]
    np.testing.assert_array_equal(chosen, medoids(points, 4, seed=seed))


def test_a_sample_is_enough_for_the_centres(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "SAMPLE", 100)
    points, member = groups([300, 200])
    assert member[medoids(points, 2)].tolist() == [0, 1]


def test_equal_and_few_points_are_all_taken_once() -> None:
    points = np.ones((5, 3), np.float32)
    assert sorted(medoids(points, 16)) == [0, 1, 2, 3, 4]


def test_distances_are_never_below_zero() -> None:
    points = np.random.default_rng(0).normal(size=(50, 7)).astype(np.float32) + 100
    found = squared_distances(points, points[:5])
    expected = ((points[:, None].astype(float) - points[:5]) ** 2).sum(axis=2)
    assert found.min() >= 0
    np.testing.assert_allclose(found, expected, atol=0.1)


@pytest.mark.parametrize("sample", [clusters.NEIGHBOUR_SAMPLE, 100])
def test_points_with_others_near_them_are_dense(
    sample: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "NEIGHBOUR_SAMPLE", sample)
    random = np.random.default_rng(0)
    far = random.normal(size=(100, 8)) * 5
    near = random.normal(size=(200, 8))
    found = densities(np.concatenate([far, near]).astype(np.float32))
    assert found[100:].min() > np.median(found[:100])


def test_copies_and_a_single_point_have_a_density_too() -> None:
    copies = np.zeros((50, 3), np.float32)
    assert np.isfinite(densities(copies)).all()
    assert densities(copies[:1]).tolist() == [1.0]
