"""HEIC: an optional library, found missing with a remedy, and its errors turned into ours."""

from __future__ import annotations

import sys
from pathlib import Path

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


@pytest.mark.parametrize("damage", [b"Exi\xc0", b"\xff\xff\xff\xff", b"Ex\x01f"])
def test_item_types_that_are_not_text(damage: bytes, tmp_path: Path) -> None:
    """An item type that is not text must never reach pi-heif 1.4, which crashes over it."""
    pytest.importorskip("pi_heif", reason="needs the extra heic")
    write_good_images(tmp_path)
    data = (tmp_path / "upright.heic").read_bytes()
    assert data.count(b"Exif\x00\x00\x00\x00\x0epitm") == 1
    with pytest.raises(ImageError) as caught:
        open_heic(data.replace(b"Exif\x00\x00\x00\x00\x0epitm", damage + b"\x00\x00\x00\x00\x0epitm"))
    assert caught.value.code == "corrupt"


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
