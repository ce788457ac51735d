"""Exact answers over fp16 rows that lie in one array, mapped or in memory: all of them, or those allowed."""

from __future__ import annotations

import numpy as np

from nitari.index import kernels
from nitari.index.ranking import candidates, floor
from nitari.index.segments.engine import BitArray, HalfArray, SlotArray
from nitari.types import FloatArray

# Scores held at a time: a bound on memory, whatever the number of rows. A multiple of 8, as bitmaps are cut there.
_AT_ONCE = 2**16


def nearest_rows(
    rows: HalfArray,
    vector: FloatArray,
    k: int,
    *,
    slots: SlotArray | None = None,
    bits: BitArray | None = None,
    max_distance: float | None = None,
) -> tuple[SlotArray, FloatArray]:
    """The ``k`` nearest rows and all that tie with the last of them, in no order: slots and true distances.

    Products in float32 pick candidates with a margin that covers their rounding; their distances are then computed in
    float64. So block size, kernels and the order of rows do not show.

    Args:
        rows: fp16 ``[n, dim]``, unit rows.
        vector: float32 ``[dim]``, a unit vector.
        k: At least 1.
        slots: int64 ``[m]``: only these rows; ``None`` for all.
        bits: uint8 ``[ceil(n / 8)]``, little-endian bitmap of the only rows that may be answered; not with ``slots``.
        max_distance: Radius; rows beyond it by less than float32 rounds may be among the answer.
    """
    count = len(rows) if slots is None else slots.size
    if count <= _AT_ONCE:
        near = candidates(_scores(rows, vector, slots, bits, 0, count), k, rows.shape[1], max_distance)
    else:
        near = _in_blocks(rows, vector, k, slots, bits, max_distance, count)
    found = near if slots is None else slots[near]
    return found, kernels.distances(rows, vector, found)


def _in_blocks(
    rows: HalfArray,
    vector: FloatArray,
    k: int,
    slots: SlotArray | None,
    bits: BitArray | None,
    max_distance: float | None,
    count: int,
) -> SlotArray:
    """Candidates of very many rows, as positions: what cannot be among the best so far is dropped at once."""
    dim = rows.shape[1]
    kept, best = np.empty(0, np.int64), np.empty(0, np.float32)
    least = -np.inf
    for start in range(0, count, _AT_ONCE):
        scores = _scores(rows, vector, slots, bits, start, min(start + _AT_ONCE, count))
        # The first block by its own floor; of the others only what comes up to the best before.
        near = (
            candidates(scores, k, dim, max_distance)
            if least == -np.inf
            else np.flatnonzero(scores >= np.float32(least))
        )
        if not near.size:
            continue
        kept, best = np.concatenate([kept, near + start]), np.concatenate([best, scores[near]])
        least = floor(best, k, dim, max_distance)
        good = best >= np.float32(least)
        kept, best = kept[good], best[good]
    return kept


def _scores(
    rows: HalfArray, vector: FloatArray, slots: SlotArray | None, bits: BitArray | None, start: int, stop: int
) -> FloatArray:
    """Cosines in float32 of the rows (or ``slots``) from ``start`` to ``stop``; ``-inf`` where not allowed."""
    if slots is not None:
        return kernels.dots(rows, vector, slots[start:stop])
    scores = kernels.dots(rows[start:stop], vector)
    if bits is not None:
        allowed = np.unpackbits(bits[start // 8 : -(-stop // 8)], count=stop - start, bitorder="little")
        np.copyto(scores, -np.inf, where=allowed == 0)
    return scores
