"""From boxes to a network's pixels: every fit shows what it says, and nothing falls outside the photo."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.embeddings.preprocess import fitted, network_input, pixel_frame
from nitari.models.card import Fit, InputSpec
from nitari.types import WHOLE, Box
from support.scenes import BLUE, RED, WHITE, photo_of, plain, put

SIDE = 32


def spec(fit: Fit = "stretch", size: tuple[int, int] = (SIDE, SIDE)) -> InputSpec:
    """An input that changes pixels only by scaling."""
    return InputSpec(size=size, mean=(0, 0, 0), std=(1, 1, 1), fit=fit)


def test_stretch() -> None:
    """Stretching shows all of the box, its halves still halves, and nothing beside it."""
    pixels = put(put(plain(400, 100, BLUE), Box(0, 0, 0.5, 1), RED), Box(0.75, 0, 1, 1), WHITE)
    shown = fitted(pixels, Box(0.25, 0, 0.75, 1), spec())
    assert tuple(shown[SIDE // 2, 2]) == RED
    assert tuple(shown[SIDE // 2, -3]) == BLUE


@pytest.mark.parametrize(("width", "height"), [(400, 100), (100, 400)])
def test_letterbox(width: int, height: int) -> None:
    """A letterboxed box keeps its aspect ratio in the middle of a white canvas."""
    shown = fitted(plain(width, height, RED), WHOLE, spec("letterbox"))
    red = (shown == RED).all(axis=2)
    white = (shown == 255).all(axis=2)
    assert red.sum() == SIDE * SIDE // 4
    assert white.sum() == shown.shape[0] * shown.shape[1] - red.sum()
    assert red[SIDE // 2, SIDE // 2]
    np.testing.assert_array_equal(red, red[::-1, ::-1])


@given(width=st.integers(1, 500), height=st.integers(1, 500))
def test_a_trimmed_letterbox(width: int, height: int) -> None:
    """White goes in whole multiples of 32, a rim of 8 stays; what is left is the very letterbox, cut."""
    whole = fitted(plain(width, height, RED), WHOLE, spec("letterbox", (224, 160)))
    some = fitted(plain(width, height, RED), WHOLE, replace(spec("letterbox", (224, 160)), trim=32))
    shown = np.argwhere((whole == RED).all(axis=2))
    top, left = shown.min(axis=0) - 8
    bottom, right = np.array(whole.shape[:2]) - shown.max(axis=0) - 1 - 8
    top, left, bottom, right = (max(0, int(white)) // 32 * 32 for white in (top, left, bottom, right))
    np.testing.assert_array_equal(some, whole[top : 224 - bottom, left : 160 - right])
    assert some.shape[0] % 32 == some.shape[1] % 32 == 0


def test_crop() -> None:
    """A cropped box shows its middle, as much as the network's aspect ratio takes."""
    pixels = put(plain(300, 100, BLUE), Box(0.3, 0, 0.7, 1), RED)
    assert (fitted(pixels, WHOLE, spec("crop")) == RED).all()
    wide = fitted(pixels, WHOLE, spec("crop", (SIDE, 3 * SIDE)))
    assert (wide == RED).all(axis=2).mean() == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize("fit", ["stretch", "letterbox", "crop"])
@given(
    width=st.integers(1, 60),
    height=st.integers(1, 60),
    corners=st.tuples(*[st.floats(0, 1, allow_nan=False)] * 4),
)
def test_any_box(fit: Fit, width: int, height: int, corners: tuple[float, ...]) -> None:
    """Any box of any photo fills the input, even one far thinner than a pixel."""
    x1, x2 = sorted(corners[:2])
    y1, y2 = sorted(corners[2:])
    if x2 - x1 < 1e-6 or y2 - y1 < 1e-6:
        x1, x2, y1, y2 = 0.5, 0.5 + 1e-6, 0.0, 1.0
    shown = fitted(plain(width, height, RED), Box(x1, y1, x2, y2), spec(fit))
    assert shown.shape == (SIDE, SIDE, 3)
    assert shown.dtype == np.uint8
    assert ((shown == RED) | (shown == 255)).all()


def test_frame_stays_inside() -> None:
    """A box in pixels ends where the image ends, also after rounding."""
    assert pixel_frame(plain(3, 7), WHOLE) == (0, 0, 3, 7)
    left, top, right, bottom = pixel_frame(plain(640, 480), Box(0.1, 0.2, np.nextafter(1, 0), 1))
    assert (left, top, bottom) == pytest.approx((64, 96, 480))
    assert right <= 640


def test_network_input() -> None:
    """Boxes become one normalized tensor, channels first, in their order."""
    pixels = put(plain(40, 40, BLUE), Box(0, 0, 0.5, 1), RED)
    tensor = network_input(photo_of(pixels), [Box(0, 0, 0.4, 1), Box(0.6, 0, 1, 1)], spec())
    assert tensor.shape == (2, 3, SIDE, SIDE)
    assert tensor.dtype == np.float32
    np.testing.assert_allclose(tensor[:, :, 3, 3], np.array([RED, BLUE]) / 255, atol=1e-6)
