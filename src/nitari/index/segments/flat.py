"""Exact answers over fp16 rows that lie in one array, mapped or in memory: all of them, or those allowed."""

from __future__ import annotations

from nitari.index import kernels
from nitari.index.segments.engine import BitArray, HalfArray, SlotArray
from nitari.types import FloatArray


def nearest_rows(
    rows: HalfArray, vector: FloatArray, k: int, *, slots: SlotArray | None = None, bits: BitArray | None = None
) -> tuple[SlotArray, FloatArray]:
    """The ``k`` nearest rows and whatever ties with the last of them: slots and true distances, nearest first.

    Some more may come. All that tie are needed as ties are broken by key, which is not the order of slots.

    Args:
        rows: fp16 ``[n, dim]``, unit rows.
        vector: float32 ``[dim]``, a unit vector, C-contiguous.
        k: At least 1.
        slots: int64 ``[m]``: only these rows; ``None`` for all.
        bits: uint8 ``[ceil(n / 8)]``, little-endian bitmap of the only rows that may be answered.
    """
    most = k
    while True:
        found, distances = kernels.nearest(rows, vector, most + 1, slots=slots, bits=bits)
        if found.size <= most or distances[-1] > distances[k - 1]:
            return found, distances
        most *= 4
