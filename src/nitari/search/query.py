"""What can be asked: one frozen value for every kind of query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from nitari.errors import UsageError
from nitari.types import Box, FloatArray

MAX_K = 1000
MAX_WINDOW = 10_000

RegionChoice: TypeAlias = Literal["auto", "whole", "largest"] | Box
"""``auto``: whole photo and product together; ``whole``; ``largest``: the largest product's box; a box of yours."""


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """One question to a catalog: exactly one of ``photo``, ``url``, ``item_id``, ``vector`` or ``liked``.

    Args:
        photo: An image file's bytes.
        url: An ``http(s)`` link to an image.
        item_id: Items that look like this one (which is left out of the answer).
        vector: float32 ``[dim]`` of the collection's model; need not be unit length.
        liked: Items to be like; with ``disliked`` (optional) items to be unlike. All are left out of the answer.
        disliked: See ``liked``.
        region: Which part of the photo to search with (photo and url only).
        filter: JSON filter (see ``nitari.search.filters``); ``None`` for all items.
        k: How many hits, 1-1000.
        offset: How many hits to leave out first; ``offset + k`` <= 10,000.
        min_score: Hits below are left out, 0-1; ``None`` for no threshold.
        group_by: ``item``: each item once; ``group``: only the best item of each ``item_group_id``.

    Raises:
        UsageError: where the arguments are not as above.
    """

    photo: bytes | None = None
    url: str | None = None
    item_id: str | None = None
    vector: FloatArray | None = None
    liked: tuple[str, ...] = ()
    disliked: tuple[str, ...] = ()
    region: RegionChoice = "auto"
    filter: Mapping[str, Any] | None = None
    k: int = 20
    offset: int = 0
    min_score: float | None = None
    group_by: Literal["item", "group"] = "item"

    def __post_init__(self) -> None:
        given = [n for n in ("photo", "url", "item_id", "vector") if getattr(self, n) is not None]
        if self.liked:
            given.append("liked")
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            raise UsageError(f"a query has exactly one of photo, url, item_id, vector, liked; found {found}")
        if self.disliked and not self.liked:
            raise UsageError("disliked items need at least one liked item beside them")
        if not 1 <= self.k <= MAX_K:
            raise UsageError(f"k is {self.k}; it must be 1-{MAX_K}")
        if self.offset < 0 or self.offset + self.k > MAX_WINDOW:
            raise UsageError(f"offset {self.offset} with k {self.k} is outside 0-{MAX_WINDOW}")
        if self.min_score is not None and not 0.0 <= self.min_score <= 1.0:
            raise UsageError(f"min_score is {self.min_score}; it must be 0-1")
        if self.region not in ("auto", "whole", "largest") and not isinstance(self.region, Box):
            raise UsageError(f"region is {self.region!r}; it must be auto, whole, largest or a box")
        if self.group_by not in ("item", "group"):
            raise UsageError(f"group_by is {self.group_by!r}; it must be item or group")
