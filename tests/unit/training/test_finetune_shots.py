"""Kept photos: small, with box and mask, whole or not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nitari.errors import ImageError, StateError
from nitari.images.decode import ImageDecoder
from nitari.raster import encode
from nitari.training.finetune_shots import Shots, gather
from nitari.training.head_examples import Example
from nitari.types import WHOLE, Box, Photo, Region

PIXELS = np.random.default_rng(0).integers(0, 255, (150, 300, 3)).astype(np.uint8)
DATA = encode(PIXELS, "png")


class Finds:
    """Finds one product, or none; counts how often it was asked."""

    fingerprint = "finds"
    short_side = 0

    def __init__(self, region: Region | None = None) -> None:
        self.asked = 0
        self._found = () if region is None else (region,)

    def find(self, photo: Photo) -> tuple[Region, ...]:
        """The product."""
        self.asked += 1
        return self._found


def shots(folder: Path, finder: Finds) -> Shots:
    """Kept for a network of 32 pixels."""
    return Shots(folder, decoder=ImageDecoder(), regions=finder, side=32)


def test_kept_once(tmp_path: Path) -> None:
    """A photo is looked at once, shrunk to twice the network's side, and comes back with what was found on it."""
    mask = np.zeros((20, 40), np.uint8)
    mask[5:10] = 255
    finder = Finds(Region(Box(0.1, 0.2, 0.5, 0.75), "top", 0.9, mask))
    kept = shots(tmp_path, finder)
    digest = kept.keep(DATA)
    assert kept.keep(DATA) == shots(tmp_path, finder).keep(DATA) == digest
    assert finder.asked == 1
    shot = kept.take(digest)
    assert shot.pixels.shape == (64, 128, 3)
    assert shot.box == Box(0.1, 0.2, 0.5, 0.75)
    assert shot.mask is not None
    assert np.array_equal(shot.mask, mask)


def test_nothing_found(tmp_path: Path) -> None:
    """The whole photo, without a mask."""
    kept = shots(tmp_path, Finds())
    shot = kept.take(kept.keep(DATA))
    assert (shot.box, shot.mask) == (WHOLE, None)


def test_what_is_damaged(tmp_path: Path) -> None:
    """A broken photo is refused; a kept one that was cut off says which file to remove."""
    kept = shots(tmp_path, Finds())
    with pytest.raises(ImageError):
        kept.keep(b"no photo")
    digest = kept.keep(DATA)
    (path,) = tmp_path.rglob("*.npz")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(StateError, match=path.name):
        kept.take(digest)


def test_gathered(tmp_path: Path) -> None:
    """All photos of a feed, in order, the same photo under one digest; progress is told."""
    examples = [Example(0, str(n), "i", "g", "k", "c", "", True) for n in range(3)]
    other = encode(PIXELS[::-1], "png")
    told: list[tuple[int, int]] = []
    digests = gather(
        examples,
        shots(tmp_path, Finds()),
        lambda example: other if example.link == "1" else DATA,
        lambda *done: told.append(done),
    )
    assert digests[0] == digests[2] != digests[1]
    assert told[-1] == (3, 3)
