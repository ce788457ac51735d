"""The contract of ``nitari.regions.base.RegionFinder``, for every adapter."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from nitari.models.store import ModelStore
from nitari.regions.base import RegionFinder
from nitari.regions.detector import GarmentFinder
from nitari.regions.saliency import SaliencyFinder
from nitari.regions.whole import WholeFinder
from nitari.runtimes.onnx import OnnxModel
from nitari.types import ByteArray
from support.scenes import WHITE, garment, photo_of, plain


def _saliency(request: pytest.FixtureRequest) -> RegionFinder:
    store: ModelStore = request.getfixturevalue("model_store")
    (network,) = store.networks(store.card("u2netp"))
    return SaliencyFinder(card=network.card, model=OnnxModel(network.path), fingerprint=network.fingerprint)


def _garments(tmp_path: Path) -> RegionFinder:
    store = ModelStore(cache=tmp_path, download=False)  # its weights are in the package
    (network,) = store.networks(store.card("nitari-regions"))
    return GarmentFinder(card=network.card, model=OnnxModel(network.path), fingerprint=network.fingerprint)


ADAPTERS: dict[str, Callable[[pytest.FixtureRequest], RegionFinder]] = {
    "whole": lambda request: WholeFinder(),
    "saliency": _saliency,
    "garments": lambda request: _garments(request.getfixturevalue("tmp_path")),
}


@pytest.fixture(params=sorted(ADAPTERS))
def finder(request: pytest.FixtureRequest) -> RegionFinder:
    """Each finder in turn."""
    return ADAPTERS[request.param](request)


def noise(width: int, height: int) -> ByteArray:
    """Random pixels."""
    return np.random.default_rng(5).integers(0, 256, (height, width, 3), dtype=np.uint8)


PHOTOS: dict[str, ByteArray] = {
    "garment": garment(),
    "white": plain(300, 400),
    "black": plain(300, 400, (0, 0, 0)),
    "noise": noise(120, 90),
    "one pixel": plain(1, 1),
    "thread": garment(3, 700),
    "banner": garment(1200, 12),
}


@pytest.mark.parametrize("name", PHOTOS)
def test_any_photo(finder: RegionFinder, name: str) -> None:
    """Any photo has regions inside it, largest box first, sure to a degree, with at most a mask of the whole photo."""
    found = finder.find(photo_of(PHOTOS[name]))
    areas = [region.box.area for region in found]
    assert areas == sorted(areas, reverse=True)
    for region in found:
        assert 0 <= region.score <= 1
        assert region.label
        assert region.mask is None or (region.mask.dtype == np.uint8 and region.mask.ndim == 2)


def test_same_again(finder: RegionFinder) -> None:
    """A photo has the same regions every time, from any thread, and looking does not change it."""
    photo = photo_of(garment())
    before = photo.pixels.copy()
    expected = finder.find(photo)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(finder.find, [photo] * 8):
            assert found == expected
    np.testing.assert_array_equal(photo.pixels, before)


def test_identity(finder: RegionFinder) -> None:
    """A finder has a fingerprint, and says how small a photo may be for it."""
    assert finder.fingerprint
    assert finder.short_side >= 0


@pytest.mark.parametrize("x", [0.35, 0.65])
def test_saliency_finds_the_product(request: pytest.FixtureRequest, x: float) -> None:
    """A garment on a plain ground is found where it is, its mask included."""
    (found,) = _saliency(request).find(photo_of(garment(x=x)))
    assert found.box.as_list() == pytest.approx([x - 0.3, 0.2, x + 0.3, 0.85], abs=0.06)
    assert found.score > 0.8
    assert found.mask is not None
    rows, columns = found.mask.shape
    assert found.mask[rows // 2, round(x * columns)] > 200
    assert found.mask[2, 2] < 50


def test_saliency_finds_nothing_on_nothing(request: pytest.FixtureRequest) -> None:
    """An empty photo has no product."""
    assert _saliency(request).find(photo_of(plain(300, 300, WHITE))) == ()


@pytest.mark.parametrize("x", [0.35, 0.65])
def test_garments_are_found_and_named(tmp_path: Path, x: float) -> None:
    """A shirt on a plain ground is found where it is, as a top, its mask included."""
    found, *_ = _garments(tmp_path).find(photo_of(garment(x=x)))
    assert found.box.as_list() == pytest.approx([x - 0.3, 0.2, x + 0.3, 0.85], abs=0.08)
    assert found.label in ("top", "outerwear", "dress")
    assert found.mask is not None
    rows, columns = found.mask.shape
    assert found.mask[rows // 2, round(x * columns)] >= 128  # from which the finder takes it for product
    assert found.mask[2, 2] < 50
