"""What goes into the catalog and what comes out of it: values of its ports, which ``base.py`` offers with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import TypeAlias

from nitari.errors import UsageError
from nitari.types import Attributes, Box, FloatArray, Item, KeyArray, Rejection

DEFAULT_ALIAS = "default"
"""The alias that is meant where a client names no collection."""
Recipe: TypeAlias = Mapping[str, str | bool]
"""The settings that a collection's extractor is built from, as JSON keeps them."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def check_name(what: str, name: str) -> None:
    """Refuse a name of a collection or alias that cannot be a folder's and an address's.

    Raises:
        UsageError: anything but 1-64 lower-case letters, digits, dots, underscores and hyphens.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{what} name {name[:80]!r} is not 1-64 lower-case letters, digits, '.', '_' or '-'",
            remedy="choose a name such as 'siglip2-2026-11'",
            code="collection-name",
        )


@dataclass(frozen=True, slots=True)
class FeedRow:
    """One row of a feed that could be read.

    Args:
        item: The item.
        location: Where it stands in the feed (``"line 12"``).
        rejections: Attributes that could not be used (a bad price); the item goes on without them.
    """

    item: Item
    location: str
    rejections: tuple[Rejection, ...] = ()


@dataclass(frozen=True, slots=True)
class CollectionSpec:
    """What the vectors of a collection are: written at its creation, compared at every opening.

    Args:
        name: The collection's name: the model card's, unless somebody chose another.
        dim: Width of its vectors.
        fingerprint: Of everything that shapes a vector: weights, preprocessing, region finder, views.
        recipe: What its extractor is built from; ``None`` where that is not known.

    Raises:
        UsageError: a name that cannot be a folder's.
    """

    name: str
    dim: int
    fingerprint: str
    recipe: Recipe | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        check_name("collection", self.name)


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """A collection as the catalog has it.

    Args:
        spec: What its vectors are.
        maintained: Whether new and changed photos get features in it: an alias names it or did so before, or it is
            being built.
        vectors: How many it has.
        photos: Photos with features in it.
        lacking: Photos without.
    """

    spec: CollectionSpec
    maintained: bool
    vectors: int
    photos: int
    lacking: int

    @property
    def name(self) -> str:
        """The collection's name."""
        return self.spec.name


@dataclass(frozen=True, slots=True)
class Alias:
    """A name that clients use.

    Args:
        name: The alias.
        collection: What it names now.
        previous: What it named before, and is one step back; ``None`` where it never named anything else, or that was
            dropped.
        at: Since when.
    """

    name: str
    collection: str
    previous: str | None
    at: datetime


@dataclass(frozen=True, slots=True, eq=False)
class StoredRegion:
    """A region as the catalog keeps it: where, what, how sure; the mask is not kept."""

    box: Box
    label: str
    score: float


@dataclass(frozen=True, slots=True, eq=False)
class StoredView:
    """A vector about to be stored, with the region it speaks for (float32 ``[dim]``, kept as fp16)."""

    region: StoredRegion
    vector: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class PhotoFeatures:
    """What extraction found on one photo, as the catalog stores it.

    Args:
        width: Of the upright original, pixels.
        height: Of the upright original, pixels.
        regions: All that was found, largest first.
        views: One for each key to index.
        lowlevel: float32 ``[300]`` or ``None``.
    """

    width: int
    height: int
    regions: tuple[StoredRegion, ...]
    views: tuple[StoredView, ...]
    lowlevel: FloatArray | None


_NO_FEATURES: Mapping[str, PhotoFeatures] = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class ImagePut:
    """One photo of an item that is being put.

    Args:
        link: As the feed gives it.
        digest: SHA-256 of the original, hex.
        etag: Validator for a conditional re-fetch.
        last_modified: Validator for a conditional re-fetch.
        features: New features; ``None`` keeps those stored for this item and link (whose digest must be this one), or
            the lack of any.
        other_features: New features in further collections, by name. They never replace any that are stored for this
            item, link and digest, which stay in collections that are not named here, too.
    """

    link: str
    digest: str
    etag: str | None = None
    last_modified: str | None = None
    features: PhotoFeatures | None = None
    other_features: Mapping[str, PhotoFeatures] = field(default_factory=lambda: _NO_FEATURES)


@dataclass(frozen=True, slots=True, eq=False)
class FeaturesPut:
    """Features for a photo that is stored already, named by its item, link and digest."""

    item_id: str
    link: str
    digest: str
    features: PhotoFeatures


@dataclass(frozen=True, slots=True)
class LackingPhoto:
    """A stored photo without features in some collection.

    Args:
        item_id: Its item.
        link: As the feed gave it.
        digest: SHA-256 of the original, hex.
        image_base: What a relative link is relative to.
    """

    item_id: str
    link: str
    digest: str
    image_base: str | None


@dataclass(frozen=True, slots=True)
class Lack:
    """Why a stored photo could not be given features in some collection.

    Args:
        item_id: Its item.
        link: As the feed gave it.
        digest: SHA-256 of the original that the catalog knows, hex.
        code: Stable kebab-case word for programs.
        reason: What was found and what was expected.
        remedy: What to do about it.
    """

    item_id: str
    link: str
    digest: str
    code: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True, eq=False)
class ItemPut:
    """An item to insert or replace, with the photos it shall have afterwards, in order, at least one.

    Args:
        item: What the feed says, ALL its image links included, the rejected ones too.
        feed_id: The feed that owns the item from now on; ``None`` for an edit through the API.
        row_digest: Digest of the row, to see next time that nothing changed.
        images: The photos that are usable. Stored photos of the item that are not listed are removed.
    """

    item: Item
    feed_id: str | None
    row_digest: str
    images: tuple[ImagePut, ...]


@dataclass(frozen=True, slots=True)
class ItemDelete:
    """An item to delete; unknown ids are ignored."""

    item_id: str


@dataclass(frozen=True, slots=True)
class ItemRejections:
    """What is wrong with an item now; replaces what was wrong with it before. Exactly one of the two places is given.

    Args:
        feed_id: The feed that says so.
        run_id: The import that raised them; ``Catalog.finish_run`` forgets those of earlier ones.
        item_id: The item they belong to; replaces what was recorded under this item.
        location: For a row that did not become an item (its rejection may still name one): replaces what was recorded
            under this place.
        rejections: What is wrong; empty to clear.
    """

    feed_id: str
    run_id: str
    item_id: str | None
    location: str | None
    rejections: tuple[Rejection, ...]


Edit = ItemPut | ItemDelete | ItemRejections


@dataclass(frozen=True, slots=True)
class KnownImage:
    """What the plan needs to know of a stored photo; ``extracted`` is whether it has features in the collection."""

    link: str
    digest: str
    etag: str | None
    last_modified: str | None
    extracted: bool = True


@dataclass(frozen=True, slots=True)
class KnownItem:
    """What the plan needs to know of a stored item."""

    item_id: str
    feed_id: str | None
    row_digest: str
    images: tuple[KnownImage, ...]


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A photo of a stored item."""

    link: str
    digest: str
    width: int
    height: int
    regions: tuple[StoredRegion, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class StoredItem:
    """An item as the catalog has it.

    Args:
        item: As it was put.
        feed_id: The feed that owns it; ``None`` if it came through the API.
        image_base: What its relative image links are relative to.
        images: Its usable photos, main first.
        seq: Number of the change that last touched it.
    """

    item: Item
    feed_id: str | None
    image_base: str | None
    images: tuple[StoredImage, ...]
    seq: int


class ChangeKind(Enum):
    """What a change did, as far as an index cares."""

    PUT = "put"
    """Vectors changed: read the item's rows again."""
    ATTRIBUTES = "attributes"
    """Only title, group or attributes changed: vectors and keys are the same."""
    DELETE = "delete"
    """The item is gone."""


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the change log."""

    seq: int
    kind: ChangeKind
    item_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class IndexedItem:
    """What a searcher holds of an item: everything a filter or a hit needs, and the keys that stand for it.

    Args:
        item_id: The item.
        group_id: Its group.
        title: Its title.
        attributes: Its attributes.
        keys: int64 ``[n]``, one a view, in the order of its photos.
        images: For each key, the link of its photo.
        boxes: For each key, the region it speaks for.
    """

    item_id: str
    group_id: str
    title: str
    attributes: Attributes
    keys: KeyArray
    images: tuple[str, ...]
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class CatalogStats:
    """Counts for ``nitari stats``: rows by table, and items by feed."""

    items: int
    groups: int
    images: int
    vectors: Mapping[str, int]
    rejections: int
    seq: int
    feeds: Mapping[str, int]
