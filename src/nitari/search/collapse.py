"""Listings that show the very same photos, shown once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nitari.types import FloatArray

SAME = 0.995
"""Cosine from which two main photos are the same photo, if anything saved anew or resized.

Measured with ``fashion-baseline``: of photos saved again at quality 75, 9 of 10 keep .997 (luma) and .995 (flat); of
405 pairs of colors of one style, 3 reach it (two black garments), of 12.9 million pairs on flat 1 (one photo, twice).
"""
SAME_IN_GROUP = 0.9995
"""The same for items of one group, whose colors may be told from each other by little: only sizes share a photo."""
# So many of a vector's numbers are looked at first.
_SKETCH = 128
_MARGIN = 1e-4
# Multiplied at a time. BLAS splits larger products among threads, which wait for each other: on a busy machine,
# 100 x 128 with themselves then take 7 ms, a tick of the scheduler, in place of 0.04.
_PRODUCTS = 2**18


def twins(vectors: FloatArray, groups: NDArray[np.int32]) -> dict[int, tuple[int, ...]]:
    """For each that is kept and stands for others, those others: places in ``vectors``, best first.

    Who comes is compared with those that were kept before, so that a chain of photos, each a little different from the
    one before, does not collapse into one.

    Args:
        vectors: float32 ``[n, dim]``, unit rows: the main photo of each listing, best listing first.
        groups: int32 ``[n]``: equal for listings of one group.
    """
    firsts, seconds = np.nonzero(_perhaps(vectors))
    if not firsts.size:
        return {}
    likeness = np.einsum("ij,ij->i", vectors[firsts], vectors[seconds])
    same = likeness >= np.where(groups[firsts] == groups[seconds], SAME_IN_GROUP, SAME)
    found: dict[int, list[int]] = {}
    gone: set[int] = set()
    for first, second in zip(firsts[same].tolist(), seconds[same].tolist(), strict=True):  # by first, then by second
        if first not in gone and second not in gone:
            found.setdefault(first, []).append(second)
            gone.add(second)
    return {first: tuple(others) for first, others in found.items()}


def _perhaps(vectors: FloatArray) -> NDArray[np.bool_]:
    """Which pairs (of an earlier with a later one) may be as alike as ``SAME``: bool ``[n, n]``.

    Two vectors are at least as far apart as some of their numbers are, so that a few of these tell most pairs apart.
    """
    sketch = np.ascontiguousarray(vectors[:, :: max(1, vectors.shape[1] // _SKETCH)])
    squares = np.einsum("ij,ij->i", sketch, sketch)
    apart = squares[:, None] + squares[None, :]
    step = max(1, _PRODUCTS // max(1, sketch.size))
    for start in range(0, len(sketch), step):  # nothing is asked about the lower triangle
        apart[start : start + step, start:] -= 2 * (sketch[start : start + step] @ sketch[start:].T)
    return np.triu(apart <= 2 * (1 - SAME) + _MARGIN, 1)
