"""A sealed segment as one index searches it: which of its rows are still alive, and what filters allow of them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from threading import Lock
from time import perf_counter

import numpy as np

from nitari.index.base import Allowed, How, Step
from nitari.index.calibrate import at_level, gaps_at, harder
from nitari.index.masks import Mask, MaskCache
from nitari.index.ranking import best
from nitari.index.segments.body import Body, Found
from nitari.index.segments.costs import Costs
from nitari.index.segments.engine import SlotArray
from nitari.index.segments.materialized import Copies, Copy, Order
from nitari.index.segments.planner import Engine, Plan
from nitari.index.segments.sealed import SealedSegment
from nitari.types import BoolArray, FloatArray, KeyArray, Matches

_REMEMBERED = 64
_FIRST: SlotArray = np.zeros(1, np.int64)
_GRAPHS = frozenset({"ngt"})
# Where a segment is to be searched harder, so much farther than was measured.
_FARTHER = 1.1
# From more queries on, a filter is asked about all rows, and not one by one about those that each query meets.
_ASKED_ONE_BY_ONE = 16
_ASKED_AT_LEAST = 2


@dataclass(slots=True, eq=False)
class Filtered:
    """What one filter allows of the rows that are alive, and what was derived from that.

    Args:
        token: Of the filter.
        body: The segment's rows, of which those may be answered.
        source: What the filter says of all rows; another object once it says something else.
        state: ``SealedPart``'s, that the rest is right for.
        asked: How many queries there were with it.
        copy: Its rows laid side by side; ``None`` where they are not.
        pays: For a ``k``, from how many queries on a copy is worth it.
    """

    token: str
    body: Body
    source: Mask
    state: int
    asked: int = 0
    copy: Copy | None = None
    pays: tuple[int, float] = (0, 0.0)


class SealedPart:
    """A sealed segment in an index. Readers run side by side while nobody kills rows; the index sees to that.

    Args:
        segment: What is searched. The part closes it (``retire``).
        alive: For each slot, whether its key is still to be found: bool ``[n]``, kept; ``None`` for all.
        costs: Of this machine.
        level: Level of recall to search at, of ``calibrate.LEVELS``.
        copies: Keeps copies of the rows of filters that return; ``None`` for none.
    """

    def __init__(
        self,
        segment: SealedSegment,
        alive: BoolArray | None = None,
        *,
        costs: Costs,
        level: float,
        copies: Copies | None = None,
    ) -> None:
        self.segment = segment
        self._costs = costs
        self._alive = np.ones(segment.count, np.bool_) if alive is None else alive
        self._count = int(np.count_nonzero(self._alive))
        self._masks = MaskCache(later=segment.searcher is not None and segment.searcher.looks_up)
        self._filters: OrderedDict[str, Filtered] = OrderedDict()
        self._body: Body | None = None
        self._survivors: Mask | None = None
        self._plans: dict[tuple[int, int, bool], Plan] = {}
        self._state = 0
        self._copies = copies
        self._lock = Lock()
        self._pins = 0
        self._retired = False
        self._engine: Engine | None = None
        if segment.searcher is not None and segment.efforts:
            how: How = "graph" if segment.engine in _GRAPHS else "codes"
            first = segment.searcher.nearest(self.rows(_FIRST)[0], 1, probes=1, candidates=1)
            self._engine = Engine(
                segment.searcher,
                how,
                at_level(segment.efforts, level),
                level,
                first.late >= 0,
                gaps=gaps_at(segment.gaps, level),
            )

    def __len__(self) -> int:
        return self._count

    @property
    def engine(self) -> Engine | None:
        """What finds candidates, and how hard it looks."""
        return self._engine

    def look_harder(self) -> None:
        """Ask the engine for more from now on: for the next level that was measured. Queries may be under way."""
        engine = self._engine
        if engine is not None:
            efforts = harder(self.segment.efforts, engine.efforts, engine.searcher.lists)
            gaps = tuple((depth, gap * _FARTHER) for depth, gap in engine.gaps)
            self._engine = replace(engine, efforts=efforts, gaps=gaps)
            self._forget()

    def find(self, keys: KeyArray) -> SlotArray:
        """The slot of each of ``keys`` that is alive, -1 for the others: int64 ``[n]``."""
        slots = self.segment.find(keys)
        return np.where((slots >= 0) & self._alive[slots], slots, -1)

    def rows(self, slots: SlotArray) -> FloatArray:
        """The rows at ``slots``, copied: float32 ``[n, dim]``."""
        return self.segment.rows[slots].astype(np.float32)

    def alive_slots(self) -> SlotArray:
        """The slots that are alive, ascending: int64 ``[len]``."""
        return np.flatnonzero(self._alive)

    def kill(self, slots: SlotArray) -> None:
        """Let rows (alive, no repeats) not be found any more. Nobody may be searching."""
        if slots.size:
            self._alive[slots] = False
            self._count -= slots.size
            self._forget()

    def search(
        self,
        vectors: FloatArray,
        k: int,
        *,
        allowed: Allowed | None = None,
        max_distance: float | None = None,
        trace: list[Step] | None = None,
    ) -> list[Matches]:
        """The ``k`` nearest allowed keys of each query, as ``VectorIndex.query`` says."""
        if allowed is None:
            return [self._answer(self._whole(), None, vector, k, max_distance, trace) for vector in vectors]
        filtered = self._filtered(allowed, len(vectors))
        if self._copies is not None:
            self._consider_copy(self._copies, filtered, k)
        return [self._answer(filtered.body, filtered.copy, vector, k, max_distance, trace) for vector in vectors]

    def pin(self) -> bool:
        """Keep the segment open for whoever reads it off the query path; ``False`` where it is closed already."""
        with self._lock:
            self._pins += not self._retired
            return not self._retired

    def unpin(self) -> None:
        """Undo one ``pin``."""
        with self._lock:
            self._pins -= 1
            last = self._retired and not self._pins
        if last:
            self.segment.close()

    def retire(self) -> None:
        """Close the segment, as soon as nobody has it pinned. Doing so twice is harmless."""
        with self._lock:
            last = not self._retired and not self._pins
            self._retired = True
            self._filters.clear()
        if self._copies is not None:
            self._copies.forget(self)
        if last:
            self.segment.close()

    def _forget(self) -> None:
        """Plan anew, with another engine or other rows alive."""
        self._body = self._survivors = None
        self._plans = {}
        self._state += 1

    def _whole(self) -> Body:
        """All rows that are alive."""
        body = self._body
        if body is None:
            mask = None if self._count == self.segment.count else self._alive_mask()
            body = self._body = Body(
                self.segment.rows, engine=self._engine, mask=mask, costs=self._costs, plans=self._plans
            )
        return body

    def _filtered(self, allowed: Allowed, queries: int) -> Filtered:
        """What a filter allows of what is alive, brought up to date."""
        source, token = self._masks.get(allowed, self.segment.keys, self.segment.find), allowed.token
        with self._lock:
            filtered = self._filters.get(token)
            if filtered is None or filtered.source is not source or filtered.state != self._state:
                body = Body(
                    self.segment.rows,
                    engine=self._engine,
                    mask=self._living(source),
                    costs=self._costs,
                    plans=self._plans,
                )
                before, filtered = filtered, Filtered(token, body, source, self._state)
                if before is not None:
                    filtered.asked = before.asked
                    filtered.copy = None if before.copy is None else before.copy.follow(_mask_of(body))
                self._filters[token] = filtered
                if len(self._filters) > _REMEMBERED:
                    self._filters.popitem(last=False)
            filtered.asked += queries
            mask = _mask_of(filtered.body)
            if mask.lookup is not None and filtered.asked > _ASKED_ONE_BY_ONE:
                mask.settle()
                filtered.body = Body(
                    self.segment.rows, engine=self._engine, mask=mask, costs=self._costs, plans=self._plans
                )
            self._filters.move_to_end(token)
        return filtered

    def _consider_copy(self, copies: Copies, filtered: Filtered, k: int) -> None:
        """Have the rows of a filter copied where that pays; note where a copy is used."""
        if filtered.copy is not None:
            copies.used((id(self), filtered.token))
            return
        if filtered.asked < _ASKED_AT_LEAST:
            return
        if filtered.pays[0] != k:
            filtered.pays = (k, copies.pays_from(filtered.body, k))
        if filtered.asked < filtered.pays[1]:
            return
        token, mask = filtered.token, _mask_of(filtered.body)
        if mask.lookup is not None:
            return

        def take(copy: Copy) -> bool:
            with self._lock:
                now = self._filters.get(token)
                if now is None or self._retired or _mask_of(now.body).lookup is not None:
                    return False  # where it is another mask by now, what it would ask may be changing
                now.copy = copy if _mask_of(now.body) is mask else copy.follow(_mask_of(now.body))
                return now.copy is not None

        def drop() -> None:
            with self._lock:
                now = self._filters.get(token)
                if now is not None:
                    now.copy = None

        copies.order(Order(self, token, mask.slots, self.segment.rows, self._engine, self.pin, self.unpin, take, drop))

    def _alive_mask(self) -> Mask:
        """The rows that are alive."""
        if self._survivors is None:
            self._survivors = Mask(self.segment.count, self._count, bits=self._alive)
        return self._survivors

    def _living(self, mask: Mask) -> Mask:
        """The rows of ``mask`` that are alive."""
        return mask if self._count == self.segment.count else mask.among(self._alive_mask())

    def _answer(
        self,
        body: Body,
        copy: Copy | None,
        vector: FloatArray,
        k: int,
        max_distance: float | None,
        trace: list[Step] | None,
    ) -> Matches:
        """One query."""
        began = perf_counter() if trace is not None else 0.0
        plan = None if copy is None else copy.beside(body, k)
        if copy is not None and plan is not None and plan.how == "materialized":
            found = copy.nearest(self.segment.rows, plan, vector, k, max_distance)
        else:
            found = body.nearest(vector, k, max_distance)
        if trace is not None:
            trace.append(self._step(body, found, (perf_counter() - began) * 1e3))
        return best(self.segment.keys[found.slots], found.distances, k, max_distance)

    def _step(self, body: Body, found: Found, ms: float) -> Step:
        reason = found.plan.reason
        if found.how != found.plan.how:
            reason += "; what is allowed lies too far from the query for that"
        allowed = len(self) if body.mask is None else body.mask.count
        return Step(self.segment.name, len(self), allowed, found.how, reason, found.probes, found.compared, ms)


def _mask_of(body: Body) -> Mask:
    """The mask of a body that has one: every filter's."""
    if body.mask is None:
        raise AssertionError("a filter without a mask")
    return body.mask
