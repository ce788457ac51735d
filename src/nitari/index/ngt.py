"""Approximate search for larger collections, by NGT: a neighbor graph that is edited in place, then true distances.

Few rows are searched exactly. From ``graph_at`` rows on, distinct vectors are kept in an ANNG (``ngt_graph.py``), which
offers a pool of near ones; these are compared by their stored fp16 rows. How large the pool must be is measured
(``calibrate.py``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import numpy as np

from nitari.errors import StateError
from nitari.index.base import Allowed, Step
from nitari.index.calibrate import Effort, effort_for
from nitari.index.checks import check_keys
from nitari.index.masks import Mask
from nitari.index.ngt_graph import Graph
from nitari.index.ranking import candidates
from nitari.index.resident import ResidentIndex
from nitari.index.rows import RowStore
from nitari.index.sampling import calibrate_store
from nitari.index.scan import refine, scores_of
from nitari.index.seal import check_seal, write_seal
from nitari.index.twins import Twins
from nitari.keymap import ABSENT
from nitari.types import BoolArray, FloatArray, KeyArray, Matches

ENGINE = "ngt"
FORMAT = 1
GRAPH_AT = 10_000
# Comparing this many numbers takes about as long as a walk for a pool of a few hundred.
SCAN_NUMBERS = 2**20
POOL_STEP = 8
"""A pool has a multiple of so many places: what calibration counts in."""
_IDS_FILE = "ids.npy"

# Measure the effort anew once the collection is this many times what it was, or half of it has been written anew.
_GROWTH = 1.5
_WRITES = 0.5
# What was wanted must stand in the first half of a pool: its end is where a walk misses rows.
_SLACK = 2
_WIDEN = 4
# With a radius, the pool begins as for so many rows: mostly the radius ends before them.
_FIRST_WITHIN = 64
# Nanoseconds, one thread, for a place in the pool and a dimension of a true distance. Only their ratio matters.
_PLACE_COST = 3000.0
_DIMENSION_COST = 1.0


class NgtIndex(ResidentIndex):
    """Unit vectors as fp16 rows with an ANNG of them beside it, which holds its own copy (float32).

    Below ``graph_at`` rows it is exact (float32). From there on recall@10 is kept at .98 or better on data like its
    own; a filter that allows at least ``k`` rows gives ``k`` matches; distances are true ones (of fp16 rows). Added
    rows are connected, removed ones taken out of the graph and their neighbors connected with each other, at once:
    about a millisecond each, a quarter of it for many together. Nothing is ever built anew, but the effort is measured
    again, inside ``add``, when the collection has grown by half or half of it has been written.

    NGT knows no filter: the pool is widened until it holds enough allowed rows, or until comparing all allowed rows
    costs less. A radius is searched by widening the pool until its farthest rows lie beyond (see ``ngt_graph``).

    Every call of NGT holds the GIL: queries of several threads take turns, and while rows are added to a large
    collection nothing else runs in the process. ``segments/ngt.py`` builds in a process of its own.

    The order in which rows came decides what the graph finds; given that, answers are always the same.

    Args:
        dim: Width of a vector.
        graph_at: From how many rows on to search approximately; at least 32.
        scan_numbers: With a filter that allows up to this many numbers (rows times width), these are compared instead.
    """

    def __init__(self, dim: int, *, graph_at: int = GRAPH_AT, scan_numbers: int = SCAN_NUMBERS) -> None:
        super().__init__(dim)
        self._scan_numbers = scan_numbers
        self._graph_at = max(graph_at, 32)
        self._graph: Graph | None = None
        self._twins = Twins()
        self._efforts: tuple[Effort, ...] = ()
        self._measured_rows = 0
        self._written = 0

    @property
    def engine(self) -> str:
        """The engine's name."""
        return ENGINE

    @property
    def efforts(self) -> tuple[Effort, ...]:
        """What was measured last, by depth, a probe being ``POOL_STEP`` places; empty while search is exact."""
        return self._efforts

    def add(self, keys: KeyArray, vectors: FloatArray) -> None:
        """Insert vectors (int64 ``[n]``, float32 unit rows ``[n, dim]``), replacing those whose key is there.

        Raises:
            UsageError: where shapes, dtypes or norms are wrong, or a key is given twice. Nothing is changed then.
        """
        slots, replaced = self._put(keys, vectors)
        if self._graph is not None:
            changed = replaced[~self._twins.same(replaced, self._store.rows)]
            self._graph.remove(self._twins.drop(changed))
            slots = np.setdiff1d(slots, np.setdiff1d(replaced, changed))
            self._twins.put(slots, self._store.rows, self._graph.insert)
            self._written += slots.size
        elif len(self._store) >= self._graph_at:
            self._build()
        if self._graph is not None and self._due():
            self._measure()

    def remove(self, keys: KeyArray) -> int:
        """Delete keys; unknown ones are ignored. Returns how many were there."""
        check_keys(keys)
        holes = self._store.slots(np.unique(keys))
        removal = self._store.remove(keys)
        if not removal.count:
            return 0
        self._masks.clear()
        if self._graph is not None:
            if len(self._store) < self._graph_at // 2:
                self._store = self._store.copied(np.float32)
                self._drop_graph()
            else:
                self._graph.remove(self._twins.drop(holes[holes != ABSENT]))
                self._twins.move(removal.movers, removal.filled)
        return removal.count

    def query(
        self,
        vectors: FloatArray,
        k: int,
        *,
        allowed: Allowed | None = None,
        max_distance: float | None = None,
        trace: list[Step] | None = None,
    ) -> Sequence[Matches]:
        """About the ``k`` nearest allowed keys of each query (float32 unit rows ``[q, dim]``), ties by smaller key.

        Fewer than ``k`` only where fewer are allowed, or where fewer of those found lie within ``max_distance``.

        Raises:
            UsageError: where shapes, dtypes, norms, ``k`` or the radius are wrong.
        """
        mask = self._mask(vectors, k, allowed, max_distance)
        pool = self._pool(k if max_distance is None else min(k, _FIRST_WITHIN), mask)
        if self._graph is None or pool is None:
            reason = "so few rows are allowed that all are compared"
            return self._scan(vectors, k, mask, max_distance, trace, reason)
        return [self._search(self._graph, vector, k, pool, mask, max_distance, trace) for vector in vectors]

    def save(self, folder: Path) -> None:
        """Write everything into ``folder`` (which exists and is empty); the caller publishes it atomically.

        Raises:
            OSError: where the disk is full, or the like.
        """
        if self._graph is not None:
            self._graph.save(folder)
            np.save(folder / _IDS_FILE, self._twins.ids(len(self)))
        self._store.save(folder)
        parameters = {
            "graph": self._graph is not None,
            "measured_rows": self._measured_rows,
            "written": self._written,
            "efforts": [effort.as_json() for effort in self._efforts],
        }
        write_seal(folder, engine=ENGINE, version=FORMAT, dim=self.dim, count=len(self), parameters=parameters)

    def load(self, folder: Path) -> None:
        """Replace the content by what ``save`` wrote. Checksums are compared before NGT sees a byte.

        Raises:
            StateError: where the files are damaged, of another dimension, or of an unknown version. The index is then
                as it was.
        """
        parameters = check_seal(folder, engine=ENGINE, version=FORMAT, dim=self.dim)["parameters"]
        with_graph = bool(parameters["graph"])
        store = RowStore.load(folder, self.dim, np.float16 if with_graph else np.float32)
        graph, twins = None, Twins()
        if with_graph:
            graph = Graph.load(folder, self.dim)
            twins = Twins.restore(np.load(folder / _IDS_FILE, allow_pickle=False), store.rows)
            if len(graph) != len(twins):
                raise StateError(
                    f"the graph in {folder} holds {len(graph)} vectors, expected {len(twins)}",
                    remedy="nothing is lost: delete the folder and it is rebuilt from the catalog",
                )
        self._masks.clear()
        self._drop_graph()
        self._store, self._graph, self._twins = store, graph, twins
        self._efforts = tuple(Effort.from_json(values) for values in parameters["efforts"])
        self._measured_rows, self._written = int(parameters["measured_rows"]), int(parameters["written"])

    def close(self) -> None:
        """Let go of memory; the index is empty afterwards."""
        self._masks.clear()
        self._store = RowStore(self.dim)
        self._drop_graph()

    def _drop_graph(self) -> None:
        """Become exact."""
        if self._graph is not None:
            self._graph.close()
        self._graph, self._twins = None, Twins()
        self._efforts, self._measured_rows, self._written = (), 0, 0

    def _build(self) -> None:
        """Connect all rows."""
        self._store = self._store.copied(np.float16)
        self._graph = Graph.create(self.dim)
        self._twins.put(np.arange(len(self._store)), self._store.rows, self._graph.insert)

    def _due(self) -> bool:
        """Whether it is time to measure the effort."""
        measured = self._measured_rows
        return not self._efforts or len(self._store) >= _GROWTH * measured or self._written >= _WRITES * measured

    def _measure(self) -> None:
        """Measure how large pools must be."""
        self._measured_rows, self._written = len(self._store), 0
        self._efforts = calibrate_store(
            self._store,
            self._found,
            lists=self._most_probes(),
            probe_cost=_PLACE_COST * POOL_STEP,
            row_cost=_DIMENSION_COST * self.dim,
        )

    def _most_probes(self) -> int:
        """How many probes make a pool of everything."""
        return math.ceil(len(self._store) / POOL_STEP)

    def _found(self, vectors: FloatArray, count: int, probes: int) -> KeyArray:
        """What calibration asks for: the first ``count`` slots of pools of ``probes``, -1 where there are no more."""
        found = np.full((len(vectors), count), ABSENT, np.int64)
        if self._graph is not None:
            for line, vector in zip(found, vectors, strict=True):
                slots = self._twins.slots(self._graph.search(vector, probes * POOL_STEP))[:count]
                line[: slots.size] = slots
        return found

    def _pool(self, k: int, mask: Mask | None) -> int | None:
        """How large a pool to begin with; ``None`` to compare all allowed rows."""
        count = len(self._store)
        permitted = count if mask is None else mask.count
        if not self._efforts or not permitted:
            return None
        if mask is not None and permitted * self.dim <= self._scan_numbers:
            return None
        effort = effort_for(self._efforts, k * count / permitted, lists=self._most_probes())
        pool = max(effort.probes * POOL_STEP, k)
        return None if pool > permitted // 2 else pool

    def _search(
        self,
        graph: Graph,
        vector: FloatArray,
        k: int,
        pool: int,
        mask: Mask | None,
        max_distance: float | None,
        trace: list[Step] | None,
    ) -> Matches:
        """One query: a pool that is widened until it is sure to hold what was asked for, then true distances."""
        began = perf_counter()
        permitted = len(self._store) if mask is None else mask.count
        while True:
            slots = self._twins.slots(graph.search(vector, pool))
            here = np.ones(slots.size, np.bool_) if mask is None else mask.bits[slots]
            scores = scores_of(self._store, vector[np.newaxis], slots)[0]
            if _settled(here, scores, min(k, permitted), mask is None, max_distance):
                break
            pool *= _WIDEN
            if pool > permitted // 2:
                reason = "too few of the rows near the query are wanted for the graph"
                return self._scan(vector[np.newaxis], k, mask, max_distance, trace, reason)[0]
        near = candidates(np.where(here, scores, -np.inf), k, self.dim, max_distance)
        found = refine(self._store, vector, slots[near], k, max_distance)
        if trace is not None:
            reason = f"{permitted} rows are allowed, too many to compare them all"
            ms = (perf_counter() - began) * 1e3
            trace.append(self._step(mask, "graph", reason, pool // POOL_STEP, near.size, ms))
        return found


def _settled(here: BoolArray, scores: FloatArray, wanted: int, free: bool, max_distance: float | None) -> bool:
    """Whether a pool holds what was asked for.

    Args:
        here: For each row of the pool, nearest first, whether it is allowed: bool ``[n]``.
        scores: Their cosines: float32 ``[n]``.
        wanted: How many are asked for.
        free: Whether there is no filter.
        max_distance: Radius or ``None``.
    """
    if max_distance is None and free:
        return here.size >= wanted  # what calibration promises
    within = np.ones(here.size, np.bool_) if max_distance is None else scores >= 1.0 - max_distance
    positions = np.flatnonzero(here & within)
    if positions.size >= wanted:
        return int(positions[wanted - 1]) * _SLACK < here.size
    # Too few within the radius: there are no more only if the pool reaches far beyond it.
    return int(np.count_nonzero(within)) * _SLACK < here.size
