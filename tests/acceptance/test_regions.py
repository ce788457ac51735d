"""The shipped region finder on real photos of sellers and styles that it never saw (``--data``)."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from nitari.catalog.feed import open_feed
from nitari.folds import fold_key, fold_of
from nitari.images.decode import ImageDecoder
from nitari.models.store import ModelStore
from nitari.regions.base import RegionFinder
from nitari.regions.detector import OUTFIT, GarmentFinder
from nitari.regions.saliency import MARGIN, SaliencyFinder
from nitari.runtimes.onnx import OnnxModel
from nitari.training.finder_judge import iou
from nitari.training.finder_labels import read_labels
from nitari.training.finder_photos import gather, sources
from nitari.training.finder_train import Training, judged
from nitari.types import Box, Item, Rejection

HELD_OUT, FOLDS = 0, 5
PHOTOS = 120
PICTURES = 150
"""Made up to judge labels by. All 400 are judged by ``nitari train regions ... --judge nitari-regions``."""


@pytest.fixture(scope="module")
def finder(tmp_path_factory: pytest.TempPathFactory) -> RegionFinder:
    """The one that is shipped."""
    return shipped(tmp_path_factory.mktemp("models"))


def shipped(cache: Path, *, threshold: float | None = None) -> RegionFinder:
    """The finder in the package."""
    store = ModelStore(cache=cache, download=False)
    (network,) = store.networks(store.card("nitari-regions"))
    model = OnnxModel(network.path)
    return GarmentFinder(card=network.card, model=model, fingerprint=network.fingerprint, threshold=threshold)


def held_out(folder: Path) -> list[Item]:
    """Items of the fold that the shipped finder never learned from."""
    rows = [row for row in open_feed(folder).read() if not isinstance(row, Rejection)]
    return [row.item for row in rows if fold_of(fold_key(row.item), FOLDS) == HELD_OUT]


def corners(box: Box) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """x1, y1, x2, y2."""
    return np.array([box.x1, box.y1, box.x2, box.y2], np.float32)


def test_flat_photos(data_dir: Path, model_store: ModelStore, finder: RegionFinder) -> None:
    """On phone photos of strangers the largest region is the teacher's to .80 of the union, and mostly named right."""
    (network,) = model_store.networks(model_store.card("u2netp"))
    teacher = SaliencyFinder(card=network.card, model=OnnxModel(network.path))
    decoder, labels = ImageDecoder(max_bytes=2**26, max_pixels=2**26), read_labels()
    shared, right = [], []
    for item in held_out(data_dir / "flat")[::8][:PHOTOS]:
        photo = decoder.decode((data_dir / "flat" / item.image_links[0]).read_bytes(), short_side=256)
        expected, found = teacher.find(photo), finder.find(photo)
        if expected:
            shared.append(float(iou(corners(found[0].box), corners(expected[0].box)[None])[0]) if found else 0.0)
        kind = labels.of(str(item.attributes["product_type"]))
        assert kind is not None
        right.append(bool(found) and found[0].label == labels.names[kind.label])
    assert len(shared) > PHOTOS / 2
    assert np.mean(shared) >= 0.80
    assert np.mean(right) >= 0.70


def test_made_up_pictures(data_dir: Path, model_store: ModelStore, finder: RegionFinder, tmp_path: Path) -> None:
    """Of what is pasted of strangers' photos, boxes and labels are found to the precision that is due."""
    (network,) = model_store.networks(model_store.card("u2netp"))
    labels = read_labels()
    photos = [
        source
        for catalog in ("luma", "flat")
        for item in [item for item in held_out(data_dir / catalog) if rare(item) or fold_of(item.item_id, 3) == 0]
        for source in sources([item], partial(read, data_dir / catalog), labels)
    ]
    gathered = gather(
        photos,
        decoder=ImageDecoder(max_bytes=2**26, max_pixels=2**26),
        teacher=SaliencyFinder(card=network.card, model=OnnxModel(network.path)),
        folder=tmp_path / "photos",
    )
    judgment = judged(
        gathered, labels, Training(held_out=HELD_OUT), finder=finder, doubtful=shipped(tmp_path, threshold=0.05),
        margin=MARGIN, pictures=PICTURES,
    )  # fmt: skip
    assert judgment.precisions.keys() == set(labels.names)
    assert judgment.map50 >= 0.70
    assert judgment.boxes >= 0.85


def read(folder: Path, link: str) -> bytes:
    """A photo's bytes."""
    return (folder / link).read_bytes()


def rare(item: Item) -> bool:
    """Whether it is of a type with few photos."""
    return any(kind in str(item.attributes["product_type"]) for kind in ("Gear", "Skirt", "Dress", "Hat"))


def test_worn_photos(data_dir: Path, finder: RegionFinder) -> None:
    """On a model's photo the largest garment is what is sold: tops above, pants and shorts below, no head."""
    decoder, right = ImageDecoder(max_bytes=2**26, max_pixels=2**26), []
    for item in held_out(data_dir / "luma"):
        product_type = str(item.attributes["product_type"])
        if "Tops" not in product_type and "Bottoms" not in product_type:
            continue
        photo = decoder.decode((data_dir / "luma" / item.image_links[0]).read_bytes(), short_side=256)
        found = finder.find(photo)
        garments = [region for region in found if region.label != OUTFIT]
        upper = ("top", "outerwear")
        right.append(bool(garments) and (garments[0].label in upper) == ("Tops" in product_type))
        assert not garments or garments[0].box.area < 0.9
        assert len(found) - len(garments) <= 1
    assert len(right) > 20
    assert np.mean(right) >= 0.85
