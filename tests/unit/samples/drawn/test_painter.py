"""Painting parts: places, blur, layers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.samples.drawn.fabric import Fabric
from nitari.samples.drawn.painter import Layer, Placement, blur, shifted
from nitari.samples.drawn.shapes import Piece, Stroke, rounded

CLOTH = {"main": Fabric((200, 40, 40), weave="none")}


def layer(size: tuple[int, int] = (60, 80)) -> Layer:
    """A sheet with the body's origin in the middle."""
    return Layer(size, Placement(10, size[0] / 2, size[1] / 2), folds=0.0, generator=np.random.default_rng(0))


@given(st.floats(1, 100), st.floats(-180, 180), st.floats(-2, 2), st.floats(-2, 2))
def test_placements_go_both_ways(scale: float, angle: float, x: float, y: float) -> None:
    """Body units to pixels and back are the same point."""
    place = Placement(scale, 30, 40, angle)
    pixel = place.pixels(np.array([[x, y]]))[0]
    u, v = place.units(np.array([[pixel[0]]], dtype=np.float32), np.array([[pixel[1]]], dtype=np.float32), grain=0)
    assert (float(u[0, 0]), float(v[0, 0])) == pytest.approx((x, y), abs=2e-3)


def test_a_piece_is_opaque_inside_and_absent_outside() -> None:
    """The sheet holds the cloth's color where the piece is and nothing elsewhere."""
    sheet = layer()
    sheet.paint([Piece(rounded(-2, -2, 2, 2, 0.2), round=0.0)], CLOTH)
    assert sheet.alpha[40, 30] == pytest.approx(1)
    assert sheet.rgb[40, 30] == pytest.approx(np.array([200, 40, 40]) / 255, abs=0.01)
    assert sheet.alpha[5, 5] == 0


def test_round_pieces_are_lit_from_the_upper_left() -> None:
    """The upper left edge is brighter than the lower right one."""
    sheet = layer()
    sheet.paint([Piece(rounded(-2, -2, 2, 2, 0.5), round=1.0)], CLOTH)
    assert sheet.rgb[24, 24].sum() > sheet.rgb[56, 46].sum()


def test_clipped_strokes_stay_on_the_cloth() -> None:
    """A seam that runs off the garment does not draw on the air; a strap does."""
    line = np.array([[-2.5, 0.0], [2.5, 0.0]])
    sheet = layer()
    sheet.paint([Piece(rounded(-1, -1, 1, 1, 0.1)), Stroke(line, 0.3, "main", 1.0)], CLOTH)
    assert sheet.alpha[40, 8] == 0
    sheet.paint([Stroke(line, 0.3, "main", 1.0, clip=False)], CLOTH)
    assert sheet.alpha[40, 8] == pytest.approx(1)


def test_parts_off_the_sheet_are_passed_over() -> None:
    """Nothing breaks where a part is not in the picture."""
    sheet = layer()
    far = rounded(50, 50, 52, 52, 0.1)
    sheet.paint([Piece(far), Stroke(far), Stroke(far, dash=0.1)], CLOTH)
    assert sheet.alpha.max() == 0


@pytest.mark.parametrize("radius", [1.0, 3.0, 6.0, 13.0])
def test_blur_spreads_and_keeps_the_sum(radius: float) -> None:
    """A point becomes a symmetric spot of about the asked width; an even field stays even."""
    field = np.zeros((121, 121), dtype=np.float32)
    field[60, 60] = 1000
    spot = blur(field, radius)
    assert float(spot.sum()) == pytest.approx(1000, rel=0.01)
    offsets = np.arange(121) - 60
    spread = float(np.sqrt((spot.sum(axis=0) * offsets**2).sum() / 1000))
    assert spread == pytest.approx(radius, rel=0.35)
    assert np.allclose(blur(np.full((33, 40), 0.5, dtype=np.float32), radius), 0.5, atol=1e-4)


def test_shifted_repeats_the_border() -> None:
    """What becomes free is filled from the border."""
    assert shifted(np.array([[1, 2], [3, 4]], dtype=np.float32), 1, 1).tolist() == [[1, 1], [1, 1]]
