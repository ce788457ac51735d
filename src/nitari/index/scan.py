"""Exact answers over a row store: every allowed row is looked at."""

from __future__ import annotations

import numpy as np

from nitari.index.masks import Mask
from nitari.index.ranking import best, candidates, true_distances
from nitari.index.rows import RowStore
from nitari.types import FloatArray, KeyArray, Matches

# Scores of one group of queries: a bound on memory whatever the number of queries (one row is always allowed).
_SCORES_BYTES = 64 * 2**20
# From this many queries on, reading each row once for all of them pays for BLAS, whose threads wait for each other: on
# a busy machine a single query then takes 8 ms instead of 0.9 (5,000 x 1280, 2 cores), a tick of the scheduler.
_MATMUL_FROM = 8
# A few queries share rows while these are in the processor's cache: the second one then costs half.
_SHARED_BYTES = 2**20
# Gathering a row costs about three times what scanning it does.
_GATHER_BELOW = 0.25


def scan(
    store: RowStore, vectors: FloatArray, k: int, *, mask: Mask | None = None, max_distance: float | None = None
) -> list[Matches]:
    """The ``k`` nearest allowed rows of each query (float32 unit rows ``[q, dim]``), ties by smaller key.

    Products in float32 pick candidates with a margin that covers their rounding; their distances are then
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
        scores = scores_of(store, part, slots)
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


def scores_of(store: RowStore, vectors: FloatArray, slots: KeyArray | None) -> FloatArray:
    """Cosines in float32, ``[q, n]`` over all rows, or ``[q, len(slots)]`` where only those are asked for."""
    scores = np.empty((len(vectors), len(store) if slots is None else slots.size), np.float32)
    if slots is None:
        for start, block in store.scan():
            _products(vectors, block, scores[:, start : start + len(block)])
        return scores
    for start in range(0, slots.size, store.step):
        part = slots[start : start + store.step]
        _products(vectors, store.rows(part), scores[:, start : start + part.size])
    return scores


def _products(vectors: FloatArray, rows: FloatArray, out: FloatArray) -> None:
    """Dot products of ``vectors`` ``[q, dim]`` with ``rows`` ``[n, dim]`` into ``out`` ``[q, n]``."""
    if len(vectors) >= _MATMUL_FROM:
        np.matmul(vectors, rows.T, out=out)
        return
    step = len(rows) if len(vectors) == 1 else max(1, _SHARED_BYTES // rows.strides[0])
    for start in range(0, len(rows), step):
        shared = rows[start : start + step]
        for vector, line in zip(vectors, out, strict=True):
            np.vecdot(shared, vector, out=line[start : start + step])
