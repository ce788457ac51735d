"""The ports of the catalog: feeds to read items from, and the store of truth that outlives every index file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from nitari.catalog.recovery import Recoverable
from nitari.catalog.values import (
    DEFAULT_ALIAS,
    Alias,
    CatalogStats,
    Change,
    ChangeKind,
    CollectionInfo,
    CollectionSpec,
    Edit,
    FeaturesPut,
    FeedRow,
    ImagePut,
    IndexedItem,
    ItemDelete,
    ItemPut,
    ItemRejections,
    KnownImage,
    KnownItem,
    Lack,
    LackingPhoto,
    PhotoFeatures,
    Recipe,
    StoredImage,
    StoredItem,
    StoredRegion,
    StoredView,
    check_name,
)
from nitari.types import FloatArray, KeyArray, Rejection

__all__ = [
    "DEFAULT_ALIAS",
    "Alias",
    "Catalog",
    "CatalogStats",
    "Change",
    "ChangeKind",
    "CollectionInfo",
    "CollectionSpec",
    "Edit",
    "FeaturesPut",
    "Feed",
    "FeedRow",
    "ImagePut",
    "IndexedItem",
    "ItemDelete",
    "ItemPut",
    "ItemRejections",
    "KnownImage",
    "KnownItem",
    "Lack",
    "LackingPhoto",
    "PhotoFeatures",
    "Recipe",
    "StoredImage",
    "StoredItem",
    "StoredRegion",
    "StoredView",
    "check_name",
]


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

    def key_changes(
        self, after: int, *, collection: str, at_most: int = 100_000
    ) -> tuple[int, KeyArray, KeyArray] | None:
        """What became of the keys of all items that changed after change ``after``; costs as much as there changed.

        Returns:
            The last change, the keys that these items have now, and those that they had at ``after`` or since and have
            no more: int64 ``[n]`` each, ascending. ``None`` where that cannot be told: the history does not reach back
            that far, it is damaged, the catalog is older than that, or there are more than ``at_most`` changes.
        """
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
