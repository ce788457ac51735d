"""Same shape or same color: what of a query's vector counts, decided at query time over an index that stays as it is.

A vector is made of blocks (``nitari.types.Block``), and a cosine is the sum of what each block adds to it. An emphasis
gives every block of the query another weight, which moves the blocks' shares in the sum; it needs nothing of the
vectors that are searched. Likeness is then measured by what the query is to itself, which stays 1: a score, and a
threshold of scores, mean as much as before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nitari.embeddings.base import QueryGate
from nitari.search.query import NEUTRAL
from nitari.types import Block, FloatArray

COLOR = "color"
LOOKS = frozenset({COLOR, "texture"})
"""Blocks that tell how a product looks, in whatever shape it comes: what the emphasis 0 leaves out."""
HALF = 0.5
TIMES = 10.0
"""What color weighs at the emphasis 1, beside all the rest: so many times what it does by itself, and half at least.

Measured on the Luma catalog among the first ten of other styles, as shares of the query's color (of its type and
color). ``fashion-baseline``, whose own share is .065: .75 (.32) at a share of .5, .80 (.24) at .9, where shape is lost
and little color won. ``nitari-fashion`` (each query by the model that did not learn from its style), whose own share is
.45: .49 (.36) at .5, .68 (.36) at .8, **.74 (.31) at .9**, .77 (.22) by color alone; half way there it has the most of
both, .60 (.39).
"""
# Of a squared unit vector: what holds less says nothing, and is noise once it is made to count.
_NOTHING = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Weighed:
    """Query vectors as an emphasis has them.

    The likeness of query ``i`` and a vector at cosine distance ``d`` from ``vectors[i]`` is
    ``scales[i] * (1 - d)``; that of the query itself is 1.

    Args:
        vectors: float32 ``[q, dim]``, unit rows: what an index is asked for.
        scales: float32 ``[q]``, 1 or more; ``None`` where all are 1, and likeness is the cosine.
    """

    vectors: FloatArray
    scales: FloatArray | None = None

    def distances(self, row: int, distances: FloatArray) -> FloatArray:
        """From cosine distances (of ``vectors[row]``) to what likeness lacks to 1: float32, in the same order."""
        if self.scales is None:
            return distances
        likeness: FloatArray = 1 - self.scales[row] * (1 - distances)
        return likeness

    def radius(self, distance: float | None) -> float | None:
        """The cosine distance within which all lies whose likeness lacks at most ``distance`` to 1, of any query."""
        if self.scales is None or distance is None:
            return distance
        return 1 - (1 - distance) / float(self.scales.max())


def can_emphasize(blocks: Sequence[Block]) -> bool:
    """Whether an emphasis does anything: whether vectors of such blocks tell color from shape."""
    names = {block.name for block in blocks}
    return COLOR in names and not names <= LOOKS


def weighed(vectors: FloatArray, blocks: Sequence[Block], emphasis: float, gate: QueryGate | None = None) -> Weighed:
    """Weigh the blocks of query vectors.

    From 0 to .5, what tells of looks comes in, up to its own weight; from .5 to 1, color's share in the query's
    likeness to itself grows evenly from its own to ``most_color``, and all others keep their proportions. What a
    query's own shares are, the query says: it may be a mean of photos or of items, whose blocks' lengths differ. A gate
    comes first: its gains belong to what the query says.

    Args:
        vectors: float32 ``[q, dim]``, unit rows.
        blocks: What the vectors' parts speak of; ``()`` where that is not known.
        emphasis: 0-1; .5 leaves everything as it is, to the bit, and so does a model without color or shape.
        gate: Says which blocks count, by what the vectors show; ``None`` where all do.
    """
    emphasized = emphasis != NEUTRAL and can_emphasize(blocks)
    if gate is None and not emphasized:
        return Weighed(vectors)
    starts = [block.start for block in blocks]
    own = np.add.reduceat(np.square(vectors, dtype=np.float64), starts, axis=1)
    gains = np.ones(own.shape) if gate is None else gate.gains(vectors).astype(np.float64)
    if emphasized:
        names = [block.name for block in blocks]
        gains *= np.stack([_gains(row, names, emphasis) for row in gains * own])
    lengths = np.sqrt((np.square(gains) * own).sum(axis=1))
    widths = [block.stop - block.start for block in blocks]
    scaled = np.repeat(gains / lengths[:, None], widths, axis=1) * vectors
    return Weighed(scaled.astype(np.float32), (lengths / (gains * own).sum(axis=1)).astype(np.float32))


def contributions(query: FloatArray, item: FloatArray, blocks: Sequence[Block]) -> Mapping[str, float]:
    """What each kind of block adds to the dot product of two vectors, by name; all together they are it.

    Args:
        query: float32 ``[dim]``: one of ``Weighed.vectors``, times its scale, so that the sum is their likeness.
        item: float32 ``[dim]``, unit length.
        blocks: What the vectors' parts speak of, all of them.
    """
    products = np.multiply(query, item, dtype=np.float64)
    found: dict[str, float] = {}
    for block in blocks:
        found[block.name] = found.get(block.name, 0.0) + float(products[block.start : block.stop].sum())
    return found


def most_color(own: float) -> float:
    """Color's share at the emphasis 1, by what it is without one; both 0-1."""
    more = TIMES * own / (1 + (TIMES - 1) * own)
    return max(HALF, more)


def _gains(own: NDArray[np.float64], names: Sequence[str], emphasis: float) -> NDArray[np.float64]:
    """What each block of one query is multiplied with: float64 ``[blocks]``.

    Args:
        own: The blocks' shares in the query's likeness to itself as it came, float64 ``[blocks]``.
        names: The blocks' names.
        emphasis: 0-1.
    """
    wanted = np.array([name == COLOR if emphasis > NEUTRAL else name not in LOOKS for name in names])
    before = own[wanted].sum() / own.sum()
    gains = np.ones(len(names))
    if before < _NOTHING or before > 1 - _NOTHING:  # there is nothing to move, or nothing to move it to
        return gains
    if emphasis < NEUTRAL:
        gains[~wanted] = emphasis / NEUTRAL
        return gains
    way = (emphasis - NEUTRAL) / (1 - NEUTRAL)
    after = before + way * (most_color(before) - before)
    gains[wanted] = after / before
    gains[~wanted] = (1 - after) / (1 - before)
    return gains
