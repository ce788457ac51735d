"""The port of region finders: a photo in, the products on it out."""

from __future__ import annotations

from typing import Protocol

from nitari.types import Photo, Region


class RegionFinder(Protocol):
    """Finds products on a photo. Safe to call from several threads at once."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever the regions could: weights, thresholds, the rule from mask to box."""
        ...

    @property
    def short_side(self) -> int:
        """Pixels of short side it wants to see; 0 if it does not look at the pixels."""
        ...

    def find(self, photo: Photo) -> tuple[Region, ...]:
        """The products found, largest box first; empty where there is none to tell from the background."""
        ...
