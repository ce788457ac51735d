"""Scores and the likeness behind them, there and back."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.errors import UsageError
from nitari.search.calibration import Calibration, reach, scored

slopes = st.floats(0.1, 100)
offsets = st.floats(-50, 50)


@given(slopes, offsets, st.floats(0.001, 0.999))
def test_there_and_back(slope: float, offset: float, score: float) -> None:
    """The likeness of a score has that score."""
    calibration = Calibration(slope, offset)
    assert calibration.scores(np.asarray(calibration.likeness(score))) == pytest.approx(score, abs=1e-9)


@given(slopes, offsets, st.lists(st.floats(-1, 1), min_size=2, max_size=20))
def test_changes_no_ranking(slope: float, offset: float, likeness: list[float]) -> None:
    """What is more alike never scores less, and all scores are 0-1."""
    scores = Calibration(slope, offset).scores(np.sort(np.asarray(likeness)))
    assert (np.diff(scores) >= 0).all()
    assert (scores >= 0).all()
    assert (scores <= 1).all()


@given(slopes, offsets, st.floats(0.01, 0.99), st.floats(0, 1))
def test_reach_keeps_what_scores_enough(slope: float, offset: float, least: float, likeness: float) -> None:
    """Nothing that scores at least ``min_score`` lies beyond the radius."""
    calibration = Calibration(slope, offset)
    radius = reach(least, calibration)
    assert radius is not None
    if calibration.scores(np.asarray(likeness)) >= least + 1e-9:
        assert 1 - likeness <= radius + 1e-9


def test_without_a_calibration() -> None:
    """Likeness itself is the score, as far as it is above 0, and the radius follows from it."""
    np.testing.assert_allclose(scored(np.array([-0.2, 0.4, 1.0001]), None), [0, 0.4, 1])
    assert reach(0.25, None) == 0.75
    assert reach(0.0, None) is None
    assert reach(None, Calibration(10, -5)) is None
    np.testing.assert_allclose(scored(np.array([0.5]), Calibration(10, -5)), [0.5])


def test_ends() -> None:
    """0 and 1 are reached by no likeness that there is."""
    calibration = Calibration(10, -5)
    assert calibration.likeness(0.0) == -math.inf
    assert calibration.likeness(1.0) == math.inf
    assert reach(1.0, calibration) == 0.0
    assert reach(1e-300, calibration) == 2.0


@pytest.mark.parametrize(
    ("slope", "offset", "recommended"),
    [(0.0, 1.0, 0.5), (-3.0, 1.0, 0.5), (math.nan, 1.0, 0.5), (3.0, math.inf, 0.5), (3.0, 1.0, 1.5)],
)
def test_numbers_that_are_none(slope: float, offset: float, recommended: float) -> None:
    """A calibration that would turn rankings around, or is not finite, cannot exist."""
    with pytest.raises(UsageError):
        Calibration(slope, offset, recommended)


def test_the_unfamiliar_need_more() -> None:
    """A query that shows nothing familiar has lower scores, the more the less familiar; a familiar one has its own."""
    made = Calibration(18.0, -12.0, 0.5, unfamiliar=3.0)
    likeness = np.array([0.5, 0.7, 0.9])
    np.testing.assert_array_equal(made.of_query(1.0).scores(likeness), made.scores(likeness))
    np.testing.assert_allclose(made.of_query(0.0).scores(likeness), Calibration(18.0, -15.0).scores(likeness))
    assert (made.of_query(0.5).scores(likeness) < made.scores(likeness)).all()
    plain = Calibration(18.0, -12.0)
    assert plain.of_query(0.0) is plain


@pytest.mark.parametrize("unfamiliar", [-1.0, float("nan")])
def test_a_bonus_for_the_unfamiliar(unfamiliar: float) -> None:
    """What is taken off is a number of 0 or more."""
    with pytest.raises(UsageError, match="off the unfamiliar"):
        Calibration(1.0, 0.0, 0.5, unfamiliar)
