"""k-means on one thread of BLAS: for inverted lists (thousands of centroids) and codebooks (16, of numbers mostly)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nitari.types import FloatArray

# Scores computed at a time: what argmax reads then still lies in the processor's cache.
_SCORES_AT_ONCE = 2**21


def assign(rows: FloatArray, centroids: FloatArray) -> NDArray[np.int32]:
    """The nearest centroid of each row, by Euclidean distance.

    Args:
        rows: float32 ``[n, d]``.
        centroids: float32 ``[k, d]``.

    Returns:
        int32 ``[n]``.
    """
    half = np.einsum("kd,kd->k", centroids, centroids) / 2
    nearest = np.empty(len(rows), np.int32)
    step = max(64, _SCORES_AT_ONCE // len(centroids))
    for start in range(0, len(rows), step):
        scores = rows[start : start + step] @ centroids.T
        scores -= half
        nearest[start : start + step] = scores.argmax(axis=1)
    return nearest


def k_means(rows: FloatArray, count: int, *, rounds: int, seed: int) -> FloatArray:
    """Lloyd's algorithm from a random sample; a cluster that runs empty starts again from a random row.

    Args:
        rows: float32 ``[n, d]``, ``n >= count``.
        count: How many centroids.
        rounds: How many times rows are assigned anew.
        seed: Of what is drawn.

    Returns:
        float32 ``[count, d]``.
    """
    random = np.random.default_rng(seed)
    centroids = rows[random.permutation(len(rows))[:count]].copy()
    for _ in range(rounds):
        nearest = assign(rows, centroids)
        order = np.argsort(nearest, kind="stable")
        sizes = np.bincount(nearest, minlength=count)
        filled = np.flatnonzero(sizes)
        starts = np.cumsum(sizes)[filled] - sizes[filled]
        centroids[filled] = np.add.reduceat(rows[order], starts, axis=0) / sizes[filled, np.newaxis].astype(np.float32)
        empty = np.flatnonzero(sizes == 0)
        centroids[empty] = rows[random.permutation(len(rows))[: empty.size]]
    return centroids


def k_means_of_numbers(numbers: FloatArray, count: int, *, rounds: int, seed: int) -> FloatArray:
    """As ``k_means`` for rows of one number each, in a tenth of the time: on a line, clusters are spans.

    Args:
        numbers: float32 ``[n]``, ``n >= count``.
        count: How many centroids.
        rounds: How many times numbers are assigned anew.
        seed: Of what is drawn.

    Returns:
        float32 ``[count]``, ascending.
    """
    random = np.random.default_rng(seed)
    ordered = np.sort(numbers).astype(np.float64)
    sums = np.concatenate([np.zeros(1), np.cumsum(ordered)])
    centroids = np.sort(numbers[random.permutation(numbers.size)[:count]]).astype(np.float64)
    for _ in range(rounds):
        edges = np.searchsorted(ordered, (centroids[1:] + centroids[:-1]) / 2)
        bounds = np.concatenate([[0], edges, [numbers.size]])
        sizes = np.diff(bounds)
        filled = sizes > 0
        centroids[filled] = np.diff(sums[bounds])[filled] / sizes[filled]
        missing = count - int(np.count_nonzero(filled))
        if missing:
            centroids[~filled] = numbers[random.permutation(numbers.size)[:missing]]
            centroids.sort()
    return centroids.astype(np.float32)
