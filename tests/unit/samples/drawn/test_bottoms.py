"""How pants and skirts are cut."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nitari.samples.drawn.bottoms import Legs, SkirtCut, pants, skirt
from nitari.samples.drawn.shapes import bounds


@pytest.mark.parametrize(
    "cut", [Legs(), Legs(jeans=True, turnup=True), Legs(ribbed=True, cargo=True), Legs(length=3.9, crease=True)]
)
def test_pants_hang_from_the_waist_to_their_hem(cut: Legs) -> None:
    """Symmetric, from the waist down to the length asked for."""
    x1, y1, x2, y2 = bounds(pants(cut))
    assert x1 == pytest.approx(-x2)
    assert 1.6 < y1 < 1.9
    assert y2 == pytest.approx(cut.length, abs=0.1)


@pytest.mark.parametrize("change", [{"pleats": 7}, {"buttons": True}, {"wrap": True}])
def test_skirts_have_what_is_asked_for(change: dict[str, int]) -> None:
    """Pleats, buttons and wraps are further parts; flare is width at the hem."""
    plain = SkirtCut()
    assert len(skirt(replace(plain, **change))) > len(skirt(plain))  # type: ignore[arg-type]
    assert bounds(skirt(replace(plain, flare=0.6)))[2] > bounds(skirt(plain))[2] + 0.3
