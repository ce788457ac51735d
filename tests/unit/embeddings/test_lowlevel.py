"""The color and texture descriptor: what moves it, what does not, and that it is what it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nitari.embeddings.lowlevel import COLOR_DIM, TEXTURE_DIM, LowLevelDescriptor, lab_of
from nitari.types import WHOLE, Box, ByteArray, FloatArray, Region
from support.scenes import BLUE, RED, WHITE, garment, mask_of, photo_of, plain, put, region


def describe(pixels: ByteArray, where: Region | None = None) -> FloatArray:
    """The descriptor of a region, of the whole photo if none is given."""
    return LowLevelDescriptor().describe(photo_of(pixels), where or region())


def stripes(width: int, *, vertical: bool = True, light: int = 220) -> ByteArray:
    """Gray stripes of ``width`` pixels on a square photo."""
    across = (np.arange(64) // width % 2 * (light - 60) + 60).astype(np.uint8)
    rows = np.broadcast_to(across if vertical else across[:, None], (64, 64))
    return np.repeat(rows[..., None], 3, axis=2)


def test_width() -> None:
    """300 numbers: 180 of color, 120 of texture."""
    descriptor = LowLevelDescriptor()
    assert (COLOR_DIM, TEXTURE_DIM, descriptor.dim, descriptor.name) == (180, 120, 300, "lowlevel-300")
    assert len(descriptor.fingerprint) == 16


@given(
    pixels=arrays.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3))),
    corner=st.floats(0, 0.9),
)
def test_any_pixels(pixels: ByteArray, corner: float) -> None:
    """Any region of any photo, down to one pixel, gives a finite unit vector without negative values, every time."""
    where = region(Box(corner, corner / 2, corner + 0.1, 1.0))
    found = describe(pixels, where)
    assert found.shape == (300,)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert found.min() >= 0
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(found, describe(pixels, where))


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((255, 255, 255), (100.0, 0.0, 0.0)),
        ((0, 0, 0), (0.0, 0.0, 0.0)),
        ((128, 128, 128), (53.585, 0.0, 0.0)),
        ((255, 0, 0), (53.241, 80.092, 67.203)),
        ((0, 255, 0), (87.735, -86.183, 83.179)),
        ((0, 0, 255), (32.297, 79.188, -107.860)),
    ],
)
def test_lab(rgb: tuple[int, int, int], lab: tuple[float, float, float]) -> None:
    """Colors become CIE L*a*b* under D65: the published values of its corners."""
    np.testing.assert_allclose(lab_of(np.array([[rgb]], dtype=np.uint8))[0, 0], lab, atol=0.02)


def test_color_orders() -> None:
    """A slightly darker red is nearer to red than blue is, and far nearer than chance."""
    red, dark, blue = (describe(plain(50, 50, color)) for color in (RED, (185, 28, 38), BLUE))
    assert red @ dark > 0.9
    assert red @ dark > red @ blue + 0.5


def test_texture_orders() -> None:
    """Stripes are like stripes of the same width, less like those across, least like none."""
    fine, same, across, none = (
        describe(p) for p in (stripes(4), stripes(4, light=215), stripes(4, vertical=False), plain(64, 64))
    )
    assert fine @ same > fine @ across > fine @ none


def test_mask_leaves_the_background_out() -> None:
    """With its mask, a product is described alike on any background."""
    box = Box(0.25, 0.25, 0.75, 0.75)
    on_white, on_blue = (put(plain(128, 128, ground), box, RED) for ground in (WHITE, BLUE))
    masked = region(WHOLE, mask_of(box))
    assert describe(on_white, masked) @ describe(on_blue, masked) > 0.97
    assert describe(on_white) @ describe(on_blue) < 0.8


def test_mask_elsewhere_is_ignored() -> None:
    """A mask that covers next to nothing of the box says nothing about it."""
    pixels = put(plain(128, 128, BLUE), Box(0, 0, 0.5, 0.5), RED)
    box = Box(0.5, 0.5, 1, 1)
    elsewhere = region(box, mask_of(Box(0, 0, 0.5, 0.5)))
    np.testing.assert_array_equal(describe(pixels, elsewhere), describe(pixels, region(box)))


def test_size_of_the_photo_does_not_matter() -> None:
    """The same product photographed larger is described nearly alike."""
    assert describe(garment(300, 400)) @ describe(garment(900, 1200)) > 0.97
