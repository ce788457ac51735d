"""EXIF orientation: read from anything, and undone exactly."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.images.exif import read_orientation, swaps_sides, turn_upright
from support import picture


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation(orientation: int) -> None:
    """All eight are read in both byte orders, with and without prefix, and turned back to the very picture."""
    little = picture.exif(orientation)
    big = b"MM\x00*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    assert [read_orientation(block) for block in (little, little[6:], big)] == [orientation] * 3
    card = picture.card()
    turned = picture.stored(card, orientation)
    upright = turn_upright(turned, orientation)
    assert np.array_equal(upright, card)
    assert upright.flags.c_contiguous
    assert swaps_sides(orientation) == (turned.shape != card.shape)


@pytest.mark.parametrize("block", [None, b"", b"Exif\x00\x00", picture.exif(0), picture.exif(9), picture.exif(6)[:20]])
def test_nothing_to_go_by(block: bytes | None) -> None:
    """Absent, impossible and cut-off orientations mean upright."""
    assert read_orientation(block) == 1


@given(st.sampled_from([b"II*\x00", b"MM\x00*", b"Exif\x00\x00II*\x00", b""]), st.binary(max_size=200))
def test_noise(start: bytes, rest: bytes) -> None:
    """Damaged EXIF never raises."""
    assert 1 <= read_orientation(start + rest) <= 8
