"""The port of embedders: a photo and some boxes of it in, one unit vector a box out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from nitari.types import Box, FloatArray, Photo, Region


class Embedder(Protocol):
    """Turns boxes of a photo into unit vectors. Safe to call from several threads at once."""

    @property
    def name(self) -> str:
        """The model card's name, which is also the collection's."""
        ...

    @property
    def dim(self) -> int:
        """Width of a vector."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes whenever the vectors could: weights, preprocessing, pooling, parts and their weights."""
        ...

    @property
    def short_side(self) -> int:
        """The network's input size in pixels: a photo decoded with a smaller short side loses accuracy."""
        ...

    def embed(self, photo: Photo, boxes: Sequence[Box]) -> FloatArray:
        """Embed each box: float32 ``[len(boxes), dim]``, unit rows, in the order of ``boxes``."""
        ...


class Descriptor(Protocol):
    """Describes color and texture of a region without a network (FavNavi's low-level feature)."""

    @property
    def dim(self) -> int:
        """Width of a descriptor."""
        ...

    def describe(self, photo: Photo, region: Region) -> FloatArray:
        """float32 ``[dim]``, unit length, of the region's pixels (its mask, where it has one, tells which)."""
        ...
