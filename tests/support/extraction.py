"""An extractor without networks, for tests: a "photo" is the text of a digest, and its vectors follow from the text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nitari.errors import ImageError
from nitari.extract import Extractor, Views
from nitari.types import WHOLE, Block, Box, FloatArray, Photo, Region
from support.catalogs import COLLECTION, DIM, vector_of

PRODUCT = Region(Box(0.25, 0.25, 0.75, 0.75), "product", 0.9)


class TextDecoder:
    """Hides a photo's bytes in its pixels; refuses ``b"broken"``."""

    def decode(self, data: bytes, *, short_side: int) -> Photo:
        """A photo of one row of pixels."""
        if data == b"broken":
            raise ImageError("the photo is broken")
        padded = data + b"\0" * (-len(data) % 3)
        return Photo(np.frombuffer(padded, np.uint8).reshape(1, -1, 3), width=640, height=480)


class FixedFinder:
    """Finds the same regions on every photo."""

    def __init__(self, *regions: Region) -> None:
        self._regions = regions

    @property
    def fingerprint(self) -> str:
        """A constant."""
        return "fixed"

    @property
    def short_side(self) -> int:
        """It does not look."""
        return 0

    def find(self, photo: Photo) -> tuple[Region, ...]:
        """The regions it was made with."""
        return self._regions


class TextEmbedder:
    """``vector_of`` the text for the whole photo; for a box, of the text with the box; with ``salt`` in front."""

    def __init__(self, *, name: str = COLLECTION.name, dim: int = DIM, salt: str = "") -> None:
        self.name = name
        self.dim = dim
        self.fingerprint = f"text{salt}"
        self.short_side = 1
        self.blocks = (Block("shape", 0, dim),)
        self._salt = salt

    def embed(self, photo: Photo, regions: Sequence[Region]) -> FloatArray:
        """float32 ``[len(regions), DIM]``."""
        text = self._salt + photo.pixels.tobytes().rstrip(b"\0").decode(errors="replace")
        boxes = [region.box for region in regions]
        return np.stack([vector_of(text if box == WHOLE else f"{text}@{box.as_list()}") for box in boxes])


def text_extractor(*regions: Region, views: Views = "whole", embedder: TextEmbedder | None = None) -> Extractor:
    """An extractor of texts that finds ``regions``."""
    return Extractor(
        decoder=TextDecoder(), regions=FixedFinder(*regions), embedder=embedder or TextEmbedder(), views=views
    )
