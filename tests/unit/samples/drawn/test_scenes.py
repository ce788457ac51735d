"""Photos of every kind of garment: the right size, the right place, the same every time."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from nitari.samples.drawn.assortment import Style, styles
from nitari.samples.drawn.catalog import DrawnItem
from nitari.samples.drawn.kinds import KINDS
from nitari.samples.drawn.scenes import SIZE
from nitari.types import ByteArray

GOLDEN = Path(__file__).parents[3] / "golden" / "drawn.json"
STYLES = tuple(islice(styles(seed=0, colors=1), len(KINDS)))
PHOTOS = ("product", "worn", "snapshot")


def photo(style: Style, kind: str) -> ByteArray:
    """A photo of a style in its first color."""
    return DrawnItem(style.group_id, style, style.colors[0]).photo(kind, 0)


def coarse(pixels: ByteArray) -> list[list[list[int]]]:
    """Mean colors of 9 x 12 blocks: what must stay the same on every platform, give or take a level."""
    height, width = pixels.shape[:2]
    blocks = pixels.reshape(12, height // 12, 9, width // 9, 3).mean(axis=(1, 3))
    means: list[list[list[int]]] = np.rint(blocks).astype(int).tolist()
    return means


@pytest.mark.parametrize("style", STYLES, ids=[style.kind.name for style in STYLES])
def test_product_photos_show_the_garment_on_white(style: Style) -> None:
    """The border is white, and the middle half of the picture holds the garment."""
    pixels = photo(style, "product")
    assert pixels.shape == (SIZE[1], SIZE[0], 3)
    assert pixels.dtype == np.uint8
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    assert border.min() > 200
    dark = np.abs(pixels.astype(int) - 248).max(axis=2) > 40
    assert 0.06 < dark.mean() < 0.8


@pytest.mark.parametrize("kind", PHOTOS)
def test_photos_are_the_same_every_time(kind: str) -> None:
    """Two drawings of one photo are equal to the byte."""
    assert np.array_equal(photo(STYLES[1], kind), photo(STYLES[1], kind))


def test_photos_equal_the_golden() -> None:
    """The drawn catalog is a promise: a change to it is a new DRAWN_VERSION and a new golden.

    To renew: write the ``found`` of this test into tests/golden/drawn.json.
    """
    chosen = [(STYLES[index], kind) for index, kind in ((0, "product"), (1, "worn"), (3, "snapshot"), (9, "worn"))]
    found = {f"{style.kind.name} {kind}": coarse(photo(style, kind)) for style, kind in chosen}
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert list(found) == list(golden)
    for name, blocks in golden.items():
        assert np.abs(np.array(blocks) - np.array(found[name])).max() <= 2, name
