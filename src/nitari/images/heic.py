"""HEIC, the photo format of iPhones: the only file that imports pi-heif (extra ``heic``)."""

from __future__ import annotations

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
