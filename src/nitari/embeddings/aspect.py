"""The aspect descriptor: how wide a region is for its height, which tells trousers from shirts without looking."""

from __future__ import annotations

import hashlib

import numpy as np

from nitari.embeddings.preprocess import pixel_frame
from nitari.types import Block, FloatArray, Photo, Region

REVISION = 1
# Centers, natural logarithm of width / height: from 1 to 3.3 (a pair of trousers, hung) to 3.3 to 1 (a belt, laid out).
_CENTERS = np.linspace(-1.2, 1.2, 7)


class AspectDescriptor:
    """Describes the shape of a region's box in pixels: 7 numbers, none negative, unit length.

    The logarithm of width over height is shared among the two nearest of 7 evenly spaced bins, so that the dot product
    of two boxes falls smoothly with the ratio between their ratios; beyond the ends, the end's bin.
    """

    @property
    def dim(self) -> int:
        """7."""
        return len(_CENTERS)

    @property
    def fingerprint(self) -> str:
        """Changes with this module's constants."""
        return hashlib.sha256(f"{self.name} {REVISION} {_CENTERS}".encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        """``aspect-7``: how cards call it."""
        return f"aspect-{self.dim}"

    @property
    def blocks(self) -> tuple[Block, ...]:
        """One: ``aspect``."""
        return (Block("aspect", 0, self.dim),)

    def describe(self, photo: Photo, region: Region) -> FloatArray:
        """float32 ``[7]``, unit length, of the region's box; its mask makes no difference."""
        left, top, right, bottom = pixel_frame(photo.pixels, region.box)
        # Decoders scale both sides alike, but for rounding.
        ratio = max(right - left, 1e-6) / max(bottom - top, 1e-6)
        place = float(np.interp(np.log(ratio), _CENTERS, np.arange(len(_CENTERS))))
        low = int(place)
        bins = np.zeros(len(_CENTERS), dtype=np.float32)
        bins[low] = np.sqrt(1 - (place - low))
        if low + 1 < len(bins):
            bins[low + 1] = np.sqrt(place - low)
        return bins
