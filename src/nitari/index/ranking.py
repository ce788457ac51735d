"""How rough scores become an answer: candidates with a margin, their true distances, ties by key.

Shared by all indexes that hold rows, so that equal vectors get equal distances from each of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nitari.types import FloatArray, KeyArray, Matches

# Distances are multiples of 2**-23: float32 holds all of them up to 2, and float64's noise is far below.
_GRID = 2.0**23
_FLOAT32_UNIT = 2.0**-24


def candidates(scores: FloatArray, k: int, dim: int, max_distance: float | None) -> KeyArray:
    """Rows that may be among the ``k`` nearest, given float32 dot products that BLAS rounded as it liked.

    Args:
        scores: float32 ``[n]``; ``-inf`` for rows that must not be returned.
        k: At least 1.
        dim: Width of the vectors.
        max_distance: Radius or ``None``.

    Returns:
        int64 row numbers, ascending.
    """
    least = floor(scores, k, dim, max_distance)
    if least == -np.inf:
        return np.flatnonzero(scores > -np.inf)
    return np.flatnonzero(scores >= np.float32(least))


def floor(scores: FloatArray, k: int, dim: int, max_distance: float | None) -> float:
    """The score below which a row cannot be among the ``k`` nearest of these (arguments as of ``candidates``).

    The margin is the classical bound of a dot product's rounding, ``dim * 2**-24`` for unit vectors (Higham, Accuracy
    and Stability of Numerical Algorithms, 3.1), on both sides, plus the distance grid.
    """
    error = (dim + 8) * _FLOAT32_UNIT
    least = -np.inf
    if k < scores.size:
        kth = float(np.partition(scores, scores.size - k)[scores.size - k])
        # Scores above 1 (rows a little too long) all mean distance 0, so they are ties.
        least = min(kth, 1.0) - 2 * error
    if max_distance is not None:
        least = max(least, 1.0 - max_distance - error)
    return least


def true_distances(vector: FloatArray, rows: FloatArray) -> FloatArray:
    """Cosine distances of unit ``rows`` ``[n, dim]`` to ``vector`` ``[dim]``: float32 ``[n]``, computed in float64."""
    # vecdot, not a BLAS product of matrices: a row's sum is the same wherever the row stands.
    exact: NDArray[np.float64] = 1.0 - np.vecdot(rows.astype(np.float64), vector.astype(np.float64))
    return np.clip(np.rint(exact * _GRID) / _GRID, 0.0, 2.0).astype(np.float32)


def best(keys: KeyArray, distances: FloatArray, k: int, max_distance: float | None) -> Matches:
    """The ``k`` smallest of ``distances`` within the radius, ties by smaller key."""
    if max_distance is not None:
        near = distances.astype(np.float64) <= max_distance
        keys, distances = keys[near], distances[near]
    order = np.lexsort((keys, distances))[:k]
    return Matches(keys[order], distances[order])
