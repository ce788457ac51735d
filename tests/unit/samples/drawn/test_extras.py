"""Hats, bags and shoes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nitari.samples.drawn import extras
from nitari.samples.drawn.shapes import Part, bounds

DRAWN = [extras.cap, extras.beanie, extras.bucket_hat, extras.tote, extras.backpack, extras.handbag, extras.sneakers]


@pytest.mark.parametrize("draw", [*DRAWN, lambda: extras.sneakers(high=True), extras.boots])
def test_extras_are_about_four_units_wide(draw: Callable[[], tuple[Part, ...]]) -> None:
    """One scale for all, so that one frame and one size of seams and folds serves them."""
    x1, y1, x2, y2 = bounds(draw())
    assert 2 < x2 - x1 < 6
    assert 1.5 < y2 - y1 < 6


def test_pairs_are_two_shoes() -> None:
    """A pair has twice the parts of a shoe."""
    assert len(extras.boots()) % 2 == 0
    assert len(extras.sneakers()) % 2 == 0
