"""The photo of nothing."""

from __future__ import annotations

from nitari.images.decode import ImageDecoder
from nitari.search.blank import blank_photo


def test_it_decodes() -> None:
    """The photo that is used for warming up decodes."""
    photo = ImageDecoder(max_bytes=10_000, max_pixels=10_000).decode(blank_photo(), short_side=0)
    assert photo.pixels.shape == (64, 64, 3)
    assert photo.pixels.min() == 255
