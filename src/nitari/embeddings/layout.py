"""Color where it is, and texture by itself: descriptors for composites that weigh the two apart.

A shirt over trousers and trousers under a shirt have the same colors. The layout keeps one color histogram for each of
five soft bands from the region's top to its bottom, as spatial pyramids do (Lazebnik, Schmid and Ponce, CVPR 2006), and
one with finer bins for the whole region.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np

from nitari.embeddings.lowlevel import (
    COLOR_DIM,
    TEXTURE_DIM,
    LowLevelDescriptor,
    color_histograms,
    region_lab,
    root,
    share_of,
    texture_histogram,
)
from nitari.types import Block, FloatArray, Photo, Region

REVISION = 1
BANDS = 5
_CENTERS = (np.arange(BANDS) + 0.5) / BANDS
_FINE_CHROMA = np.array([-50.0, -25.0, -12.0, -4.0, 4.0, 12.0, 25.0, 50.0])
_FINE = (np.linspace(5.0, 95.0, 8), _FINE_CHROMA, _FINE_CHROMA)
FINE_DIM = math.prod(len(axis) for axis in _FINE)


class ColorLayoutDescriptor:
    """Describes a region's colors, finely and from top to bottom: 512 + 5 x 180 numbers, none negative, unit length.

    Both halves count the same. Each row of pixels is shared among the two nearest bands, so that a photo cut a little
    lower moves little mass.
    """

    @property
    def dim(self) -> int:
        """1412."""
        return FINE_DIM + BANDS * COLOR_DIM

    @property
    def fingerprint(self) -> str:
        """Changes with the color histogram's and with this module's constants."""
        return _fingerprint(f"{self.name} {BANDS} {_FINE}")

    @property
    def name(self) -> str:
        """``color-layout-1412``: how cards call it."""
        return f"color-layout-{self.dim}"

    @property
    def blocks(self) -> tuple[Block, ...]:
        """One: ``color``."""
        return (Block("color", 0, self.dim),)

    def describe(self, photo: Photo, region: Region) -> FloatArray:
        """float32 ``[1412]``, unit length, of the region's pixels, weighed by its mask where it has one."""
        lab, weights = region_lab(photo, region)
        fine = color_histograms(lab, weights, _FINE)[0]
        bands = np.stack([root(band) for band in _by_band(lab, weights)]).ravel()
        whole = np.concatenate((root(fine.astype(np.float32)), bands / max(float(np.linalg.norm(bands)), 1e-12)))
        described: FloatArray = (whole / np.linalg.norm(whole)).astype(np.float32)
        return described


def _by_band(lab: FloatArray, weights: FloatArray) -> FloatArray:
    """One color histogram for each band: float32 ``[5, 180]``."""
    rows = len(weights)
    low, upper = share_of(((np.arange(rows) + 0.5) / rows).astype(np.float32), _CENTERS)
    shares = np.zeros((BANDS, rows))
    shares[low, np.arange(rows)] = 1 - upper
    shares[np.minimum(low + 1, BANDS - 1), np.arange(rows)] += upper
    return (shares @ color_histograms(lab, weights, by_row=True)).astype(np.float32)


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
