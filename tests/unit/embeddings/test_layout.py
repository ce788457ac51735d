"""Descriptors for composites: where colors are, and texture by itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nitari.embeddings.descriptors import DESCRIPTORS
from nitari.embeddings.layout import ColorLayoutDescriptor, TextureDescriptor
from nitari.embeddings.lowlevel import COLOR_DIM, LowLevelDescriptor
from nitari.types import Box, ByteArray
from support.scenes import BLUE, RED, WHITE, garment, mask_of, photo_of, plain, put, region

TOP, BOTTOM = Box(0, 0, 1, 0.5), Box(0, 0.5, 1, 1)


def test_by_name() -> None:
    """Every descriptor is found by its name, says its width, and has a fingerprint of its own."""
    assert set(DESCRIPTORS) == {"lowlevel-300", "color-layout-1412", "texture-120", "aspect-7"}
    for name, descriptor in DESCRIPTORS.items():
        assert name.endswith(f"-{descriptor.dim}")
        assert descriptor.blocks[-1].stop == descriptor.dim
    assert len({descriptor.fingerprint for descriptor in DESCRIPTORS.values()}) == len(DESCRIPTORS)


@given(pixels=arrays.arrays(np.uint8, st.tuples(st.integers(1, 30), st.integers(1, 30), st.just(3))))
def test_any_pixels(pixels: ByteArray) -> None:
    """Any photo, down to one pixel, gives unit vectors without negative values."""
    for descriptor in (ColorLayoutDescriptor(), TextureDescriptor()):
        found = descriptor.describe(photo_of(pixels), region())
        assert found.shape == (descriptor.dim,)
        assert found.dtype == np.float32
        assert found.min() >= 0
        assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)


def test_where_colors_are() -> None:
    """Red above blue is not blue above red, though the histogram of the whole is the same."""
    upright = photo_of(put(plain(80, 80, RED), BOTTOM, BLUE))
    turned = photo_of(put(plain(80, 80, BLUE), BOTTOM, RED))
    layout, whole = ColorLayoutDescriptor(), LowLevelDescriptor()
    colors = [whole.describe(photo, region())[:COLOR_DIM] for photo in (upright, turned)]
    assert float(colors[0] @ colors[1]) == pytest.approx(float(colors[0] @ colors[0]), abs=0.02)
    likeness = float(layout.describe(upright, region()) @ layout.describe(turned, region()))
    assert likeness < 0.75
    again = float(layout.describe(upright, region()) @ layout.describe(photo_of(upright.pixels[2:]), region()))
    assert again > 0.97


def test_background_is_left_out() -> None:
    """With a mask, another background changes nothing."""
    shirt = garment(200, 200)
    floor = np.where((shirt == np.array(WHITE)).all(axis=2, keepdims=True), np.array(BLUE), shirt).astype(np.uint8)
    mask = mask_of(Box(0.32, 0.25, 0.68, 0.8))
    layout = ColorLayoutDescriptor()
    found = [layout.describe(photo_of(pixels), region(mask=mask)) for pixels in (shirt, floor)]
    assert float(found[0] @ found[1]) > 0.98


def test_texture_is_the_other_half() -> None:
    """Texture alone is the low-level descriptor's part of it."""
    pixels = np.random.default_rng(1).integers(0, 255, (60, 60, 3)).astype(np.uint8)
    half = LowLevelDescriptor().describe(photo_of(pixels), region())[COLOR_DIM:]
    found = TextureDescriptor().describe(photo_of(pixels), region())
    np.testing.assert_allclose(found, half / np.linalg.norm(half), atol=1e-5)
