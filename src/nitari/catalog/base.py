"""The ports of the catalog: feeds to read items from, and the store of truth that outlives every index file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Protocol

from nitari.types import Attributes, Box, FloatArray, Item, KeyArray, Rejection


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


class Feed(Protocol):
    """A source of items. Reading never raises for a bad row: that row comes out as a ``Rejection``."""

    @property
    def feed_id(self) -> str:
        """Stable name of the feed: ``--sync`` deletes only what this name brought in."""
        ...

    @property
    def image_base(self) -> str | None:
        """What relative image links are relative to: an absolute folder path, or ``None`` if only URLs are allowed."""
        ...

    @property
    def size_hint(self) -> int | None:
        """About how many rows there are, for the progress bar; ``None`` if that is not known cheaply."""
        ...

    def read(self) -> Iterator[FeedRow | Rejection]:
        """Rows in the feed's order.

        Raises:
            FeedError: a feed that cannot be read at all, or not any further.
        """
        ...


@dataclass(frozen=True, slots=True)
class CollectionSpec:
    """What the vectors of a collection are: written at its creation, compared at every opening.

    Args:
        name: The collection's name: the model card's.
        dim: Width of its vectors.
        fingerprint: Of everything that shapes a vector: weights, preprocessing, region finder, views.
    """

    name: str
    dim: int
    fingerprint: str


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


@dataclass(frozen=True, slots=True, eq=False)
class ImagePut:
    """One photo of an item that is being put.

    Args:
        link: As the feed gives it.
        digest: SHA-256 of the original, hex.
        etag: Validator for a conditional re-fetch.
        last_modified: Validator for a conditional re-fetch.
        features: New features; ``None`` keeps those stored for this item and link (whose digest must be this one).
    """

    link: str
    digest: str
    etag: str | None = None
    last_modified: str | None = None
    features: PhotoFeatures | None = None


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
    """What the plan needs to know of a stored photo."""

    link: str
    digest: str
    etag: str | None
    last_modified: str | None


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


class Catalog(Protocol):
    """The truth: items, photos with digests, regions, vectors, rejections and a change log in commit order.

    Safe to use from several threads and processes. ``apply`` is atomic and durable: when it returns, a power cut
    loses nothing of it; when it does not return, nothing of it is there.
    """

    def register_collection(self, spec: CollectionSpec) -> None:
        """Create the collection, or check that it is what it was.

        Raises:
            ConfigurationError: the collection exists with another fingerprint or width.
        """
        ...

    def register_feed(self, feed_id: str, image_base: str | None) -> None:
        """Remember a feed and what its relative links are relative to."""
        ...

    def apply(self, edits: Sequence[Edit], *, collection: str) -> int:
        """Carry out edits in order, in one transaction. Returns the number of the last change (0 if none ever).

        An ``ItemPut`` that changes nothing leaves no change behind. Keys are never used twice.
        """
        ...

    def known(self, item_ids: Sequence[str], *, collection: str) -> Mapping[str, KnownItem]:
        """What is stored of these items, those that have vectors in ``collection``; absent ones are left out."""
        ...

    def get(self, item_id: str) -> StoredItem | None:
        """One item, whole."""
        ...

    def features(self, digest: str, *, collection: str) -> PhotoFeatures | None:
        """The features stored for a photo with this digest, of whichever item; ``None`` if there are none."""
        ...

    def feed_item_ids(self, feed_id: str) -> Iterator[str]:
        """The ids of the items that this feed owns."""
        ...

    def digests(self) -> Iterator[str]:
        """The digest of every stored photo; the same one again where items share a photo."""
        ...

    def image_links(self, prefix: str) -> Iterator[str]:
        """Every image link of an item that starts with ``prefix``, those of rejected photos included."""
        ...

    def indexed_items(self, *, collection: str, item_ids: Sequence[str] | None = None) -> Iterator[IndexedItem]:
        """What a searcher holds of all items (or these), in one consistent read, ordered by item number."""
        ...

    def vectors(self, *, collection: str, keys: KeyArray | None = None) -> Iterator[tuple[KeyArray, FloatArray]]:
        """Vectors in batches: int64 ``[n]``, float32 ``[n, dim]`` unit rows, by ascending key; all if ``None``."""
        ...

    def seq(self) -> int:
        """The number of the last committed change; 0 in an empty catalog."""
        ...

    def changes(self, after: int, *, limit: int = 1000) -> Sequence[Change]:
        """Changes with ``seq > after``, ascending, at most ``limit``."""
        ...

    def rejections(self, *, feed_id: str | None = None) -> Iterator[tuple[str, Rejection]]:
        """What is rejected at present, with the feed's id, ordered by feed and time."""
        ...

    def finish_run(self, feed_id: str, run_id: str) -> None:
        """A run has read the whole feed: forget this feed's rejections that it did not raise again."""
        ...

    def stats(self) -> CatalogStats:
        """Counts."""
        ...

    def ping(self) -> None:
        """Raise ``DependencyError`` or ``StateError`` where the store does not answer."""
        ...

    def close(self) -> None:
        """Close connections."""
        ...
