"""Every adapter of ``nitari.index.base.VectorIndex`` by name, and what is right for each to answer."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

from nitari.index.base import VectorIndex
from nitari.index.exact import ExactIndex
from nitari.index.faiss import FaissIndex
from nitari.index.segments.costs import Costs
from nitari.index.segments.segmented import SegmentedIndex
from nitari.types import FloatArray, Matches
from support.segments import ListEngine, SealingIndex
from support.vectors import brute_force

# There are wheels of NGT for Linux only; there, it has to be installed.
HAS_NGT = sys.platform == "linux" or find_spec("ngtpy") is not None

Make = Callable[[int], VectorIndex]


def trained(dim: int) -> VectorIndex:
    """Faiss that turns to its codes as early as it can and never falls back on a scan to save time."""
    return FaissIndex(dim, train_at=640, scan_numbers=0)


def with_lists(dim: int) -> VectorIndex:
    """Segments with an engine, which is asked wherever it can be."""
    dear = Costs(1e6, 1e6, 1e6, 1e6, 1e6, 1e3, 1.0, 1.0)
    return SealingIndex(dim, seal_at=600, engine=ListEngine(), costs=dear)


ADAPTERS: dict[str, Make] = {
    "exact": ExactIndex,
    "faiss": FaissIndex,
    "faiss-trained": trained,
    "segments": SegmentedIndex,
    "segments-sealed": SealingIndex,
    "segments-lists": with_lists,
}
if HAS_NGT:
    from nitari.index.ngt import NgtIndex

    def connected(dim: int) -> VectorIndex:
        """NGT that turns to its graph as early as it can and never falls back on a scan to save time."""
        return NgtIndex(dim, graph_at=640, scan_numbers=0)

    ADAPTERS |= {"ngt": NgtIndex, "ngt-connected": connected}
# Enough rows that every adapter is in the state its name says.
ROWS = 700
DIM = 16
# fp16 has 11 bits: a dot product of unit rows is off by at most 2**-11, and the rows' lengths as much again.
FP16 = 1e-3


def is_approximate(index: VectorIndex) -> bool:
    """Whether the index may miss some of the nearest, as it is now."""
    if isinstance(index, SegmentedIndex):
        return any(segment.searcher is not None for segment in index.segments)
    return bool(getattr(index, "efforts", ()))


def check_answer(
    index: VectorIndex, found: Matches, content: dict[int, FloatArray], query: FloatArray, k: int, radius: float | None
) -> None:
    """``found`` is right by the contract: equal to brute force where the adapter is exact, sound where it is not.

    Brute force looks at the stored rows, which may be rounded; that they are those of ``content`` is checked elsewhere.
    """
    keys = np.array(sorted(content), np.int64)
    rows = index.vectors(keys)
    assert found.keys.dtype == np.int64
    assert found.distances.dtype == np.float32
    if not is_approximate(index):
        wanted, distances = brute_force(keys, rows, query, k, radius)
        np.testing.assert_array_equal(found.keys, wanted)
        np.testing.assert_array_equal(found.distances, distances)
        return
    assert np.unique(found.keys).size == found.keys.size
    assert set(found.keys.tolist()) <= content.keys()
    order = np.lexsort((found.keys, found.distances))
    np.testing.assert_array_equal(order, np.arange(order.size))
    own = np.array([1.0 - float(np.dot(content[key], query)) for key in found.keys.tolist()])
    np.testing.assert_allclose(found.distances, own, atol=FP16)
    if radius is None:
        assert len(found) == min(k, len(content))
    else:
        assert (found.distances <= radius).all()
