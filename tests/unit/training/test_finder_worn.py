"""Garments on people, found by proportion, skin and hems."""

from __future__ import annotations

import numpy as np
import pytest

from nitari.training.finder_shots import SIDE
from nitari.training.finder_worn import lower_garment, skin, upper_garment
from support.shots import SKIN, lower_photo, upper_photo


def test_skin() -> None:
    """Skin is told from blue, green and gray."""
    row = np.array([[SKIN, (120, 80, 60), (30, 60, 200), (30, 150, 60), (90, 90, 95), (255, 255, 255)]], np.uint8)
    assert skin(row).tolist() == [[True, True, False, False, False, False]]


def test_a_top() -> None:
    """A top goes from the shoulders to the hem, without bare arms; below it something else is worn."""
    top, below = upper_garment(*upper_photo())
    assert (top.part, below.part) == ("sold", "other")
    assert top.box.as_list() == pytest.approx([0.32, 0.2, 0.68, 0.7], abs=0.04)
    assert below.box.as_list() == pytest.approx([0.33, 0.7, 0.67, 1.0], abs=0.04)


def test_shorts_and_shoes() -> None:
    """Shorts end where skin begins, and shoes are where it ends."""
    shorts, shoes = lower_garment(*lower_photo(shorts=True))
    assert (shorts.part, shoes.part) == ("sold", "shoes")
    assert shorts.box.as_list() == pytest.approx([0.33, 0.1, 0.67, 0.45], abs=0.03)
    assert shoes.box.as_list() == pytest.approx([0.34, 0.92, 0.66, 0.98], abs=0.03)


def test_pants_and_shoes() -> None:
    """Pants reach down to the shoes."""
    pants, shoes = lower_garment(*lower_photo(shorts=False))
    assert pants.box.as_list() == pytest.approx([0.33, 0.1, 0.67, 0.92], abs=0.03)
    assert (pants.part, shoes.part) == ("sold", "shoes")


@pytest.mark.parametrize("rule", [upper_garment, lower_garment])
def test_no_figure(rule: object) -> None:
    """Where nobody is, nothing is worn; a speck and a line are nobody."""
    pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
    for box in ((0, 0, 0, 0), (5, 5, 7, 7), (0, 100, SIDE, 101), (0, 0, SIDE, SIDE)):
        mask = np.zeros((SIDE, SIDE), np.uint8)
        mask[box[1] : box[3], box[0] : box[2]] = 255
        for worn in rule(pixels, mask):  # type: ignore[operator]  # chosen above
            assert worn.box.area > 0
