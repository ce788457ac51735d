"""Color where it is, and texture by itself: descriptors for composites that weigh the two apart.

A shirt over trousers and trousers under a shirt have the same colors. The layout keeps one color histogram for each of
five soft bands from the region's top to its bottom, as spatial pyramids do (Lazebnik, Schmid and Ponce, CVPR 2006).
"""

from __future__ import annotations

import hashlib

import numpy as np

from nitari.embeddings.lowlevel import (
    COLOR_DIM,
    TEXTURE_DIM,
    LowLevelDescriptor,
    color_shares,
    region_lab,
    root,
    share_of,
    texture_histogram,
)
from nitari.types import Block, FloatArray, Photo, Region

REVISION = 1
BANDS = 5
_CENTERS = (np.arange(BANDS) + 0.5) / BANDS


class ColorLayoutDescriptor:
    """Describes the colors of a region from top to bottom: 5 x 180 numbers, none negative, unit length.

    Each row of pixels is shared among the two nearest bands, so that a photo cut a little lower moves little mass.
    """

    @property
    def dim(self) -> int:
        """900."""
        return BANDS * COLOR_DIM

    @property
    def fingerprint(self) -> str:
        """Changes with the color histogram's and with this module's constants."""
        return _fingerprint(f"{self.name} {BANDS}")

    @property
    def name(self) -> str:
        """``color-layout-900``: how cards call it."""
        return f"color-layout-{self.dim}"

    @property
    def blocks(self) -> tuple[Block, ...]:
        """One: ``color``."""
        return (Block("color", 0, self.dim),)

    def describe(self, photo: Photo, region: Region) -> FloatArray:
        """float32 ``[900]``, unit length, of the region's pixels, weighed by its mask where it has one."""
        lab, weights = region_lab(photo, region)
        rows, columns = weights.shape
        low, upper = share_of((np.arange(rows) + 0.5) / rows, _CENTERS)
        bands = (low, np.minimum(low + 1, BANDS - 1))
        shares = (1 - upper, upper)
        total = np.zeros(self.dim)
        for color, share in color_shares(lab):
            weighed = share * weights.ravel()
            for band, part in zip(bands, shares, strict=True):
                index = np.repeat(band * COLOR_DIM, columns) + color
                total += np.bincount(index, weights=weighed * np.repeat(part, columns), minlength=self.dim)
        parts = np.concatenate([root(band) for band in total.astype(np.float32).reshape(BANDS, COLOR_DIM)])
        described: FloatArray = (parts / max(float(np.linalg.norm(parts)), 1e-12)).astype(np.float32)
        return described


class TextureDescriptor:
    """The texture half of the low-level descriptor: 120 numbers, none negative, unit length.

    A region too small to have any texture is described as if it had a little of every kind.
    """

    @property
    def dim(self) -> int:
        """120."""
        return TEXTURE_DIM

    @property
    def fingerprint(self) -> str:
        """Changes with the texture histogram's constants."""
        return _fingerprint(self.name)

    @property
    def name(self) -> str:
        """``texture-120``: how cards call it."""
        return f"texture-{self.dim}"

    @property
    def blocks(self) -> tuple[Block, ...]:
        """One: ``texture``."""
        return (Block("texture", 0, self.dim),)

    def describe(self, photo: Photo, region: Region) -> FloatArray:
        """float32 ``[120]``, unit length, of the region's pixels, weighed by its mask where it has one."""
        lab, weights = region_lab(photo, region)
        histogram = texture_histogram(lab, weights)
        return root(histogram if histogram.any() else np.ones_like(histogram)).astype(np.float32)


def _fingerprint(told: str) -> str:
    return hashlib.sha256(f"{told} {REVISION} {LowLevelDescriptor().fingerprint}".encode()).hexdigest()[:16]
