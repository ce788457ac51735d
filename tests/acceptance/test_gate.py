"""The gate of the default model on real photos: garments that it never saw are familiar, other things are not."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from nitari import raster
from nitari.folds import fold_of
from nitari.models.card import synthetic_image
from nitari.recipes import Extractors
from nitari.settings import load_settings
from nitari.types import FloatArray

FOLD_0 = Path(__file__).parent.parent.parent / "benchmarks" / "folds" / "0" / "card.toml"
FOLDS = 3
PHOTOS = 60


def held_out(folder: Path, key: str) -> list[Path]:
    """Some photos of sellers or styles that the model of fold 0 was trained without."""
    with (folder / "feed.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if fold_of(row[key], FOLDS) == 0]
    return [folder / row["image_link"] for row in rows[:: max(1, len(rows) // PHOTOS)]]


@pytest.mark.parametrize(("catalog", "key"), [("luma", "item_group_id"), ("flat", "seller_id")])
def test_garments_are_familiar(data_dir: Path, catalog: str, key: str) -> None:
    """Nine in ten photos of strangers' garments are more familiar than not; a picture of nothing is not at all."""
    settings = load_settings()
    chosen = settings.model_copy(update={"models": settings.models.model_copy(update={"embedder": str(FOLD_0)})})
    extractor = Extractors(chosen).build()
    gate = extractor.gate
    assert gate is not None

    def vector(data: bytes) -> FloatArray:
        return extractor.extract(data, describe=False).views[0].vector

    photos = held_out(data_dir / catalog, key)
    assert len(photos) >= PHOTOS
    familiar = gate.familiarity(np.stack([vector(photo.read_bytes()) for photo in photos]))
    assert np.mean(familiar > 0.5) >= 0.9
    noise = np.random.default_rng(1).integers(0, 256, (240, 240, 3), dtype=np.uint8)
    for picture in (synthetic_image((240, 240)), noise):
        strange = vector(raster.encode(np.ascontiguousarray(picture), quality=90))
        assert gate.familiarity(strange[None])[0] < 0.1
