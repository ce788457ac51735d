"""Photos by program for regions and embeddings: plain ones, and products on a background, with known boxes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nitari.types import WHOLE, Box, ByteArray, Photo, Region

WHITE = (250, 250, 250)
RED = (200, 30, 40)
BLUE = (30, 50, 190)


def photo_of(pixels: NDArray[np.uint8]) -> Photo:
    """A photo that was not scaled while decoding."""
    return Photo(np.ascontiguousarray(pixels), width=pixels.shape[1], height=pixels.shape[0])


def plain(width: int, height: int, color: tuple[int, int, int] = WHITE) -> ByteArray:
    """One color: uint8 ``[height, width, 3]``."""
    return np.full((height, width, 3), color, dtype=np.uint8)


def put(pixels: ByteArray, box: Box, color: tuple[int, int, int]) -> ByteArray:
    """A copy with a rectangle of one color, its edges rounded to pixels."""
    height, width = pixels.shape[:2]
    painted = pixels.copy()
    rows = slice(round(box.y1 * height), round(box.y2 * height))
    painted[rows, round(box.x1 * width) : round(box.x2 * width)] = color
    return painted


def garment(width: int = 300, height: int = 400, color: tuple[int, int, int] = RED, x: float = 0.5) -> ByteArray:
    """A T-shirt of flat color with shaded folds on white, its middle at ``x``: body and sleeves."""
    body = Box(x - 0.2, 0.2, x + 0.2, 0.85)
    shirt = put(put(plain(width, height), body, color), Box(x - 0.3, 0.2, x + 0.3, 0.42), color)
    folds = 1 - 0.15 * (np.sin(np.arange(height) / 9)[:, None, None] > 0.6)
    inside = (shirt != plain(width, height)).any(axis=2, keepdims=True)
    return np.where(inside, shirt * folds, shirt).astype(np.uint8)


def region(box: Box = WHOLE, mask: ByteArray | None = None) -> Region:
    """A product's region."""
    return Region(box, "product", 1.0, mask)


def mask_of(*boxes: Box, side: int = 64, value: int = 255) -> ByteArray:
    """A saliency mask with these boxes as figures."""
    mask = np.zeros((side, side), dtype=np.uint8)
    for box in boxes:
        mask[round(box.y1 * side) : round(box.y2 * side), round(box.x1 * side) : round(box.x2 * side)] = value
    return mask
