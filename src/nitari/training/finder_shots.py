"""What the region finder learns from: photos, small, each with its teacher's mask and the regions known on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nitari.raster import resize
from nitari.training.finder_worn import lower_garment, upper_garment
from nitari.types import ByteArray

SIDE = 256
"""Pixels of a kept photo's sides: stretched to a square, as the network sees it."""
UNKNOWN = -1
"""The label of a region of which only the box is known."""
BELOW = -2
"""The label of what is worn below a top: one of a few labels (``Labels.below``), nobody knows which."""
FIGURE = 128
"""Saliency (0-255) from which a pixel is the product."""
# A figure that fills more of the photo is a detail of the garment: heads, hems and shoes are not on it.
_WHOLE_FIGURE = 0.6
# Rows and columns that a figure may fill at both edges before its photo is taken for a detail.
_TOUCH = 0.5

Regions = NDArray[np.float32]
"""float32 ``[n, 5]``: x1, y1, x2, y2 in shares of the photo, and the label's number, ``UNKNOWN`` or ``BELOW``."""


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One photo to learn from.

    Args:
        pixels: uint8 ``[SIDE, SIDE, 3]``, stretched.
        mask: uint8 ``[SIDE, SIDE]``, the teacher's.
        aspect: Width over height of the original.
        regions: What is known to be on it, what it sells first.
        worn: ``upper`` or ``lower`` where it shows somebody wearing what it sells and rules found where, else empty.
    """

    pixels: ByteArray
    mask: ByteArray
    aspect: float
    regions: Regions
    worn: str = ""


def known_regions(
    pixels: ByteArray, mask: ByteArray, *, label: int, shoes: int, worn: str, box: tuple[float, float, float, float]
) -> tuple[Regions, str]:
    """What is known to be on a photo.

    Args:
        pixels: uint8 ``[SIDE, SIDE, 3]``.
        mask: uint8 ``[SIDE, SIDE]``, the teacher's.
        label: Number of what it sells.
        shoes: Number of the label of shoes, which are seen on figures that sell pants.
        worn: ``upper`` or ``lower`` where somebody may be wearing what it sells; else empty.
        box: The teacher's largest, tight.

    Returns:
        The regions, what it sells first; and ``worn``, empty where the photo shows no figure after all.
    """
    if worn and is_figure(mask):
        found = (upper_garment if worn == "upper" else lower_garment)(pixels, mask)
        labels = {"sold": label, "shoes": shoes, "other": BELOW}
        rows = [[part.box.x1, part.box.y1, part.box.x2, part.box.y2, labels[part.part]] for part in found]
        if found and found[0].part == "sold":
            return np.array(rows, np.float32), worn
    return np.array([[*box, label]], np.float32), ""


def is_figure(mask: ByteArray) -> bool:
    """Whether a mask can be somebody's figure, and not a detail that fills the photo."""
    figure = mask >= FIGURE
    left, right = figure[:, 0].mean(), figure[:, -1].mean()
    return bool(figure.mean() <= _WHOLE_FIGURE and min(left, right) < _TOUCH)


def tight_box(mask: ByteArray) -> tuple[float, float, float, float] | None:
    """The box around all that a mask marks, in shares; ``None`` where it marks nothing."""
    rows, columns = np.flatnonzero((mask >= FIGURE).any(axis=1)), np.flatnonzero((mask >= FIGURE).any(axis=0))
    if not rows.size:
        return None
    height, width = mask.shape
    return columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height


def square(pixels: ByteArray) -> ByteArray:
    """A photo or a mask stretched to ``SIDE``."""
    return resize(pixels, SIDE, SIDE)
