"""From a box of a decoded photo to the pixels that a network sees: one antialiased resize, straight from the photo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from nitari.models.card import InputSpec
from nitari.raster import resize
from nitari.types import Box, ByteArray, FloatArray, Photo

_RIM = 8

Frame: TypeAlias = tuple[float, float, float, float]
"""``(left, top, right, bottom)`` in pixels of an image, fractions allowed."""


def network_input(photo: Photo, boxes: Sequence[Box], spec: InputSpec) -> FloatArray:
    """What a network with this input sees of each box: float32 ``[len(boxes), 3, height, width]``.

    Where the input is trimmed, boxes of different shapes cannot be asked for together.
    """
    return spec.tensor(np.stack([fitted(photo.pixels, box, spec) for box in boxes]))


def fitted(pixels: ByteArray, box: Box, spec: InputSpec) -> ByteArray:
    """A box of an image at the network's size: uint8 ``[spec.height, spec.width, 3]``, or less where it is trimmed.

    Args:
        pixels: uint8 RGB ``[h, w, 3]``.
        box: Which part. One that is thinner than a pixel works too: what little it holds is stretched.
        spec: Says size, filter and fit.
    """
    frame = pixel_frame(pixels, box)
    if spec.fit == "letterbox":
        return _letterbox(pixels, frame, spec)
    if spec.fit == "crop":
        frame = _center(frame, spec)
    return resize(pixels, spec.width, spec.height, box=frame, filter=spec.filter)


def pixel_frame(pixels: ByteArray, box: Box) -> Frame:
    """A box in pixels of this image, not rounded, never outside it."""
    height, width = pixels.shape[:2]
    return box.x1 * width, box.y1 * height, min(box.x2 * width, width), min(box.y2 * height, height)


def _center(frame: Frame, spec: InputSpec) -> Frame:
    """The largest part of ``frame`` with the network's aspect ratio, around its center."""
    left, top, right, bottom = frame
    across, down = right - left, bottom - top
    aspect = spec.width / spec.height
    spare_x = max(0.0, across - down * aspect) / 2
    spare_y = max(0.0, down - across / aspect) / 2
    return left + spare_x, top + spare_y, right - spare_x, bottom - spare_y


def _letterbox(pixels: ByteArray, frame: Frame, spec: InputSpec) -> ByteArray:
    """The frame as large as fits without distortion, in the middle of a white canvas."""
    across, down = frame[2] - frame[0], frame[3] - frame[1]
    scale = min(spec.width / across, spec.height / down)
    width = min(spec.width, max(1, round(across * scale)))
    height = min(spec.height, max(1, round(down * scale)))
    # White, as behind a shop's products: the network's mean gray costs 1 point of flat P@1, 5 of luma Success@1.
    left, top = (spec.width - width) // 2, (spec.height - height) // 2
    right, bottom = spec.width - width - left, spec.height - height - top
    gone = [_trimmed(white, spec.trim) for white in (left, top, right, bottom)]
    shape = (spec.height - gone[1] - gone[3], spec.width - gone[0] - gone[2], 3)
    canvas = np.full(shape, 255, dtype=np.uint8)
    left, top = left - gone[0], top - gone[1]
    canvas[top : top + height, left : left + width] = resize(pixels, width, height, box=frame, filter=spec.filter)
    return canvas


def _trimmed(white: int, trim: int) -> int:
    """How many of so many white pixels are left out: whole multiples, so that the network's cells stay where they were.

    With a rim of 8, features of 300 boxes had a cosine of .993 and .998 (luma, flat) to those of the whole letterbox at
    two thirds and nine tenths of its cost; without any of .991 and .994.
    """
    return max(0, white - _RIM) // trim * trim if trim else 0
