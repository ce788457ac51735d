"""The effort that calibration picks is the cheapest that reaches its target."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from nitari.index.calibrate import (
    LEVELS,
    TARGET_RECALL,
    Effort,
    at_level,
    calibrate,
    calibrate_searcher,
    effort_for,
    gaps_at,
    harder,
    level_for,
)
from nitari.types import FloatArray, KeyArray
from support.segments import ListEngine
from support.vectors import brute_force, clustered_units

ROWS, LISTS = 400, 8


def needs(lists: int, places: int) -> tuple[Effort, ...]:
    """Calibrate a search that finds everything from ``lists`` lists on, each neighbor ``places`` places too late."""
    truth = np.tile(np.arange(101), (20, 1)) + 50
    own = np.full(20, 50)

    def search(_: FloatArray, count: int, probes: int) -> KeyArray:
        found = np.full((20, count), -1, np.int64)
        if probes >= lists:
            found[:, places : places + 101] = truth
        return found

    return calibrate(
        np.zeros((20, 4), np.float32), own, truth, search, rows=ROWS, lists=LISTS, probe_cost=5, row_cost=1
    )


def test_the_cheapest_effort_that_finds_enough_is_taken() -> None:
    """As many lists as are needed, candidates up to where the last needed neighbor stands and half as many again."""
    first, *_, last = needs(4, 60)
    assert (first.depth, first.probes, first.recall) == (10, 4, 1.0)
    assert (first.candidates, last.depth) == (106, 100)
    assert last.candidates > first.candidates


def test_where_nothing_reaches_the_target_the_best_is_taken_and_reported() -> None:
    """An honest recall, so that whoever looks sees it."""
    assert all(effort.recall < TARGET_RECALL and effort.recall == 0.0 for effort in needs(9, 0))


def test_depths_in_between_take_what_is_in_between_and_deeper_ones_in_proportion() -> None:
    """Never less effort than was measured for less, never more lists than there are."""
    efforts = (Effort(10, 2, 40, 1.0), Effort(100, 6, 300, 0.99))
    assert effort_for(efforts, 3, lists=8) == efforts[0]
    assert effort_for(efforts, 100, lists=8) == efforts[1]
    assert effort_for(efforts, 10.5, lists=8) == Effort(11, 3, 42, 0.99)
    assert effort_for(efforts, 31.6227766, lists=8) == Effort(32, 4, 110, 0.99)
    steps = [effort_for(efforts, depth, lists=8) for depth in range(10, 101)]
    assert all(b.probes >= a.probes and b.candidates >= a.candidates for a, b in pairwise(steps))
    assert effort_for(efforts, 200, lists=8) == Effort(200, 8, 601, 0.99)


def test_efforts_survive_a_file() -> None:
    """JSON and back."""
    effort = Effort(10, 2, 40, 0.996)
    assert Effort.from_json(effort.as_json()) == effort


def test_a_searcher_is_calibrated_by_asking_it(tmp_path: Path) -> None:
    """Efforts come by depth and level, and keep what they say for other queries of the kind."""
    rows = clustered_units(1000, 16, clusters=10)[0].astype(np.float16)
    engine = ListEngine(lists=30)
    built = engine.build(rows, tmp_path)
    rows = np.ascontiguousarray(rows[built.order])
    searcher = engine.open(tmp_path, rows, built.parameters)
    efforts, gaps = calibrate_searcher(searcher, rows)
    assert [effort.depth for effort in efforts] == sorted(effort.depth for effort in efforts)
    queries = clustered_units(60, 16, clusters=10, seed=4)[0]
    for effort in at_level(efforts, 0.99):
        assert effort.recall >= 0.99
        hits = 0
        for query in queries:
            near = searcher.nearest(query, effort.depth, probes=effort.probes, candidates=effort.candidates)
            wanted, _ = brute_force(np.arange(1000), rows.astype(np.float32), query, effort.depth)
            hits += len(set(near.slots.tolist()) & set(wanted.tolist()))
        assert hits >= 0.95 * effort.depth * len(queries)
    assert calibrate_searcher(searcher, rows) == (efforts, gaps), "the same sample, the same efforts"
    assert calibrate_searcher(searcher, rows[:7]) == ((), ())
    silent = ListEngine(telling=False, lists=30).open(tmp_path, rows, built.parameters)
    assert calibrate_searcher(silent, rows).gaps == ()


def test_gaps_hold_for_other_queries(tmp_path: Path) -> None:
    """Of the nearest rows, even of those that a filter allows far away, few are in lists that are farther off."""
    rows = clustered_units(2000, 16, clusters=10)[0].astype(np.float16)
    engine = ListEngine(lists=60)
    built = engine.build(rows, tmp_path)
    rows = np.ascontiguousarray(rows[built.order])
    searcher = engine.open(tmp_path, rows, built.parameters)
    gaps = calibrate_searcher(searcher, rows).gaps
    assert [depth for depth, _ in gaps] == [1, 10, 100]
    assert all(list(levels) == sorted(levels) and len(levels) == len(LEVELS) for _, levels in gaps)
    assert gaps_at(gaps, 0.985) == tuple((depth, levels[LEVELS.index(0.99)]) for depth, levels in gaps)
    assert gaps_at(gaps, 1.0) == tuple((depth, levels[-1]) for depth, levels in gaps)
    gap = dict(gaps_at(gaps, 0.985))[10]
    queries = clustered_units(60, 16, clusters=10, seed=4)[0]
    within = []
    for query in queries:
        cosines = rows.astype(np.float32) @ query
        far = np.flatnonzero(cosines < np.median(cosines))
        nearest = far[np.argsort(-cosines[far])[:10]]
        behind = cosines[nearest].min() - searcher.list_cosines(query, nearest)
        within += (behind <= gap).tolist()
    assert np.mean(within) >= 0.95


def test_levels_leave_out_a_quarter_of_what_may_be_left_out() -> None:
    """Never less than is promised."""
    assert level_for(0.98) == 0.995
    assert all(level_for(promise) >= promise for promise in (0.5, 0.9, 0.95, 0.99, 0.995))
    assert level_for(0.9999) == LEVELS[-1]


def test_the_first_that_reaches_a_level_is_taken() -> None:
    """The best where none does; harder ones come next, and in the end half as much again."""
    efforts = [Effort(10, 1, 20, 0.96), Effort(10, 2, 20, 0.985), Effort(10, 8, 40, 0.997), Effort(30, 4, 60, 0.9)]
    assert at_level(efforts, 0.98) == (efforts[1], efforts[3])
    assert at_level(efforts, 0.999) == (efforts[2], efforts[3])
    assert harder(efforts, at_level(efforts, 0.98), 10) == (efforts[2], efforts[3])
    last = harder(efforts, (efforts[2], efforts[3]), 10)
    assert [(effort.probes, effort.candidates) for effort in last] == [(10, 60), (6, 90)]
