"""The figure that wears the garments."""

from __future__ import annotations

import pytest

from nitari.samples.drawn import figure
from nitari.samples.drawn.shapes import bounds

OWN = {"skin", "hair", "plain", "shoes", "seam", "shine", "inside"}


def test_the_figure_wears_nothing_that_is_for_sale() -> None:
    """Its parts have paints of their own, so that a garment's colors never color it."""
    for parts in (figure.upper_body(20), figure.legs(), figure.plain_top(), figure.plain_pants(), figure.head()):
        assert {part.paint for part in parts} <= OWN


def test_arms_are_held_as_asked() -> None:
    """The wider the angle, the wider the figure; it is symmetric."""
    close, wide = bounds(figure.upper_body(15)), bounds(figure.upper_body(27))
    assert wide[2] > close[2] + 0.3
    assert close[0] == pytest.approx(-close[2])


def test_plain_clothes_fit_the_body() -> None:
    """Plain pants reach the ankles; a plain top without sleeves is narrower than one with."""
    assert bounds(figure.plain_pants())[3] > 6
    assert bounds(figure.plain_top(0.0))[2] < bounds(figure.plain_top())[2]
