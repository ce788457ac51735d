"""Pixels in and out: the one file that knows Pillow, so that every path decodes and resizes alike."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from PIL import Image

from nitari.types import Box, ByteArray

Filter: TypeAlias = Literal["bilinear", "bicubic", "lanczos"]

_FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def resize(pixels: ByteArray, box: Box, size: tuple[int, int], *, filter: Filter = "bicubic") -> ByteArray:  # noqa: A002
    """Resize a box of an image in one antialiased step.

    The filter moves embeddings more than int8 does (cosine .97 for a linear one without antialiasing), so a model card
    fixes it and the gallery and queries share it. Pillow's filters widen with the scale, hence no aliasing.

    Args:
        pixels: uint8 RGB ``[height, width, 3]`` or gray ``[height, width]``.
        box: Which part; smaller than a pixel is fine.
        size: ``(width, height)`` of the result, pixels, each at least 1.
        filter: Interpolation.

    Returns:
        uint8 ``[size[1], size[0], 3]`` (or without the 3), C-contiguous.
    """
    height, width = pixels.shape[:2]
    corners = (box.x1 * width, box.y1 * height, box.x2 * width, box.y2 * height)
    resized = Image.fromarray(pixels).resize(size, _FILTERS[filter], box=corners)
    return np.asarray(resized, dtype=np.uint8)
