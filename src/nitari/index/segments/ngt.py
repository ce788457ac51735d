"""Sealed segments searched by a graph: NGT's ONNG, optimized once and never edited."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nitari.errors import StateError
from nitari.index import kernels
from nitari.index.ngt_graph import VERSION, Graph, optimize
from nitari.index.seal import check_file, describe_file
from nitari.index.segments.engine import BitArray, Built, HalfArray, Near, SlotArray
from nitari.index.segments.flat import nearest_rows
from nitari.index.twins import firsts_of
from nitari.types import FloatArray

ENGINE = "ngt"
FORMAT = 1
POOL_STEP = 8
"""A walk keeps a multiple of so many nearest vectors: what ``probes`` counts."""
_STARTS_FILE = "ngt-starts.npy"
# What was wanted must stand in the first half of a pool: its end is where a walk misses rows.
_SLACK = 2
_WIDEN = 4
# Of so many nearest rows it is told how many come from the farther half of a pool (``engine.Near``).
_TOLD = 64
# Fitted to 20,000 x 128: distances that a walk computes, for a pool of one, and how they grow with pool and rows.
_WALK = 90.0
_WALK_POWER = 0.7
_FITTED_AT = 14.3  # log2(20,000)
# Nanoseconds, one thread, the wheel's instructions.
_NODE_NS = 30.0
_DIMENSION_NS = 1.0


class NgtEngine:
    """Builds and opens ONNGs over sealed segments.

    Equal rows are one node of the graph, and are laid down side by side. The seed is not used. The
    same rows mostly give the same files, but not always: now and then the optimizer drops edges in another order.

    A graph is read into memory, vectors included, by each process that opens it: NGT maps nothing. Opening takes some
    2 milliseconds a thousand rows of 128, part of it to compare checksums, since NGT believes whatever it reads.

    Args:
        half: Whether the graph's vectors are kept as fp16: half the memory, 1.7 times the time with the wheel.
    """

    def __init__(self, *, half: bool = False) -> None:
        self._half = half

    @property
    def name(self) -> str:
        """Written into the segment."""
        return ENGINE

    def build(self, rows: HalfArray, folder: Path, *, threads: int = 1, seed: int = 0) -> Built:
        """Connect the rows (fp16 ``[n, dim]``) and write the optimized graph into ``folder`` as ``ngt-*`` files.

        Holds the graph, its vectors and, while it is optimized, both twice in memory.

        Raises:
            OSError: where the disk is full, or the like.
        """
        firsts = firsts_of(lambda slots: rows[slots], len(rows))
        order, starts = _laid_down(firsts)
        graph = Graph.create(rows.shape[1], half=self._half)
        try:
            graph.insert(rows if order is None else rows[order[starts[:-1]]], threads=threads)
            optimize(graph, folder, threads=threads)
        finally:
            graph.close()
        if order is not None:
            np.save(folder / _STARTS_FILE, starts)
        files = {path.name: describe_file(path) for path in sorted(folder.glob(f"{ENGINE}-*"))}
        return Built(order, {"format": FORMAT, "rows": len(rows), "nodes": int(starts.size - 1), "files": files})

    def open(self, folder: Path, rows: HalfArray, parameters: Mapping[str, Any]) -> NgtSearcher:
        """Read what ``build`` wrote.

        Raises:
            StateError: files that are not what ``build`` wrote, or another number of rows.
        """
        found = (parameters.get("format"), parameters.get("rows"))
        if found != (FORMAT, len(rows)):
            raise _damaged(f"{folder} holds a graph of format and rows {found}, expected {(FORMAT, len(rows))}")
        for name, expected in parameters["files"].items():
            check_file(folder / name, expected)
        graph = Graph.load(folder, rows.shape[1], read_only=True)
        nodes = int(parameters["nodes"])
        starts = np.load(folder / _STARTS_FILE, allow_pickle=False) if _STARTS_FILE in parameters["files"] else None
        if len(graph) != nodes:
            raise _damaged(f"the graph in {folder} has {len(graph)} nodes by NGT {VERSION}, expected {nodes}")
        return NgtSearcher(graph, rows, starts)


class NgtSearcher:
    """Walks an ONNG over the rows of one segment.

    Safe to use from several threads, which take turns: NGT holds the GIL. A walk keeps a pool of ``probes`` times
    ``POOL_STEP`` nearest vectors, or ``k`` if that is more.

    Args:
        graph: The graph, by node.
        rows: fp16 ``[n, dim]``, by slot.
        starts: int64 ``[nodes + 1]``: the first slot of each node; ``None`` where a node is a slot.
    """

    def __init__(self, graph: Graph, rows: HalfArray, starts: NDArray[np.int64] | None) -> None:
        self._graph = graph
        self._rows = rows
        self._starts = starts

    @property
    def lists(self) -> int:
        """The largest useful ``probes``: a pool of everything."""
        return max(1, math.ceil(len(self._rows) / POOL_STEP))

    @property
    def looks_up(self) -> bool:
        """It does not: a walk goes on until it has met enough that is allowed, and has to know how much that is."""
        return False

    def nearest(
        self,
        vector: FloatArray,
        k: int,
        *,
        probes: int,
        candidates: int,
        bits: BitArray | None = None,
        lookup: kernels.Lookup | None = None,
        before: Near | None = None,
        gap: float | None = None,
    ) -> Near:
        """About the ``k`` nearest allowed rows (see ``engine.Searcher``), ties by smaller slot. Walks anew each time.

        With ``bits`` the pool is widened until it surely holds ``k`` allowed rows; where these are few, or far, all
        allowed rows are compared instead. So there are fewer than ``k`` only where fewer are allowed.
        """
        count = len(self._rows)
        pool = min(count, max(probes * POOL_STEP, k))
        if bits is None:
            slots = self._slots(vector, pool)
            late = max(0, min(k, _TOLD) - slots.size // 2)
            return self._refined(vector, slots[: max(k, candidates)], k, slots.size, slots.size, late)
        permitted = int(np.bitwise_count(bits).sum())
        while pool < permitted:
            slots = self._slots(vector, pool)
            positions = np.flatnonzero(bits[slots >> 3] >> (slots & 7).astype(np.uint8) & 1)
            if positions.size >= k and int(positions[k - 1]) * _SLACK < slots.size:
                near = slots[positions[: max(k, candidates)]]
                return self._refined(vector, near, k, slots.size, positions.size, late=0)
            pool *= _WIDEN
        return self._compared(vector, k, bits, permitted)

    def list_cosines(self, vector: FloatArray, slots: SlotArray) -> None:
        """A graph has no lists."""

    def only(self, slots: SlotArray) -> None:
        """A graph of some rows has to be built."""

    def even(self, slots: SlotArray) -> bool:
        """A graph does not know."""
        return False

    def cost_ns(self, *, probes: int, candidates: int, share: float = 1.0, together: bool = False) -> float:
        """About how long ``nearest`` takes without Python's part, nanoseconds, whatever is allowed."""
        count = len(self._rows)
        dim: int = self._rows.shape[1]
        pool = min(count, max(probes * POOL_STEP, candidates))  # ``k`` is as good as ``candidates`` here
        walked = min(count, _WALK * math.pow(pool, _WALK_POWER) * max(1.0, math.log2(count) / _FITTED_AT))
        return walked * (_NODE_NS + dim * _DIMENSION_NS) + min(candidates, pool) * dim * _DIMENSION_NS

    def close(self) -> None:
        """Let go of memory."""
        self._graph.close()

    def _slots(self, vector: FloatArray, pool: int) -> SlotArray:
        """The rows of the ``pool`` nearest nodes, nearest first."""
        nodes = self._graph.search(vector, pool)
        if self._starts is None:
            return nodes
        first, counts = self._starts[nodes], self._starts[nodes + 1] - self._starts[nodes]
        slots: SlotArray = np.repeat(first - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
        return slots

    def _refined(self, vector: FloatArray, slots: SlotArray, k: int, looked: int, seen: int, late: int) -> Near:
        """The ``k`` nearest of some rows by their true distances."""
        distances = kernels.distances(self._rows, vector, slots)
        order = np.lexsort((slots, distances))[:k]
        return Near(slots[order], distances[order], int(slots.size), looked, seen, late)

    def _compared(self, vector: FloatArray, k: int, bits: BitArray, permitted: int) -> Near:
        """The ``k`` nearest of all allowed rows."""
        if not permitted:
            return Near(np.empty(0, np.int64), np.empty(0, np.float32), 0, len(self._rows), 0, 0)
        slots = np.flatnonzero(np.unpackbits(bits, count=len(self._rows), bitorder="little"))
        found, distances = nearest_rows(self._rows, vector, k, slots=slots)
        order = np.lexsort((found, distances))[:k]
        return Near(found[order], distances[order], permitted, len(self._rows), permitted, 0)


def _laid_down(firsts: SlotArray) -> tuple[SlotArray | None, SlotArray]:
    """The order that brings equal rows together, ``None`` where none are; and where each node's rows begin."""
    count = firsts.size
    if np.array_equal(firsts, np.arange(count)):
        return None, np.arange(count + 1)
    order = np.argsort(firsts, kind="stable").astype(np.int64)
    return order, np.append(np.flatnonzero(np.diff(firsts[order], prepend=-1)), count)


def _damaged(message: str) -> StateError:
    return StateError(message, remedy="nothing is lost: it is rebuilt from the catalog", code="index-damaged")
