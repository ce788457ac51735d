"""Photos written anew: upright, sRGB, not larger than asked for, and with nothing but pixels in the file."""

from __future__ import annotations

import math

from nitari.images.base import Decoder
from nitari.raster import encode, resize


def reencode(
    decoder: Decoder, data: bytes, *, longest: int, quality: int, shape: tuple[int, int] | None = None
) -> bytes:
    """A JPEG without EXIF, ICC profile or any other metadata: where a photo was taken is nobody's business.

    Args:
        decoder: Bytes to photo.
        data: An image file.
        longest: Longest side of the result, pixels; a photo is never enlarged.
        quality: Of the JPEG, 1-100.
        shape: Width and height of the upright original, pixels, where they are known: less needs to be decoded then.

    Raises:
        ImageError: not a usable photo.
    """
    photo = decoder.decode(data, short_side=longest if shape is None else _short_side(shape, longest))
    height, width = photo.pixels.shape[:2]
    scale = min(1.0, longest / max(width, height))
    pixels = photo.pixels
    if scale < 1.0:
        pixels = resize(pixels, max(1, round(width * scale)), max(1, round(height * scale)))
    return encode(pixels, "jpeg", quality=quality)


def _short_side(shape: tuple[int, int], longest: int) -> int:
    """The short side that goes with a long side of at least ``longest``: one more, for decoders round up."""
    return math.ceil(longest * min(shape) / max(shape)) + 1
