"""Bytes to an upright RGB photo, with caps on what one photo may cost; the only file that imports simplejpeg.

JPEG goes through libjpeg-turbo with DCT scaling (a 12-megapixel phone photo in 30 ms in place of 150), everything
else through Pillow. Sizes are checked in the header, before any pixel is decoded.
"""

from __future__ import annotations

import re
import threading
from contextlib import nullcontext

import numpy as np
import simplejpeg

from nitari.errors import ImageError
from nitari.images.containers import READERS
from nitari.images.exif import read_orientation, swaps_sides, turn_upright
from nitari.images.heic import open_heic
from nitari.images.jpeg import JpegHeader, read_jpeg
from nitari.images.sniff import require_photo
from nitari.raster import Raster, to_rgb
from nitari.types import ByteArray, Photo

MIN_SIDE = 8
MAX_ASPECT = 32
MAX_SCANS = 100
MAX_WORK = 1_500_000_000
"""Scans times pixels of one JPEG: about a second and a half (measured). A baseline photo of 100 MP needs a tenth."""
# Above this many pixels in full size (100 MB and more each), one photo at a time: memory is bounded by the number of
# workers times a small photo plus one large one.
LARGE = 16_000_000

_AGAIN = "upload or export the photo again"
# Complaints of TurboJPEG that say nothing against the pixels, or are about sampling factors that only it does not know.
_HARMLESS = re.compile(
    r"unknown JFIF revision|Unknown Adobe color transform|Invalid SOS parameters"
    r"|: [1-8] extraneous bytes before marker|subsampling"
)
_CUT_OFF = re.compile(r"premature end", re.IGNORECASE)


class ImageDecoder:
    """Decodes every supported format. Safe to call from several threads at once.

    Args:
        max_bytes: Largest file, bytes.
        max_pixels: Most pixels of an original.
        min_side: Shortest side accepted, pixels: 1x1 placeholders are common in feeds and look like everything.
        max_aspect: Largest ratio of long to short side.
    """

    def __init__(
        self,
        *,
        max_bytes: int = 32 * 2**20,
        max_pixels: int = 100_000_000,
        min_side: int = MIN_SIDE,
        max_aspect: float = MAX_ASPECT,
    ) -> None:
        self._max_bytes = max_bytes
        self._max_pixels = max_pixels
        self._min_side = min_side
        self._max_aspect = max_aspect
        self._large = threading.Semaphore(1)

    def decode(self, data: bytes, *, short_side: int) -> Photo:
        """As the port says. Error codes: those of ``images.sniff``, and below.

        Raises:
            ImageError: ``too-many-bytes``, ``too-many-pixels``, ``too-small``, ``extreme-aspect``, ``too-costly``,
                ``truncated``, ``corrupt``, ``unsupported-color``, ``unsupported-format``, ``heic-unavailable``,
                ``empty-file``, ``html-page`` or ``not-an-image``.
        """
        if len(data) > self._max_bytes:
            raise ImageError(
                f"the file has {len(data):,} bytes, at most {self._max_bytes:,} are allowed",
                remedy="make the photo smaller, or raise images.max_bytes",
                code="too-many-bytes",
            )
        kind = require_photo(data)
        if kind == "jpeg":
            return self._decode_jpeg(data, short_side)
        header = READERS[kind](data)
        if header.width:
            self._check_size(header.width, header.height)
        raster = open_heic(data) if kind == "heic" else Raster.open(header.data, kind)
        self._check_size(raster.width, raster.height)  # what will be allocated, whatever the container said
        orientation = max(header.orientation, read_orientation(raster.exif))
        with self._large if raster.width * raster.height > LARGE else nullcontext():
            pixels = raster.pixels(short_side, profile=header.profile)
        return _upright(pixels, raster.width, raster.height, orientation)

    def _decode_jpeg(self, data: bytes, short_side: int) -> Photo:
        header = read_jpeg(data)
        self._check_size(header.width, header.height)
        self._check_work(header)
        if not header.complete:
            data = _completed(data, header)
        # Scaled baseline decoding needs a few rows at a time; the others hold the whole image.
        whole = header.progressive or header.scans > 1 or not short_side
        with self._large if whole and header.width * header.height > LARGE else nullcontext():
            pixels = _decode_scaled(data, header, short_side)
        return _upright(pixels, header.width, header.height, header.orientation)

    def _check_size(self, width: int, height: int) -> None:
        found = f"the image is {width:,} x {height:,} pixels"
        if width < 1 or height < 1:
            raise ImageError(f"{found}: it has no area", remedy=_AGAIN, code="corrupt")
        if min(width, height) < self._min_side:
            raise ImageError(
                f"{found}, too small to show a product; at least {self._min_side} a side are needed",
                remedy="give the photo itself; tiny images are placeholders or tracking pixels",
                code="too-small",
            )
        if width * height > self._max_pixels:
            raise ImageError(
                f"{found}, together {width * height:,}; at most {self._max_pixels:,} are allowed",
                remedy="make the photo smaller, or raise images.max_pixels",
                code="too-many-pixels",
            )
        if max(width, height) > self._max_aspect * min(width, height):
            raise ImageError(
                f"{found}; sides may differ by a factor of {self._max_aspect:g} at most",
                remedy="crop the photo to the product",
                code="extreme-aspect",
            )

    def _check_work(self, header: JpegHeader) -> None:
        """Progressive files can make a decoder go over a large image hundreds of times."""
        if header.scans > MAX_SCANS or header.scans * header.width * header.height > MAX_WORK:
            raise ImageError(
                f"the JPEG has {header.scans} scans of {header.width:,} x {header.height:,} pixels, "
                f"more than the {MAX_SCANS} scans or {MAX_WORK:,} pixels in all that are allowed",
                remedy="save the photo as a baseline JPEG",
                code="too-costly",
            )


def _upright(pixels: ByteArray, width: int, height: int, orientation: int) -> Photo:
    if swaps_sides(orientation):
        width, height = height, width
    return Photo(pixels=turn_upright(pixels, orientation), width=width, height=height)


def _completed(data: bytes, header: JpegHeader) -> bytes:
    """A file without its end marker, ended, if that may be all that is missing.

    One scan says itself, when it is decoded strictly, whether it was complete; of several, later ones would be missed.
    """
    if header.progressive or header.scans > 1:
        raise ImageError(
            f"the JPEG is cut off after {len(data):,} bytes, its end marker is missing", remedy=_AGAIN, code="truncated"
        )
    return data + b"\xff\xd9"


def _decode_scaled(data: bytes, header: JpegHeader, short_side: int) -> ByteArray:
    """Decode to sRGB, not yet upright, at the smallest scale of N/8 whose short side is >= ``short_side``.

    Strictly: anything odd in the entropy-coded data is an error, where libjpeg by itself would paint gray.
    """
    colorspace = "CMYK" if header.components == 4 else "GRAY" if header.components == 1 else "RGB"
    try:
        pixels: ByteArray = simplejpeg.decode_jpeg(
            data, colorspace=colorspace, min_width=short_side, min_height=short_side, strict=True
        )
    except ValueError as exc:
        if _HARMLESS.search(str(exc)):
            return Raster.open(data, "jpeg").pixels(short_side)
        code, state = ("truncated", "cut off") if _CUT_OFF.search(str(exc)) else ("corrupt", "damaged")
        raise ImageError(f"the JPEG is {state}: {exc}", remedy=_AGAIN, code=code) from exc
    if colorspace == "CMYK":
        np.subtract(255, pixels, out=pixels)  # by Adobe's convention, which all writers follow, 0 is full ink
    return to_rgb(pixels if pixels.shape[2] != 1 else pixels[:, :, 0], profile=header.profile)
