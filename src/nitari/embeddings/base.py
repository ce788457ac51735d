"""The port of embedders: a photo and some regions of it in, one unit vector a region out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from nitari.types import Block, FloatArray, Photo, Region


class Embedder(Protocol):
    """Turns regions of a photo into unit vectors. Safe to call from several threads at once."""

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
    def blocks(self) -> tuple[Block, ...]:
        """What the parts of a vector speak of, in order; together they are all of it."""
        ...

    @property
    def short_side(self) -> int:
        """The network's input size in pixels: a photo decoded with a smaller short side loses accuracy."""
        ...

    def embed(self, photo: Photo, regions: Sequence[Region]) -> FloatArray:
        """Embed each region: float32 ``[len(regions), dim]``, unit rows, in the order of ``regions``.

        Networks look at a region's box; a descriptor of color and texture also asks its mask, where it has one, which
        pixels are the product's. Labels and scores make no difference.
        """
        ...


class QueryTransform(Protocol):
    """Takes out of a query photo's vectors what its wearer adds to them. The gallery's are never transformed.

    Safe to use from several threads at once.
    """

    def cue(self, vectors: FloatArray) -> float:
        """The probability, 0-1, that a photo shows a garment that somebody wears.

        Args:
            vectors: float32 ``[n, dim]``, unit rows: the views of one photo.
        """
        ...

    def apply(self, vectors: FloatArray, strength: float | None = None, *, ease: float = 1.0) -> FloatArray:
        """The vectors as they would be without a wearer: float32 ``[n, dim]``, unit rows.

        Args:
            vectors: float32 ``[n, dim]``, unit rows: the views of one photo.
            strength: How much is taken out, 0-1; 0 is nothing, to the bit. ``None`` for as much as the photo asks for.
            ease: Where that is ``None``, how much of it, 0-1.
        """
        ...


class QueryGate(Protocol):
    """Says which blocks of a query's vector to trust, by what the vector shows. The gallery's stay as they are.

    Safe to use from several threads at once.
    """

    @property
    def watched(self) -> tuple[int, int]:
        """Start and stop of the numbers that tell: who moves a query's vector must leave them as they are."""
        ...

    def familiarity(self, vectors: FloatArray) -> FloatArray:
        """How much each vector shows what the model was trained on, 0-1: float32 ``[n]``.

        Args:
            vectors: float32 ``[n, dim]``, unit rows.
        """
        ...

    def gains(self, vectors: FloatArray) -> FloatArray:
        """What each block is to be multiplied with, 0 or more: float32 ``[n, blocks]``.

        Args:
            vectors: float32 ``[n, dim]``, unit rows.
        """
        ...


class Descriptor(Protocol):
    """Describes color and texture of a region without a network (FavNavi's low-level feature)."""

    @property
    def name(self) -> str:
        """How model cards call it."""
        ...

    @property
    def dim(self) -> int:
        """Width of a descriptor."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes whenever the descriptors could."""
        ...

    @property
    def blocks(self) -> tuple[Block, ...]:
        """What the parts of a vector speak of, in order; together they are all of it."""
        ...

    def describe(self, photo: Photo, region: Region) -> FloatArray:
        """float32 ``[dim]``, unit length, of the region's pixels (its mask, where it has one, tells which)."""
        ...
