"""Outlines and what is done with them."""

from __future__ import annotations

import numpy as np
import pytest

from nitari.samples.drawn.shapes import Outline, Piece, Stroke, both, bounds, ellipse, flipped, mirrored, moved, rounded


def test_curves_pass_through_their_ends_and_their_middle() -> None:
    """A quadratic Bézier curve's middle is a quarter of each end and half of the control point."""
    path = Outline(0, 0).to((1, 0)).bend((2, 2), (3, 0)).points()
    assert path[1].tolist() == [1, 0]
    assert path[-1].tolist() == [3, 0]
    assert path[1 + 9] == pytest.approx([2, 1])


def test_mirrored_outlines_are_symmetric() -> None:
    """Each point has its mirror image, and mirroring twice changes nothing."""
    half = Outline(0, 0).to((1, 1)).bend((2, 2), (0, 3)).points()
    whole = mirrored(half)
    assert {(-x, y) for x, y in whole.tolist()} == {(x, y) for x, y in whole.tolist()}
    assert np.array_equal(flipped(flipped(half)), half)


def test_round_shapes_stay_in_their_box() -> None:
    """An ellipse and a rounded rectangle fill their box and no more."""
    for points in (ellipse(1, 2, 1, 2), rounded(0, 0, 2, 4, 0.3)):
        assert points.min(axis=0) == pytest.approx([0, 0], abs=1e-9)
        assert points.max(axis=0) == pytest.approx([2, 4], abs=1e-9)


def test_both_flips_pieces_and_strokes() -> None:
    """Each part is followed by its mirror image, its grain turned the other way."""
    square = rounded(1, 0, 2, 1, 0.1)
    piece, image, stroke, line = both(Piece(square, grain=5), Stroke(square))
    assert isinstance(piece, Piece)
    assert isinstance(image, Piece)
    assert isinstance(stroke, Stroke)
    assert isinstance(line, Stroke)
    assert image.grain == -5
    assert bounds((image,)) == pytest.approx((-2, 0, -1, 1))
    assert bounds((piece, image, stroke, line)) == pytest.approx((-2, 0, 2, 1))


def test_moved_scales_and_shifts() -> None:
    """Outlines, paths and widths grow together."""
    piece, stroke = moved((Piece(rounded(0, 0, 1, 1, 0.1)), Stroke(ellipse(0, 0, 1, 1), width=0.1)), 3, 4, scale=2)
    assert bounds((piece,)) == pytest.approx((3, 4, 5, 6))
    assert isinstance(stroke, Stroke)
    assert stroke.width == pytest.approx(0.2)
