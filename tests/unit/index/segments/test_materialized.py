"""Copies of filtered rows: made where they pay, bounded, and right under edits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nitari.index.base import Step
from nitari.index.masks import Mask
from nitari.index.segments import materialized
from nitari.index.segments.body import Body
from nitari.index.segments.costs import default_costs
from nitari.index.segments.materialized import Copies, Copy, Rows
from nitari.index.segments.segmented import SegmentedIndex
from nitari.types import FloatArray, KeyArray
from support.segments import ListEngine, everything, sealed
from support.vectors import KeyFilter, brute_force, clustered_units

DIM = 16
COUNT = 4000


def filled(folder: Path, **options: Any) -> tuple[SegmentedIndex, KeyArray, FloatArray]:
    """An index of one segment of ``COUNT`` rows, its keys and its rows."""
    vectors, _ = clustered_units(COUNT, DIM, clusters=12)
    keys = np.arange(COUNT, dtype=np.int64) * 2
    # Where numbers are dear, fewer rows are always better; the engine is left out of it.
    costs = replace(default_costs(), scan_ns=50.0, gather_ns=60.0, codes_ns=1e9)
    index = SegmentedIndex(DIM, costs=costs, **options)
    engine = ListEngine(lists=60)
    index.swap(index.prepare([sealed(folder, keys, vectors, engine=engine)], everything))
    return index, keys, index.vectors(keys)


def ask(index: SegmentedIndex, query: FloatArray, allowed: KeyFilter) -> Step:
    """What is done for one query, whose answer is compared with brute force."""
    trace: list[Step] = []
    found = index.query(query[None], 10, allowed=allowed, trace=trace)[0]
    there = index.keys()
    there = there[allowed.mask(there)]
    wanted, distances = brute_force(there, index.vectors(there), query, 10)
    np.testing.assert_array_equal(found.keys, wanted)
    np.testing.assert_array_equal(found.distances, distances)
    return trace[-1]


def test_a_filter_that_returns_is_copied_and_kept_right(tmp_path: Path) -> None:
    """Through rows that die, rows that are allowed by now, and so much of both that the copy is made anew."""
    index, keys, rows = filled(tmp_path / "a")
    rng = np.random.default_rng(0)
    allowed = KeyFilter(rng.choice(keys, 1500, replace=False).tolist(), name="one")
    assert ask(index, rows[0], allowed).how != "materialized"
    for query in rows[1:4]:
        ask(index, query, allowed)
        assert index.settle(30)
    assert ask(index, rows[5], allowed).how == "materialized"
    gone = keys[allowed.mask(keys)][:20]
    assert index.remove(gone) == 20
    step = ask(index, rows[5], allowed)
    assert (step.how, step.allowed) == ("materialized", 1480)
    others = keys[~allowed.mask(keys)]
    allowed.change([*others[:15].tolist(), *gone[:5].tolist()])
    assert ask(index, rows[5], allowed).how == "materialized"
    assert index.remove(others[:3]) == 3
    assert ask(index, rows[5], allowed).how == "materialized"
    allowed.change(others[15:600].tolist())
    assert ask(index, rows[6], allowed).how != "materialized", "too much is different"
    ask(index, rows[7], allowed)
    assert index.settle(30)
    assert ask(index, rows[8], allowed).how == "materialized"
    index.close()


def test_copies_are_bounded_and_the_oldest_goes_first(tmp_path: Path) -> None:
    """Room for two copies of 500 rows."""
    size = 500 * (2 * DIM + 8)
    index, keys, rows = filled(tmp_path / "a", copies_bytes=int(2.5 * size))
    filters = [KeyFilter(keys[start::8].tolist(), name=str(start)) for start in range(3)]
    for allowed in filters:
        for query in rows[:4]:
            ask(index, query, allowed)
            assert index.settle(30)
    assert index._copies.nbytes <= 2.5 * size
    assert len(index._copies) == 2
    # The one without a copy last: asking it has a copy made, for which another one goes.
    assert [ask(index, rows[9], allowed).how == "materialized" for allowed in filters[::-1]] == [True, True, False]
    assert index.settle(30)
    index.close()
    assert len(index._copies) == 0


def test_without_room_nothing_is_copied(tmp_path: Path) -> None:
    """And everything is answered all the same."""
    index, keys, rows = filled(tmp_path / "a", copies_bytes=0)
    allowed = KeyFilter(keys[::8].tolist(), name="one")
    for query in rows[:5]:
        assert ask(index, query, allowed).how != "materialized"
    assert index.settle(30)
    assert len(index._copies) == 0
    index.close()


def test_a_large_copy_gets_an_index_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose recall is calibrated; its files go with it; edits are seen."""
    monkeypatch.setattr(materialized, "INDEX_FROM", 1000)
    monkeypatch.setattr(materialized, "_SAVED", 0.0)
    index, keys, rows = filled(tmp_path / "a", copy_engine=ListEngine(lists=30))
    allowed = KeyFilter(keys[::2].tolist(), name="one")
    part = index._parts[0]
    index.query(rows[:1], 10, allowed=allowed)
    filtered = part._filters["one"]
    filtered.pays = (10, 0.0)
    index.query(rows[:1], 10, allowed=allowed)
    assert index.settle(60)
    copy = part._filters["one"].copy
    assert copy is not None
    assert copy.stored.engine is not None
    assert copy.stored.folder is not None
    folder = copy.stored.folder
    assert any(folder.iterdir())
    index.remove(keys[:40])
    hits = 0
    there = index.keys()
    there = there[allowed.mask(there)]
    current = index.vectors(there)
    followed = part._filtered(allowed, 1).copy
    assert followed is not None
    for query in rows[:50]:
        plan = followed._body.plan(10)
        found = followed.nearest(part.segment.rows, plan, query, 10, None)
        wanted, _ = brute_force(there, current, query, 10)
        got = part.segment.keys[found.slots]
        assert set(got.tolist()) <= set(there.tolist())
        hits += len(set(got[:10].tolist()) & set(wanted.tolist()))
    assert hits >= 0.95 * 500
    index.close()
    del copy, followed, filtered
    part._filters.clear()
    assert not folder.exists()


def test_what_pays_depends_on_what_is_saved() -> None:
    """Nothing is copied that is scanned anyway, or that there is no room for."""
    rows = np.zeros((20_000, 64), np.float16)
    copies = Copies(costs=default_costs(), limit=2**20)

    def pays(count: int) -> float:
        mask = Mask.from_slots(np.arange(count), 20_000)
        return copies.pays_from(Body(rows, engine=None, mask=mask, costs=default_costs()), 10)

    assert pays(1000) < 100
    assert pays(0) == np.inf
    assert pays(15_000) == np.inf, "it would take more than half of the room"


def test_a_copy_follows_its_filter_as_far_as_that_is_cheap() -> None:
    """A few changes are followed, many are not."""
    rows = np.zeros((2000, 8), np.float16)
    rows[:, 0] = 1
    slots = np.arange(0, 2000, 2)
    copy = Copy(Rows(slots, rows[slots], None, 0), costs=default_costs())
    bits = np.zeros(2000, np.bool_)
    bits[slots] = True
    bits[:20] = ~bits[:20]
    followed = copy.follow(Mask.from_bits(bits))
    assert followed is not None
    assert followed.cost(5) > 0
    found = followed.nearest(rows, followed._body.plan(5), rows[0].astype(np.float32), 2000, None)
    assert sorted(found.slots.tolist()) == np.flatnonzero(bits).tolist()
    assert copy.follow(Mask.from_bits(~bits)) is None
