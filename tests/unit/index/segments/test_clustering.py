"""k-means finds what is there, whatever is empty on the way."""

from __future__ import annotations

import numpy as np

from nitari.index.segments.clustering import assign, k_means, k_means_of_numbers


def test_assign_is_nearest() -> None:
    """Each row goes to its nearest centroid, over more rows than are worked on at a time."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(40_000, 3)).astype(np.float32)
    centroids = random.normal(size=(100, 3)).astype(np.float32)
    nearest = assign(rows, centroids)
    some = random.integers(0, len(rows), 200)
    off = np.linalg.norm(rows[some, np.newaxis] - centroids, axis=2)
    assert np.allclose(off[np.arange(200), nearest[some]], off.min(axis=1), atol=1e-5)


def test_separate_clusters() -> None:
    """Clusters far apart are each met by a centroid; the same seed gives the same ones."""
    random = np.random.default_rng(1)
    centers = np.eye(4, dtype=np.float32) * 10
    rows = np.repeat(centers, 50, axis=0) + random.normal(size=(200, 4)).astype(np.float32) * 0.01
    found = k_means(rows, 16, rounds=6, seed=2)
    assert np.linalg.norm(centers[:, np.newaxis] - found, axis=2).min(axis=1).max() < 0.1
    assert (k_means(rows, 16, rounds=6, seed=2) == found).all()


def test_fewer_distinct_rows_than_centroids() -> None:
    """Equal rows leave clusters empty, which is no trouble."""
    rows = np.ones((64, 2), np.float32)
    assert (k_means(rows, 16, rounds=3, seed=0) == 1.0).all()


def test_numbers_as_rows_of_one() -> None:
    """On a line the quicker way finds what the general one does; equal numbers leave clusters empty, too."""
    numbers = np.random.default_rng(3).normal(size=5000).astype(np.float32)
    for rounds in (1, 12):
        general = np.sort(k_means(numbers[:, np.newaxis], 16, rounds=rounds, seed=4)[:, 0])
        assert np.allclose(k_means_of_numbers(numbers, 16, rounds=rounds, seed=4), general, atol=1e-4)
    assert (k_means_of_numbers(np.ones(64, np.float32), 16, rounds=3, seed=0) == 1.0).all()
    two = k_means_of_numbers(np.repeat(np.float32([1, 2]), 50), 16, rounds=8, seed=0)
    assert set(two.tolist()) == {1.0, 2.0}
