"""HEIC, the photo format of iPhones: the only file that imports pi-heif (extra ``heic``)."""

from __future__ import annotations

import re

from nitari.errors import ImageError
from nitari.raster import Raster, translated


def open_heic(data: bytes) -> Raster:
    """Read the header of a HEIC file. Its pixels, decoded later, are upright: EXIF does not apply to them.

    Raises:
        ImageError: ``heic-unavailable`` without the extra; ``corrupt`` or ``truncated`` for damaged files.
    """
    try:
        import pi_heif  # optional, as it brings LGPL code
    except ImportError as exc:
        raise ImageError(
            "the file is a HEIC photo, and the library that reads those is not installed",
            remedy="pip install 'nitari[heic]', or export the photo as JPEG",
            code="heic-unavailable",
        ) from exc
    _check_item_names(data)
    with translated("HEIC"):
        image = pi_heif.open_heif(data)
        width, height = image.size
        return Raster.lazily(
            image.mode,
            (int(width), int(height)),
            lambda: bytes(image.data),
            name="HEIC",
            profile=image.info.get("icc_profile"),
        )


# A box that names an item (ISO/IEC 14496-12, 8.11.6), wherever it may stand, with its version behind its type.
_ITEM = re.compile(rb"infe([\x00-\xff])")


def _check_item_names(data: bytes) -> None:
    """Refuse item types and names that are not text: pi-heif 1.4 takes the whole process down over them (fuzzed)."""
    for found in _ITEM.finditer(data):
        start = found.start()
        size = int.from_bytes(data[start - 4 : start], "big")
        # Behind type, version and flags come the item's number and a protection index, then only texts.
        texts = data[start + 8 + (6 if found[1] == b"\x03" else 4) : start - 4 + size]
        try:
            sound = texts[:4].isascii() and texts.decode().replace("\x00", "").isprintable()
        except UnicodeDecodeError:
            sound = False
        if not sound:
            raise ImageError(
                "the HEIC is damaged: an item's type or name is not text",
                remedy="upload or export the photo again",
                code="corrupt",
            )
