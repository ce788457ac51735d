"""Rows, perhaps with an engine over them, of which some may be answered: planned for and searched."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nitari.index.base import How
from nitari.index.calibrate import Effort
from nitari.index.masks import Mask
from nitari.index.segments.costs import Costs
from nitari.index.segments.engine import HalfArray, Near, SlotArray
from nitari.index.segments.flat import nearest_rows
from nitari.index.segments.planner import Engine, Plan, choose, further
from nitari.types import FloatArray

# With a radius, how many of the nearest are asked for at first: mostly the radius ends before them.
_FIRST_WITHIN = 64
# Where rows tie with the last that is wanted, how far to follow them so as to answer the smaller keys.
_MOST_TIES = 4096
# Where fewer than so many times what is wanted are allowed, it is to be known how many.
_SURELY = 16
# A row, to ask of all of them whether they are allowed.
_LISTING_NS = 0.5
_PLANS = 4096
_NO_SLOTS: SlotArray = np.empty(0, np.int64)
_NO_DISTANCES: FloatArray = np.empty(0, np.float32)


class Found(NamedTuple):
    """What was found: the ``k`` nearest at least, in no order, perhaps some more.

    Args:
        slots: int64 ``[n]``.
        distances: float32 ``[n]``: true distances.
        plan: What was planned.
        how: What was done in the end.
        probes: How far an engine looked at last, 0 for none.
        compared: Of how many rows the true distance was computed.
    """

    slots: SlotArray
    distances: FloatArray
    plan: Plan
    how: How
    probes: int
    compared: int


class Body:
    """Rows to be searched. Safe for several readers at once; for other rows or another mask, make another.

    Args:
        rows: fp16 ``[n, dim]``, unit rows, C-contiguous.
        engine: Over those rows; ``None`` for none.
        mask: Which of them may be answered; ``None`` for all.
        costs: Of this machine.
        at: int64 ``[m]``, ascending: where its rows stand among ``rows``, of which there are more then; ``None`` for
            all, in order. Slots are numbers of its rows.
        plans: Of bodies of the same rows, engine and costs: they share what was planned.
    """

    def __init__(
        self,
        rows: HalfArray,
        *,
        engine: Engine | None,
        mask: Mask | None,
        costs: Costs,
        at: SlotArray | None = None,
        plans: dict[tuple[int, int, bool], Plan] | None = None,
    ) -> None:
        self.rows = rows
        self.mask = mask
        self.engine = engine
        self.count = len(rows) if at is None else at.size
        self.allowed = self.count if mask is None else mask.about
        self._at = at
        self._costs = costs
        self._plans = {} if plans is None else plans

    def plan(self, k: int) -> Plan:
        """What to do for the ``k`` nearest; see ``choose``. Remembered."""
        mask = self.mask
        later = mask is not None and mask.lookup is not None
        if mask is not None and later and _SURELY * k > self.allowed:
            self.allowed, later = mask.count, False
        plan = self._plans.get((self.allowed, k, later))
        if plan is None:
            plan = choose(
                rows=self.count,
                allowed=self.allowed,
                k=k,
                dim=self.rows.shape[1],
                costs=self._costs,
                engine=self.engine,
                scattered=self._at is not None,
                listing_ns=_LISTING_NS * self.count if later else 0.0,
            )
            if len(self._plans) >= _PLANS:
                self._plans.clear()
            self._plans[self.allowed, k, later] = plan
        return plan

    def nearest(self, vector: FloatArray, k: int, max_distance: float | None) -> Found:
        """The ``k`` nearest of those that may be answered, and within the radius; a few beyond it may be among them.

        With an engine a radius is answered by asking for more and more of the nearest, until one of them lies outside.
        """
        asked = k if max_distance is None else min(k, _FIRST_WITHIN)
        while True:
            plan = self.plan(asked)
            if plan.effort is None:
                return self.exactly(plan, vector, k)
            found = self._ask(plan, plan.effort, vector, asked)
            if max_distance is None or asked == k or found.slots.size < asked or found.distances.max() > max_distance:
                return found
            asked = min(k, 4 * asked)

    def exactly(self, plan: Plan, vector: FloatArray, k: int) -> Found:
        """The same, by comparing every row that may be answered."""
        if not self.allowed:  # it is known: a mask that only says about how many says of many
            return Found(_NO_SLOTS, _NO_DISTANCES, plan, "empty", 0, 0)
        how, mask = plan.how, self.mask
        if how not in ("scan", "gather"):  # planned otherwise: the cheaper of the two
            how = next(offer for offer, _ in plan.offers if offer in ("scan", "gather"))
        if self._at is not None:
            there, distances = nearest_rows(
                self.rows, vector, k, slots=self._at if mask is None else self._at[mask.slots]
            )
            slots = np.searchsorted(self._at, there)
        elif mask is None:
            slots, distances = nearest_rows(self.rows, vector, k)
        elif how == "scan":
            slots, distances = nearest_rows(self.rows, vector, k, bits=mask.packed)
        else:
            slots, distances = nearest_rows(self.rows, vector, k, slots=mask.slots)
        return Found(slots, distances, plan, how, 0, slots.size)

    def _ask(self, plan: Plan, effort: Effort, vector: FloatArray, k: int) -> Found:
        """Ask the engine until what it finds stands, or until comparing every row costs no more."""
        engine = self.engine
        if engine is None:
            raise AssertionError("an effort was planned without an engine")
        rows, exact_ns = self.count, min(cost for how, cost in plan.offers if how in ("scan", "gather"))
        before: Near | None = None
        compared = 0
        while True:
            near = self._look(engine, vector, k, effort, before)
            compared = near.compared if near.probes else compared + near.compared
            wider = further(engine, near, before, effort, k=k, allowed=self.allowed, rows=rows)
            if wider is None:
                return Found(near.slots, near.distances, plan, engine.how, effort.probes, compared)
            # What is allowed does not lie where the query is; so it lies together elsewhere.
            share = self.allowed / rows
            cost = engine.cost(wider, self._costs, share=share, together=True)
            if wider.candidates > self.allowed // 2 or cost > exact_ns:
                found = self.exactly(plan, vector, k)
                return found._replace(compared=found.compared + compared)
            before, effort = near, wider

    def _look(self, engine: Engine, vector: FloatArray, k: int, effort: Effort, before: Near | None) -> Near:
        """Ask the engine once for the ``k`` nearest and what ties with the last of them."""
        mask = self.mask
        lookup = None if mask is None or not engine.searcher.looks_up else mask.lookup
        gap = None if mask is None and not engine.far else engine.gap(k)  # else rows lie where efforts were measured
        bits = None if mask is None or lookup is not None else mask.packed
        most = k
        while True:
            # One more than is wanted shows whether the last one ties with others, whose keys may be smaller.
            near = engine.searcher.nearest(
                vector,
                most + 1,
                probes=effort.probes,
                candidates=max(effort.candidates, most + 1),
                bits=bits,
                lookup=lookup,
                before=before if before is not None and before.probes else None,
                gap=gap,
            )
            tied = near.slots.size > most and near.distances[-1] == near.distances[k - 1]
            if not tied or most >= _MOST_TIES:
                return near
            most, before = min(4 * most, _MOST_TIES), None
