"""The values that flow through Nitari: frozen, checked where they are made, the same words everywhere.

The words are those of ``docs/glossary.md``. Nothing here does I/O or knows a third-party library other than numpy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nitari.errors import UsageError

AttributeValue: TypeAlias = str | float | bool | tuple[str, ...]
"""A typed attribute: text, number (always float), boolean, or a list of texts."""

Attributes: TypeAlias = Mapping[str, AttributeValue]
FloatArray: TypeAlias = NDArray[np.float32]
ByteArray: TypeAlias = NDArray[np.uint8]
KeyArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]
Detail: TypeAlias = Literal["full", "low"]
"""How large networks see what they are shown."""

MAX_ID_LENGTH = 512
_NO_ATTRIBUTES: Attributes = MappingProxyType({})
# Spaces of other widths: str.isprintable refuses them, but file names on Japanese disks and macOS are full of them.
_WIDE_SPACES = str.maketrans(dict.fromkeys("\u00a0\u2002\u2003\u2009\u202f\u3000", " "))


def is_printable_id(value: str) -> bool:
    """Whether an id holds printable characters and spaces only: no control characters, no undecodable bytes."""
    return value.isprintable() or value.translate(_WIDE_SPACES).isprintable()


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of the upright image, normalized: ``0 <= x1 < x2 <= 1``, ``0 <= y1 < y2 <= 1``, y downward.

    Raises:
        UsageError: where the four numbers are not such a rectangle.
    """

    x1: float
    y1: float
    x2: float
    y2: float

    def __post_init__(self) -> None:
        if not (0.0 <= self.x1 < self.x2 <= 1.0 and 0.0 <= self.y1 < self.y2 <= 1.0):
            raise UsageError(
                f"box [{self.x1}, {self.y1}, {self.x2}, {self.y2}] is not a rectangle inside the image",
                remedy="give [x1, y1, x2, y2], shares of width and height, 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1",
                code="box",
            )

    @property
    def area(self) -> float:
        """Share of the image's area, 0-1."""
        return (self.x2 - self.x1) * (self.y2 - self.y1)

    def as_list(self) -> list[float]:
        """``[x1, y1, x2, y2]``, rounded to 4 digits (a tenth of a pixel of a 1000-pixel side), for JSON."""
        return [round(v, 4) for v in (self.x1, self.y1, self.x2, self.y2)]


WHOLE = Box(0.0, 0.0, 1.0, 1.0)
"""The box that is the whole image."""


@dataclass(frozen=True, slots=True)
class Item:
    """One sellable listing, as a feed gives it.

    Args:
        item_id: The feed's ``id``; unique in the catalog; 1-512 characters, no control characters.
        group_id: The feed's ``item_group_id``: the style whose colors and sizes are items. The item's own id if absent.
        title: May be empty.
        image_links: Main photo first, no duplicates, at least one. Relative paths use ``/``.
        attributes: Every other column, typed. Names are lower-case with underscores.

    Raises:
        UsageError: where an id or the list of images is not as above.
    """

    item_id: str
    image_links: tuple[str, ...]
    title: str = ""
    group_id: str = ""
    attributes: Attributes = field(default_factory=lambda: _NO_ATTRIBUTES)

    def __post_init__(self) -> None:
        if not self.group_id:
            object.__setattr__(self, "group_id", self.item_id)
        for name, value in (("id", self.item_id), ("item_group_id", self.group_id)):
            if not 0 < len(value) <= MAX_ID_LENGTH or not is_printable_id(value):
                raise UsageError(
                    f"{name} {value[:80]!r} ({len(value)} characters) is not 1-{MAX_ID_LENGTH} printable characters",
                    remedy=f"give each item an {name} of 1-{MAX_ID_LENGTH} printable characters",
                    code="item-id",
                )
        if not self.image_links:
            raise UsageError(
                f"item {self.item_id!r} has no image link",
                remedy="give at least one photo in image_link",
                code="no-image-link",
            )
        if len(set(self.image_links)) != len(self.image_links):
            raise UsageError(f"item {self.item_id!r} lists an image twice", code="duplicate-image-link")


@dataclass(frozen=True, slots=True)
class Rejection:
    """Something in the catalog's data that could not be used, kept so that nothing is skipped silently.

    Args:
        code: Stable kebab-case word for programs (the error's ``code``).
        reason: What was found and what was expected.
        remedy: What the feed's owner can do about it.
        item_id: The item, where it is known.
        image_link: The photo, where one is at fault; ``None`` where the row is.
        location: Where in the feed: ``"line 12"``, ``"row 3"``, ``"element 7"``.
        kept: True where an older good photo of this item stays searchable in its place.
    """

    code: str
    reason: str
    remedy: str = ""
    item_id: str | None = None
    image_link: str | None = None
    location: str | None = None
    kept: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """A decoded photo: upright, RGB, possibly scaled down while decoding.

    Args:
        pixels: uint8 ``[height, width, 3]``, RGB, C-contiguous, read-only by convention.
        width: Width of the upright original in pixels (not of ``pixels``).
        height: Height of the upright original in pixels.
    """

    pixels: ByteArray
    width: int
    height: int

    @property
    def aspect(self) -> float:
        """Width over height of the original."""
        return self.width / self.height


@dataclass(frozen=True, slots=True)
class Region:
    """A box with what is believed to be in it.

    Args:
        box: Where.
        label: What: ``"product"`` from a finder that tells only figure from ground, ``"whole"`` for the whole photo.
        score: How sure the finder is, 0-1.
        mask: uint8 ``[h, w]``, 0-255, over the WHOLE photo at the finder's own resolution (255 = product), or ``None``.
    """

    box: Box
    label: str
    score: float
    mask: ByteArray | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a vector that speaks of one thing: ``vector[start:stop]``.

    Args:
        name: ``shape`` (a network's features), ``color``, ``texture`` or ``aspect``; several blocks may share a name.
        start: First place.
        stop: The place after the last.
        share: Of a vector's squared length, 0-1, where it is the same for all vectors, as blocks are scaled one by one;
            ``None`` where vectors may differ in it.
    """

    name: str
    start: int
    stop: int
    share: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One vector of a photo, and the region it speaks for: what becomes one key in an index.

    Args:
        region: The region that is shown when this view matches.
        vector: float32 ``[dim]``, unit length.
    """

    region: Region
    vector: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Extraction:
    """All that one photo yields.

    Args:
        width: Of the upright original, pixels.
        height: Of the upright original, pixels.
        regions: What the finder found, largest first; empty if it found nothing.
        views: The vectors, at least one.
        lowlevel: float32 ``[300]`` color/texture descriptor of the largest region (the whole photo if there is none).
        timing_ms: Milliseconds by stage: ``decode``, ``regions``, ``embed``.
        worn: Probability that a query photo shows a worn garment, 0-1; ``None`` where nothing tells.
    """

    width: int
    height: int
    regions: tuple[Region, ...]
    views: tuple[View, ...]
    lowlevel: FloatArray | None
    timing_ms: Mapping[str, float]
    worn: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """What an index answers to one query vector: keys with distances, closest first; ties by smaller key.

    Args:
        keys: int64 ``[n]``.
        distances: float32 ``[n]``, cosine distance ``1 - cos``, in 0-2, ascending.
    """

    keys: KeyArray
    distances: FloatArray

    def __len__(self) -> int:
        return int(self.keys.size)


@dataclass(frozen=True, slots=True)
class Why:
    """Why an item was answered.

    Args:
        similarity: Cosine of the two vectors, or what of it the query's emphasis leaves; 1 is the same.
        contributions: What each kind of block adds to ``similarity``, by the names of ``Block``; they sum up to it.
        category: What the ranking added to the score because of the item's category, below 0 where it took away.
        rerank: What the second pass over all photos of the item added to the score.
    """

    similarity: float
    contributions: Mapping[str, float]
    category: float = 0.0
    rerank: float = 0.0


@dataclass(frozen=True, slots=True)
class Hit:
    """What search answers: an item, how alike it is, and which of its photos and regions says so.

    Args:
        item_id: The item.
        group_id: Its group.
        score: 0-1, larger is more alike: the probability that the item is relevant where the model is calibrated, else
            the cosine; the same meaning for every query of one model card.
        image: The link of the photo that matched best.
        box: The region of that photo that matched best.
        title: The item's title.
        attributes: The item's attributes.
        why: What the score is made of; ``None`` where the query did not ask.
        duplicates: Ids of listings that show the same photos and were left out in favor of this one, best first.
    """

    item_id: str
    group_id: str
    score: float
    image: str
    box: Box
    title: str = ""
    attributes: Attributes = field(default_factory=lambda: _NO_ATTRIBUTES)
    why: Why | None = None
    duplicates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Guess:
    """What a query was taken for.

    Args:
        value: The catalog's own word for it: a value of the attribute that says what items are.
        probability: How sure that is, 0-1.
        restricted: Whether only such items are among the answers, because the query wanted that and it is sure enough.
    """

    value: str
    probability: float
    restricted: bool = False


@dataclass(frozen=True, slots=True)
class FacetValue:
    """A value of an attribute, and how many items have it."""

    value: str | float | bool
    count: int


@dataclass(frozen=True, slots=True)
class Facet:
    """What the items that pass a filter have in one attribute.

    Args:
        name: The attribute.
        values: The most frequent ones, most frequent first.
        low: Smallest number among all items that pass, ``None`` where there is no number.
        high: Largest number, as ``low``.
    """

    name: str
    values: tuple[FacetValue, ...]
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Detection:
    """What is to be seen on a photo.

    Args:
        width: Of the upright original, pixels.
        height: Of the upright original, pixels.
        regions: The products found, largest first.
        timing_ms: Milliseconds by stage (``fetch decode regions total``).
    """

    width: int
    height: int
    regions: tuple[Region, ...]
    timing_ms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one query.

    Args:
        hits: Best first.
        timing_ms: Milliseconds by stage (``fetch decode regions embed search total``; only stages that ran).
        regions: The regions found on the query photo (empty for queries without a photo).
        query_box: The box that was searched with, ``None`` for queries without a photo.
        more: True where a larger ``offset`` would bring further hits.
        total: How many items pass the filter, whatever their score.
        facets: Counts, in the order asked for.
        seq: The catalog change that the answer is up to date with.
        plan: What each part of the index did for each query vector, and why, where the query asked to have that
            explained: plain values, by the names of ``nitari.index.base.Step``; ``None`` where it did not.
        category: What the query was taken for; ``None`` where that is not known or was not to be used.
        worn: Probability that the query photo shows a worn garment, 0-1; ``None`` where nothing tells.
        familiarity: How much the query shows what the model was trained on, 0-1; ``None`` where nothing tells.
    """

    hits: tuple[Hit, ...]
    timing_ms: Mapping[str, float]
    regions: tuple[Region, ...] = ()
    query_box: Box | None = None
    more: bool = False
    total: int = 0
    facets: tuple[Facet, ...] = ()
    seq: int = 0
    plan: tuple[Mapping[str, str | int | float], ...] | None = None
    category: Guess | None = None
    worn: float | None = None
    familiarity: float | None = None
