"""The values that flow: a bad one cannot be made."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.errors import UsageError
from nitari.types import WHOLE, Box, Item

SHARE = st.floats(0, 1)


@given(SHARE, SHARE, SHARE, SHARE)
def test_box_is_a_rectangle_or_nothing(x1: float, y1: float, x2: float, y2: float) -> None:
    """Four shares in order make a box with an area in 0-1; anything else is refused."""
    if x1 < x2 and y1 < y2:
        assert 0 <= Box(x1, y1, x2, y2).area <= 1
    else:
        with pytest.raises(UsageError, match="not a rectangle"):
            Box(x1, y1, x2, y2)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), float("inf")])
def test_box_stays_inside_the_image(value: float) -> None:
    """A side outside 0-1, or not a number, is refused."""
    with pytest.raises(UsageError):
        Box(value, 0, 1, 1) if value < 0.5 else Box(0, 0, value, 1)


def test_whole_is_the_whole_image() -> None:
    """The whole image has area 1."""
    assert (WHOLE.area, WHOLE.as_list()) == (1.0, [0.0, 0.0, 1.0, 1.0])


def test_group_defaults_to_the_item() -> None:
    """An item without a group is a group of its own."""
    assert Item(item_id="a", image_links=("1.jpg",)).group_id == "a"


@pytest.mark.parametrize("item_id", ["", "x" * 513, "tab\there", "null\0"])
def test_item_ids_are_printable_and_short(item_id: str) -> None:
    """An id that nobody could type back is refused."""
    with pytest.raises(UsageError, match="printable"):
        Item(item_id=item_id, image_links=("1.jpg",), group_id="g")


def test_item_needs_photos_once_each() -> None:
    """No photo, or the same twice, is refused."""
    with pytest.raises(UsageError, match="no image link"):
        Item(item_id="a", image_links=())
    with pytest.raises(UsageError, match="twice"):
        Item(item_id="a", image_links=("1.jpg", "1.jpg"))
