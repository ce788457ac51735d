"""A small picture whose corners tell everything: which way it is up, and whether its colors are right."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from nitari.types import ByteArray

WIDTH, HEIGHT = 96, 64
RED, GREEN, BLUE, YELLOW, WHITE = (200, 30, 30), (30, 160, 60), (40, 60, 200), (230, 210, 40), (255, 255, 255)
Corners = tuple[tuple[int, int, int], ...]
CARD: Corners = (RED, GREEN, BLUE, YELLOW)
"""Colors of the corners: top left, top right, bottom left, bottom right."""


def card(width: int = WIDTH, height: int = HEIGHT) -> ByteArray:
    """Four rectangles of four colors, uint8 ``[height, width, 3]``."""
    pixels = np.zeros((height, width, 3), np.uint8)
    top, left = height // 2, width // 2
    pixels[:top, :left], pixels[:top, left:] = RED, GREEN
    pixels[top:, :left], pixels[top:, left:] = BLUE, YELLOW
    return pixels


def grays(corners: Corners = CARD) -> Corners:
    """What the corners are in black and white (ITU-R BT.601)."""
    return tuple((round(0.299 * r + 0.587 * g + 0.114 * b),) * 3 for r, g, b in corners)


def corners_of(pixels: ByteArray) -> NDArray[np.float64]:
    """Mean color inside each quarter, away from its edges: ``[4, 3]``, in the order of ``CARD``."""
    height, width = pixels.shape[:2]
    rows, columns = (height // 8, height * 3 // 8), (width // 8, width * 3 // 8)
    top, left = slice(*rows), slice(*columns)
    bottom, right = slice(height - rows[1], height - rows[0]), slice(width - columns[1], width - columns[0])
    quarters = (pixels[top, left], pixels[top, right], pixels[bottom, left], pixels[bottom, right])
    return np.array([quarter.reshape(-1, 3).mean(axis=0) for quarter in quarters])


def encoded(image: Image.Image | ByteArray, kind: str, **options: Any) -> bytes:
    """An image file."""
    buffer = io.BytesIO()
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def jpeg(pixels: ByteArray | None = None, **options: Any) -> bytes:
    """The card as JPEG of high quality."""
    return encoded(card() if pixels is None else pixels, "JPEG", **({"quality": 95, "subsampling": 0} | options))


def noisy(width: int = 320, height: int = 240) -> ByteArray:
    """The card under noise: a file big enough to be damaged in the middle."""
    noise = np.random.default_rng(7).normal(0, 12, (height, width, 3))
    pixels: ByteArray = np.clip(card(width, height) + noise, 0, 255).astype(np.uint8)
    return pixels


def exif(orientation: int) -> bytes:
    """An EXIF block that says nothing but the orientation."""
    return b"Exif\x00\x00II*\x00" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def stored(pixels: ByteArray, orientation: int) -> ByteArray:
    """What a camera stores that writes ``orientation``: the inverse of what a reader must do."""
    turned = {
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.swapaxes(0, 1),
        6: np.rot90(pixels, 1),
        7: pixels[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(pixels, -1),
    }[orientation]
    return np.ascontiguousarray(turned)


def chunk(kind: bytes, body: bytes, *, crc: int | None = None) -> bytes:
    """One PNG chunk, with its own checksum or a given one."""
    checksum = zlib.crc32(kind + body) if crc is None else crc
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def png(width: int, height: int, depth: int, color: int, rows: bytes, *extra: bytes, interlace: int = 0) -> bytes:
    """A PNG from its filtered rows (each with its filter byte), ``extra`` chunks before the data."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace)
    body = (chunk(b"IHDR", header), *extra, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def png_rows(samples: NDArray[np.generic]) -> bytes:
    """Rows of 8- or 16-bit samples ``[h, w]`` or ``[h, w, c]`` with filter 0, big-endian."""
    wide = samples.astype(">u2") if samples.dtype.itemsize == 2 else samples
    return b"".join(b"\x00" + row.tobytes() for row in wide)


def adam7(pixels: ByteArray) -> bytes:
    """The rows of an interlaced PNG (PNG specification, section 8.2)."""
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    return b"".join(png_rows(pixels[y::dy, x::dx]) for x, y, dx, dy in passes)


def swapped_profile() -> bytes:
    """An ICC profile under another name in which red and blue have changed places."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = profile.replace(b"s\x00R\x00G\x00B", b"t\x00e\x00s\x00t").replace(b"sRGB", b"test")
    table_end = 132 + 12 * int.from_bytes(profile[128:132], "big")
    table = profile[132:table_end].replace(b"rXYZ", b"?XYZ").replace(b"bXYZ", b"rXYZ").replace(b"?XYZ", b"bXYZ")
    return profile[:132] + table + profile[table_end:]
