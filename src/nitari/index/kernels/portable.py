"""The kernels in numpy: what answers where the compiled ones are not there, and what those are tested against."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nitari.index.ranking import true_distances
from nitari.types import FloatArray

# Rows widened at a time: what is worked on stays in the processor's cache.
_NUMBERS_AT_ONCE = 2**18


def dots(
    rows: NDArray[np.float16] | NDArray[np.float32], vector: FloatArray, slots: NDArray[np.int64] | None = None
) -> FloatArray:
    """Dot products in float32, see ``nitari.index.kernels.dots``."""
    count = len(rows) if slots is None else slots.size
    out = np.empty(count, np.float32)
    step = max(1, _NUMBERS_AT_ONCE // rows.shape[1])
    for start in range(0, count, step):
        stop = min(start + step, count)
        part = rows[start:stop] if slots is None else rows[slots[start:stop]]
        np.vecdot(part.astype(np.float32, copy=False), vector, out=out[start:stop])
    return out


def distances(
    rows: NDArray[np.float16] | NDArray[np.float32], vector: FloatArray, slots: NDArray[np.int64]
) -> FloatArray:
    """True cosine distances, see ``nitari.index.kernels.distances``."""
    out = np.empty(slots.size, np.float32)
    step = max(1, _NUMBERS_AT_ONCE // rows.shape[1])
    for start in range(0, slots.size, step):
        part = slots[start : start + step]
        out[start : start + part.size] = true_distances(vector, rows[part])
    return out
