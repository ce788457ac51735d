"""A sealed segment in an index: what is alive, what is open, what ties."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from nitari.index.base import Step
from nitari.index.calibrate import LEVELS
from nitari.index.segments.costs import default_costs
from nitari.index.segments.part import SealedPart
from support.segments import ListEngine, sealed
from support.vectors import KeyFilter, clustered_units

COSTS = replace(default_costs(), call_ns=1e9)


def part_of(folder: Path, count: int = 1000) -> SealedPart:
    """A segment with an engine that is asked wherever it can be; keys are ten times the row's number."""
    vectors, _ = clustered_units(count, 8, clusters=6)
    segment = sealed(folder, np.arange(count) * 10, vectors, engine=ListEngine(lists=20))
    return SealedPart(segment, costs=COSTS, level=LEVELS[2])


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
