"""Copies of the rows that a filter allows, for filters that return: laid side by side once, searched many times.

A copy is made in the background once what it would have saved comes near to what it costs, and is kept right under
edits: rows that are not allowed any more are masked, new ones are searched beside it. A large copy gets an index of its
own, by an engine.
"""

from __future__ import annotations

import logging
import shutil
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil, inf, sqrt
from pathlib import Path
from tempfile import mkdtemp
from threading import Condition, Lock, Thread
from weakref import finalize

import numpy as np

from nitari.index.calibrate import at_level, calibrate_searcher, gaps_at
from nitari.index.masks import Mask
from nitari.index.segments.body import Body, Found
from nitari.index.segments.costs import Costs
from nitari.index.segments.engine import HalfArray, SegmentEngine, SlotArray
from nitari.index.segments.flat import nearest_rows
from nitari.index.segments.planner import Engine, Plan
from nitari.types import FloatArray

log = logging.getLogger(__name__)

COPIES_BYTES = 256 * 2**20
# From so many rows on, a copy gets an index of its own.
INDEX_FROM = 6_000
_INDEX_NS = 40_000.0  # a row, to build that index
# To pick codes out from among others: a row, and a list of them.
_PICK_NS = 60.0
_PICKED_NS = 1e6
_PICKED_BYTES = 96
_USUAL = 10
_MUCH_LESS = 0.6
# A copy is made once it would have saved this much of what it costs: later ones will make up for the rest.
_SAVED = 0.2
_ASKED_AT_LEAST = 2
# A copy of which more than this share is out of date is made anew.
_STALE = 0.1
_STALE_AT_LEAST = 64
_WAITING = 16


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Rows:
    """The rows themselves, shared by a copy's successive states.

    Args:
        slots: int64 ``[m]``: the segment's slot of each.
        rows: fp16 ``[m, dim]``; where they were left where they are, those of the segment.
        engine: Over them; ``None`` for few.
        nbytes: What they take, with the engine's files.
        folder: Of the engine's files, removed when the last reference to this is; ``None`` for none.
        copied: Whether the rows were copied.
    """

    slots: SlotArray
    rows: HalfArray
    engine: Engine | None
    nbytes: int
    folder: Path | None = None
    copied: bool = True

    def __post_init__(self) -> None:
        if self.folder is not None:
            finalize(self, shutil.rmtree, self.folder, ignore_errors=True)


class Copy:
    """Copied rows as of one state of a filter and its segment. Safe for any number of readers.

    Args:
        stored: The rows.
        costs: Of this machine.
        kept: Which of them are still allowed; ``None`` for all.
        added: int64 ``[a]``: slots of the segment that are allowed by now, and not among them.
    """

    def __init__(self, stored: Rows, *, costs: Costs, kept: Mask | None = None, added: SlotArray | None = None) -> None:
        self.stored = stored
        self._costs = costs
        self._plans: dict[int, Plan] = {}
        self._added = added if added is not None and added.size else None
        at = None if stored.copied else stored.slots
        self._body = Body(stored.rows, engine=stored.engine, mask=kept, costs=costs, at=at)

    def beside(self, body: Body, k: int) -> Plan:
        """What to do: to search this copy, or the ``body`` that it was made of. Remembered."""
        plan = self._plans.get(k)
        if plan is None:
            plan = self._plans[k] = body.plan(k).beside("materialized", self.cost(k))
        return plan

    def cost(self, k: int) -> float:
        """About how long a search takes, nanoseconds."""
        beside = 0.0 if self._added is None else self._costs.gather(self._added.size, self.stored.rows.shape[1])
        return self._body.plan(k).cost_ns + beside

    def follow(self, mask: Mask) -> Copy | None:
        """This copy as it is right for another state of the filter; ``None`` where too much is different."""
        kept = mask.bits[self.stored.slots]
        left = int(np.count_nonzero(kept))
        gone, new = kept.size - left, mask.count - left
        if gone + new > max(_STALE_AT_LEAST, _STALE * kept.size):
            return None
        added = None
        if new:
            others = mask.bits.copy()
            others[self.stored.slots] = False
            added = np.flatnonzero(others)
        return Copy(
            self.stored, costs=self._costs, kept=Mask(kept.size, left, bits=kept) if gone else None, added=added
        )

    def nearest(self, rows: HalfArray, plan: Plan, vector: FloatArray, k: int, max_distance: float | None) -> Found:
        """As ``Body.nearest``; slots are the segment's, whose ``rows`` these are."""
        found = self._body.nearest(vector, k, max_distance)
        slots, distances = self.stored.slots[found.slots], found.distances
        if self._added is not None:
            more, far = nearest_rows(rows, vector, k, slots=self._added)
            slots, distances = np.concatenate([slots, more]), np.concatenate([distances, far])
        compared = found.compared + slots.size - found.slots.size
        return Found(slots, distances, plan, "materialized", found.probes, compared)


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """A copy to be made.

    Args:
        owner: Whose rows; equal orders have the same owner and token.
        token: Of the filter.
        slots: int64 ``[m]``: which rows, ascending.
        rows: Of the segment.
        engine: Of the segment; its kind of answers is the copy's, too.
        pin: Keeps the segment open; ``False`` where it is closed.
        unpin: Lets it go.
        take: Hands the copy over; ``False`` where it is not wanted any more.
        drop: Takes it back.
    """

    owner: object
    token: str
    slots: SlotArray
    rows: HalfArray
    engine: Engine | None
    pin: Callable[[], bool]
    unpin: Callable[[], None]
    take: Callable[[Copy], bool]
    drop: Callable[[], None]

    @property
    def key(self) -> tuple[int, str]:
        """Identity of what is copied."""
        return id(self.owner), self.token


class Copies:
    """All copies of an index, bounded in bytes; the one that was not used for the longest goes first.

    Copies are made one after the other in a thread that ends when there is nothing to do. Safe for any threads.

    Args:
        costs: Of this machine.
        limit: Bytes.
        engine: Builds the index of a large copy; ``None`` to scan it.
    """

    def __init__(self, *, costs: Costs, limit: int = COPIES_BYTES, engine: SegmentEngine | None = None) -> None:
        self._costs = costs
        self._limit = limit
        self._engine = engine
        self._kept: OrderedDict[tuple[int, str], tuple[Order, int]] = OrderedDict()
        self._orders: deque[Order] = deque()
        self._ordered: set[tuple[int, str]] = set()
        self._lock = Lock()
        self._idle = Condition(self._lock)
        self._thread: Thread | None = None
        self._closed = False

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def nbytes(self) -> int:
        """What they take."""
        with self._lock:
            return sum(size for _, size in self._kept.values())

    def pays_from(self, body: Body, k: int) -> float:
        """From how many queries on a copy of the rows that a body may answer is worth it; infinite for never."""
        count, dim = body.allowed, body.rows.shape[1]
        if not count or self._bytes(body.engine, count, len(body.rows), dim) > self._limit // 2:
            return inf
        took = body.plan(k).cost_ns
        if self._picks(body.engine, count, len(body.rows), dim) and body.engine is not None:
            copied, price = self._picked_ns(body.engine, k, count, len(body.rows)), _PICK_NS * count + _PICKED_NS
        else:
            copied, price = self._costs.scan(count, dim), self._costs.copy(count, dim)
            if self._indexes(count) and body.engine is not None:
                effort = body.engine.effort(k, share=1.0)
                # Lists grow with the root of the number of rows, and so do those to be looked into.
                fewer = replace(effort, probes=max(1, ceil(effort.probes * sqrt(count / len(body.rows)))))
                copied = min(copied, body.engine.cost(fewer, self._costs))
                price += _INDEX_NS * count
        saving = took - copied
        return max(_ASKED_AT_LEAST, _SAVED * price / saving) if saving > 0.1 * took else inf

    def _picked_ns(self, engine: Engine, k: int, count: int, rows: int) -> float:
        """What a query takes with an engine over some of its rows."""
        effort = engine.effort(k, share=count / rows)
        return engine.cost(replace(effort, probes=max(1, ceil(effort.probes * count / rows))), self._costs)

    def _picks(self, engine: Engine | None, count: int, rows: int, dim: int) -> bool:
        """Whether of so many rows only the codes are copied: where that is much quicker than to compare all of them."""
        if engine is None or not engine.searcher.looks_up:
            return False
        return self._picked_ns(engine, _USUAL, count, rows) < _MUCH_LESS * self._costs.scan(count, dim)

    def _bytes(self, engine: Engine | None, count: int, rows: int, dim: int) -> int:
        """About how much a copy takes."""
        return count * (_PICKED_BYTES if self._picks(engine, count, rows, dim) else 2 * dim)

    def order(self, order: Order) -> None:
        """Have a copy made, unless it is under way, or too much is."""
        with self._lock:
            if self._closed or order.key in self._ordered or len(self._orders) >= _WAITING:
                return
            self._ordered.add(order.key)
            self._orders.append(order)
            if self._thread is None:
                self._thread = Thread(target=self._work, name="nitari-copies", daemon=True)
                self._thread.start()

    def used(self, key: tuple[int, str]) -> None:
        """Note that a copy was of use."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)

    def forget(self, owner: object) -> None:
        """Let go of all copies of an owner's rows."""
        with self._lock:
            for key in [key for key in self._kept if key[0] == id(owner)]:
                del self._kept[key]

    def settle(self, timeout_s: float | None = None) -> bool:
        """Wait until nothing is under way; ``False`` where that takes longer."""
        with self._lock:
            return self._idle.wait_for(lambda: self._thread is None, timeout_s)

    def close(self) -> None:
        """Make no more copies, and let go of those there are."""
        with self._lock:
            self._closed = True
            self._orders.clear()
            self._kept.clear()

    def _work(self) -> None:
        """Make what is ordered, until there is nothing left."""
        while True:
            with self._lock:
                if not self._orders:
                    self._thread = None
                    self._idle.notify_all()
                    return
                order = self._orders.popleft()
            try:
                self._carry_out(order)
            except Exception:  # a copy is a convenience: without it, searches take longer
                log.warning("the rows of a filter could not be copied", exc_info=True)
            finally:
                with self._lock:
                    self._ordered.discard(order.key)

    def _carry_out(self, order: Order) -> None:
        if not order.pin():
            return
        try:
            stored = self._stored(order)
        finally:
            order.unpin()
        with self._lock:
            if self._closed or stored.nbytes > self._limit:
                return
            self._kept[order.key] = (order, stored.nbytes)
            taken, dropped = sum(size for _, size in self._kept.values()), []
            while taken > self._limit:
                _, (oldest, size) = self._kept.popitem(last=False)
                taken -= size
                dropped.append(oldest)
        for oldest in dropped:
            oldest.drop()
        if not order.take(Copy(stored, costs=self._costs)):
            with self._lock:
                self._kept.pop(order.key, None)

    def _indexes(self, count: int) -> bool:
        """Whether a copy of so many rows gets an index."""
        return self._engine is not None and count >= INDEX_FROM

    def _stored(self, order: Order) -> Rows:
        """Copy the rows, and index them where they are many; or their codes alone, if the engine can search these."""
        engine, count, theirs = self._engine, order.slots.size, order.engine
        if theirs is not None and self._picks(theirs, count, len(order.rows), order.rows.shape[1]):
            own = theirs.only(order.slots, share=count / len(order.rows))
            if own is not None:
                return Rows(order.slots, order.rows, own, _PICKED_BYTES * count, copied=False)
        rows = np.ascontiguousarray(order.rows[order.slots])
        if engine is None or theirs is None or not self._indexes(count):
            return Rows(order.slots, rows, None, rows.nbytes + order.slots.nbytes)
        folder = Path(mkdtemp(prefix="nitari-copy-"))
        try:
            return self._indexed(order, theirs, engine, rows, folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _indexed(self, order: Order, theirs: Engine, engine: SegmentEngine, rows: HalfArray, folder: Path) -> Rows:
        """Build an engine over copied rows, in ``folder``."""
        built = engine.build(rows, folder)
        slots = order.slots
        if built.order is not None:
            rows, slots = np.ascontiguousarray(rows[built.order]), slots[built.order]
        searcher = engine.open(folder, rows, built.parameters)
        measured = calibrate_searcher(searcher, rows)
        efforts, gaps = at_level(measured.efforts, theirs.level), gaps_at(measured.gaps, theirs.level)
        own = replace(theirs, searcher=searcher, efforts=efforts, gaps=gaps)
        size = sum(path.stat().st_size for path in folder.iterdir())
        return Rows(slots, rows, own, rows.nbytes + slots.nbytes + size, folder)
