"""Every container but JPEG: what its header says before a decoder sees it, and what must not reach one.

A PNG is rebuilt from the chunks that make up the picture. Compressed text, animation and metadata chunks, the usual
hiding places of decompression bombs, thus never get inflated, and damage shows in the checksums instead of in gray
areas.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from nitari.errors import ImageError
from nitari.images.exif import read_orientation
from nitari.images.sniff import Kind

_AGAIN = "upload or export the photo again"
_PICTURE = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_BOXES = frozenset({b"ftyp", b"meta", b"mdat", b"moov", b"free", b"skip", b"idat"})
_MAX_CHUNKS = 100_000
_MAX_BOXES = 1000
_MAX_PROFILE = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Header:
    """What a container says before decoding.

    Args:
        data: The bytes to decode: the file, or a cleaned copy.
        width: As stored, pixels; 0 where only the decoder can tell.
        height: As stored, pixels.
        orientation: EXIF orientation, 1-8.
        profile: ICC profile, ``None`` without one.
    """

    data: bytes
    width: int = 0
    height: int = 0
    orientation: int = 1
    profile: bytes | None = None


def read_png(data: bytes) -> Header:
    """Check a PNG's chunks (lengths, CRC-32, order) and keep those that make up the picture.

    Raises:
        ImageError: ``truncated``, ``corrupt`` or ``too-costly``.
    """
    kept = [data[:8]]
    extras: dict[bytes, bytes] = {}
    view = memoryview(data)
    position = 8
    for _ in range(_MAX_CHUNKS):
        if position + 12 > len(data):
            raise ImageError(
                f"the PNG is cut off after {len(data):,} bytes, its end is missing", remedy=_AGAIN, code="truncated"
            )
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            raise ImageError(
                f"the PNG is cut off after {len(data):,} bytes inside its {_name(kind)} chunk",
                remedy=_AGAIN,
                code="truncated",
            )
        if position == 8 and (kind != b"IHDR" or length != 13):
            raise _corrupt("PNG", f"it begins with a {_name(kind)} chunk, expected IHDR")
        if kind in _PICTURE or kind in (b"eXIf", b"iCCP"):
            sound = zlib.crc32(view[position + 4 : end - 4]) == int.from_bytes(view[end - 4 : end], "big")
            if kind in _PICTURE and not sound:
                raise _corrupt("PNG", f"the checksum of its {_name(kind)} chunk is wrong")
            if kind in _PICTURE:
                kept.append(data[position:end])
            elif sound:
                extras[kind] = data[position + 8 : end - 4]
        if kind == b"IEND":
            break
        position = end
    else:
        raise ImageError(f"the PNG holds more than {_MAX_CHUNKS:,} chunks", remedy=_AGAIN, code="too-costly")
    width, height = struct.unpack_from(">II", data, 16)
    orientation, profile = read_orientation(extras.get(b"eXIf")), _png_profile(extras.get(b"iCCP"))
    return Header(b"".join(kept), width, height, orientation, profile)


def _png_profile(chunk: bytes | None) -> bytes | None:
    """The ICC profile of an iCCP chunk; ``None`` where it is damaged or inflates beyond reason."""
    name, _, rest = (chunk or b"").partition(b"\x00")
    if not rest or len(name) > 79:
        return None
    inflater = zlib.decompressobj()
    try:
        profile = inflater.decompress(rest[1:], _MAX_PROFILE)
    except zlib.error:
        return None
    return profile if inflater.eof else None


def read_webp(data: bytes) -> Header:
    """Check that a WebP is whole, and read the canvas size from its first chunk (RFC 9649, section 2).

    Raises:
        ImageError: ``truncated`` or ``corrupt``.
    """
    size = int.from_bytes(data[4:8], "little") + 8
    if len(data) < size or len(data) < 30:
        raise ImageError(
            f"the WebP is cut off: {len(data):,} bytes found, {size:,} expected", remedy=_AGAIN, code="truncated"
        )
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[i : i + 3], "little") + 1 for i in (24, 27))
    elif kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (int.from_bytes(data[i : i + 2], "little") & 0x3FFF for i in (26, 28))
    else:
        raise _corrupt("WebP", f"it begins with a {_name(kind)} chunk")
    return Header(data, width, height)


def read_gif(data: bytes) -> Header:
    """The canvas size of a GIF.

    Raises:
        ImageError: ``truncated``.
    """
    if len(data) < 13:
        raise ImageError(f"the GIF is cut off after {len(data)} bytes", remedy=_AGAIN, code="truncated")
    width, height = struct.unpack_from("<HH", data, 6)
    return Header(data, width, height)


def read_bmp(data: bytes) -> Header:
    """The size of a BMP. Run-length coded ones are refused: a few bytes of them can stand for any number of pixels.

    Raises:
        ImageError: ``truncated`` or ``unsupported-format``.
    """
    if len(data) < 34:
        raise ImageError(f"the BMP is cut off after {len(data)} bytes", remedy=_AGAIN, code="truncated")
    if int.from_bytes(data[14:18], "little") == 12:
        width, height = struct.unpack_from("<HH", data, 18)
        return Header(data, width, height)
    width, height, compression = (*struct.unpack_from("<ii", data, 18), int.from_bytes(data[30:34], "little"))
    if compression not in (0, 3, 6):
        raise ImageError(
            f"the BMP is compressed (method {compression}), expected an uncompressed one",
            remedy="export the photo as PNG or JPEG",
            code="unsupported-format",
        )
    return Header(data, abs(width), abs(height))


def read_tiff(data: bytes) -> Header:
    """Check that the first directory of a TIFF lies inside the file; its size is left to the decoder.

    Raises:
        ImageError: ``truncated``.
    """
    order = "<" if data[:2] == b"II" else ">"
    start = struct.unpack_from(order + "I", data, 4)[0] if len(data) >= 8 else len(data)
    entries = struct.unpack_from(order + "H", data, start)[0] if start + 2 <= len(data) else 1
    if start + 2 + 12 * entries > len(data):
        raise ImageError(
            f"the TIFF is cut off: {len(data):,} bytes found, its directory begins at {start:,}",
            remedy=_AGAIN,
            code="truncated",
        )
    return Header(data)


def read_boxes(data: bytes) -> Header:
    """Check that the boxes of an AVIF or HEIC (ISO/IEC 14496-12) are whole; sizes are left to the decoder.

    Raises:
        ImageError: ``truncated``.
    """
    position = 0
    for _ in range(_MAX_BOXES):
        if position + 16 > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, position)
        if length == 1:
            length = int.from_bytes(data[position + 8 : position + 16], "big")
        if kind not in _BOXES or length < 8:
            break  # garbage behind the image harms nobody, and 0 means: up to the end
        position += length
    if position > len(data):
        raise ImageError(
            f"the file is cut off: {len(data):,} bytes found, at least {position:,} expected",
            remedy=_AGAIN,
            code="truncated",
        )
    return Header(data)


def _name(kind: bytes) -> str:
    return repr(kind.decode("latin-1"))


def _corrupt(kind: str, reason: str) -> ImageError:
    return ImageError(f"the {kind} is damaged: {reason}", remedy=_AGAIN, code="corrupt")


READERS: dict[Kind, Callable[[bytes], Header]] = {
    "png": read_png,
    "webp": read_webp,
    "gif": read_gif,
    "bmp": read_bmp,
    "tiff": read_tiff,
    "avif": read_boxes,
    "heic": read_boxes,
}
"""Who reads the header of which kind; ``jpeg`` has a module of its own."""
