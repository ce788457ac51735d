"""How hard an approximate index must look: measured on its own rows against exact search, not guessed.

A query for ``k`` of the share ``s`` of rows that a filter allows looks as deep into the collection as one for ``k / s``
of all rows. So for a few depths the cheapest effort is found that reaches the promised recall, and a query takes that
of the next depth. For sealed segments that is done for several levels of recall, by asking the engine itself
(``calibrate_searcher``), so that the promise can be changed, or found broken and kept again, without a new build.

Where what a filter allows lies far from a query, depths say nothing: all lists that are near hold nothing of it. What
still holds there is how much farther than a near row the center of its list may be: the ``gap``, measured on the same
queries.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import ceil, log
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from nitari.index import kernels
from nitari.index.segments.engine import HalfArray, Searcher
from nitari.types import FloatArray, KeyArray

DEPTHS = (10, 30, 100, 300, 1000)
# A little above what is promised, since queries are not rows of the collection.
TARGET_RECALL = 0.995
LEVELS = (0.90, 0.925, 0.95, 0.965, 0.98, 0.985, 0.99, 0.9925, 0.995, 0.9975, 0.999)
"""Levels of recall that a sealed segment's efforts are measured for."""
GAP_DEPTHS = (1, 10, 100)
# How many candidates to try, in terms of the depth; and never more than so many beyond what the depth itself asks for.
_WIDTHS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0)
_WIDEST = 8192
# Neighbors that a depth is judged by. With 1,280, from 42 queries at a depth of 30, efforts came out a third too large.
_JUDGED = 4096
_QUERIES = 128
_FEWEST_QUERIES = 24
_MIXED = 4
_ROWS_AT_ONCE = 2**14
_SAME_DISTANCE = 1e-6
_HARDER = 1.5

Search: TypeAlias = Callable[[FloatArray, int, int], KeyArray]
"""Queries ``[q, dim]``, number of candidates, lists to probe; answers slots ``[q, n]``, best first, -1 for none."""


@dataclass(frozen=True, slots=True)
class Effort:
    """What it takes to find the ``depth`` nearest rows.

    Args:
        depth: How many nearest rows.
        probes: Inverted lists to look into.
        candidates: Rows to compare by their true distances.
        recall: Share of the true nearest rows found on the sample.
    """

    depth: int
    probes: int
    candidates: int
    recall: float

    def as_json(self) -> dict[str, Any]:
        """Plain values, for a file."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Effort:
        """What ``as_json`` gave."""
        return cls(int(values["depth"]), int(values["probes"]), int(values["candidates"]), float(values["recall"]))


Gaps: TypeAlias = tuple[tuple[int, tuple[float, ...]], ...]
"""For each of ``GAP_DEPTHS``, by ``LEVELS``, see ``Measured``."""


class Measured(NamedTuple):
    """What was measured of a segment's engine.

    Args:
        efforts: For each of ``DEPTHS`` and ``LEVELS``, see ``calibrate_searcher``.
        gaps: Of the ``depth`` nearest rows of a query, the share ``level`` is in lists whose center's cosine with the
            query is at most this much less than that of the farthest of them. Empty where the engine has no lists.
    """

    efforts: tuple[Effort, ...]
    gaps: Gaps = ()


def calibrate(
    queries: FloatArray,
    own: KeyArray,
    truth: KeyArray,
    search: Search,
    *,
    rows: int,
    lists: int,
    probe_cost: float,
    row_cost: float,
) -> tuple[Effort, ...]:
    """The cheapest effort for each depth.

    Args:
        queries: float32 ``[q, dim]``, rows and others.
        own: The slot of each query, left out of the truth (finding oneself proves nothing), -1 for none: int64 ``[q]``.
        truth: The true nearest slots, best first: int64 ``[q, t]``; depths beyond ``t`` are left out.
        search: The approximate search.
        rows: How many rows the collection has.
        lists: How many inverted lists there are.
        probe_cost: Cost of looking into one list, in any unit.
        row_cost: Cost of one true distance, in the same unit.
    """
    width = min(rows, max(1024, 8 * truth.shape[1]))
    depths = [depth for depth in DEPTHS if depth < truth.shape[1]] or [truth.shape[1] - 1]
    ranks: dict[int, KeyArray] = {}
    for probes in _ladder(lists):
        ranks[probes] = _ranks(search(queries, width, probes), own, truth)
        if np.mean(ranks[probes][:, : depths[-1]] < width) >= TARGET_RECALL:
            break  # the deepest is reached; more lists only cost more
    return tuple(_cheapest(depth, ranks, width, probe_cost, row_cost) for depth in depths)


def effort_for(efforts: Sequence[Effort], depth: float, *, lists: int) -> Effort:
    """The effort to look ``depth`` rows deep: between those of the measured depths; beyond the last in proportion."""
    below: Effort | None = None
    for effort in efforts:
        if depth <= effort.depth:
            return effort if below is None or depth == effort.depth else _between(below, effort, depth)
        below = effort
    last = efforts[-1]
    factor = depth / last.depth
    return Effort(
        int(np.ceil(depth)), min(lists, int(last.probes * factor) + 1), int(last.candidates * factor) + 1, last.recall
    )


def _between(low: Effort, high: Effort, depth: float) -> Effort:
    """The effort for a depth between two: what is needed grows about as a power of the depth."""
    share = log(depth / low.depth) / log(high.depth / low.depth)
    probes = low.probes * (high.probes / low.probes) ** share
    candidates = low.candidates * (high.candidates / low.candidates) ** share
    return Effort(ceil(depth), ceil(probes), ceil(candidates), min(low.recall, high.recall))


def level_for(promise: float) -> float:
    """Which of ``LEVELS`` to search at so that a recall is kept: that leaves out a quarter of what may be left out."""
    wanted = 1.0 - (1.0 - promise) / 4
    return next((level for level in LEVELS if level >= wanted - 1e-9), LEVELS[-1])


def at_level(efforts: Sequence[Effort], level: float) -> tuple[Effort, ...]:
    """Of the efforts of each depth, the first that reaches ``level``; the best there is where none does."""
    by_depth: dict[int, Effort] = {}
    for effort in efforts:  # by depth, and within a depth from the cheapest level to the dearest
        known = by_depth.get(effort.depth)
        if known is None or known.recall < min(level, effort.recall):
            by_depth[effort.depth] = effort
    return tuple(by_depth[depth] for depth in sorted(by_depth))


def gaps_at(gaps: Gaps, level: float) -> tuple[tuple[int, float], ...]:
    """The gap of each depth at the first level above ``level``: rows are lost in other ways than by lists, too."""
    at = min(bisect_right(LEVELS, level + 1e-9), len(LEVELS) - 1)
    return tuple((depth, levels[at]) for depth, levels in gaps)


def harder(efforts: Sequence[Effort], now: Sequence[Effort], lists: int) -> tuple[Effort, ...]:
    """Efforts of the next level that costs more than ``now``, one a depth; beyond the last level, half as much again.

    Args:
        efforts: What was measured at each depth and level.
        now: What is in use.
        lists: The largest useful number of probes.
    """
    for level in LEVELS:
        candidate = at_level(efforts, level)
        pairs = list(zip(candidate, now, strict=True))
        if candidate != tuple(now) and all(
            new.probes >= old.probes and new.candidates >= old.candidates for new, old in pairs
        ):
            return candidate
    return tuple(
        replace(
            effort,
            probes=min(lists, ceil(effort.probes * _HARDER)),
            candidates=ceil(effort.candidates * _HARDER),
        )
        for effort in now
    )


def calibrate_searcher(searcher: Searcher, rows: HalfArray, seed: int = 0) -> Measured:
    """The cheapest efforts of a segment's engine for each of ``DEPTHS`` and ``LEVELS``, by asking it; and its gaps.

    Asked are rows of the segment, leaving out what is found of themselves (that proves nothing), and one mixture of two
    for every three of them: such are far from all, as some photos are. A neighbor counts as found where one as near is.

    Args:
        searcher: The engine, opened.
        rows: fp16 ``[n, dim]``, by slot, perhaps a memory map of more than fits into memory.
        seed: Of the sample.

    Returns:
        Efforts by depth, then by level; fewer where levels or depths coincide, none for fewer than 8 rows. ``recall``
        is what was measured, which may be less than any level where the engine does not reach it.
    """
    if len(rows) < 8:
        return Measured(())
    queries, own = _sample(rows, seed)
    depths = [depth for depth in DEPTHS if depth <= len(rows) // 4] or [max(1, len(rows) // 4)]
    slots, truth = _nearest(rows, queries, own, depths[-1])
    efforts: list[Effort] = []
    for depth in depths:
        trial = _Trial(searcher, queries, own, truth, depth, len(rows))
        efforts += dict.fromkeys(trial.cheapest(level) for level in LEVELS)
    return Measured(tuple(efforts), _gaps(searcher, queries, slots, truth))


def _gaps(searcher: Searcher, queries: FloatArray, slots: KeyArray, truth: FloatArray) -> Gaps:
    """How far the centers of the lists of the true neighbors are behind the farthest of these."""
    depths = [depth for depth in GAP_DEPTHS if depth <= truth.shape[1]]
    found = [searcher.list_cosines(query, line[: depths[-1]]) for query, line in zip(queries, slots, strict=True)]
    cosines = [line for line in found if line is not None]
    if len(cosines) < len(queries):
        return ()
    gaps = []
    for depth in depths:
        behind = 1.0 - truth[:, depth - 1 : depth] - np.stack(cosines)[:, :depth]
        gaps.append((depth, tuple(np.maximum(np.quantile(behind, LEVELS, method="higher"), 0.0).tolist())))
    return tuple(gaps)


class _Trial:
    """Asks an engine for the ``depth`` nearest at this and that effort, each once."""

    def __init__(
        self, searcher: Searcher, queries: FloatArray, own: KeyArray, truth: FloatArray, depth: int, rows: int
    ) -> None:
        count = min(len(queries), max(_FEWEST_QUERIES, _JUDGED // depth))
        # However many are asked, every fourth is a mixture.
        self._asked = list(zip(queries[:count], own[:count].tolist(), truth[:count, depth - 1].tolist(), strict=True))
        self._searcher = searcher
        self._depth = depth
        self._probes = _fine_ladder(searcher.lists)
        widest = min(rows, max(_WIDEST, 2 * depth))
        self._widths = sorted({min(widest, int(depth * width) + 1) for width in _WIDTHS})
        self._recalls: dict[tuple[int, int], float] = {}

    def cheapest(self, level: float) -> Effort:
        """The cheapest effort that reaches ``level``; the hardest there is where none does."""
        widest = self._widths[-1]
        first = bisect_left(self._probes, level, key=lambda probes: self._recall(probes, widest))
        if first == len(self._probes):
            return self._effort(self._probes[-1], widest)
        best, price, width = self._probes[first], np.inf, widest
        most = len(self._widths)
        for probes in self._probes[first:]:
            if self._cost(probes, self._widths[0]) >= price:
                break  # more lists only cost more
            at = self._narrowest(probes, level, most)
            cost = self._cost(probes, self._widths[at])
            if cost < price:
                best, price, width, most = probes, cost, self._widths[at], at + 1
        return self._effort(best, width)

    def _narrowest(self, probes: int, level: float, most: int) -> int:
        """Which of the first ``most`` widths is the smallest that reaches ``level``; the last of them for none."""
        return bisect_left(self._widths, level, hi=most - 1, key=lambda width: self._recall(probes, width))

    def _effort(self, probes: int, width: int) -> Effort:
        return Effort(self._depth, probes, width, self._recall(probes, width))

    def _cost(self, probes: int, width: int) -> float:
        return self._searcher.cost_ns(probes=probes, candidates=width)

    def _recall(self, probes: int, width: int) -> float:
        """Share of the true neighbors that are found at an effort."""
        known = self._recalls.get((probes, width))
        if known is not None:
            return known
        found = 0
        for query, own, farthest in self._asked:
            near = self._searcher.nearest(query, self._depth + 1, probes=probes, candidates=max(width, self._depth + 1))
            others = near.distances if own < 0 else near.distances[near.slots != own]
            found += min(self._depth, int(np.count_nonzero(others <= farthest + _SAME_DISTANCE)))
        recall = found / (self._depth * len(self._asked))
        self._recalls[probes, width] = recall
        return recall


def _sample(rows: HalfArray, seed: int) -> tuple[FloatArray, KeyArray]:
    """Queries (every fourth a mixture of two rows, the others rows), and the slot of each that is a row, else -1."""
    rng = np.random.default_rng(seed)
    count = min(_QUERIES, len(rows) // 2)
    picked = rng.choice(len(rows), 2 * count, replace=False).astype(np.int64)
    queries, others = (rows[part].astype(np.float32) for part in np.split(picked, 2))
    own = picked[:count].copy()
    mixed = queries + others
    # Opposites cancel out, and no direction is left: then the row itself is asked.
    mixes = (np.arange(count) % _MIXED == _MIXED - 1) & (np.linalg.norm(mixed, axis=1) > 0.1)
    queries[mixes], own[mixes] = mixed[mixes], -1
    queries /= np.maximum(np.linalg.norm(queries, axis=1, keepdims=True), 1e-6)
    return np.ascontiguousarray(queries), own


def _nearest(rows: HalfArray, queries: FloatArray, own: KeyArray, depth: int) -> tuple[KeyArray, FloatArray]:
    """The ``depth`` nearest of each query, itself left out, and their true distances, ascending: ``[q, depth]``."""
    slots = np.empty((len(queries), 0), np.int64)
    scores = np.empty((len(queries), 0), np.float32)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        block = rows[start : start + _ROWS_AT_ONCE].astype(np.float32)
        here = np.broadcast_to(np.arange(start, start + len(block)), (len(queries), len(block)))
        slots = np.concatenate([slots, here], axis=1)
        scores = np.concatenate([scores, queries @ block.T], axis=1)
        if scores.shape[1] > depth + 1:
            order = np.argpartition(scores, -depth - 1, axis=1)[:, -depth - 1 :]
            slots, scores = np.take_along_axis(slots, order, 1), np.take_along_axis(scores, order, 1)
    nearest, truth = np.empty((len(queries), depth), np.int64), np.empty((len(queries), depth), np.float32)
    for number, (query, row, self_slot) in enumerate(zip(queries, slots, own.tolist(), strict=True)):
        others = np.ascontiguousarray(row[row != self_slot])
        distances = kernels.distances(rows, query, others)
        order = np.argsort(distances, kind="stable")[:depth]
        nearest[number], truth[number] = others[order], distances[order]
    return nearest, truth


def _fine_ladder(lists: int) -> list[int]:
    """Numbers of lists to try: about eighth powers of two, and all of them."""
    steps = {round(2 ** (step / 8)) for step in range(8 * lists.bit_length())}
    return sorted({step for step in steps if step < lists} | {lists})


def _ladder(lists: int) -> list[int]:
    """Numbers of lists to try: powers of two, and all of them."""
    ladder = [1]
    while ladder[-1] * 2 < lists:
        ladder.append(ladder[-1] * 2)
    return [*ladder, lists] if lists > 1 else ladder


def _ranks(found: KeyArray, own: KeyArray, truth: KeyArray) -> KeyArray:
    """At which place of ``found`` each true neighbor stands: int64 ``[q, t - 1]``; a huge number where it does not."""
    missing = np.iinfo(np.int64).max
    ranks = np.full((len(truth), truth.shape[1] - 1), missing, np.int64)
    for number, (row, self_slot, wanted) in enumerate(zip(found, own, truth, strict=True)):
        others = wanted[wanted != self_slot][: ranks.shape[1]]
        order = np.argsort(row, kind="stable")
        at = np.minimum(np.searchsorted(row, others, sorter=order), row.size - 1)
        hit = row[order[at]] == others
        ranks[number][: others.size][hit] = order[at[hit]]
    return ranks


def _cheapest(depth: int, ranks: Mapping[int, KeyArray], width: int, probe_cost: float, row_cost: float) -> Effort:
    """Of all efforts that reach the target at ``depth`` the cheapest; the best there is where none does."""
    good: list[tuple[float, Effort]] = []
    fallback = Effort(depth, 1, width, 0.0)
    for probes, places in ranks.items():
        near = np.sort(places[:, :depth], axis=None)
        needed = max(int(np.ceil(TARGET_RECALL * near.size)), 1)
        reached = float(np.mean(near < width))
        if reached > fallback.recall:
            fallback = Effort(depth, probes, width, reached)
        last = int(near[needed - 1])
        if last < width:
            # Half as many again: the sample's tail is thin.
            take = min(width, max(int((last + 1) * 1.5), 2 * depth))
            good.append(
                (probes * probe_cost + take * row_cost, Effort(depth, probes, take, float(np.mean(near < take))))
            )
    return min(good, key=lambda pair: pair[0])[1] if good else fallback
