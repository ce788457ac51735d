"""Pixels by Pillow, and nothing else by Pillow: opening, color conversion, resizing, encoding.

The only module that imports Pillow, so that there is one place that knows its modes, warnings and exceptions.
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageCms,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from nitari.errors import ImageError, UsageError
from nitari.types import ByteArray

Format: TypeAlias = Literal["jpeg", "png", "webp", "avif", "gif", "bmp", "tiff"]
Filter: TypeAlias = Literal["bilinear", "bicubic", "lanczos"]

# Classes are used directly, not Image.open: nothing but these formats can ever be tried, and no plugin is registered.
_PLUGINS: dict[str, type[ImageFile.ImageFile]] = {
    "jpeg": JpegImagePlugin.JpegImageFile,
    "png": PngImagePlugin.PngImageFile,
    "webp": WebPImagePlugin.WebPImageFile,
    "avif": AvifImagePlugin.AvifImageFile,
    "gif": GifImagePlugin.GifImageFile,
    "bmp": BmpImagePlugin.BmpImageFile,
    "tiff": TiffImagePlugin.TiffImageFile,
}
_NAMES = {"jpeg": "JPEG", "png": "PNG", "webp": "WebP", "avif": "AVIF", "gif": "GIF", "bmp": "BMP", "tiff": "TIFF"}
_FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_REDUCING_GAP = 2.0
# What Pillow says about a file that stops too early; everything else it says means damage.
_CUT_OFF = ("truncat", "unexpected end", "not enough", "end of file", "premature")
_WARNINGS_LOCK = threading.Lock()


class Raster:
    """An image whose header has been read and whose pixels have not been decoded yet.

    Args:
        width: As ``pixels`` will be before orientation is applied.
        height: Likewise.
        exif: The EXIF block that still applies to the pixels, ``None`` without one.
        profile: ICC profile, ``None`` without one.
    """

    def __init__(
        self,
        image: Callable[[int], Image.Image],
        size: tuple[int, int],
        *,
        name: str,
        exif: bytes | None,
        profile: bytes | None,
    ) -> None:
        self._image = image
        self._name = name
        self.width, self.height = size
        self.exif = exif
        self.profile = profile

    @classmethod
    def open(cls, data: bytes, kind: Format) -> Raster:
        """Read the header of a file of which it is known that it is of this kind.

        Raises:
            ImageError: ``corrupt``, ``truncated``, or ``unsupported-format`` where Pillow was built without the codec.
        """
        name = _NAMES[kind]
        with translated(name), _quiet(kind):
            image = _PLUGINS[kind](io.BytesIO(data))
        exif, profile = image.info.get("exif"), image.info.get("icc_profile")
        # Pillow turns TIFF upright itself while loading.
        keep = exif if isinstance(exif, bytes) and kind != "tiff" else None

        def load(short_side: int) -> Image.Image:
            with translated(name), _quiet(kind):
                if short_side and kind == "jpeg":
                    factor = max(1, min(image.size) // short_side)
                    image.draft(None, (image.width // factor, image.height // factor))
                image.load()
            return image

        return cls(load, image.size, name=name, exif=keep, profile=profile if isinstance(profile, bytes) else None)

    @classmethod
    def lazily(
        cls, mode: str, size: tuple[int, int], read: Callable[[], bytes], *, name: str, profile: bytes | None = None
    ) -> Raster:
        """An image that another library decodes, when ``read`` is called, into tightly packed rows of ``mode``."""

        def load(_: int) -> Image.Image:
            with translated(name):
                return Image.frombytes(mode, size, read())

        return cls(load, size, name=name, exif=None, profile=profile)

    def pixels(self, short_side: int, *, profile: bytes | None = None) -> ByteArray:
        """Decode: uint8 ``[h, w, 3]`` sRGB, alpha over white, the short side >= ``short_side`` where it was; 0 for all.

        Args:
            short_side: Whole-number reductions (area average) are made down to this, pixels.
            profile: ICC profile to use in place of the file's own.

        Raises:
            ImageError: ``corrupt``, ``truncated`` or ``unsupported-color``.
        """
        image = self._image(short_side)
        with translated(self._name):
            image = _simple(image, self._name)
            factor = min(image.size) // short_side if short_side else 1
            if factor >= 2:
                image = image.reduce(factor)
            if image.mode == "RGBA":
                white = Image.new("RGB", image.size, (255, 255, 255))
                white.paste(image, mask=image.getchannel("A"))
                image = white
            return _array(_to_srgb(image, profile or self.profile))


def to_rgb(pixels: ByteArray, *, profile: bytes | None = None) -> ByteArray:
    """Convert decoded pixels to sRGB: uint8 ``[h, w, 3]``.

    Args:
        pixels: uint8 ``[h, w]`` gray, ``[h, w, 3]`` RGB or ``[h, w, 4]`` CMYK (255 = full ink).
        profile: The ICC profile they are in; one that is damaged or of another color model is ignored.
    """
    mode = "L" if pixels.ndim == 2 else {3: "RGB", 4: "CMYK"}[pixels.shape[2]]
    if mode == "RGB" and not _matters(profile):
        return pixels
    height, width = pixels.shape[:2]
    return _array(_to_srgb(Image.frombuffer(mode, (width, height), np.ascontiguousarray(pixels)), profile))


def resize(
    pixels: ByteArray,
    width: int,
    height: int,
    *,
    box: tuple[float, float, float, float] | None = None,
    filter: Filter = "bicubic",  # noqa: A002  # the word of the model cards
    halved: bool = False,
) -> ByteArray:
    """Resize a part of an image in one antialiased step.

    The filter moves embeddings more than int8 does (cosine .97 for a linear one without antialiasing), so a model card
    fixes it and the gallery and queries share it. Pillow's filters widen with the scale, hence no aliasing.

    Args:
        pixels: uint8 RGB ``[h, w, 3]`` or gray ``[h, w]``.
        width: Of the result, pixels, at least 1.
        height: Of the result, pixels, at least 1.
        box: ``(left, top, right, bottom)`` of the part, in pixels of ``pixels``; fractions, and less than a pixel, are
            fine. ``None`` for all of it. At its edges the filter looks at what lies just outside.
        filter: Interpolation, as a model card names it.
        halved: Whether to shrink by whole factors first, by the mean of blocks, where at least twice the size is left:
            several times as fast where little is left of an image, and hardly another image.

    Returns:
        uint8 ``[height, width, 3]`` (or without the 3), C-contiguous.

    Raises:
        UsageError: where the size is empty, or the box does not lie inside the image.
    """
    source_height, source_width = pixels.shape[:2]
    left, top, right, bottom = box or (0.0, 0.0, float(source_width), float(source_height))
    if width < 1 or height < 1 or not (0 <= left < right <= source_width and 0 <= top < bottom <= source_height):
        raise UsageError(f"cannot resize box {box} of a {source_width}x{source_height} image to {width}x{height}")
    frame = (left, top, right, bottom)
    gap = _REDUCING_GAP if halved else None
    return _array(Image.fromarray(pixels).resize((width, height), _FILTERS[filter], box=frame, reducing_gap=gap))


def encode(pixels: ByteArray, kind: Literal["jpeg", "png", "webp"] = "jpeg", *, quality: int = 85) -> bytes:
    """Write uint8 ``[h, w, 3]`` or ``[h, w]`` as an image file; ``quality`` (1-100) does not apply to PNG."""
    buffer = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.save(buffer, _NAMES[kind].upper(), **({} if kind == "png" else {"quality": quality}))
    return buffer.getvalue()


def _array(image: Image.Image) -> ByteArray:
    return np.asarray(image, dtype=np.uint8)  # read-only: a copy of a large photo is hundreds of megabytes


def _simple(image: Image.Image, name: str) -> Image.Image:
    """One of the modes ``L RGB RGBA CMYK``, 8 bits a channel, transparency as alpha."""
    mode = image.mode
    if mode.startswith("I;16"):
        return _from_16_bit(image)
    if mode in ("LA", "PA", "La", "RGBa") or (mode in ("1", "L", "P", "RGB") and "transparency" in image.info):
        return image.convert("RGBA")
    if mode in ("1", "YCbCr", "HSV", "RGBX"):
        return image.convert("L" if mode == "1" else "RGB")
    if mode == "P":
        return image.convert("RGB")
    if mode not in ("L", "RGB", "RGBA", "CMYK"):
        raise ImageError(
            f"the {name} has pixels of type {mode!r}, expected gray, RGB or CMYK of 8 or 16 bits",
            remedy="export the photo as an 8-bit JPEG or PNG",
            code="unsupported-color",
        )
    return image


def _from_16_bit(image: Image.Image) -> Image.Image:
    """The upper byte of each gray value (Pillow's own conversion clips), transparency as alpha."""
    values = np.asarray(image)  # uint16 of either byte order
    gray = Image.fromarray((values >> 8).astype(np.uint8))
    transparent = image.info.get("transparency")
    if not isinstance(transparent, int):
        return gray
    result = gray.convert("RGBA")
    result.putalpha(Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8)))
    return result


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """To RGB, through the ICC profile where it matters and fits; one that does not work is no reason to reject."""
    if profile is not None and _matters(profile):
        transform = _transform(profile, image.mode)
        if transform is not None:
            try:
                converted = ImageCms.applyTransform(image, transform)
            except (ImageCms.PyCMSError, ValueError, OSError):
                converted = None
            if converted is not None:
                return converted
    return image if image.mode == "RGB" else image.convert("RGB")


@lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Build a transform to sRGB once per profile (a millisecond and more); little CMS lets threads share it."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _matters(profile: bytes | None) -> bool:
    """Whether a profile is anything other than sRGB, by the name in its ``desc`` tag (ICC.1:2022, 9.2.41)."""
    if not profile or len(profile) < 132:
        return False
    for i in range(min(int.from_bytes(profile[128:132], "big"), 100)):
        entry = profile[132 + 12 * i : 144 + 12 * i]
        if entry[:4] == b"desc":
            start, size = int.from_bytes(entry[4:8], "big"), int.from_bytes(entry[8:12], "big")
            text = profile[start : start + min(size, 4096)].replace(b"\x00", b"")
            return b"sRGB" not in text
    return True


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Whatever Pillow raises over a file becomes an ``ImageError``: its plugins raise nearly any exception."""
    try:
        yield
    except ImageError:
        raise
    except MemoryError as exc:
        raise ImageError(
            f"the {name} needs more memory than there is", remedy="make the photo smaller", code="too-costly"
        ) from exc
    except Exception as exc:
        reason = str(exc) or type(exc).__name__
        cut_off = any(hint in reason.lower() for hint in _CUT_OFF)
        raise ImageError(
            f"the {name} is {'cut off' if cut_off else 'damaged'}: {reason[:200]}",
            remedy="upload or export the photo again",
            code="truncated" if cut_off else "corrupt",
        ) from exc


@contextmanager
def _quiet(kind: Format) -> Iterator[None]:
    """Keep Pillow from printing warnings about odd files; ours say it better.

    Filters are global to the process, so only the two formats that warn pay for the lock.
    """
    if kind not in ("tiff", "gif"):
        yield
        return
    with _WARNINGS_LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
