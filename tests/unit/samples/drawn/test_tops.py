"""How tops and dresses are cut."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nitari.samples.drawn.shapes import bounds
from nitari.samples.drawn.tops import Cut, arm_angle, top


@pytest.mark.parametrize("neck", ["crew", "v", "scoop", "boat", "high", "shirt", "hood", "lapel", "straps"])
@pytest.mark.parametrize("sleeve", [0.0, 0.9, 2.9])
def test_every_neck_goes_with_every_sleeve(neck: str, sleeve: float) -> None:
    """A top is as wide on the left as on the right, and reaches from the neck to its hem."""
    x1, y1, x2, y2 = bounds(top(Cut(neck=neck, sleeve=sleeve, length=2.85)))
    assert x1 == pytest.approx(-x2)
    assert y1 < 0.2
    assert y2 > 2.8


def test_measures_do_what_they_say() -> None:
    """Longer is longer, wider is wider, a belt and a zip are more parts."""
    plain = Cut(sleeve=0.0)
    _, _, x, y = bounds(top(plain))
    assert bounds(top(replace(plain, length=4.0)))[3] > y + 1
    assert bounds(top(replace(plain, ease=0.2)))[2] > x + 0.15
    assert bounds(top(replace(plain, length=4.0, flare=0.5)))[2] > x + 0.4
    for change in ({"belt": True}, {"front": "zip"}, {"front": "buttons"}, {"pockets": "flaps"}, {"tiers": 2}):
        assert len(top(replace(plain, **change))) > len(top(plain))  # type: ignore[arg-type]


def test_long_sleeves_hang_closer() -> None:
    """So that they fit into a picture."""
    assert arm_angle(2.9) < arm_angle(0.9)
