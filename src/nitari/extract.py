"""Bytes to photo to regions to vectors: ONE path for the gallery and for queries.

What a photo is searched by is decided here. ``docs/accuracy.md`` has the measurements behind the defaults.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter
from typing import Literal, TypeAlias

import numpy as np

from nitari.catalog.base import CollectionSpec, Recipe
from nitari.embeddings.base import Descriptor, Embedder, QueryGate, QueryTransform
from nitari.images.base import Decoder
from nitari.regions.base import RegionFinder
from nitari.types import WHOLE, Block, Box, ByteArray, Detail, Detection, Extraction, FloatArray, Photo, Region, View

Views: TypeAlias = Literal["whole", "box", "mean", "both"]
Choice: TypeAlias = Literal["auto", "whole", "largest"] | Box
Worn: TypeAlias = Literal["auto", "off"] | float
"""What to do about the wearer on a query photo: take out as much as it shows of one, nothing, or so much (0-1)."""

WHOLE_REGION = Region(box=WHOLE, label="whole", score=1.0)
# A decoded side of twice the network's input: half the photo, cropped, still fills the network (measured, DESIGN 5).
OVERSAMPLE_FOR_CROPS = 2
# At low detail; any less, and photos of 400 pixels, as many are, would be halved.
OVERSAMPLE_AT_LOW_DETAIL = 1.25


def unit(vectors: FloatArray) -> FloatArray:
    """Rows scaled to unit length: float32 of the same shape ``[..., dim]``; zero rows stay zero."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: FloatArray = (vectors / np.maximum(norms, 1e-12)).astype(np.float32)
    return scaled


def mean(vectors: FloatArray, blocks: Sequence[Block]) -> FloatArray:
    """The unit vector of several views of one thing: float32 ``[dim]``.

    Args:
        vectors: float32 ``[n, dim]``, unit rows.
        blocks: Of these vectors; those with a share have it in the mean too, however little the views agree there.
    """
    total = vectors.sum(axis=0)
    for block in blocks:
        if block.share is not None:
            part = total[block.start : block.stop]
            part *= np.sqrt(block.share) / max(float(np.linalg.norm(part)), 1e-12)
    return unit(total)


class Extractor:
    """Extracts what is stored of a gallery photo, and what a query photo is searched with.

    Args:
        decoder: Bytes to photo.
        regions: Photo to products.
        embedder: Boxes to vectors.
        descriptor: Region to color/texture descriptor; ``None`` to go without.
        views: Which vectors stand for a photo: the ``whole``, the largest product's ``box``, ``both`` as two keys, or
            ``mean``: one key, the unit mean of the photo's center square and the product's box (of the whole photo
            where no product was found). ``mean`` measures best: the square shows the product's surroundings and keeps
            its aspect ratio, the box keeps what the square cuts off.
        detail: How much of a photo is seen, which the networks were told, too: at ``low`` it is decoded smaller.
        collection: Name of the collection that the vectors belong to; the embedder's if not given.
        recipe: The settings that all this was built from, to be kept with the collection.
        transform: Takes the wearer out of query photos; ``None`` to leave them as they are. Stored vectors do not
            depend on it.
        gate: Says which blocks of a query's vector count; ``None`` where all do. Nor on this.
    """

    def __init__(
        self,
        *,
        decoder: Decoder,
        regions: RegionFinder,
        embedder: Embedder,
        descriptor: Descriptor | None = None,
        views: Views = "mean",
        detail: Detail = "full",
        collection: str | None = None,
        recipe: Recipe | None = None,
        transform: QueryTransform | None = None,
        gate: QueryGate | None = None,
    ) -> None:
        self._decoder = decoder
        self._regions = regions
        self._embedder = embedder
        self._descriptor = descriptor
        self._views = views
        self._collection = collection or embedder.name
        self._recipe = recipe
        self._transform = transform
        self._gate = gate
        self._detail = detail
        more = OVERSAMPLE_FOR_CROPS if detail == "full" else OVERSAMPLE_AT_LOW_DETAIL
        self._short_side = max(int(embedder.short_side * (more if regions.short_side > 0 else 1)), regions.short_side)

    @property
    def collection(self) -> str:
        """Name of the collection that the vectors belong to."""
        return self._collection

    @property
    def spec(self) -> CollectionSpec:
        """What the catalog is to know of that collection."""
        return CollectionSpec(self._collection, self.dim, self.fingerprint, self._recipe)

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return self._embedder.dim

    @property
    def blocks(self) -> tuple[Block, ...]:
        """What the parts of a vector speak of."""
        return self._embedder.blocks

    @property
    def transform(self) -> QueryTransform | None:
        """What takes the wearer out of query photos."""
        return self._transform

    @property
    def gate(self) -> QueryGate | None:
        """What says which blocks of a query's vector count."""
        return self._gate

    @property
    def fingerprint(self) -> str:
        """Changes whenever stored vectors could: 16 hex digits over model, regions and views."""
        parts = [self._embedder.fingerprint, self._regions.fingerprint, self._views, str(self._short_side)]
        parts += [] if self._detail == "full" else [self._detail]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def extract(
        self,
        data: bytes,
        *,
        choice: Choice = "auto",
        describe: bool = True,
        regions: tuple[Region, ...] | None = None,
    ) -> Extraction:
        """Everything that one photo yields, as the gallery has it; a query goes on to ``undressed``.

        Args:
            data: An image file.
            choice: ``auto`` for the gallery and for queries that do not say; else what the shopper chose.
            describe: Whether to compute the low-level descriptor too.
            regions: What ``detect`` or an earlier ``extract`` found on this very photo, so that it is not looked for
                again; ``None`` where that is not known.

        Raises:
            ImageError: bytes that are not a usable photo.
        """
        timing: dict[str, float] = {}
        if choice == "whole":
            regions = ()
        elif regions is None and isinstance(choice, Box) and self._regions.short_side:
            # On the photo as everyone else sees it: what is found must not depend on what is searched with.
            detection = self.detect(data)
            regions, timing = detection.regions, dict(detection.timing_ms)
        started = perf_counter()
        photo = self.decode(data, choice)
        decoded = perf_counter()
        timing["decode"] = timing.get("decode", 0.0) + (decoded - started) * 1e3
        if regions is None:
            regions = self._regions.find(photo)
            timing["regions"] = (perf_counter() - decoded) * 1e3
        found = perf_counter()
        views = self.embed(photo, regions, choice)
        embedded = perf_counter()
        timing["embed"] = (embedded - found) * 1e3
        lowlevel = None
        if describe and self._descriptor is not None:
            lowlevel = self._descriptor.describe(photo, regions[0] if regions else WHOLE_REGION)
            timing["describe"] = (perf_counter() - embedded) * 1e3
        return Extraction(photo.width, photo.height, regions, views, lowlevel, timing)

    def detect(self, data: bytes) -> Detection:
        """The products on a photo, without embedding them. Timed as ``decode`` and ``regions``.

        Raises:
            ImageError: bytes that are not a usable photo.
        """
        started = perf_counter()
        photo = self._decoder.decode(data, short_side=self._short_side)
        decoded = perf_counter()
        regions = self._regions.find(photo)
        timing = {"decode": (decoded - started) * 1e3, "regions": (perf_counter() - decoded) * 1e3}
        return Detection(photo.width, photo.height, regions, timing)

    def undressed(self, extraction: Extraction, worn: Worn, *, ease: float = 1.0) -> Extraction:
        """What a query photo is searched with: the wearer taken out of its vectors. Takes no network, and no time.

        Args:
            extraction: Of a query photo, never of one of the gallery.
            worn: How much is taken out. ``Extraction.worn`` tells what the photo seems to show, even where it is
                ``off``.
            ease: Of what ``auto`` would take out, how much is, 0-1.
        """
        if self._transform is None:
            return extraction
        vectors = np.stack([view.vector for view in extraction.views])
        if worn != "off":
            changed = self._transform.apply(vectors, None if worn == "auto" else float(worn), ease=ease)
            views = tuple(View(view.region, row) for view, row in zip(extraction.views, changed, strict=True))
            extraction = replace(extraction, views=views)
        return replace(extraction, worn=self._transform.cue(vectors))

    def decode(self, data: bytes, choice: Choice = "auto") -> Photo:
        """The photo as ``embed`` wants it.

        Raises:
            ImageError: bytes that are not a usable photo.
        """
        # A shopper's small box must still fill the network, so the photo is then decoded in full size.
        return self._decoder.decode(data, short_side=0 if isinstance(choice, Box) else self._short_side)

    def embed(self, photo: Photo, regions: tuple[Region, ...], choice: Choice = "auto") -> tuple[View, ...]:
        """The vectors of what was chosen, each with the region it speaks for.

        Args:
            photo: From ``decode`` with the same choice.
            regions: Found on it.
            choice: As for ``extract``.
        """
        target = _target(regions, choice)
        if isinstance(choice, Box) or choice == "largest" or self._views == "box":
            shown: tuple[Region, ...] = (target,)
        elif self._views == "mean":
            square, rest = self._embedder.embed(photo, (center_square(photo, target.mask), target))
            return (View(target, mean(np.stack((square, rest)), self.blocks)),)
        elif self._views == "both" and target is not WHOLE_REGION:
            shown = (WHOLE_REGION, target)
        else:
            shown = (WHOLE_REGION,)
        return tuple(map(View, shown, self._embedder.embed(photo, shown)))


def _target(regions: tuple[Region, ...], choice: Choice) -> Region:
    """What the photo is about: the shopper's box, the largest product found, or the whole photo."""
    if isinstance(choice, Box):
        # The mask knows which pixels of the shopper's box are background.
        return Region(choice, "chosen", 1.0, regions[0].mask if regions else None)
    return WHOLE_REGION if choice == "whole" or not regions else regions[0]


def center_square(photo: Photo, mask: ByteArray | None) -> Region:
    """The largest square in the middle of the photo."""
    height, width = photo.pixels.shape[:2]
    x, y = (1 - min(1.0, height / width)) / 2, (1 - min(1.0, width / height)) / 2
    return Region(Box(x, y, 1 - x, 1 - y), "center", 1.0, mask)
