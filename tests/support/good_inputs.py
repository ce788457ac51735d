"""Odd but good photos, made by program: each must decode to the right colors, the right way up."""

from __future__ import annotations

import base64
import importlib.util
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from support import picture
from support.picture import CARD, HEIGHT, WHITE, WIDTH, Corners, card, chunk, encoded, jpeg


@dataclass(frozen=True, slots=True)
class Expected:
    """What a good photo must decode to.

    Args:
        corners: Mean colors: top left, top right, bottom left, bottom right.
        size: Width and height, upright.
        tolerance: How far a channel may be off.
    """

    corners: Corners = CARD
    size: tuple[int, int] = (WIDTH, HEIGHT)
    tolerance: float = 6.0


CLEAR: Corners = (WHITE, *CARD[1:])
"""The card with a transparent top left quarter, over white."""


def write_good_images(folder: Path) -> dict[str, Expected]:
    """Write every good photo into ``folder``; returns what each must decode to, by file name."""
    made: dict[str, tuple[bytes, Expected]] = {}
    for family in (_jpegs(), _odd_jpegs(), _pngs(), _odd_pngs(), _others(), _animations(), _heic()):
        made |= family
    folder.mkdir(parents=True, exist_ok=True)
    for name, (data, _expected) in made.items():
        (folder / name).write_bytes(data)
    return {name: expected for name, (_data, expected) in made.items()}


def _rgba() -> Image.Image:
    alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
    alpha[: HEIGHT // 2, : WIDTH // 2] = 0
    return Image.fromarray(np.dstack((card(), alpha)))


def _jpegs() -> dict[str, tuple[bytes, Expected]]:
    made = {
        "baseline.jpg": (jpeg(), Expected()),
        "progressive.jpg": (jpeg(progressive=True), Expected()),
        "restart.jpg": (jpeg(restart_marker_blocks=2), Expected()),
        "420.jpg": (jpeg(subsampling=2), Expected()),
        "411.jpg": (jpeg(subsampling="4:1:1"), Expected()),
        "gray.jpg": (encoded(Image.fromarray(card()).convert("L"), "JPEG"), Expected(picture.grays())),
        "cmyk.jpg": (encoded(Image.fromarray(card()).convert("CMYK"), "JPEG", quality=95), Expected()),
    }
    for orientation in range(1, 9):
        data = jpeg(picture.stored(card(), orientation), exif=picture.exif(orientation))
        made[f"orientation-{orientation}.jpg"] = (data, Expected())
    return made


def _odd_jpegs() -> dict[str, tuple[bytes, Expected]]:
    swapped = np.ascontiguousarray(card()[:, :, ::-1])
    profiled = jpeg(swapped, icc_profile=picture.swapped_profile())
    return {
        "trailing-garbage.jpg": (jpeg() + b"\x00garbage\xff\xd8" * 50, Expected()),
        "two-pictures.jpg": (jpeg() + jpeg(progressive=True), Expected()),
        "no-end-marker.jpg": (jpeg()[:-2], Expected()),
        "bad-exif.jpg": (jpeg(exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff garbage"), Expected()),
        "exif-loop.jpg": (jpeg(exif=picture.exif(99)), Expected()),
        "png-named.jpg": (encoded(card(), "PNG"), Expected()),
        "profile.jpg": (profiled, Expected()),
        "damaged-profile.jpg": (jpeg(icc_profile=b"\xff" * 5000), Expected()),
        "huge-profile.jpg": (jpeg(icc_profile=b"\x00" * 3_000_000), Expected()),
        "thumbnail-in-exif.jpg": (jpeg(exif=picture.exif(1) + jpeg()), Expected()),
        "smallest.jpg": (jpeg(card(8, 8)), Expected(size=(8, 8), tolerance=60)),
        "narrow.jpg": (jpeg(card(20, 600)), Expected(size=(20, 600))),
    }


def _pngs() -> dict[str, tuple[bytes, Expected]]:
    picture_16 = card().astype(np.uint16) * 257
    gray_16 = np.array(Image.fromarray(card()).convert("L")).astype(np.uint16) * 257
    image = Image.fromarray(card())
    palette = image.quantize(8)
    clear = picture.png(WIDTH, HEIGHT, 8, 2, picture.png_rows(card()), chunk(b"tRNS", struct.pack(">3H", *CARD[0])))
    gray_clear = np.where(gray_16 == gray_16[0, 0], 65535, gray_16)
    expected_gray = tuple((int(gray_clear[y, x] >> 8),) * 3 for y, x in ((0, 0), (0, -1), (-1, 0), (-1, -1)))
    transparent = chunk(b"tRNS", struct.pack(">H", int(gray_16[0, 0])))
    return {
        "rgb.png": (encoded(card(), "PNG"), Expected()),
        "rgba.png": (encoded(_rgba(), "PNG"), Expected(CLEAR)),
        "palette.png": (encoded(palette, "PNG"), Expected()),
        "palette-alpha.png": (encoded(_rgba().quantize(8), "PNG"), Expected(CLEAR)),
        "gray-alpha.png": (encoded(_rgba().convert("LA"), "PNG"), Expected((WHITE, *picture.grays()[1:]))),
        "black-and-white.png": (
            encoded(Image.fromarray(card()).convert("L").point(lambda v: 255 if v > 110 else 0).convert("1"), "PNG"),
            Expected(((0,) * 3, (0,) * 3, (0,) * 3, WHITE)),
        ),
        "rgb-transparent-color.png": (clear, Expected(CLEAR)),
        "rgb-16.png": (picture.png(WIDTH, HEIGHT, 16, 2, picture.png_rows(picture_16)), Expected()),
        "gray-16.png": (picture.png(WIDTH, HEIGHT, 16, 0, picture.png_rows(gray_16)), Expected(picture.grays())),
        "gray-16-transparent.png": (
            picture.png(WIDTH, HEIGHT, 16, 0, picture.png_rows(gray_16), transparent),
            Expected(expected_gray),
        ),
        "interlaced.png": (picture.png(WIDTH, HEIGHT, 8, 2, picture.adam7(card()), interlace=1), Expected()),
        "orientation-6.png": (encoded(picture.stored(card(), 6), "PNG", exif=picture.exif(6)[6:]), Expected()),
    }


def _odd_pngs() -> dict[str, tuple[bytes, Expected]]:
    rows = picture.png_rows(card())
    bomb = zlib.compress(b"\x00" * 200_000_000, 9)
    swapped = picture.png_rows(np.ascontiguousarray(card()[:, :, ::-1]))
    profile = chunk(b"iCCP", b"p\x00\x00" + zlib.compress(picture.swapped_profile()))
    text_bomb = (chunk(b"zTXt", b"Comment\x00\x00" + bomb), chunk(b"iTXt", b"X\x00\x01\x00\x00\x00" + bomb))
    return {
        "text-bomb.png": (picture.png(WIDTH, HEIGHT, 8, 2, rows, *text_bomb), Expected()),
        "profile-bomb.png": (picture.png(WIDTH, HEIGHT, 8, 2, rows, chunk(b"iCCP", b"p\x00\x00" + bomb)), Expected()),
        "profile.png": (picture.png(WIDTH, HEIGHT, 8, 2, swapped, profile), Expected()),
        "bad-text-checksum.png": (picture.png(WIDTH, HEIGHT, 8, 2, rows, chunk(b"tEXt", b"a\x00b", crc=0)), Expected()),
        "trailing-garbage.png": (encoded(card(), "PNG") + b"garbage" * 100, Expected()),
        "invalid-animation.png": (picture.png(WIDTH, HEIGHT, 8, 2, rows, chunk(b"acTL", b"\x00" * 8)), Expected()),
        "inflates-beyond.png": (picture.png(WIDTH, HEIGHT, 8, 2, rows + b"\x00" * 50_000_000), Expected()),
    }


def _others() -> dict[str, tuple[bytes, Expected]]:
    image = Image.fromarray(card())
    turned = Image.fromarray(picture.stored(card(), 6))
    return {
        "lossy.webp": (encoded(card(), "WEBP", quality=95), Expected(tolerance=10)),
        "lossless.webp": (encoded(card(), "WEBP", lossless=True), Expected()),
        "alpha.webp": (encoded(_rgba(), "WEBP", lossless=True), Expected(CLEAR)),
        "orientation-6.webp": (encoded(turned, "WEBP", lossless=True, exif=picture.exif(6)), Expected()),
        "plain.avif": (encoded(card(), "AVIF", quality=95), Expected(tolerance=10)),
        "alpha.avif": (encoded(_rgba(), "AVIF", quality=95), Expected(CLEAR, tolerance=10)),
        "orientation-6.avif": (encoded(turned, "AVIF", quality=95, exif=picture.exif(6)), Expected(tolerance=10)),
        "plain.bmp": (encoded(card(), "BMP"), Expected()),
        "palette.bmp": (encoded(image.quantize(8), "BMP"), Expected()),
        "plain.gif": (encoded(card(), "GIF"), Expected()),
        "plain.tiff": (encoded(card(), "TIFF"), Expected()),
        "lzw.tiff": (encoded(card(), "TIFF", compression="tiff_lzw"), Expected()),
        "jpeg.tiff": (encoded(card(), "TIFF", compression="jpeg", quality=95), Expected()),
        "cmyk.tiff": (encoded(image.convert("CMYK"), "TIFF"), Expected()),
        "orientation-6.tiff": (encoded(turned, "TIFF", tiffinfo={0x0112: 6}), Expected()),
        "gray-16.tiff": (
            encoded(Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257), "TIFF"),
            Expected(picture.grays()),
        ),
    }


def _animations() -> dict[str, tuple[bytes, Expected]]:
    """Only the first frame counts."""
    black = [Image.new("RGB", (WIDTH, HEIGHT)), Image.new("RGB", (WIDTH, HEIGHT), (9, 9, 9))]
    image = Image.fromarray(card())
    no_canvas = bytearray(encoded(card(), "GIF"))
    no_canvas[6:10] = b"\x00" * 4
    return {
        "no-canvas.gif": (bytes(no_canvas), Expected()),
        "animated.gif": (encoded(image, "GIF", save_all=True, append_images=black), Expected()),
        "ten-thousand-frames.gif": (_many_frames(10_000), Expected()),
        "animated.png": (encoded(image, "PNG", save_all=True, append_images=black), Expected()),
        "animated.webp": (encoded(image, "WEBP", save_all=True, append_images=black, lossless=True), Expected()),
        "animated.avif": (
            encoded(image, "AVIF", save_all=True, append_images=black, quality=95),
            Expected(tolerance=10),
        ),
        "cut-off-second-frame.gif": (
            encoded(image, "GIF", save_all=True, append_images=black)[:-20],
            Expected(),
        ),
    }


def _many_frames(count: int) -> bytes:
    """A GIF whose first frame is repeated."""
    data = encoded(card(), "GIF")
    start = data.index(b"\x2c", 13 + 3 * 2 ** ((data[10] & 7) + 1))
    return data[:-1] + data[start:-1] * count + b"\x3b"


def _heic() -> dict[str, tuple[bytes, Expected]]:
    """HEIC, where this machine can read it. Nothing permissive writes it, so two cards of 700 bytes stand below."""
    if importlib.util.find_spec("pi_heif") is None:
        return {}
    return {
        "upright.heic": (base64.b64decode(_HEIC_UPRIGHT), Expected(tolerance=10)),
        "orientation-6.heic": (base64.b64decode(_HEIC_TURNED), Expected(tolerance=10)),
    }


# ``card()`` by libheif 1.21 and x265 at quality 70; the second is stored turned, with ``irot`` and EXIF saying so.
_HEIC_UPRIGHT = (
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAZdtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAA"
    "ADRpbG9jAAAAAERAAAIAAQAAAAABuwABAAAAAAAAALgAAgAAAAACcwABAAAAAAAAACQAAAA4aWluZgAAAAAAAgAAABVpbmZlAgAA"
    "AAABAABodmMxAAAAABVpbmZlAgAAAQACAABFeGlmAAAAAA5waXRtAAAAAAABAAAA1mlwcnAAAAC3aXBjbwAAAHhodmNDAQNwAAAA"
    "kAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQArQgEBA3AAAAMAkAAAAwAAAwAeoDCBBZbq"
    "SSmubgIaDAgAAAMAyAAAAwAIQGIAAQAHRAHBcrAiQAAAABNjb2xybmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABgAAAAQAAAABBw"
    "aXhpAAAAAAMICAgAAAAXaXBtYQAAAAAAAAABAAEEgQIDBAAAABppcmVmAAAAAAAAAA5jZHNjAAIAAQABAAAA5G1kYXQAAAC0KAGv"
    "DuDoY8DAcnX+7e1//8yQ8h/KLIaKtoHfq9XZ81//p4JqEz8B1mua0s2ddByj1ZMy1NWGICzP3kJASv6w21CLRDw6ib4Kz24wyriE"
    "Tua119ZFgH//q/k8fxbNH/89fWqPalWNx4xW+QbtdHW0nytSq9thyAJ1NNR6upTzjW9pYmaaYIy3PopO9/4BCCr0ZoaJ/6gtc/y0"
    "VlYgdU3GDIsllbeTshtSqpxB0jo7mXs/jp7mAAAABkV4aWYAAElJKgAIAAAAAQASAQMAAQAAAAEAAAAAAAAA"
)
_HEIC_TURNED = (
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAaFtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAA"
    "ADRpbG9jAAAAAERAAAIAAQAAAAABxQABAAAAAAAAAMIAAgAAAAAChwABAAAAAAAAACQAAAA4aWluZgAAAAAAAgAAABVpbmZlAgAA"
    "AAABAABodmMxAAAAABVpbmZlAgAAAQACAABFeGlmAAAAAA5waXRtAAAAAAABAAAA4GlwcnAAAADAaXBjbwAAAHhodmNDAQNwAAAA"
    "kAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQArQgEBA3AAAAMAkAAAAwAAAwAeoCCBhZbq"
    "SSmubgIaDAgAAAMAyAAAAwAIQGIAAQAHRAHBcrAiQAAAABNjb2xybmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABAAAAAYAAAABBw"
    "aXhpAAAAAAMICAgAAAAJaXJvdAMAAAAYaXBtYQAAAAAAAAABAAEFgQIDBIUAAAAaaXJlZgAAAAAAAAAOY2RzYwACAAEAAQAAAO5t"
    "ZGF0AAAAvigBrw7gNIMBydf0rx//8r0f/+oWjHeP/MVV//8eabf+4Ylj+/g39O7n3tS/3FidRYrHXAu1e0BKw/EtArSvrlKaJvvP"
    "sq4Apmb/IqJ7p4YL5lRvUH2JOdS/gc9dg1h74gJpKazY31Frx2m1dRJ7TaXgp5fJr8zI8zB+cUh/8AhHf6M0uM8cPlbNjOE0OHrC"
    "8uq972recxnjucXLEeM2jjjN6ES8oJ4bcCoPX2gFsUzL8P23hY+ER1yK28eXW/8AAAAGRXhpZgAASUkqAAgAAAABABIBAwABAAAA"
    "BgAAAAAAAAA="
)
