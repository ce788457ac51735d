"""The ports of the catalog: feeds to read items from, and the store of truth that outlives every index file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Protocol, TypeAlias

from nitari.catalog.recovery import Recoverable
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


class Catalog(Recoverable, Protocol):
    """The truth: items, photos with digests, regions, vectors, rejections and a change log in commit order.

    Safe to use from several threads and processes. ``apply`` is atomic and durable: when it returns, a power cut
    loses nothing of it; when it does not return, nothing of it is there.
    """

    def register_collection(self, spec: CollectionSpec) -> None:
        """Create the collection, or check that it is what it was; remember its recipe where none is known.

        Raises:
            ConfigurationError: the collection exists with another fingerprint or width.
        """
        ...

    def collection(self, name: str) -> CollectionSpec:
        """What the vectors of a collection are. Cheap.

        Raises:
            NotFoundError: no collection has this name.
        """
        ...

    def collections(self) -> tuple[CollectionInfo, ...]:
        """Every collection with its counts, in the order of registration; some 0.1 s for a million photos."""
        ...

    def maintained(self) -> tuple[CollectionSpec, ...]:
        """The collections that new and changed photos get features in, in the order of registration. Cheap."""
        ...

    def maintain(self, collection: str) -> None:
        """Count a collection among the maintained ones though no alias names it: it is being built.

        Raises:
            NotFoundError: no collection has this name.
        """
        ...

    def retire(self, collection: str) -> None:
        """Take ``maintain`` back, and let no alias lead back to this collection. One that an alias names stays.

        Raises:
            NotFoundError: no collection has this name.
        """
        ...

    def drop_collection(self, name: str) -> None:
        """Delete a collection with its vectors. It is gone at once; its rows go in transactions of bounded length.

        Repeated after a kill it ends what was begun. Nothing is logged: whoever still reads it gets ``NotFoundError``.

        Raises:
            NotFoundError: no collection has this name.
            UsageError: an alias names it.
        """
        ...

    def aliases(self) -> tuple[Alias, ...]:
        """Every alias, by name."""
        ...

    def resolve(self, alias: str) -> str | None:
        """The collection that an alias names; ``None`` where there is no such alias. Cheap."""
        ...

    def point(self, alias: str, collection: str) -> Alias:
        """Let an alias name a collection from now on, in one step; what it named before is remembered.

        Raises:
            NotFoundError: no collection has this name.
            UsageError: an alias that cannot be a name.
        """
        ...

    def point_back(self, alias: str) -> Alias:
        """Let an alias name what it named before; once more leads forth again.

        Raises:
            NotFoundError: there is no such alias, or nothing that it named before.
        """
        ...

    def lacking(self, collection: str) -> Iterator[LackingPhoto]:
        """Stored photos without features in a collection, by image number; one item's come together.

        Read in pages: what is put meanwhile comes out as well, what got features meanwhile does not; no transaction
        stays open between two photos.
        """
        ...

    def add_features(self, photos: Sequence[FeaturesPut], *, collection: str) -> int:
        """Give stored photos their features in a collection, in one transaction; a PUT is logged for each item.

        Photos that are gone, that have another digest by now or that have features already are left alone.

        Returns:
            How many photos got features.
        """
        ...

    def record_lacks(self, lacks: Sequence[Lack], *, collection: str) -> None:
        """Remember why these photos could not be given features; replaces what was remembered of them."""
        ...

    def lacks(self, collection: str) -> Iterator[Lack]:
        """What is remembered of photos that still have no features in a collection, by image number."""
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
        """What is stored of these items, by id; absent ones are left out."""
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

    def keys(self, *, collection: str) -> tuple[int, KeyArray]:
        """All keys that stand for an item, and the change at which: int64 ``[n]``, ascending; a second a million."""
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
