"""EXIF orientation: reading it, and turning pixels upright. Nothing else of EXIF is looked at."""

from __future__ import annotations

import struct

import numpy as np

from nitari.types import ByteArray

UPRIGHT = 1
_ORIENTATION = 0x0112
_SHORT, _LONG = 3, 4
_MAX_ENTRIES = 512


def read_orientation(exif: bytes | None) -> int:
    """The orientation (1-8) in an EXIF block, with or without its ``Exif`` prefix; 1 where absent or damaged.

    Damaged EXIF is common and says nothing against the photo, so it never raises.
    """
    if not exif:
        return UPRIGHT
    tiff = exif[6:] if exif[:6] == b"Exif\x00\x00" else exif
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return UPRIGHT
    try:
        (start,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, start)
        for i in range(min(entries, _MAX_ENTRIES)):
            tag, kind, _ = struct.unpack_from(order + "HHI", tiff, start + 2 + 12 * i)
            if tag == _ORIENTATION and kind in (_SHORT, _LONG):
                value = int(struct.unpack_from(order + ("H" if kind == _SHORT else "I"), tiff, start + 10 + 12 * i)[0])
                return value if 1 <= value <= 8 else UPRIGHT
    except struct.error:
        return UPRIGHT
    return UPRIGHT


def swaps_sides(orientation: int) -> bool:
    """Whether the upright image is as wide as the stored one is high."""
    return orientation >= 5


def turn_upright(pixels: ByteArray, orientation: int) -> ByteArray:
    """Stored pixels ``[h, w, 3]`` turned and mirrored as ``orientation`` (1-8, EXIF 2.32, 4.6.4) says; contiguous."""
    if orientation == 2:
        pixels = pixels[:, ::-1]
    elif orientation == 3:
        pixels = pixels[::-1, ::-1]
    elif orientation == 4:
        pixels = pixels[::-1]
    elif orientation == 5:
        pixels = pixels.swapaxes(0, 1)
    elif orientation == 6:
        pixels = np.rot90(pixels, -1)
    elif orientation == 7:
        pixels = pixels[::-1, ::-1].swapaxes(0, 1)
    elif orientation == 8:
        pixels = np.rot90(pixels, 1)
    return np.ascontiguousarray(pixels)
