"""What a JPEG file says about itself before anything is decoded: size, scans, orientation, profile, whether it ends."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nitari.errors import ImageError
from nitari.images.exif import read_orientation

# Any marker except stuffed zeros, restarts and fill bytes (ITU-T T.81, B.1.1). No repetition: linear on any input.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_EOI, _SOS, _APP1, _APP2 = 0xD9, 0xDA, 0xE1, 0xE2
_STANDALONE = frozenset({0x01, 0xD8})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # DHT, JPG and DAC share the range
_PROGRESSIVE = frozenset({0xC2, 0xCA})
_READABLE = _PROGRESSIVE | {0xC0, 0xC1, 0xC9}  # the rest is lossless or hierarchical, which nobody writes for shops
_ICC = b"ICC_PROFILE\x00"
_MAX_MARKERS = 10_000


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """A JPEG file's own account of itself.

    Args:
        width: As stored, before orientation, pixels.
        height: As stored, before orientation, pixels.
        components: 1 gray, 3 color, 4 CMYK or YCCK.
        progressive: Whether several scans refine the whole image.
        scans: How many scans there are; each costs a pass over the image.
        complete: Whether the end marker is there.
        orientation: EXIF orientation, 1-8.
        profile: ICC profile, ``None`` without one.
    """

    width: int
    height: int
    components: int
    progressive: bool
    scans: int
    complete: bool
    orientation: int
    profile: bytes | None


def read_jpeg(data: bytes) -> JpegHeader:
    """Walk the markers of a whole JPEG file; entropy-coded data is skipped at the speed of a byte search.

    Raises:
        ImageError: ``truncated``, ``corrupt``, ``too-costly`` or ``unsupported-format``.
    """
    frame: tuple[int, bytes] | None = None
    scans, orientation, complete = 0, 1, False
    chunks: dict[int, bytes] = {}
    position = 2
    for _ in range(_MAX_MARKERS):
        found = _MARKER.search(data, position)
        if found is None:
            break
        marker, position = data[found.start() + 1], found.end()
        if marker == _EOI:
            complete = True
            break
        if marker in _STANDALONE:
            continue
        length = int.from_bytes(data[position : position + 2], "big")
        body = data[position + 2 : position + length]
        if len(body) < length - 2:
            break
        if length < 2:
            raise _corrupt(f"segment 0x{marker:02x} has the impossible length {length}")
        if marker in _FRAMES:
            if frame is not None:
                raise _corrupt("it holds two frame headers")
            frame = (marker, body)
        elif marker == _SOS:
            scans += 1
        elif marker == _APP1 and body.startswith(b"Exif\x00\x00"):
            orientation = read_orientation(body)
        elif marker == _APP2 and body.startswith(_ICC) and len(body) > 14:
            chunks[body[12]] = body[14:]
        position += length
    else:
        raise ImageError(
            f"the JPEG holds more than {_MAX_MARKERS:,} segments", remedy="save the photo again", code="too-costly"
        )
    if frame is None or not scans:
        raise _missing(complete, what="an image" if frame is None else "image data")
    kind, body = frame
    width, height, components = _dimensions(kind, body)
    profile = b"".join(chunks[i] for i in sorted(chunks)) or None
    return JpegHeader(width, height, components, kind in _PROGRESSIVE, scans, complete, orientation, profile)


def _dimensions(kind: int, body: bytes) -> tuple[int, int, int]:
    """Width, height and number of components of a frame header that we can decode."""
    if kind not in _READABLE:
        raise ImageError(
            f"the file is a lossless or hierarchical JPEG (frame type 0x{kind:02x}), expected baseline or progressive",
            remedy="save the photo as an ordinary JPEG",
            code="unsupported-format",
        )
    if len(body) < 6:
        raise _corrupt("its frame header is too short")
    precision, components = body[0], body[5]
    if precision != 8:
        raise ImageError(
            f"the JPEG has {precision} bits a channel, expected 8",
            remedy="save the photo as an ordinary 8-bit JPEG",
            code="unsupported-format",
        )
    return int.from_bytes(body[3:5], "big"), int.from_bytes(body[1:3], "big"), components


def _missing(complete: bool, *, what: str) -> ImageError:
    if complete:
        return _corrupt(f"it holds no {what.removeprefix('an ')}")
    return ImageError(
        f"the JPEG is cut off before {what} begins", remedy="upload or download the photo again", code="truncated"
    )


def _corrupt(reason: str) -> ImageError:
    return ImageError(f"the JPEG is damaged: {reason}", remedy="upload or export the photo again", code="corrupt")
