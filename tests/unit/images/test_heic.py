"""HEIC: an optional library, found missing with a remedy, and its errors turned into ours."""

from __future__ import annotations

import sys

import pytest

from nitari.errors import ImageError
from nitari.images.heic import open_heic
from support.good_inputs import write_good_images


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(ImageError) as caught:
        open_heic(b"")
    assert caught.value.code == "heic-unavailable"
    assert "nitari[heic]" in caught.value.remedy


def test_nothing_is_decoded_on_opening(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The upright size is known before any pixel is; noise is an ``ImageError``."""
    pytest.importorskip("pi_heif", reason="needs the extra heic")
    folder = tmp_path_factory.mktemp("heic")
    write_good_images(folder)
    raster = open_heic((folder / "orientation-6.heic").read_bytes())
    assert (raster.width, raster.height) == (96, 64)
    assert raster.exif is None
    assert raster.pixels(0).shape == (64, 96, 3)
    with pytest.raises(ImageError):
        open_heic(b"\x00\x00\x00\x14ftypheic" + b"\x00" * 50)
