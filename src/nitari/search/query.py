"""What can be asked: one frozen value for every kind of query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from nitari.errors import UsageError
from nitari.types import Box, FloatArray

MAX_K = 1000
MAX_WINDOW = 10_000
MAX_FACETS = 32
MAX_FACET_VALUES = 1000

NEUTRAL = 0.5
"""The emphasis that leaves the model card's weights as they are."""

WornChoice: TypeAlias = Literal["auto", "off"] | float
CategoryChoice: TypeAlias = Literal["boost", "restrict", "off"]
RegionChoice: TypeAlias = Literal["auto", "whole", "largest"] | Box
"""``auto``: whole photo and product together; ``whole``; ``largest``: the largest product's box; a box of yours."""


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """One question to a catalog: exactly one of ``photo``, ``url``, ``item_id`` or ``vector``, or else ``liked`` alone.

    Args:
        photo: An image file's bytes.
        url: An ``http(s)`` link to an image.
        item_id: Items that look like this one (which is left out of the answer).
        vector: float32 ``[dim]`` of the collection's model; need not be unit length.
        liked: Items to be like. Without anything else to search with, they are the question, and are left out of the
            answer; beside something else, they bend the question their way and may be answered.
        disliked: Items to be unlike; always left out of the answer. Not without something to search with.
        region: Which part of the photo to search with (photo and url only).
        filter: JSON filter (see ``nitari.search.filters``); ``None`` for all items.
        k: How many hits, 1-1000.
        offset: How many hits to leave out first; ``offset + k`` <= 10,000.
        min_score: Hits below are left out, 0-1; ``None`` for no threshold.
        group_by: ``item``: each item once; ``group``: only the best item of each ``item_group_id``.
        facets: Attributes whose values are counted over all items that pass the filter, at most 32. A value's count
            says what choosing it would leave: the filter's own conditions on that attribute are set aside for it. As
            in a filter, one leading ``@`` is taken off a name: ``@@id`` counts the attribute ``@id``.
        facet_limit: Most values for each of ``facets``, 1-1000.
        explain: Whether the answer is to say how the index was searched (``Answer.plan``).
        emphasis: What being alike means, 0-1: 0 the same shape, 1 the same color, .5 as the model's card weighs them.
        worn: How much of what a wearer adds to a photo is taken out of its vector (photo and url only): ``auto``, as
            far as the photo shows one; ``off``; or a strength, 0-1.
        category: What to do about the kind of product that the query seems to show: ``boost`` its like, ``restrict``
            the answer to its like, or ``off``.
        collapse: Whether listings that show the very same photos are answered once, the others as its duplicates.
        why: Whether each hit is to say what its score is made of (``Hit.why``).

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
    facets: tuple[str, ...] = ()
    facet_limit: int = 20
    explain: bool = False
    emphasis: float = NEUTRAL
    worn: WornChoice = "auto"
    category: CategoryChoice = "boost"
    collapse: bool = True
    why: bool = False

    def __post_init__(self) -> None:
        given = [n for n in ("photo", "url", "item_id", "vector") if getattr(self, n) is not None]
        if len(given) > 1 or not (given or self.liked):
            found = " and ".join(given) or "none of them"
            raise UsageError(f"a query has exactly one of photo, url, item_id, vector, or liked; found {found}")
        if not 1 <= self.k <= MAX_K:
            raise UsageError(f"k is {self.k}; it must be 1-{MAX_K}")
        if self.offset < 0 or self.offset + self.k > MAX_WINDOW:
            raise UsageError(
                f"offset {self.offset} with k {self.k} is outside 0-{MAX_WINDOW}",
                remedy="narrow the search by a filter in place of paging on",
            )
        if self.min_score is not None and not 0.0 <= self.min_score <= 1.0:
            raise UsageError(f"min_score is {self.min_score}; it must be 0-1")
        if self.region not in ("auto", "whole", "largest") and not isinstance(self.region, Box):
            raise UsageError(f"region is {self.region!r}; it must be auto, whole, largest or a box")
        if self.group_by not in ("item", "group"):
            raise UsageError(f"group_by is {self.group_by!r}; it must be item or group")
        if not 0.0 <= self.emphasis <= 1.0:
            raise UsageError(f"emphasis is {self.emphasis}; it must be 0-1: 0 the same shape, 1 the same color")
        if self.worn not in ("auto", "off") and not (isinstance(self.worn, int | float) and 0.0 <= self.worn <= 1.0):
            raise UsageError(f"worn is {self.worn!r}; it must be auto, off or a strength, 0-1")
        if self.category not in ("boost", "restrict", "off"):
            raise UsageError(f"category is {self.category!r}; it must be boost, restrict or off")
        check_facets(self.facets, self.facet_limit)


def check_facets(names: Sequence[str], limit: int) -> None:
    """Raise ``UsageError`` where more is to be counted than can be asked for at a time."""
    if len(names) > MAX_FACETS or not 1 <= limit <= MAX_FACET_VALUES:
        raise UsageError(
            f"{len(names)} facets of {limit} values are asked for; at most {MAX_FACETS} of 1-{MAX_FACET_VALUES} values "
            "can be counted"
        )
