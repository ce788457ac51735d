"""Calibrations are fitted to what was judged, and say how far they are right."""

from __future__ import annotations

import numpy as np
import pytest

from nitari.errors import DataError
from nitari.evaluate.calibrate import Pair, calibration_error, fit_calibration


def _drawn(slope: float, offset: float, count: int, seed: int = 7) -> list[Pair]:
    """Pairs that are relevant with the probability that slope and offset say."""
    generator = np.random.default_rng(seed)
    likeness = generator.uniform(0.3, 1.0, count)
    relevant = generator.random(count) < 1 / (1 + np.exp(-(slope * likeness + offset)))
    return [Pair(float(x), bool(y)) for x, y in zip(likeness, relevant, strict=True)]


@pytest.mark.parametrize(("slope", "offset"), [(17.0, -12.0), (8.0, -5.0), (40.0, -24.0)])
def test_finds_what_pairs_were_drawn_with(slope: float, offset: float) -> None:
    """Slope and the likeness of .5 come back, and the error is small."""
    fit = fit_calibration(_drawn(slope, offset, 20_000))
    assert fit.slope == pytest.approx(slope, rel=0.1)
    assert -fit.offset / fit.slope == pytest.approx(-offset / slope, abs=0.01)
    assert fit.error < 0.02
    assert fit.pairs == 20_000
    assert 0 < fit.relevant < 1


def test_pairs_that_are_told_apart_entirely() -> None:
    """A likeness that never errs gives a steep, finite fit."""
    fit = fit_calibration([Pair(0.9, True)] * 100 + [Pair(0.5, False)] * 100)
    assert np.isfinite([fit.slope, fit.offset]).all()
    assert 0.5 < -fit.offset / fit.slope < 0.9


@pytest.mark.parametrize(
    "pairs",
    [[], [Pair(0.5, True)] * 50, [Pair(0.5, True)] * 200, [Pair(0.5, False)] * 200],
)
def test_too_little_to_learn_from(pairs: list[Pair]) -> None:
    """Few pairs, or pairs of one kind, are an error that says what is missing."""
    with pytest.raises(DataError, match="teach no calibration"):
        fit_calibration(pairs)


def test_likeness_that_misleads() -> None:
    """Where alike items are less often relevant, nothing is fitted that would turn rankings around."""
    with pytest.raises(DataError, match="not more often relevant"):
        fit_calibration([Pair(1 - pair.likeness, pair.is_relevant) for pair in _drawn(17, -12, 2000)])


def test_the_error_of_scores() -> None:
    """Scores that say 90 % of what is right half the time are .4 off."""
    relevant = np.tile([True, False], 50)
    assert calibration_error(np.full(100, 0.9), relevant) == pytest.approx(0.4)
    assert calibration_error(np.full(100, 0.5), relevant) == pytest.approx(0.0)
    assert calibration_error(np.ones(100), np.ones(100, np.bool_)) == 0.0


def test_what_strangers_lack_is_taken_account_of() -> None:
    """Half the queries are strangers, of whose log odds two are taken off: slope and offset are those of the others."""
    generator = np.random.default_rng(3)
    likeness, familiarity = generator.uniform(0.3, 1.0, 20_000), generator.integers(0, 2, 20_000)
    relevant = generator.random(20_000) < 1 / (1 + np.exp(-(17 * likeness - 12 - 2 * (1 - familiarity))))
    pairs = [Pair(float(x), bool(y), float(f)) for x, y, f in zip(likeness, relevant, familiarity, strict=True)]
    fit = fit_calibration(pairs, unfamiliar=2.0)
    assert fit.slope == pytest.approx(17, rel=0.1)
    assert -fit.offset / fit.slope == pytest.approx(12 / 17, abs=0.01)
    assert fit.error < 0.02
    assert -fit_calibration(pairs).offset / fit_calibration(pairs).slope > 12 / 17 + 0.03
