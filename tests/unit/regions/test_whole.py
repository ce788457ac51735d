"""The finder that finds nothing."""

from __future__ import annotations

from nitari.regions.whole import WholeFinder
from support.scenes import garment, photo_of


def test_finds_nothing() -> None:
    """No region on any photo, and no resolution asked for."""
    finder = WholeFinder()
    assert finder.find(photo_of(garment())) == ()
    assert finder.short_side == 0
    assert finder.fingerprint == "whole"
