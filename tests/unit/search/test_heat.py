"""Heat maps over photos drawn by program and an extractor that sees how much red there is in the middle of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.errors import ImageError
from nitari.extract import Choice, Extractor
from nitari.images.decode import ImageDecoder
from nitari.raster import encode
from nitari.search.heat import PATCHES, grid_shape, heat_of
from nitari.types import Block, Box, ByteArray, FloatArray, Photo, Region
from support.extraction import FixedFinder

SIDE = 120
PRODUCT = Region(Box(0.5, 0.5, 1, 1), "product", 1.0)
RED = np.asarray([1, 0], np.float32)


class Redness:
    """Turns from one axis to the other with the share of red pixels; counts what it was asked for."""

    name = "redness"
    dim = 2
    fingerprint = "redness"
    short_side = SIDE
    blocks = (Block("shape", 0, 2),)

    def __init__(self) -> None:
        self.asked = 0

    def embed(self, photo: Photo, regions: Sequence[Region]) -> FloatArray:
        """float32 ``[len(regions), 2]``."""
        self.asked += 1
        return np.stack([self._of(photo.pixels, region.box) for region in regions])

    def _of(self, pixels: ByteArray, box: Box) -> FloatArray:
        height, width = pixels.shape[:2]
        rows = slice(round(box.y1 * height), round(box.y2 * height))
        part = pixels[rows, round(box.x1 * width) : round(box.x2 * width)].astype(int)
        share = ((part[..., 0] > 180) & (part[..., 1] < 90)).mean()
        return np.asarray([math.sin(share * math.pi / 2), math.cos(share * math.pi / 2)], np.float32)


def drawn(*, red: Box | None, ground: int = 250) -> bytes:
    """An even ground with a red rectangle on it."""
    pixels = np.full((SIDE, SIDE, 3), ground, np.uint8)
    if red is not None:
        x1, y1, x2, y2 = (round(share * SIDE) for share in red.as_list())
        pixels[y1:y2, x1:x2] = (220, 20, 20)
    return encode(pixels, "png")


def extractor(embedder: Redness | None = None) -> Extractor:
    """One that finds the lower right quarter."""
    return Extractor(
        decoder=ImageDecoder(), regions=FixedFinder(PRODUCT), embedder=embedder or Redness(), views="whole"
    )


def likeness(vectors: FloatArray) -> float:
    """How red the photo is."""
    return float((vectors @ RED).max())


def test_covering_the_product_matters_and_covering_ground_does_not() -> None:
    """The grid is hot where the product is, and cold everywhere else, where no network runs."""
    embedder = Redness()
    heat = heat_of(extractor(embedder), drawn(red=Box(0, 0, 0.5, 0.5)), likeness)
    assert heat.values.shape == (6, 6)
    assert heat.values.dtype == np.float32
    assert heat.values.max() == 1
    assert heat.fall > 0.02
    assert heat.values[:3, :3].min() > 0.3
    assert heat.values[:, 4:].max() == heat.values[4:].max() == 0
    assert embedder.asked < PATCHES / 2


def test_where_nothing_matters_the_grid_is_cold() -> None:
    """No patch is hot by noise alone."""
    heat = heat_of(extractor(), drawn(red=None), lambda vectors: float(vectors[0, 1]))
    assert (heat.values.max(), heat.fall, heat.similarity) == (0, 0, 1)


@pytest.mark.parametrize(
    ("choice", "box"),
    [("largest", PRODUCT.box), (Box(0.25, 0, 0.75, 0.25), Box(0.25, 0, 0.75, 0.25)), ("whole", Box(0, 0, 1, 1))],
)
def test_the_grid_lies_over_what_was_chosen(choice: Choice, box: Box) -> None:
    """A small box gets all patches for itself, of a shape that suits it."""
    heat = heat_of(extractor(), drawn(red=Box(0, 0, 1, 1), ground=0), likeness, choice=choice, regions=(PRODUCT,))
    assert heat.box == box
    assert heat.values.shape == grid_shape((box.x2 - box.x1) / (box.y2 - box.y1))
    # Red all over: its own color covers it, so nothing changes.
    assert heat.values.max() == 0


def test_a_box_sees_its_own_part() -> None:
    """Only what lies in the chosen box is covered."""
    heat = heat_of(extractor(), drawn(red=Box(0.5, 0, 1, 1)), likeness, choice=Box(0.25, 0.25, 0.75, 0.75))
    assert heat.values[:, :2].max() < heat.values[:, 4:].min()


def test_what_is_no_photo_is_told() -> None:
    """As everywhere else."""
    with pytest.raises(ImageError):
        heat_of(extractor(), b"text", likeness)


@given(st.floats(1e-3, 1e3))
def test_patches_are_about_square_and_bounded(aspect: float) -> None:
    """Whatever the photo's shape, the work is about the same."""
    rows, cols = grid_shape(aspect)
    assert min(rows, cols) >= 2
    assert PATCHES * 0.8 <= rows * cols <= PATCHES * 1.25
