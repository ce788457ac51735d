"""A sealed segment as one index searches it: which of its rows are still alive, and what filters allow of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import Lock
from time import perf_counter

import numpy as np

from nitari.index.base import Allowed, How, Step
from nitari.index.calibrate import Effort, at_level
from nitari.index.masks import Mask, MaskCache
from nitari.index.ranking import best
from nitari.index.segments.body import Body, Found
from nitari.index.segments.costs import Costs
from nitari.index.segments.engine import SlotArray
from nitari.index.segments.planner import Engine
from nitari.index.segments.sealed import SealedSegment
from nitari.types import BoolArray, FloatArray, KeyArray, Matches

_REMEMBERED = 64
_FIRST: SlotArray = np.zeros(1, np.int64)
_GRAPHS = frozenset({"ngt"})


@dataclass(slots=True, eq=False)
class Filtered:
    """What one filter allows of the rows that are alive, and what was derived from that.

    Args:
        body: The segment's rows, of which those may be answered.
        source: What the filter says of all rows; another object once it says something else.
        asked: How often it was asked for.
    """

    body: Body
    source: Mask
    asked: int = 0


class SealedPart:
    """A sealed segment in an index. Readers run side by side while nobody kills rows; the index sees to that.

    Args:
        segment: What is searched. The part closes it (``retire``).
        alive: For each slot, whether its key is still to be found: bool ``[n]``, kept; ``None`` for all.
        costs: Of this machine.
        level: Level of recall to search at, of ``calibrate.LEVELS``.
    """

    def __init__(self, segment: SealedSegment, alive: BoolArray | None = None, *, costs: Costs, level: float) -> None:
        self.segment = segment
        self._costs = costs
        self._alive = np.ones(segment.count, np.bool_) if alive is None else alive
        self._count = int(np.count_nonzero(self._alive))
        self._masks = MaskCache()
        self._filters: OrderedDict[str, Filtered] = OrderedDict()
        self._body: Body | None = None
        self._lock = Lock()
        self._pins = 0
        self._retired = False
        self._engine: Engine | None = None
        if segment.searcher is not None and segment.efforts:
            how: How = "graph" if segment.engine in _GRAPHS else "codes"
            first = segment.searcher.nearest(self.rows(_FIRST)[0], 1, probes=1, candidates=1)
            self._engine = Engine(segment.searcher, how, at_level(segment.efforts, level), level, first.late >= 0)

    def __len__(self) -> int:
        return self._count

    @property
    def engine(self) -> Engine | None:
        """What finds candidates, and how hard it looks."""
        return self._engine

    def set_efforts(self, efforts: Sequence[Effort]) -> None:
        """Look harder, or less hard, from now on."""
        if self._engine is not None:
            self._engine = replace(self._engine, efforts=tuple(efforts))
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
        body = self._whole() if allowed is None else self._filtered(allowed).body
        return [self._answer(body, vector, k, max_distance, trace) for vector in vectors]

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
        if last:
            self.segment.close()

    def _forget(self) -> None:
        """Plan anew, with another engine or other rows alive."""
        self._body = None
        with self._lock:
            self._filters.clear()

    def _whole(self) -> Body:
        """All rows that are alive."""
        body = self._body
        if body is None:
            every = self._count == self.segment.count
            mask = None if every else Mask(self.segment.count, self._count, bits=self._alive)
            body = self._body = Body(self.segment.rows, engine=self._engine, mask=mask, costs=self._costs)
        return body

    def _filtered(self, allowed: Allowed) -> Filtered:
        """What a filter allows of what is alive, brought up to date."""
        source = self._masks.get(allowed, self.segment.keys, self.segment.find)
        with self._lock:
            filtered = self._filters.get(allowed.token)
            if filtered is None or filtered.source is not source:
                body = Body(self.segment.rows, engine=self._engine, mask=self._living(source), costs=self._costs)
                filtered = self._filters[allowed.token] = Filtered(body, source)
                if len(self._filters) > _REMEMBERED:
                    self._filters.popitem(last=False)
            filtered.asked += 1
            self._filters.move_to_end(allowed.token)
        return filtered

    def _living(self, mask: Mask) -> Mask:
        """The rows of ``mask`` that are alive."""
        if self._count == self.segment.count:
            return mask
        if mask.sparse:
            return Mask.from_slots(mask.slots[self._alive[mask.slots]], mask.rows)
        return Mask.from_bits(mask.bits & self._alive)

    def _answer(
        self, body: Body, vector: FloatArray, k: int, max_distance: float | None, trace: list[Step] | None
    ) -> Matches:
        """One query."""
        if trace is None:
            found = body.nearest(vector, k, max_distance)
        else:
            began = perf_counter()
            found = body.nearest(vector, k, max_distance)
            trace.append(self._step(body, found, (perf_counter() - began) * 1e3))
        return best(self.segment.keys[found.slots], found.distances, k, max_distance)

    def _step(self, body: Body, found: Found, ms: float) -> Step:
        reason = found.plan.reason
        if found.how != found.plan.how:
            reason += "; what is allowed lies too far from the query for that"
        return Step(self.segment.name, len(self), body.allowed, found.how, reason, found.probes, found.compared, ms)
