"""The planner takes the cheapest way by its model, and looks on where what was found lies far off."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.index.calibrate import Effort
from nitari.index.kernels import Lookup
from nitari.index.segments.costs import Costs, default_costs
from nitari.index.segments.engine import BitArray, Near, SlotArray
from nitari.index.segments.planner import Engine, Plan, choose, further
from nitari.types import FloatArray

EFFORTS = (Effort(10, 8, 40, 0.995), Effort(100, 32, 300, 0.995), Effort(1000, 128, 2000, 0.995))
ROWS = 100_000


@dataclass(frozen=True)
class Priced:
    """Only its price is asked for."""

    lists: int = 400
    fixed_ns: float = 10_000.0
    looks_up: bool = False

    def nearest(
        self,
        vector: FloatArray,
        k: int,
        *,
        probes: int,
        candidates: int,
        bits: BitArray | None = None,
        lookup: Lookup | None = None,
        before: Near | None = None,
        gap: float | None = None,
    ) -> Near:
        """Never."""
        raise NotImplementedError

    def list_cosines(self, vector: FloatArray, slots: SlotArray) -> None:
        """It has no lists."""

    def only(self, slots: SlotArray) -> None:
        """It has to be built."""

    def even(self, slots: SlotArray) -> bool:
        """It does not know."""
        return False

    def cost_ns(self, *, probes: int, candidates: int, share: float = 1.0, together: bool = False) -> float:
        """So much a list, so much a candidate."""
        return self.fixed_ns + 250.0 * probes + 200.0 * candidates

    def close(self) -> None:
        """Nothing."""


ENGINE = Engine(Priced(), "codes", EFFORTS, tells=True)


def plan(allowed: int, *, k: int = 10, rows: int = ROWS, engine: Engine | None = ENGINE) -> Plan:
    """Of a segment of width 128."""
    return choose(rows=rows, allowed=allowed, k=k, dim=128, costs=default_costs(), engine=engine)


@given(allowed=st.integers(0, ROWS), k=st.integers(1, 2000))
def test_the_plan_is_the_cheapest_offer(allowed: int, k: int) -> None:
    """Whatever is allowed; nothing is done where nothing is."""
    found = plan(allowed, k=k)
    if not allowed:
        assert (found.how, found.offers, found.reason) == ("empty", (), "nothing is allowed")
        return
    assert found.cost_ns == min(cost for _, cost in found.offers) > 0
    assert found.how == found.offers[0][0]
    assert (found.effort is not None) == (found.how == "codes")
    assert found.reason.startswith(found.how)


@given(allowed=st.integers(1, ROWS - 1), more=st.integers(0, ROWS), k=st.integers(1, 100))
def test_gathering_more_never_looks_better(allowed: int, more: int, k: int) -> None:
    """If few rows are not worth gathering, more of them are not either, unless the engine becomes useless."""
    larger = min(ROWS - 1, allowed + more)
    costs = [dict(plan(count, k=k, engine=None).offers)["gather"] for count in (allowed, larger)]
    assert costs == sorted(costs)
    assert plan(allowed, k=k, engine=None).cost_ns <= plan(larger, k=k, engine=None).cost_ns


def test_each_way_has_its_place() -> None:
    """Few are gathered, many looked up by their codes, and a small segment is scanned."""
    assert plan(50).how == "gather"
    assert plan(ROWS // 2).how == "codes"
    assert plan(ROWS).how == "codes"
    assert plan(200, rows=200).how == "scan"
    assert plan(ROWS, engine=None).how == "scan"
    assert plan(60, k=50).how == "gather", "of so few nothing can be left out"


def test_a_silent_engine_is_reckoned_with_a_second_look() -> None:
    """And is as cheap as the other where nothing is left out."""
    silent = Engine(Priced(), "graph", EFFORTS)
    quiet, told = (dict(plan(ROWS // 2, engine=engine).offers) for engine in (silent, ENGINE))
    assert quiet["graph"] > 2 * told["codes"]
    assert dict(plan(ROWS, engine=silent).offers)["graph"] == dict(plan(ROWS).offers)["codes"]


@given(k=st.integers(1, 500), share=st.floats(0.001, 1.0), less=st.floats(0.1, 1.0))
def test_a_narrower_filter_is_never_searched_less_hard(k: int, share: float, less: float) -> None:
    """As many lists at least; and never fewer candidates than results."""
    wide, narrow = ENGINE.effort(k, share=share), ENGINE.effort(k, share=share * less)
    assert narrow.probes >= wide.probes
    assert min(wide.candidates, narrow.candidates) >= k
    assert max(wide.probes, narrow.probes) <= ENGINE.searcher.lists


def test_a_dearer_machine_changes_the_plan() -> None:
    """The constants decide."""
    slow = Costs(**{**default_costs().as_json(), "codes_factor": 1e3})
    assert choose(rows=ROWS, allowed=ROWS, k=10, dim=128, costs=slow, engine=ENGINE).how == "scan"


def test_a_copy_is_weighed_against_the_rest() -> None:
    """The better one is taken, and both are named."""
    base = plan(ROWS // 2)
    cheap, dear = base.beside("materialized", 1.0), base.beside("materialized", 1e12)
    assert (cheap.how, cheap.effort, cheap.offers[0][0]) == ("materialized", None, "materialized")
    assert (dear.how, dear.effort, dear.offers[-1][0]) == (base.how, base.effort, "materialized")


def near(count: int, *, looked: int = -1, seen: int = -1, late: int = -1, first: int = 0) -> Near:
    """So many rows from ``first`` on."""
    return Near(np.arange(first, first + count), np.linspace(0, 1, count, dtype=np.float32), count, looked, seen, late)


NOW = Effort(10, 8, 40, 0.995)


def look_on(found: Near, *, allowed: int = ROWS // 10, before: Near | None = None, tells: bool = True) -> Effort | None:
    """What comes after one look at ``NOW`` for 10."""
    engine = ENGINE if tells else Engine(Priced(), "graph", EFFORTS)
    return further(engine, found, before, NOW, k=10, allowed=allowed, rows=ROWS)


def test_what_is_found_close_by_stands() -> None:
    """And so does anything where nearly all rows are allowed, or all lists were looked into."""
    assert look_on(near(10, looked=2000, seen=200, late=0)) is None
    assert look_on(near(10, looked=2000, seen=200, late=9), allowed=ROWS) is None
    everywhere = Effort(10, 400, 40, 0.995)
    assert further(ENGINE, near(10, late=9), None, everywhere, k=10, allowed=50, rows=ROWS) is None


@pytest.mark.parametrize("found", [near(10, looked=2000, seen=30, late=4), near(3, looked=2000, seen=3, late=0)])
def test_what_is_found_far_off_or_is_too_little_is_looked_for_on(found: Near) -> None:
    """Wider, but not at once to the end."""
    wider = look_on(found)
    assert wider is not None
    assert NOW.probes < wider.probes <= 4 * NOW.probes
    assert wider.candidates >= NOW.candidates


def test_a_few_late_ones_where_rows_lie_as_elsewhere() -> None:
    """With the share of all rows in what was looked at, two late ones are chance; not with more or less of it."""
    assert look_on(near(10, looked=2000, seen=200, late=2)) is None
    assert look_on(near(10, looked=2000, seen=200, late=3)) is not None
    assert look_on(near(10, looked=2000, seen=120, late=2)) is not None
    assert look_on(near(10, looked=2000, seen=300, late=2)) is not None
    copied = replace(ENGINE, far=True)
    found = near(10, looked=2000, seen=2000, late=2)
    assert further(copied, found, None, NOW, k=10, allowed=ROWS, rows=ROWS) is not None


def test_a_silent_engine_is_asked_until_nothing_changes() -> None:
    """The second answer must be the first."""
    assert look_on(near(10), tells=False) is not None
    assert look_on(near(10), before=near(10), tells=False) is None
    assert look_on(near(10), before=near(10, first=1), tells=False) is not None
    assert look_on(near(9), before=near(9), tells=False) is not None


def test_lists_that_may_hold_more_are_looked_into() -> None:
    """Those that a gap leaves, and no others; step by step, as there are fewer of them with each nearer row."""
    few = near(10, looked=2000, seen=30, late=4)
    assert look_on(replace(few, worth=NOW.probes)) is None
    wider = look_on(replace(few, worth=NOW.probes + 1))
    assert wider is not None
    assert wider.probes == NOW.probes + 1
    all_of_them = look_on(replace(few, worth=400))
    assert all_of_them is not None
    assert all_of_them.probes == 4 * NOW.probes
    missing = look_on(near(3, looked=2000, seen=3, late=0))
    assert missing == look_on(replace(near(3, looked=2000, seen=3, late=0), worth=0)), "too few are never enough"


def test_gaps_of_as_many() -> None:
    """The deepest that was measured of no more than are asked for."""
    assert ENGINE.gap(10) is None
    engine = replace(ENGINE, gaps=((1, 0.4), (10, 0.3), (100, 0.2)))
    assert [engine.gap(k) for k in (1, 9, 10, 99, 100, 5000)] == [0.4, 0.4, 0.3, 0.3, 0.2, 0.2]


@given(late=st.integers(0, 10), level=st.sampled_from([0.9, 0.98, 0.995]))
def test_a_higher_promise_tolerates_less(late: int, level: float) -> None:
    """What stands at a level stands at a lower one."""
    found = near(10, looked=2000, seen=200, late=late)
    strict, lax = (
        further(
            Engine(Priced(), "codes", EFFORTS, at, tells=True), found, None, NOW, k=10, allowed=ROWS // 10, rows=ROWS
        )
        for at in (level, level / 2)
    )
    assert strict is not None or lax is None
