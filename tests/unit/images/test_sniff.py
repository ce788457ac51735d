"""Telling files apart by their first bytes."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.errors import ImageError
from nitari.images.sniff import Unusable, require_photo, sniff


def ftyp(major: bytes, *compatible: bytes) -> bytes:
    """The first box of an ISO media file."""
    return struct.pack(">I4s4sI", 16 + 4 * len(compatible), b"ftyp", major, 0) + b"".join(compatible)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\xff\xd8\xff\xe0", "jpeg"),
        (b"\x89PNG\r\n\x1a\n", "png"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "webp"),
        (b"GIF87a", "gif"),
        (b"GIF89a", "gif"),
        (b"BM\x00\x00\x00\x00\x00\x00\x00\x00", "bmp"),
        (b"II*\x00", "tiff"),
        (b"MM\x00*", "tiff"),
        (ftyp(b"avif", b"mif1"), "avif"),
        (ftyp(b"mif1", b"avif"), "avif"),
        (ftyp(b"avis"), "avif"),
        (ftyp(b"heic", b"mif1"), "heic"),
        (ftyp(b"mif1", b"heic"), "heic"),
    ],
)
def test_photos(head: bytes, kind: str) -> None:
    """Each supported format is known by its magic."""
    assert sniff(head) == kind
    assert require_photo(head) == kind


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (ftyp(b"isom", b"mp41"), "MP4"),
        (ftyp(b"qt  "), "QuickTime"),
        (b"RIFF\x00\x00\x00\x00AVI ", "AVI video"),
        (b"\xff\x0a", "JPEG XL"),
        (b"  <!-- hello --><html>", "HTML"),
        (b"<script>location='/login'</script>", "HTML"),
        (b"<?xml version='1.0'?><svg/>", "SVG"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "XML"),
        (b"Not found", "Not found"),
        (b"\x01\x02\x03", "01 02 03"),
        (b"RIFF\x00\x00", "cut off after 6 bytes"),
        (ftyp(b"avif")[:10], "cut off after 10 bytes"),
        (b"BM was bought", "BM was bought"),
    ],
)
def test_everything_else_is_named(data: bytes, words: str) -> None:
    """What is no photo is told as what it is."""
    with pytest.raises(ImageError, match=words) as caught:
        require_photo(data)
    assert caught.value.remedy


@given(st.binary(min_size=1, max_size=100))
def test_any_bytes_are_something(data: bytes) -> None:
    """Any bytes are a kind, or unusable for a reason in words."""
    found = sniff(data)
    if isinstance(found, Unusable):
        assert found.found
        assert found.found.isprintable()
        assert found.code in ("html-page", "unsupported-format", "not-an-image", "truncated")
