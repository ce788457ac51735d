"""Coverage of polygons and lines."""

from __future__ import annotations

import numpy as np
import pytest

from nitari.samples.drawn.canvas import draw_lines, fill


def test_fill_covers_the_area() -> None:
    """The coverage adds up to the polygon's area, and is partial at an edge between two pixels."""
    square = np.array([[2.0, 2.0], [12.5, 2.0], [12.5, 12.0], [2.0, 12.0]])
    mask = fill(square, (20, 16))
    assert mask.shape == (16, 20)
    assert float(mask.sum()) == pytest.approx(105, rel=0.06)
    assert mask[6, 6] == 1
    assert 0 < mask[6, 12] < 1
    assert mask[6, 14] == 0


def test_what_reaches_beyond_the_canvas_is_cut() -> None:
    """A polygon around the whole canvas covers all of it."""
    assert fill(np.array([[-50.0, -50], [90, -50], [90, 90], [-50, 90]]), (8, 8)).min() == 1


def test_lines_are_as_wide_as_asked() -> None:
    """A horizontal line of 4 pixels covers about 4 rows."""
    mask = draw_lines([np.array([[5.0, 10.0], [25.0, 10.0]])], 4, (30, 20))
    assert float(mask[:, 15].sum()) == pytest.approx(4, abs=0.5)
