"""What the other containers say before they are decoded."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.errors import ImageError
from nitari.images.containers import READERS, Header, read_png
from support import picture
from support.picture import card, chunk, encoded, png, png_rows

SOUND = {
    "png": encoded(card(), "PNG"),
    "webp": encoded(card(), "WEBP"),
    "gif": encoded(card(), "GIF"),
    "bmp": encoded(card(), "BMP"),
    "tiff": encoded(card(), "TIFF"),
    "avif": encoded(card(), "AVIF"),
}


@pytest.mark.parametrize("kind", ["png", "webp", "gif", "bmp"])
def test_sizes(kind: str) -> None:
    """The size stands in the header."""
    header = READERS[kind](SOUND[kind])  # type: ignore[index]
    assert (header.width, header.height) == (96, 64)


def test_the_three_kinds_of_webp() -> None:
    """Lossy, lossless and extended files keep their sizes in different places."""
    for options in ({"quality": 80}, {"lossless": True}, {"quality": 80, "exif": picture.exif(1)}):
        header = READERS["webp"](encoded(card(), "WEBP", **options))
        assert (header.width, header.height) == (96, 64)


def test_a_png_keeps_its_picture_only() -> None:
    """Text, animation and unknown chunks never reach a decoder; orientation and profile are read here."""
    extra = (
        chunk(b"tEXt", b"a\x00b"),
        chunk(b"acTL", b"\x00" * 8),
        chunk(b"prVt", b"?"),
        chunk(b"eXIf", picture.exif(8)[6:]),
        chunk(b"iCCP", b"name\x00\x00" + zlib.compress(b"a profile")),
    )
    header = read_png(png(96, 64, 8, 2, png_rows(card()), *extra))
    assert (header.orientation, header.profile) == (8, b"a profile")
    assert header.data == png(96, 64, 8, 2, png_rows(card()))


@pytest.mark.parametrize("body", [b"", b"name", b"name\x00\x00", b"x" * 100 + b"\x00\x00x", b"n\x00\x00garbage"])
def test_bad_profiles_are_ignored(body: bytes) -> None:
    """A profile that cannot be read is as good as none."""
    assert read_png(png(96, 64, 8, 2, png_rows(card()), chunk(b"iCCP", body))).profile is None


@pytest.mark.parametrize("kind", sorted(READERS))
@given(data=st.data())
def test_any_bytes(kind: str, data: st.DataObject) -> None:
    """Damaged headers give a header or an ``ImageError``."""
    read: Callable[[bytes], Header] = READERS[kind]  # type: ignore[index]
    sound = SOUND.get(kind, SOUND["avif"])
    head = sound[: data.draw(st.integers(8, 64))] + data.draw(st.binary(max_size=100))
    try:
        header = read(head)
    except ImageError as exc:
        assert exc.remedy  # noqa: PT017 - either way is right
    else:
        assert header.width >= 0
