"""A sealed segment in an index: what is alive, what is open, what ties."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nitari.index import kernels
from nitari.index import masks as masks_module
from nitari.index import places as places_module
from nitari.index.base import Step
from nitari.index.calibrate import LEVELS
from nitari.index.segments import materialized as materialized_module
from nitari.index.segments import part as part_module
from nitari.index.segments.costs import default_costs
from nitari.index.segments.ivf import IvfEngine
from nitari.index.segments.materialized import Copies
from nitari.index.segments.part import SealedPart
from support.segments import ListEngine, sealed
from support.vectors import KeyFilter, PlacedFilter, brute_force, clustered_units

COSTS = replace(default_costs(), call_ns=1e9)


def part_of(folder: Path, count: int = 1000) -> SealedPart:
    """A segment with an engine that is asked wherever it can be; keys are ten times the row's number."""
    vectors, _ = clustered_units(count, 8, clusters=6)
    segment = sealed(folder, np.arange(count) * 10, vectors, engine=ListEngine(lists=20))
    return SealedPart(segment, costs=COSTS, level=0.98)


def test_dead_rows_are_not_found(tmp_path: Path) -> None:
    """By key, by query, by filter; what is asked of a filter before and after differs by them."""
    part = part_of(tmp_path / "a")
    every = KeyFilter(range(0, 10_000, 20), name="even")
    query = part.rows(np.array([4]))
    before = part.search(query, 600, allowed=every)[0].keys
    part.kill(part.find(np.array([40, 60])))
    assert part.find(np.array([40, 50, 51])).tolist()[0] == -1
    assert (part.find(np.array([40, 50, 51])) >= 0).tolist() == [False, True, False]
    after = part.search(query, 600, allowed=every)[0].keys
    assert set(before.tolist()) - set(after.tolist()) == {40, 60}
    assert len(part) == part.alive_slots().size == 998
    assert not {40, 60} & set(part.search(query, 1000)[0].keys.tolist())
    part.retire()


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("native", [False, True])
def test_filters_by_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listed: bool, native: bool) -> None:
    """New filters, returning ones and copies of their rows answer nearly as exact search, and nothing that may not."""
    monkeypatch.setattr(masks_module, "_LATER_FROM", 0)
    monkeypatch.setattr(places_module, "_INVERTED_FROM", 0)
    monkeypatch.setattr(part_module, "_ASKED_ONE_BY_ONE", 3)
    monkeypatch.setattr(materialized_module, "_MUCH_LESS", 1e9)
    if not native:
        monkeypatch.setattr(kernels, "active", kernels.portable)
    count, rng = 6000, np.random.default_rng(0)
    vectors, _ = clustered_units(count, 16, clusters=60)
    keys = rng.permutation(count)
    segment = sealed(tmp_path / "a", keys, vectors, engine=IvfEngine())
    costs = replace(default_costs(), call_ns=1e9, codes_ns=1.0)
    copies = Copies(costs=replace(costs, call_ns=1.0, scan_ns=10.0, gather_ns=50.0))
    part = SealedPart(segment, costs=costs, level=LEVELS[-1], copies=copies)
    here, whole = segment.keys, segment.rows.astype(np.float32)
    alive = np.ones(count, np.bool_)
    hits = wanted_in_all = 0
    for number in range(4):
        share = (0.5, 0.05, 0.3, 0.01)[number]
        passing = np.flatnonzero(rng.random(count // 10) < share).tolist()
        allowed = PlacedFilter(passing, top=count // 10, name=str(number), listed=listed)
        for query in vectors[rng.integers(0, count, 12)]:
            found = part.search(query[np.newaxis], 10, allowed=allowed)[0].keys
            may = alive & allowed.mask(here)
            wanted, _ = brute_force(here[may], whole[may], query, 10)
            assert set(found.tolist()) <= set(here[may].tolist())
            assert found.size == wanted.size
            hits += len(set(found.tolist()) & set(wanted.tolist()))
            wanted_in_all += wanted.size
            assert copies.settle(30)
        gone = rng.choice(np.flatnonzero(alive), 40, replace=False)
        part.kill(gone)
        alive[gone] = False
    assert hits >= 0.97 * wanted_in_all
    assert len(copies) > 0
    trace: list[Step] = []
    part.search(vectors[:1], 10, allowed=PlacedFilter([1, 5], top=600, name="two", listed=listed), trace=trace)
    assert trace[0].allowed == np.count_nonzero(alive & np.isin(here // 10, [1, 5]))
    part.retire()


def test_a_pinned_segment_is_closed_when_it_is_let_go(tmp_path: Path) -> None:
    """And cannot be pinned once it is closed."""
    part = part_of(tmp_path / "a")
    lists = part.segment.searcher
    assert lists is not None
    assert part.pin()
    part.retire()
    assert not lists.closed  # type: ignore[attr-defined]
    assert not part.pin()
    part.unpin()
    assert lists.closed  # type: ignore[attr-defined]
    part.retire()


def test_ties_at_the_end_go_to_smaller_keys(tmp_path: Path) -> None:
    """Also where an engine finds them."""
    vectors, _ = clustered_units(1000, 8, clusters=6)
    vectors[100:160] = vectors[100]
    keys = np.random.default_rng(0).permutation(1000).astype(np.int64)
    segment = sealed(tmp_path / "a", keys, vectors, engine=ListEngine(lists=4))
    part = SealedPart(segment, costs=COSTS, level=LEVELS[-1])
    trace: list[Step] = []
    found = part.search(vectors[100:101], 7, trace=trace)[0]
    assert trace[0].how == "codes"
    assert found.keys.tolist() == np.sort(keys[100:160])[:7].tolist()
    part.retire()


def test_to_look_harder_is_to_look_harder(tmp_path: Path) -> None:
    """Level by level, and beyond the last one, too."""
    part = part_of(tmp_path / "a")
    for _ in range(8):
        assert part.engine is not None
        before = part.engine.efforts
        part.look_harder()
        pairs = list(zip(before, part.engine.efforts, strict=True))
        assert all(new.probes >= old.probes and new.candidates >= old.candidates for old, new in pairs)
        assert part.engine.efforts != before
    part.retire()


def test_without_efforts_rows_are_scanned(tmp_path: Path) -> None:
    """What was never calibrated is not trusted."""
    vectors, _ = clustered_units(500, 8, clusters=6)
    segment = sealed(tmp_path / "a", np.arange(500), vectors, engine=ListEngine(), efforts=())
    part = SealedPart(segment, costs=COSTS, level=LEVELS[0])
    trace: list[Step] = []
    part.search(vectors[:1], 3, trace=trace)
    assert trace[0].how == "scan"
    part.retire()
