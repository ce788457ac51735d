"""What a JPEG says about itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.errors import ImageError
from nitari.images.jpeg import read_jpeg
from support import picture
from support.picture import jpeg, noisy


def test_header() -> None:
    """Size, components, scans, orientation, profile and end are read from the markers."""
    header = read_jpeg(jpeg(exif=picture.exif(6), icc_profile=b"a profile"))
    assert (header.width, header.height, header.components) == (96, 64, 3)
    assert (header.progressive, header.scans, header.complete) == (False, 1, True)
    assert (header.orientation, header.profile) == (6, b"a profile")


def test_progressive() -> None:
    """Every scan of a progressive file is counted, as many as the file holds."""
    data = jpeg(noisy(), progressive=True)
    header = read_jpeg(data)
    assert header.progressive
    assert header.scans == data.count(b"\xff\xda") > 5


def test_markers_inside_segments_do_not_count() -> None:
    """A thumbnail's scans and end lie inside a segment, and belong to it; what follows the end belongs to nobody."""
    header = read_jpeg(jpeg(exif=picture.exif(1) + jpeg(progressive=True)) + jpeg() * 3)
    assert header.scans == 1
    assert header.complete
    hidden = jpeg(noisy(), progressive=True, comment=b"\xff\xd9\xff\xda" * 10)
    assert read_jpeg(hidden).scans == read_jpeg(jpeg(noisy(), progressive=True)).scans


def test_a_profile_in_pieces() -> None:
    """A profile too long for one segment is put together again."""
    profile = bytes(range(256)) * 600
    assert read_jpeg(jpeg(icc_profile=profile)).profile == profile


@given(st.binary(max_size=400))
def test_noise(rest: bytes) -> None:
    """Whatever follows the first marker is a header or an ``ImageError``."""
    try:
        header = read_jpeg(b"\xff\xd8\xff" + rest)
    except ImageError:
        return
    assert header.scans > 0


@pytest.mark.parametrize("filler", [b"\xff", b"\xff\x00", b"\xff\xd0", b"\x00"])
def test_long_runs_take_no_time(filler: bytes) -> None:
    """Megabytes of fill bytes are skipped in one pass (a test that hangs has failed)."""
    with pytest.raises(ImageError):
        read_jpeg(b"\xff\xd8\xff" + filler * 4_000_000)
