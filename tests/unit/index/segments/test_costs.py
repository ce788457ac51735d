"""Costs are numbers above 0, in a file and out of it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from nitari.errors import StateError
from nitari.index.segments.costs import Costs, default_costs


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf, "1", None, True])
def test_what_is_no_cost_is_refused(bad: Any) -> None:
    """The message names it and says how to measure anew."""
    with pytest.raises(StateError, match="scan_ns") as caught:
        replace(default_costs(), scan_ns=bad)
    assert "--tune" in caught.value.remedy


def test_costs_survive_a_file_and_nothing_else_does() -> None:
    """The same names, all of them."""
    costs = default_costs()
    assert Costs.from_json(costs.as_json()) == costs
    for wrong in ({}, {**costs.as_json(), "other": 1.0}):
        with pytest.raises(StateError, match="expected"):
            Costs.from_json(wrong)


def test_more_costs_more() -> None:
    """Of rows and of numbers in them, and to pick rows out costs more than to pass over them."""
    costs = default_costs()
    assert costs.scan(10, 64) < costs.scan(11, 64) < costs.scan(11, 65)
    assert costs.scan(1000, 64) < costs.gather(1000, 64)
    assert costs.copy(10, 64) < costs.copy(1000, 64)
