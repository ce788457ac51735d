"""Where Pillow fills polygons and draws lines for the drawn catalog."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SUPERSAMPLE = 4


def fill(points: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float32]:
    """How much of each pixel a polygon covers.

    Args:
        points: float64 ``[n, 2]``, x and y in pixels; may reach beyond the canvas.
        size: ``(width, height)`` of the canvas, pixels.

    Returns:
        float32 ``[height, width]``, 0-1.
    """
    image, draw = _canvas(size)
    draw.polygon([(x, y) for x, y in (points * SUPERSAMPLE).tolist()], fill=255)
    return _reduced(image)


def draw_lines(lines: list[NDArray[np.float64]], width: float, size: tuple[int, int]) -> NDArray[np.float32]:
    """How much of each pixel these lines cover: round joints and ends, ``width`` pixels wide; see ``fill``."""
    image, draw = _canvas(size)
    thick = max(1, round(width * SUPERSAMPLE))
    for line in lines:
        points = [(x, y) for x, y in (line * SUPERSAMPLE).tolist()]
        draw.line(points, fill=255, width=thick, joint="curve")
        if thick > 3:
            for x, y in (points[0], points[-1]):
                draw.ellipse((x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2), fill=255)
    return _reduced(image)


def _canvas(size: tuple[int, int]) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("L", (size[0] * SUPERSAMPLE, size[1] * SUPERSAMPLE))
    return image, ImageDraw.Draw(image)


def _reduced(image: Image.Image) -> NDArray[np.float32]:
    return np.asarray(image.reduce(SUPERSAMPLE), dtype=np.float32) / np.float32(255.0)
