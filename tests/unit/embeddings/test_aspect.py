"""The aspect descriptor: a smooth measure of how wide a box is for its height, in pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.embeddings.aspect import AspectDescriptor
from nitari.types import Box, FloatArray
from support.scenes import photo_of, plain, region


def of(width: int, height: int, box: Box | None = None) -> FloatArray:
    """The descriptor of a photo of this size, or of a box of it."""
    return AspectDescriptor().describe(photo_of(plain(width, height)), region(box) if box else region())


@given(width=st.integers(1, 900), height=st.integers(1, 900))
def test_any_size(width: int, height: int) -> None:
    """Any box gives a unit vector without negative values."""
    found = of(width, height)
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)


def test_in_pixels() -> None:
    """The box counts in pixels and not in shares of the photo; the photo's size makes no difference."""
    np.testing.assert_allclose(of(100, 200), of(200, 200, Box(0, 0, 0.5, 1)), atol=1e-6)
    np.testing.assert_allclose(of(100, 200), of(300, 600), atol=1e-6)


def test_falls_with_the_ratio() -> None:
    """The more the ratios differ, the less alike they are."""
    square = of(100, 100)
    likeness = [float(square @ of(width, 100)) for width in (100, 120, 160, 300)]
    assert likeness == sorted(likeness, reverse=True)
    assert likeness[0] == pytest.approx(1, abs=1e-6)
    assert likeness[-1] == 0
