"""Pixels by Pillow: resizing, color conversion, encoding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nitari.errors import ImageError, UsageError
from nitari.raster import Raster, encode, resize, to_rgb
from support import picture
from support.picture import CARD, card, corners_of, encoded


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from(["bilinear", "bicubic", "lanczos"]))
def test_resize_keeps_flat_colors(width: int, height: int, name: str) -> None:
    """A flat picture stays what it is at any size by any filter; shape, dtype and layout are as promised."""
    flat = np.full((17, 23, 3), (10, 200, 77), np.uint8)
    resized = resize(flat, width, height, filter=name)  # type: ignore[arg-type]
    assert resized.shape == (height, width, 3)
    assert resized.dtype == np.uint8
    assert resized.flags.c_contiguous
    assert (resized == flat[0, 0]).all()
    assert resize(flat[:, :, 0], width, height).shape == (height, width)


def test_resize_by_halves() -> None:
    """Shrinking by blocks first gives hardly another image; where little is shrunk, the same."""
    pixels = np.random.default_rng(3).integers(0, 256, (200, 300, 3), np.uint8)
    smooth = resize(resize(pixels, 12, 8), 300, 200)
    exact, quick = (resize(smooth, 30, 20, halved=halved).astype(int) for halved in (False, True))
    assert np.abs(exact - quick).max() <= 4
    assert np.array_equal(resize(pixels, 200, 150, halved=True), resize(pixels, 200, 150))


def test_resize_a_part() -> None:
    """A box takes its part only, at fractions of pixels too, and less than a pixel of it."""
    assert np.array_equal(resize(card(), 4, 4, box=(0, 0, 24, 16)), np.full((4, 4, 3), CARD[0], np.uint8))
    assert np.array_equal(resize(card(), 2, 2, box=(50.2, 40.1, 50.5, 40.3)), np.full((2, 2, 3), CARD[3], np.uint8))


def test_resize_does_not_alias() -> None:
    """Fine stripes become gray, not stripes of another width."""
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    assert np.abs(resize(stripes, 8, 8)[:, 2:-2].astype(int) - 127).max() < 12


@pytest.mark.parametrize(
    ("size", "box"), [((0, 5), None), ((5, -1), None), ((5, 5), (0, 0, 97, 10)), ((5, 5), (9, 9, 9, 20))]
)
def test_impossible_sizes(size: tuple[int, int], box: tuple[float, float, float, float] | None) -> None:
    """An empty size, and a box that is empty or reaches outside, are the caller's mistake."""
    with pytest.raises(UsageError):
        resize(card(), *size, box=box)


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_encode(kind: str) -> None:
    """What is written can be read again, color and gray."""
    data = encode(card(), kind, quality=95)  # type: ignore[arg-type]
    pixels = Raster.open(data, kind).pixels(0)  # type: ignore[arg-type]
    assert np.abs(corners_of(pixels) - np.array(CARD)).max() < 8
    gray = Raster.open(encode(card()[:, :, 0], kind), kind).pixels(0)  # type: ignore[arg-type]
    assert gray.shape == (64, 96, 3)


def test_to_rgb() -> None:
    """Gray and CMYK become RGB; a profile is applied where it fits, and ignored where it does not."""
    gray = np.array(Image.fromarray(card()).convert("L"))
    cmyk = np.array(Image.fromarray(card()).convert("CMYK"))
    assert np.array_equal(to_rgb(gray)[:, :, 1], gray)
    assert np.abs(to_rgb(cmyk).astype(int) - card()).max() <= 1
    swapped = picture.swapped_profile()
    assert np.abs(corners_of(to_rgb(card()[:, :, ::-1], profile=swapped)) - np.array(CARD)).max() < 4
    for profile in (b"", b"nonsense" * 50, swapped[:300]):
        assert np.array_equal(to_rgb(card(), profile=profile), card())
    assert np.abs(to_rgb(cmyk, profile=swapped).astype(int) - card()).max() <= 1


def test_pillow_is_taken_by_format_only() -> None:
    """A file is read as the format it is said to be, never as another that Pillow knows."""
    with pytest.raises(ImageError):
        Raster.open(encoded(card(), "PPM"), "png")
    with pytest.raises(ImageError):
        Raster.open(encoded(card(), "GIF"), "tiff")
