"""The inner loops of search: compiled where a compiler was there when Nitari was installed, else numpy.

Whichever answers, answers are the same as far as callers can tell: ``dots`` within the rounding of float32,
``distances`` to the last bit on the grid of ``ranking``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nitari.index.kernels import portable
from nitari.types import FloatArray

NATIVE = False
"""Whether the compiled kernels are in use."""


def dots(
    rows: NDArray[np.float16] | NDArray[np.float32], vector: FloatArray, slots: NDArray[np.int64] | None = None
) -> FloatArray:
    """Dot products of rows with a vector, accumulated in float32. Lets go of the GIL.

    Args:
        rows: fp16 or float32 ``[n, dim]``, C-contiguous; may be a memory map.
        vector: float32 ``[dim]``.
        slots: int64 ``[m]``: which rows; ``None`` for all, in order.

    Returns:
        float32 ``[m]`` or ``[n]``.
    """
    return portable.dots(rows, vector, slots)


def distances(
    rows: NDArray[np.float16] | NDArray[np.float32], vector: FloatArray, slots: NDArray[np.int64]
) -> FloatArray:
    """True cosine distances of unit rows to a unit vector, as ``ranking.true_distances`` gives them. As ``dots``."""
    return portable.distances(rows, vector, slots)
