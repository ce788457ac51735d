"""Photos written anew: upright, small enough, with nothing but pixels in them."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from PIL import Image

from nitari.errors import ImageError
from nitari.images.decode import ImageDecoder
from nitari.server.reencode import reencode
from support.picture import CARD, card, corners_of, encoded, jpeg, noisy, stored, swapped_profile

DECODER = ImageDecoder()


def gps_exif(orientation: int) -> bytes:
    """An EXIF block with a place, a camera and an orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "SECRETCAMERA"
    exif.get_ifd(0x8825).update({1: "N", 2: (35.0, 41.0, 22.0), 3: "E", 4: (139.0, 41.0, 30.0)})
    return exif.tobytes()


def markers(data: bytes) -> list[int]:
    """The marker codes of a JPEG's segments, up to its first scan."""
    found, position = [], 2
    while data[position + 1] != 0xDA:
        assert data[position] == 0xFF
        found.append(data[position + 1])
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return found


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_and_clean(orientation: int) -> None:
    """A photo with a place, a camera and a turn in its EXIF comes out upright and without any of it."""
    photo = jpeg(stored(card(600, 400), orientation), exif=gps_exif(orientation), comment=b"SECRETCOMMENT")
    assert b"SECRET" in photo
    made = reencode(DECODER, photo, longest=160, quality=82)
    assert b"SECRET" not in made
    assert b"Exif" not in made
    assert set(markers(made)) <= {0xE0, 0xDB, 0xC0, 0xC4}  # JFIF, tables and the frame
    image = Image.open(io.BytesIO(made))
    assert image.size == (160, 107)
    assert not image.getexif()
    assert np.abs(corners_of(np.asarray(image)) - CARD).max() < 6


def test_profile_is_applied_and_gone() -> None:
    """Colors in another space are converted to sRGB, and the profile is not passed on."""
    made = reencode(DECODER, jpeg(card(600, 400), icc_profile=swapped_profile()), longest=160, quality=95)
    assert 0xE2 not in markers(made)
    swapped = [color[::-1] for color in CARD]
    assert np.abs(corners_of(np.asarray(Image.open(io.BytesIO(made)))) - swapped).max() < 12


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
def test_every_format_becomes_jpeg(kind: str) -> None:
    """Whatever came in, JPEG goes out."""
    made = reencode(DECODER, encoded(card(300, 200), kind), longest=150, quality=82)
    image = Image.open(io.BytesIO(made))
    assert (image.format, image.size) == ("JPEG", (150, 100))


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(("width", "height"), [(1000, 700), (700, 1000), (997, 101), (641, 641), (300, 30), (2000, 64)])
@pytest.mark.parametrize("longest", [64, 160, 320, 641])
def test_size(width: int, height: int, longest: int, *, known: bool) -> None:
    """The long side is what was asked for, or the original's where that is less; the shape stays."""
    shape = (width, height) if known else None
    made = reencode(DECODER, jpeg(noisy(width, height)), longest=longest, quality=82, shape=shape)
    found = Image.open(io.BytesIO(made)).size
    assert max(found) == min(longest, max(width, height))
    assert math.isclose(min(found), max(1, min(width, height) * max(found) / max(width, height)), abs_tol=1)


@pytest.mark.parametrize("data", [b"", b"not a photo", jpeg(noisy())[:5000]])
def test_no_photo(data: bytes) -> None:
    """Bytes that are not a usable photo are the decoder's error."""
    with pytest.raises(ImageError):
        reencode(DECODER, data, longest=160, quality=82)
