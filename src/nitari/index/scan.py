"""Exact answers over a row store: every allowed row is looked at."""

from __future__ import annotations

import numpy as np

from nitari.index.masks import Mask
from nitari.index.ranking import best, candidates, true_distances
from nitari.index.rows import RowStore
from nitari.types import FloatArray, KeyArray, Matches

# Scores of one group of queries: a bound on memory whatever the number of queries (one row is always allowed).
_SCORES_BYTES = 64 * 2**20
# Gathering a row costs about three times what scanning it does.
_GATHER_BELOW = 0.25


def scan(
    store: RowStore, vectors: FloatArray, k: int, *, mask: Mask | None = None, max_distance: float | None = None
) -> list[Matches]:
    """The ``k`` nearest allowed rows of each query (float32 unit rows ``[q, dim]``), ties by smaller key.

    A BLAS product in float32 picks candidates with a margin that covers its rounding; their distances are then
    computed in float64. So the number of threads, the block size and the order of rows do not show.
    """
    few = mask is not None and mask.count <= len(store) * _GATHER_BELOW
    slots = np.flatnonzero(mask.bits) if mask is not None and few else None
    banned = ~mask.bits if mask is not None and not few else None
    scanned = len(store) if slots is None else slots.size
    group = max(1, _SCORES_BYTES // (4 * max(1, scanned)))
    answers: list[Matches] = []
    for start in range(0, len(vectors), group):
        part = vectors[start : start + group]
        scores = _scores(store, part, slots)
        if banned is not None:
            np.copyto(scores, -np.inf, where=banned)
        for vector, row in zip(part, scores, strict=True):
            near = candidates(row, k, store.dim, max_distance)
            answers.append(refine(store, vector, near if slots is None else slots[near], k, max_distance))
    return answers


def refine(store: RowStore, vector: FloatArray, slots: KeyArray, k: int, max_distance: float | None) -> Matches:
    """The best ``k`` of candidate ``slots`` by their true distances to ``vector`` (float32 ``[dim]``)."""
    distances = np.empty(slots.size, np.float32)
    for start in range(0, slots.size, store.step):
        part = slots[start : start + store.step]
        distances[start : start + part.size] = true_distances(vector, store.rows(part))
    return best(store.keys[slots], distances, k, max_distance)


def _scores(store: RowStore, vectors: FloatArray, slots: KeyArray | None) -> FloatArray:
    """Cosines in float32, ``[q, n]`` over all rows, or ``[q, len(slots)]`` where only those are asked for."""
    scores = np.empty((len(vectors), len(store) if slots is None else slots.size), np.float32)
    if slots is None:
        for start, block in store.scan():
            np.matmul(vectors, block.T, out=scores[:, start : start + len(block)])
        return scores
    for start in range(0, slots.size, store.step):
        part = slots[start : start + store.step]
        np.matmul(vectors, store.rows(part).T, out=scores[:, start : start + part.size])
    return scores
