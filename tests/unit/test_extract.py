"""What a photo is searched by: which regions are embedded for each setting and each choice of the shopper."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from nitari.extract import WHOLE_REGION, Choice, Extractor, Views, mean, unit
from nitari.types import WHOLE, Block, Box, Extraction, FloatArray, Photo, Region
from support.scenes import mask_of, photo_of, plain

MASK = mask_of(Box(0.2, 0.2, 0.6, 0.8))
PRODUCT = Region(Box(0.2, 0.2, 0.6, 0.8), "product", 0.9, MASK)
OTHER = Region(Box(0.7, 0.7, 0.9, 0.9), "product", 0.8, MASK)
CHOSEN = Box(0.1, 0.1, 0.3, 0.3)
SQUARE = Box(0.125, 0.0, 0.875, 1.0)  # of a photo of 400 x 300


class Decoder:
    """Gives a white photo, and remembers how large it had to be."""

    def __init__(self) -> None:
        self.short_sides: list[int] = []

    def decode(self, data: bytes, *, short_side: int) -> Photo:
        """400 x 300 whatever ``data`` is."""
        self.short_sides.append(short_side)
        return photo_of(plain(400, 300))


class Finder:
    """Finds the same regions on every photo, and counts how often it looked."""

    fingerprint = "finder"
    short_side = 128

    def __init__(self, *regions: Region) -> None:
        self._regions = regions
        self.looked = 0

    def find(self, photo: Photo) -> tuple[Region, ...]:
        """The regions it was made with."""
        self.looked += 1
        return self._regions


class Embedder:
    """Remembers the regions it was shown; each gets its own axis, the whole photo the first."""

    name = "axes"
    dim = 4
    fingerprint = "embedder"
    short_side = 224
    blocks = (Block("shape", 0, 4),)

    def __init__(self) -> None:
        self.shown: list[Region] = []

    def embed(self, photo: Photo, regions: Sequence[Region]) -> FloatArray:
        """float32 ``[len(regions), 4]``."""
        boxes = [WHOLE, SQUARE, PRODUCT.box, CHOSEN]
        self.shown.extend(regions)
        return np.eye(4, dtype=np.float32)[[boxes.index(region.box) for region in regions]]


def extract(
    *regions: Region, views: Views = "mean", choice: Choice = "auto"
) -> tuple[Extraction, list[Region], Finder, Decoder]:
    """One photo's extraction, the regions that were embedded, and who took part."""
    decoder, finder, embedder = Decoder(), Finder(*regions), Embedder()
    extractor = Extractor(decoder=decoder, regions=finder, embedder=embedder, views=views)
    return extractor.extract(b"", choice=choice), embedder.shown, finder, decoder


def test_mean() -> None:
    """By default a photo is one view: the unit mean of its center square and its product, shown as the product."""
    found, shown, _, _ = extract(PRODUCT, OTHER)
    assert [region.box for region in shown] == [SQUARE, PRODUCT.box]
    assert all(region.mask is MASK for region in shown), "color is the product's in both"
    assert found.regions == (PRODUCT, OTHER)
    (view,) = found.views
    assert view.region is PRODUCT
    np.testing.assert_allclose(view.vector, np.array([0, 1, 1, 0]) / 2**0.5, atol=1e-6)


def test_mean_without_a_product() -> None:
    """Where nothing was found, the whole photo takes the product's place, so that no part of it is lost."""
    found, shown, _, _ = extract()
    assert [region.box for region in shown] == [SQUARE, WHOLE]
    assert [view.region for view in found.views] == [WHOLE_REGION]


@pytest.mark.parametrize(
    ("views", "boxes"),
    [("whole", [WHOLE]), ("box", [PRODUCT.box]), ("both", [WHOLE, PRODUCT.box])],
)
def test_other_views(views: Views, boxes: list[Box]) -> None:
    """The other settings keep the whole photo, the product, or both as separate views."""
    found, shown, _, _ = extract(PRODUCT, views=views)
    assert [region.box for region in shown] == boxes
    assert [view.region.box for view in found.views] == boxes


@pytest.mark.parametrize("views", ["whole", "box", "both"])
def test_other_views_without_a_product(views: Views) -> None:
    """Where nothing was found, they all keep the whole photo, once."""
    found, _, _, _ = extract(views=views)
    assert [view.region for view in found.views] == [WHOLE_REGION]


@pytest.mark.parametrize("views", ["whole", "box", "mean", "both"])
def test_chosen_box(views: Views) -> None:
    """A shopper's box is searched by itself, in full resolution, with the mask that tells product from background."""
    found, shown, _, decoder = extract(PRODUCT, views=views, choice=CHOSEN)
    (view,) = found.views
    assert (view.region.box, view.region.label) == (CHOSEN, "chosen")
    assert [region.mask is MASK for region in shown] == [True]
    assert decoder.short_sides == [448, 0], "products are looked for on the photo as it is for every other choice"


@pytest.mark.parametrize("views", ["whole", "box", "mean", "both"])
def test_largest(views: Views) -> None:
    """Who chooses the largest product searches by its box alone; by the whole photo where there is none."""
    assert [view.region for view in extract(PRODUCT, OTHER, views=views, choice="largest")[0].views] == [PRODUCT]
    assert [view.region for view in extract(views=views, choice="largest")[0].views] == [WHOLE_REGION]


def test_whole() -> None:
    """Who chooses the whole photo does not wait for products to be found."""
    found, shown, finder, _ = extract(PRODUCT, choice="whole")
    assert finder.looked == 0
    assert [region.box for region in shown] == [SQUARE, WHOLE]
    assert [view.region for view in found.views] == [WHOLE_REGION]


@pytest.mark.parametrize("choice", ["auto", "whole", "largest", CHOSEN])
def test_known_regions(choice: Choice) -> None:
    """Regions that are known already are not looked for again, and the vectors are the same."""
    decoder, finder, embedder = Decoder(), Finder(PRODUCT, OTHER), Embedder()
    extractor = Extractor(decoder=decoder, regions=finder, embedder=embedder)
    found = extractor.detect(b"")
    assert (found.width, found.height, found.regions) == (400, 300, (PRODUCT, OTHER))
    assert list(found.timing_ms) == ["decode", "regions"]
    assert not embedder.shown
    again = extractor.extract(b"", choice=choice, regions=found.regions)
    assert finder.looked == 1
    assert decoder.short_sides == [448, 0 if choice is CHOSEN else 448]
    assert list(again.timing_ms) == ["decode", "embed"]
    fresh, *_ = extract(PRODUCT, OTHER, choice=choice)
    assert again.regions == fresh.regions
    for one, other in zip(again.views, fresh.views, strict=True):
        assert one.region == other.region
        np.testing.assert_array_equal(one.vector, other.vector)


def test_resolution() -> None:
    """A photo is decoded at twice the network's size where crops of it are embedded."""
    assert extract(PRODUCT)[3].short_sides == [448]


def test_low_detail() -> None:
    """A photo is decoded hardly larger than a network's input, and its vectors are others."""
    decoder = Decoder()
    made = {
        detail: Extractor(decoder=decoder, regions=Finder(PRODUCT), embedder=Embedder(), detail=detail)
        for detail in ("full", "low")
    }
    made["low"].extract(b"")
    assert decoder.short_sides == [280]
    assert made["low"].fingerprint != made["full"].fingerprint


def test_fingerprint() -> None:
    """Another setting of views is another fingerprint, as its vectors are others."""
    made = {
        Extractor(decoder=Decoder(), regions=Finder(), embedder=Embedder(), views=views).fingerprint
        for views in ("whole", "box", "mean", "both")
    }
    assert len(made) == 4


class Halving:
    """A query transform that turns vectors half way to the last axis, by the strength."""

    def cue(self, vectors: FloatArray) -> float:
        """Three quarters, whatever is shown."""
        return 0.75

    def apply(self, vectors: FloatArray, strength: float | None = None, *, ease: float = 1.0) -> FloatArray:
        """Adds the last axis, so much; a half where nobody says how much."""
        moved = vectors + np.eye(4, dtype=np.float32)[3] * (0.5 * ease if strength is None else strength)
        turned: FloatArray = (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)
        return turned


def test_undressed() -> None:
    """The gallery's vectors know no wearer; a query's are turned as far as is asked, region by region."""
    parts = {"decoder": Decoder(), "regions": Finder(PRODUCT), "embedder": Embedder(), "views": "both"}
    dressed = Extractor(**parts, transform=Halving())  # type: ignore[arg-type]  # checked as it runs
    plain = Extractor(**parts)  # type: ignore[arg-type]  # checked as it runs
    gallery = dressed.extract(b"")
    assert gallery.worn is None
    assert dressed.fingerprint == plain.fingerprint, "stored vectors are the same"
    for one, other in zip(gallery.views, plain.extract(b"").views, strict=True):
        np.testing.assert_array_equal(one.vector, other.vector)
    for worn, strength in (("auto", 0.5), (1.0, 1.0), (0.0, 0.0)):
        found = dressed.undressed(gallery, worn)  # type: ignore[arg-type]  # checked as it runs
        assert found.worn == 0.75
        assert [view.region for view in found.views] == [view.region for view in gallery.views]
        for view, before in zip(found.views, gallery.views, strict=True):
            expected = before.vector + np.array([0, 0, 0, strength])
            np.testing.assert_allclose(view.vector, expected / np.linalg.norm(expected), atol=1e-6)
    off = dressed.undressed(gallery, "off")
    assert off.worn == 0.75, "what the photo shows is told all the same"
    assert off.views is gallery.views
    assert plain.undressed(gallery, "auto") is gallery


def test_blocks_with_a_share_keep_it() -> None:
    """In a mean, where views disagree in one block, it is as long as it was; others are as they come."""
    views = unit(np.array([[1, 0, 1, 0], [0, 1, 1, 0]], np.float32))
    level = mean(views, (Block("shape", 0, 2, 0.5), Block("color", 2, 4, 0.5)))
    np.testing.assert_allclose(level, [0.5, 0.5, np.sqrt(0.5), 0], atol=1e-6)
    plain = mean(views, (Block("shape", 0, 2), Block("color", 2, 4)))
    np.testing.assert_allclose(plain, unit(views.sum(axis=0)), atol=1e-6)
