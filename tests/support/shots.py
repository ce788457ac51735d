"""Photos for the training of the region finder, drawn by program: a garment lying flat, and people who wear one."""

from __future__ import annotations

import numpy as np

from nitari.training.finder_shots import SIDE, Shot
from nitari.types import ByteArray

SKIN = (224, 172, 140)


def flat_shot(
    label: int = 0, *, color: tuple[int, int, int] = (40, 60, 180), box: tuple[float, ...] = (0.25, 0.2, 0.75, 0.8)
) -> Shot:
    """A rectangle of one color on a floor."""
    pixels = np.full((SIDE, SIDE, 3), (190, 180, 160), np.uint8)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    x1, y1, x2, y2 = (round(v * SIDE) for v in box)
    pixels[y1:y2, x1:x2] = color
    mask[y1:y2, x1:x2] = 255
    return Shot(pixels, mask, 0.75, np.array([[*box, label]], np.float32))


def upper_photo() -> tuple[ByteArray, ByteArray]:
    """Somebody in a green top and gray pants, from the head to the thigh, and the figure's mask.

    Head 0.05-0.2, bare arms 0.2-0.6, top 0.2-0.7, pants 0.7-1; shares of the height.
    """
    pixels, mask = _empty()
    _draw(pixels, mask, (0.42, 0.05, 0.58, 0.2), SKIN)
    _draw(pixels, mask, (0.25, 0.2, 0.75, 0.6), SKIN)
    _draw(pixels, mask, (0.32, 0.2, 0.68, 0.7), (30, 150, 60))
    _draw(pixels, mask, (0.33, 0.7, 0.67, 1.0), (90, 90, 95))
    return pixels, mask


def lower_photo(*, shorts: bool) -> tuple[ByteArray, ByteArray]:
    """Somebody from the bare waist to the shoes, in blue pants or shorts, and the figure's mask.

    Waist 0-0.1, garment 0.1-0.45 (shorts) or 0.1-0.9 (pants), shoes 0.92-0.98.
    """
    pixels, mask = _empty()
    _draw(pixels, mask, (0.35, 0.0, 0.65, 0.1), SKIN)
    end = 0.45 if shorts else 0.92
    _draw(pixels, mask, (0.33, 0.1, 0.67, end), (30, 60, 200))
    if shorts:
        _draw(pixels, mask, (0.38, 0.45, 0.62, 0.92), SKIN)
    _draw(pixels, mask, (0.34, 0.92, 0.66, 0.98), (20, 20, 20))
    return pixels, mask


def _empty() -> tuple[ByteArray, ByteArray]:
    return np.full((SIDE, SIDE, 3), 255, np.uint8), np.zeros((SIDE, SIDE), np.uint8)


def _draw(pixels: ByteArray, mask: ByteArray, box: tuple[float, ...], color: tuple[int, int, int]) -> None:
    x1, y1, x2, y2 = (round(v * SIDE) for v in box)
    pixels[y1:y2, x1:x2] = color
    mask[y1:y2, x1:x2] = 255
