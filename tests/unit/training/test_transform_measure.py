"""Judging a query transform by photos that it was not learned from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.training import transform_measure
from nitari.training.transform import BASE, Reach
from nitari.training.transform_measure import STRENGTHS, judge
from support.transforming import drawn_samples

SAMPLES = drawn_samples()
JUDGED, REACH = judge(SAMPLES)


def test_fewer_worn_at_no_lower_precision() -> None:
    """On drawn vectors, as on real ones, worn photos give way to flat ones of the right kind."""
    before, auto = JUDGED.points[0], JUDGED.base
    assert before.worn > 0.9
    assert auto.worn < before.worn - 0.2
    assert auto.precision >= before.precision
    assert auto.flat > before.flat
    assert [point.strength for point in JUDGED.points] == list(STRENGTHS)
    assert auto.strength == BASE
    assert 0.4 < JUDGED.fair < 0.6, "there are as many worn photos as flat ones"


def test_cue() -> None:
    """The cue is judged by area, by errors and by calibration."""
    assert JUDGED.auc > 0.98
    assert JUDGED.auc_studio is not None
    assert JUDGED.auc_studio > 0.9
    assert max(JUDGED.wrong_worn, JUDGED.wrong_flat) < 0.1
    assert JUDGED.error < 0.15
    assert JUDGED.queries == int((SAMPLES.worn & SAMPLES.main).sum())


def test_no_reach_is_no_change() -> None:
    """A transform that reaches nowhere leaves every answer as it is."""
    found, reach = judge(SAMPLES, reach=Reach(0.0, 0.0))
    assert reach == Reach(0.0, 0.0)
    assert {replace(point, strength=0.0) for point in found.points} == {found.points[0]}


def test_without_kinds() -> None:
    """Without kinds nothing can be asked, but the cue is judged."""
    found, _ = judge(replace(SAMPLES, kinds=np.full(len(SAMPLES), "")))
    assert found.queries == 0
    assert found.points[0].precision == 0.0
    assert found.auc > 0.98


@given(st.lists(st.integers(0, 5), max_size=12), st.lists(st.integers(0, 5), max_size=12))
def test_auc_is_a_count_of_pairs(above: list[int], below: list[int]) -> None:
    """The area is the share of pairs in the right order, ties counting half."""
    pairs = [(a > b) + 0.5 * (a == b) for a in above for b in below]
    expected = float(np.mean(pairs)) if pairs else 0.5
    found = transform_measure._auc(np.array(above, np.float32), np.array(below, np.float32))
    assert found == pytest.approx(expected)


def test_calibration_error() -> None:
    """Who says .95 and is always right is .05 off; who says .5 of what is even is right."""
    truth = np.array([True, False])
    assert transform_measure._calibration_error(np.array([0.95, 0.05], np.float32), truth) == pytest.approx(0.05)
    assert transform_measure._calibration_error(np.array([0.5, 0.5], np.float32), truth) == pytest.approx(0.0)
