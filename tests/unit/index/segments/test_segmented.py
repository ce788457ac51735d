"""Sealed segments and a live one answer as one index, and tell the truth about how."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitari.errors import NotFoundError
from nitari.index.base import Step
from nitari.index.exact import ExactIndex
from nitari.index.segments.costs import Costs
from nitari.index.segments.engine import SegmentEngine
from nitari.index.segments.segmented import SegmentedIndex
from nitari.types import BoolArray, FloatArray, KeyArray
from support.segments import ListEngine, SealingIndex, everything, sealed
from support.vectors import KeyFilter, brute_force, clustered_units, lattice_units

DIM = 16
DEAR_ROWS = Costs(1e6, 1e6, 1e6, 1e6, 1e6, 1e3, 1.0, 1.0)


def one_segment(
    folder: Path, count: int, *, engine: SegmentEngine | None = None, costs: Costs | None = None
) -> tuple[SegmentedIndex, KeyArray, FloatArray]:
    """An index of one sealed segment, its keys and its rows."""
    vectors, _ = clustered_units(count, DIM, clusters=12)
    keys = np.random.default_rng(1).permutation(count).astype(np.int64) * 3
    index = SegmentedIndex(DIM, costs=costs)
    index.swap(index.prepare([sealed(folder, keys, vectors, engine=engine)], everything))
    return index, keys, index.vectors(keys)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_answers_are_those_of_brute_force(data: st.DataObject) -> None:
    """Whatever was sealed, merged, replaced, removed, filtered, and however near things must be."""
    index = SealingIndex(5, seal_at=12)
    content: dict[int, FloatArray] = {}
    for step in range(data.draw(st.integers(1, 8))):
        keys = np.array(sorted(data.draw(st.sets(st.integers(0, 40), max_size=15))), np.int64)
        if data.draw(st.booleans()):
            vectors = lattice_units(keys.size, 5, seed=step)
            index.add(keys, vectors)
            content.update(zip(keys.tolist(), vectors, strict=True))
        else:
            assert index.remove(keys) == sum(content.pop(key, None) is not None for key in keys.tolist())
    allowed = data.draw(st.none() | st.sets(st.integers(0, 40)))
    k, radius = data.draw(st.integers(1, 50)), data.draw(st.none() | st.floats(0, 2))
    there = np.array(sorted(key for key in content if allowed is None or key in allowed), np.int64)
    vector = lattice_units(1, 5, seed=99)
    wanted = brute_force(there, index.vectors(there), vector[0], k, radius)
    for _ in range(3):  # a filter that returns is answered from a copy
        found = index.query(
            vector, k, allowed=None if allowed is None else KeyFilter(allowed, name="one"), max_distance=radius
        )[0]
        np.testing.assert_array_equal(found.keys, wanted[0])
        np.testing.assert_array_equal(found.distances, wanted[1])
        assert index.settle(10)
    index.close()


def test_without_segments_it_is_the_exact_index() -> None:
    """To the last bit, and with the same trace of nothing else."""
    vectors, _ = clustered_units(300, DIM, clusters=5)
    exact, index = ExactIndex(DIM), SegmentedIndex(DIM)
    for one in (exact, index):
        one.add(np.arange(300), vectors)
    for allowed in (None, KeyFilter(range(0, 300, 7))):
        for mine, theirs in zip(
            index.query(vectors[:9], 12, allowed=allowed), exact.query(vectors[:9], 12, allowed=allowed), strict=True
        ):
            np.testing.assert_array_equal(mine.keys, theirs.keys)
            np.testing.assert_array_equal(mine.distances, theirs.distances)


def test_what_is_adopted_leaves_the_live_segment(tmp_path: Path) -> None:
    """What was removed meanwhile stays removed, what was replaced stays replaced, what is not alive is not found."""
    vectors, _ = clustered_units(10, DIM, clusters=3)
    keys = np.arange(10)
    index = SegmentedIndex(DIM)
    index.add(keys[:8], vectors[:8])
    segment = sealed(tmp_path / "a", keys, vectors)
    prepared = index.prepare([segment], lambda asked: asked != 9)
    index.remove(keys[:1])
    index.add(keys[1:2], -vectors[1:2])
    assert index.swap(prepared) == 6
    assert index.live == 1
    assert index.keys().tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    np.testing.assert_array_equal(index.vectors(keys[1:2]), -vectors[1:2])
    assert index.query(-vectors[1:2], 1)[0].keys.tolist() == [1]
    for gone in (0, 9):
        with pytest.raises(NotFoundError):
            index.vectors(np.array([gone]))
    index.close()


def test_segments_that_are_not_searched_any_more_are_closed(tmp_path: Path) -> None:
    """Those that stay keep what was removed from them."""
    vectors, _ = clustered_units(20, DIM, clusters=3)
    engine = ListEngine(lists=2)
    first = sealed(tmp_path / "a", np.arange(10), vectors[:10], engine=engine)
    second = sealed(tmp_path / "b", np.arange(10, 20), vectors[10:], engine=engine)
    index = SegmentedIndex(DIM)
    index.swap(index.prepare([first], everything))
    index.remove(np.array([3]))
    index.swap(index.prepare([first, second], everything))
    assert 3 not in index.keys().tolist()
    assert len(index) == 19
    index.swap(index.prepare([second], everything))
    assert index.segments == (second,)
    assert first.searcher is not None
    assert first.searcher.closed  # type: ignore[attr-defined]
    index.close()
    assert len(index) == 0


@pytest.mark.parametrize("telling", [True, False])
def test_recall_holds_at_every_selectivity(tmp_path: Path, telling: bool) -> None:
    """For filters that have nothing to do with the space, and for those that allow what lies far from the query."""
    index, keys, rows = one_segment(tmp_path / "a", 3000, engine=ListEngine(telling=telling, lists=60), costs=DEAR_ROWS)
    queries, _ = clustered_units(40, DIM, clusters=12, seed=5)
    side = rows @ np.random.default_rng(2).standard_normal(DIM)
    hows = set()
    for share in (0.9, 0.5, 0.1, 0.02):
        masks: list[BoolArray] = [np.random.default_rng(3).random(3000) < share, side >= np.quantile(side, 1 - share)]
        for mask in masks:
            trace: list[Step] = []
            found = index.query(queries, 10, allowed=KeyFilter(keys[mask].tolist()), trace=trace)
            hows |= {step.how for step in trace}
            hits = 0
            for one, query in zip(found, queries, strict=True):
                wanted, _ = brute_force(keys[mask], rows[mask], query, 10)
                hits += len(set(one.keys.tolist()) & set(wanted.tolist()))
            assert hits >= 0.97 * 400, (share, hits)
    assert "codes" in hows, "the engine was asked"
    index.close()


def test_the_trace_tells_the_truth(tmp_path: Path) -> None:
    """A step for each part and vector: how many rows there are, how many are allowed, what was done and why."""
    index, keys, rows = one_segment(tmp_path / "a", 2000, engine=ListEngine(lists=40), costs=DEAR_ROWS)
    index.add(np.array([-5, -6]), rows[:2])
    index.remove(keys[:10])
    trace: list[Step] = []
    index.query(rows[:3], 5, allowed=KeyFilter([*keys[:1000].tolist(), -5]), trace=trace)
    live, codes = trace[:3], trace[3:]
    assert [(step.part, step.rows, step.allowed, step.how) for step in live] == [("live", 2, 1, "gather")] * 3
    assert [(step.part, step.rows, step.allowed) for step in codes] == [("a", 1990, 990)] * 3
    lists = index.segments[0].searcher
    assert lists is not None
    last = [probes for probes, _ in lists.asked[-1:]]  # type: ignore[attr-defined]
    for step in codes:
        assert step.how == "codes"
        assert step.probes >= 1
        assert step.candidates >= 5
        assert step.ms > 0
        assert "codes" in step.reason
        assert "scan" in step.reason
    assert codes[-1].probes == last[0]
    trace.clear()
    index.query(rows[:1], 5, allowed=KeyFilter([]), trace=trace)
    assert [step.how for step in trace] == ["empty", "empty"]
    trace.clear()
    index.query(rows[:1], 5, allowed=KeyFilter(keys[20:24].tolist()), trace=trace)
    assert trace[1].how in {"gather", "scan"}
    index.close()


def test_a_radius_is_followed_to_its_end(tmp_path: Path) -> None:
    """However many lie within it: more and more are asked for, up to ``k``."""
    index, keys, rows = one_segment(tmp_path / "a", 2000, engine=ListEngine(lists=40), costs=DEAR_ROWS)
    for wanted in (5, 150, 600):
        all_keys, distances = brute_force(keys, rows, rows[0], 2000)
        radius = float(distances[wanted - 1])
        found = index.query(rows[:1], 1000, max_distance=radius)[0]
        inside = set(all_keys[distances <= distances[wanted - 1]].tolist())
        assert set(found.keys.tolist()) <= inside
        assert len(found) >= 0.95 * len(inside)
        assert len(index.query(rows[:1], 3, max_distance=radius)[0]) == 3
    index.close()


def test_too_low_a_recall_is_noticed_and_mended(tmp_path: Path) -> None:
    """Efforts that were measured on nothing like the queries are raised until the promise is kept."""
    from nitari.index.calibrate import Effort

    vectors, _ = clustered_units(2000, DIM, clusters=12)
    bad = [Effort(10, 1, 11, 0.9951), Effort(100, 1, 101, 0.9951)]
    segment = sealed(tmp_path / "a", np.arange(2000), vectors, engine=ListEngine(lists=60), efforts=bad)
    index = SegmentedIndex(DIM, costs=DEAR_ROWS)
    assert not index.check_recall(), "nothing there"
    index.swap(index.prepare([segment], everything))
    assert not index.check_recall(), "nothing asked yet"
    assert index.recall().queries == 0
    queries, _ = clustered_units(8 * 120, DIM, clusters=12, seed=3)
    lowest = 1.0
    for _ in range(12):
        for query in queries:
            index.query(query[None], 10)
        while index.check_recall():
            lowest = min(lowest, index.recall().value)
    assert lowest < 0.9
    assert index.recall().value > 0.97
    assert index.recall().queries >= 1
    index.close()
