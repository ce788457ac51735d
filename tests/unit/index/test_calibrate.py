"""The effort that calibration picks is the cheapest that reaches its target."""

from __future__ import annotations

import numpy as np

from nitari.index.calibrate import TARGET_RECALL, Effort, calibrate, effort_for
from nitari.types import FloatArray, KeyArray

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


def test_depths_in_between_take_the_next_and_deeper_ones_in_proportion() -> None:
    """Never less effort than was measured, never more lists than there are."""
    efforts = (Effort(10, 2, 40, 1.0), Effort(100, 6, 300, 0.99))
    assert effort_for(efforts, 3, lists=8) == efforts[0]
    assert effort_for(efforts, 11, lists=8) == efforts[1]
    assert effort_for(efforts, 200, lists=8) == Effort(200, 8, 601, 0.99)


def test_efforts_survive_a_file() -> None:
    """JSON and back."""
    effort = Effort(10, 2, 40, 0.996)
    assert Effort.from_json(effort.as_json()) == effort
