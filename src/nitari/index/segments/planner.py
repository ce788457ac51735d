"""How to search a sealed segment: the cheapest of what can be done, by what it holds and what is allowed.

Nothing here touches a row: numbers in, a plan out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nitari.index.base import How
from nitari.index.calibrate import DEPTHS, TARGET_RECALL, Effort, effort_for
from nitari.index.segments.costs import Costs
from nitari.index.segments.engine import Near, Searcher, SlotArray

# An engine that does not say what it looked at is asked a second time, harder, to see whether that changes anything.
_LOOKS_WHERE_SILENT = 4.0
_LOOKS = 1.25
# Above this share of rows, what is left out (removed rows, mostly) is taken not to matter for where the others lie.
PLAIN = 0.8
# For each row found in the farther half of what was looked at, about 0.28 are missed beyond it (measured at 200,000
# rows with filters of half-spaces). ``Near.late`` tells of so many rows.
_MISSED = 0.28
_TOLD = 64
# So many late ones are nothing where what is allowed lies here as thickly as elsewhere, within this factor.
_FEW_LATE = 2
_THICKLY = 1.3


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do.

    Args:
        how: The way.
        cost_ns: What it is expected to take.
        effort: How hard an engine is to look; ``None`` where none is asked.
        offers: Every way that was possible with its cost, cheapest first: why this one was taken.
    """

    how: How
    cost_ns: float
    effort: Effort | None = None
    offers: tuple[tuple[How, float], ...] = ()

    def beside(self, how: How, cost_ns: float) -> Plan:
        """The better one of this plan and another way."""
        offers = tuple(sorted((*self.offers, (how, cost_ns)), key=lambda offer: offer[1]))
        return replace(self, offers=offers) if self.cost_ns <= cost_ns else Plan(how, cost_ns, None, offers)

    @property
    def reason(self) -> str:
        """The costs that were compared, in words."""
        if not self.offers:
            return "nothing is allowed"
        return " < ".join(f"{how} {cost / 1e3:.0f} us" for how, cost in self.offers)


@dataclass(frozen=True, slots=True)
class Engine:
    """A segment's engine, as the planner sees it.

    Args:
        searcher: What is asked.
        how: What its answers are called: ``codes`` or ``graph``.
        efforts: How hard it must look, by depth, for the recall that is promised; at least one.
        level: The share of the nearest that is to be found.
        tells: Whether it says how far off it found what it found (``Near.late``).
        far: Whether queries may lie far from all its rows, as they may from those that a filter allows.
        gaps: By depth, how far off lists may be, see ``calibrate.Measured``; empty where that was not measured.
    """

    searcher: Searcher
    how: How
    efforts: Sequence[Effort]
    level: float = TARGET_RECALL
    tells: bool = False
    far: bool = False
    gaps: tuple[tuple[int, float], ...] = ()

    def gap(self, k: int) -> float | None:
        """The gap for the ``k`` nearest: the deepest that was measured of so many; deeper ones are smaller."""
        found = None
        for depth, gap in self.gaps:
            if depth > k:
                break
            found = gap
        return found

    def effort(self, k: int, *, share: float) -> Effort:
        """How hard to look for the ``k`` nearest of the ``share`` of rows that is allowed.

        A query for ``k`` of that share looks as deep as one for ``k / share`` of all rows. Of the candidates at that
        depth the filter lets its share through; there are never fewer than without a filter.
        """
        lists = self.searcher.lists
        shallow = effort_for(self.efforts, k, lists=lists)
        if share >= 1.0:
            return Effort(shallow.depth, shallow.probes, max(shallow.candidates, k), shallow.recall)
        deep = effort_for(self.efforts, k / share, lists=lists)
        candidates = max(math.ceil(deep.candidates * share), shallow.candidates, k)
        return Effort(deep.depth, max(deep.probes, shallow.probes), candidates, deep.recall)

    def only(self, slots: SlotArray, *, share: float) -> Engine | None:
        """The same over some of the rows, this share of all, see ``Searcher.only``.

        It looks as hard as this one would with a filter that allows those rows; and harder, the fewer of the lists they
        are from: queries then come from elsewhere, mostly, and find less in the lists that are nearest. Where those
        rows lie among the others as any would, queries are no farther from them than efforts were measured for.
        """
        searcher = self.searcher.only(slots)
        if searcher is None:
            return None
        harder = math.sqrt(self.searcher.lists / max(1, searcher.lists))
        efforts = []
        for depth in DEPTHS:
            effort = self.effort(depth, share=share)
            probes = min(searcher.lists, math.ceil(effort.probes * harder))
            efforts.append(replace(effort, depth=depth, probes=probes))
        return replace(self, searcher=searcher, efforts=efforts, far=not self.searcher.even(slots))

    def cost(self, effort: Effort, costs: Costs, *, share: float = 1.0, together: bool = False) -> float:
        """Nanoseconds to ask once, where this share of what is looked at is allowed, and those rows lie together."""
        said = self.searcher.cost_ns(probes=effort.probes, candidates=effort.candidates, share=share, together=together)
        return costs.codes_ns + costs.codes_factor * said


def choose(
    *,
    rows: int,
    allowed: int,
    k: int,
    dim: int,
    costs: Costs,
    engine: Engine | None = None,
    scattered: bool = False,
    listing_ns: float = 0.0,
) -> Plan:
    """The cheapest plan for the ``k`` nearest.

    Args:
        rows: In the segment, removed ones included.
        allowed: How many of them may be answered.
        k: At least 1.
        dim: Width of a row.
        costs: Of this machine.
        engine: Where the segment has one.
        scattered: Whether the rows lie apart, so that they cannot be scanned.
        listing_ns: What it takes to know which rows are allowed, where an engine need not know.
    """
    if not allowed:
        return Plan("empty", 0.0)
    offers: list[tuple[How, float]] = [] if scattered else [("scan", costs.scan(rows, dim))]
    if allowed < rows or scattered:
        offers.append(("gather", costs.gather(allowed, dim) + listing_ns))
    effort = None
    if engine is not None and engine.efforts:
        effort = engine.effort(k, share=allowed / rows)
        # With half of what is allowed among the candidates, there is nothing left to save.
        if effort.candidates <= allowed // 2:
            looks = 1.0 if allowed >= PLAIN * rows else _LOOKS if engine.tells else _LOOKS_WHERE_SILENT
            offers.append((engine.how, looks * engine.cost(effort, costs, share=allowed / rows)))
    offers.sort(key=lambda offer: offer[1])
    how, cost = offers[0]
    return Plan(how, cost, effort if engine is not None and how == engine.how else None, tuple(offers))


def _as_elsewhere(near: Near, share: float) -> bool:
    """Whether of what was looked at about the share is allowed that is allowed of all rows."""
    here = near.seen / max(1, near.looked)
    return share / _THICKLY <= here <= share * _THICKLY


def further(
    engine: Engine, near: Near, before: Near | None, effort: Effort, *, k: int, allowed: int, rows: int
) -> Effort | None:
    """How much harder to look, after one look; ``None`` where what was found stands.

    What a filter allows may lie far from the query, where efforts were not measured. An engine that tells where it
    found things shows whether that is so; others are asked again, harder, until that changes nothing.

    Args:
        engine: Which was asked.
        near: What it found.
        before: What it found when it was asked before, less hard.
        effort: How hard it was asked to look.
        k: How many are wanted.
        allowed: How many rows may be answered.
        rows: Of how many.
    """
    wanted = min(k, allowed)
    enough = near.slots.size >= wanted
    lists = engine.searcher.lists
    if enough and ((allowed >= PLAIN * rows and not engine.far) or effort.probes >= lists):
        return None
    wider = Effort(effort.depth, min(lists, 4 * effort.probes), 2 * effort.candidates, effort.recall)
    if enough and not engine.far and 0 <= near.late <= _FEW_LATE and _as_elsewhere(near, allowed / rows):
        return None
    if near.late < 0:
        same = before is not None and np.array_equal(near.slots[:wanted], before.slots[:wanted])
        return None if enough and same else wider
    if enough and near.late * _MISSED <= (1.0 - engine.level) * min(wanted, _TOLD):
        return None
    if enough and 0 <= near.worth <= effort.probes:
        return None
    # As deep as the share of rows allowed around here says, but step by step: that changes on the way.
    deep = engine.effort(k, share=max(near.seen / max(1, near.looked), 1.0 / rows))
    probes = min(max(deep.probes, 2 * effort.probes), wider.probes)
    if enough and near.worth >= 0:
        probes = min(near.worth, wider.probes)
    return Effort(deep.depth, probes, max(effort.candidates, min(deep.candidates, wider.candidates)), deep.recall)
