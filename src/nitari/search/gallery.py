"""What a process holds of one collection: an index and a table of items, following the catalog's change log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from math import inf
from threading import Lock
from time import monotonic

import numpy as np

from nitari.catalog.base import Catalog, IndexedItem
from nitari.errors import NotFoundError, StateError
from nitari.index.base import VectorIndex
from nitari.search.allowed import AllowedKeys
from nitari.search.filters import Filter
from nitari.search.items import ItemTable
from nitari.search.lock import ReadWriteLock
from nitari.types import FloatArray, KeyArray

# Changes applied at once: they are held in memory (1,000 items of 3 views x 1280 floats are 15 MB) and readers wait.
_CHANGES_AT_ONCE = 1_000
_ITEMS_AT_ONCE = 10_000
# How often to look again whether the catalog moved while it was read, before settling for items that are each right.
_ROUNDS = 16


@dataclass(frozen=True, slots=True, eq=False)
class Holding:
    """A gallery at rest: what one reader sees while it reads.

    Args:
        index: Keys and vectors.
        items: What the keys stand for.
        seq: The catalog change that both are up to date with.
        version: Changes whenever the items do.
    """

    index: VectorIndex
    items: ItemTable
    seq: int
    version: int

    def allowed(self, wanted: Filter) -> AllowedKeys:
        """A filter as an index understands it."""
        return AllowedKeys(self.items, wanted)


@dataclass(slots=True)
class _Pending:
    """Changes that were read from the catalog and not applied yet."""

    items: dict[str, IndexedItem | None] = field(default_factory=dict)
    vectors: dict[int, FloatArray] = field(default_factory=dict)


class Gallery:
    """One collection in memory, following the catalog. Build with ``Gallery.open``; read inside ``reading()``.

    Any number of threads may read while one refreshes; readers see the catalog as it was after some change, never
    half of one. That holds across items, too, as long as the catalog pauses now and then for the time it takes to read
    the last few changes; where it does not, or where a gallery is more than 1,000 changes behind, each item is right by
    itself while the gallery catches up.
    """

    def __init__(self, *, catalog: Catalog, index: VectorIndex, collection: str) -> None:
        self._catalog = catalog
        self._index = index
        self._collection = collection
        self._items = ItemTable()
        self._seq = 0
        self._version = 0
        self._refreshed_at = -inf
        self._lock = ReadWriteLock()
        self._following = Lock()

    @classmethod
    def open(cls, *, catalog: Catalog, index: VectorIndex, collection: str, indexed_at: int | None = None) -> Gallery:
        """Read the catalog and catch up with its change log.

        Args:
            catalog: The truth. The gallery closes it.
            index: Empty, or loaded from a snapshot of this collection. The gallery closes it.
            collection: Whose vectors.
            indexed_at: The catalog change that a loaded ``index`` was complete with (see ``save``); ``None`` for an
                index without a past, whose content is dropped.

        Raises:
            StateError: the catalog names keys whose vectors it does not have.
        """
        gallery = cls(catalog=catalog, index=index, collection=collection)
        gallery._fill(indexed_at)
        gallery.refresh()
        return gallery

    @property
    def collection(self) -> str:
        """The collection's name."""
        return self._collection

    @property
    def dim(self) -> int:
        """Width of its vectors."""
        return self._index.dim

    @property
    def seq(self) -> int:
        """The catalog change that the gallery is up to date with."""
        return self._seq

    @property
    def refreshed_at(self) -> float:
        """When the last ``refresh`` that went well began, by ``time.monotonic``: what is older is surely in here."""
        return self._refreshed_at

    @contextmanager
    def reading(self) -> Iterator[Holding]:
        """Hold the gallery still: everything read inside belongs to one state. Not to be nested; keep it short."""
        with self._lock.read():
            yield Holding(self._index, self._items, self._seq, self._version)

    def save(self, save: Callable[[VectorIndex, int], None]) -> None:
        """Call ``save(index, seq)`` while nothing changes, to write a snapshot that belongs to that catalog change."""
        with self._lock.read():
            save(self._index, self._seq)

    def refresh(self) -> int:
        """Apply what happened in the catalog since the last time. Returns how many items were read again.

        Where it fails, the gallery stays searchable as it was, and the next call tries again.

        Raises:
            StateError: the catalog names keys whose vectors it does not have, or went back in time.
        """
        count = 0
        with self._following:
            began = monotonic()
            while changes := self._catalog.changes(self._seq, limit=_CHANGES_AT_ONCE):
                pending, seq = self._read([change.item_id for change in changes], changes[-1].seq)
                self._apply(pending, seq)
                count += len(pending.items)
            if (seq := self._catalog.seq()) < self._seq:
                raise StateError(
                    f"the catalog is at change {seq}, behind change {self._seq} that was seen before",
                    remedy="restart, so that everything is read anew: an older catalog was put in its place",
                )
            if self._items.mostly_dead:
                self._compact()
            self._refreshed_at = began
        return count

    def explain_missing(self, item_id: str) -> NotFoundError:
        """The error for an item that cannot be searched by: not in the catalog, or there without a usable photo."""
        if self._catalog.get(item_id) is None:
            return NotFoundError(f"item {item_id[:80]!r} is not in the catalog", remedy="check the id, or import it")
        return NotFoundError(
            f"item {item_id[:80]!r} has no searchable photo in collection {self._collection!r}",
            remedy="see `nitari rejects` for what is wrong with its photos",
        )

    def ping(self) -> None:
        """Raise where the catalog does not answer."""
        self._catalog.ping()

    def close(self) -> None:
        """Close the index and the catalog, once nobody reads."""
        with self._following, self._lock.write():
            self._index.close()
            self._catalog.close()

    def _fill(self, indexed_at: int | None) -> None:
        """Read everything. What happens in the meantime is replayed from the change log afterwards."""
        # Read first: a change that comes between this line and the next is then replayed, which is harmless, as to
        # replay is to read the item's rows again.
        self._seq = self._catalog.seq()
        if indexed_at is None or indexed_at > self._seq:  # no past, or that of another catalog
            self._index.remove(self._index.keys())
        for items in _in_batches(self._catalog.indexed_items(collection=self._collection)):
            self._items.replace({item.item_id: item for item in items if item.keys.size})
        have, want = self._index.keys(), self._items.keys()
        self._index.remove(np.setdiff1d(have, want))
        missing = np.setdiff1d(want, have)
        if not missing.size:
            return
        few = missing.size < want.size // 2
        for keys, vectors in self._catalog.vectors(collection=self._collection, keys=missing if few else None):
            new = np.isin(keys, missing)
            if new.any():
                self._index.add(keys[new], vectors[new])

    def _read(self, item_ids: Sequence[str], seq: int) -> tuple[_Pending, int]:
        """Read items, and those that change meanwhile, until nothing does.

        Returns:
            What was read, and the catalog change that it belongs to.
        """
        pending = _Pending()
        rounds = 1
        while True:
            self._read_items(pending, item_ids)
            later = self._catalog.changes(seq, limit=_CHANGES_AT_ONCE)
            if not later or rounds == _ROUNDS or len(pending.items) + len(later) > _CHANGES_AT_ONCE:
                self._drop_incomplete(pending, settled=not later)
                return pending, seq
            rounds += 1
            seq, item_ids = later[-1].seq, [change.item_id for change in later]

    def _read_items(self, pending: _Pending, item_ids: Sequence[str]) -> None:
        """Read the rows of these items, and the vectors that are new."""
        wanted: dict[str, IndexedItem | None] = dict.fromkeys(item_ids)
        for item in self._catalog.indexed_items(collection=self._collection, item_ids=list(wanted)):
            # An item none of whose photos has a vector here cannot be found; it is as good as not there.
            wanted[item.item_id] = item if item.keys.size else None
        pending.items.update(wanted)
        needed = self._needed([item for item in wanted.values() if item is not None])
        new = np.asarray([key for key in needed.tolist() if key not in pending.vectors], np.int64)
        if new.size:
            for keys, vectors in self._catalog.vectors(collection=self._collection, keys=new):
                pending.vectors.update(zip(keys.tolist(), vectors, strict=True))

    def _needed(self, items: Sequence[IndexedItem]) -> KeyArray:
        """The keys of ``items`` that are not indexed yet. A key that is keeps its vector: keys are never used twice."""
        keys = np.concatenate([np.empty(0, np.int64), *(item.keys for item in items)])
        return keys[~self._items.known(keys)]

    def _drop_incomplete(self, pending: _Pending, *, settled: bool) -> None:
        """Leave out items whose vectors went away while they were read: a change not yet seen took them.

        Where the catalog was ``settled`` while it was read, no such change exists, and the catalog is damaged.
        """
        for item_id, item in list(pending.items.items()):
            if item is None or all(key in pending.vectors for key in self._needed([item]).tolist()):
                continue
            if settled:
                raise StateError(
                    f"the catalog has no vectors for some photos of item {item_id!r}",
                    remedy="import the item again, or restore the catalog from a backup",
                )
            del pending.items[item_id]

    def _apply(self, pending: _Pending, seq: int) -> None:
        """Make the index and the table what was read."""
        keys = self._needed([item for item in pending.items.values() if item is not None])
        vectors = np.asarray([pending.vectors[key] for key in keys.tolist()], np.float32)
        with self._lock.write():
            if keys.size:  # first, as it alone may refuse; keys that stand for nothing yet are never answered
                self._index.add(keys, vectors)
            gone = self._items.replace(pending.items)
            if gone.size:
                self._index.remove(gone)
            self._seq = seq
            self._version += 1

    def _compact(self) -> None:
        """Drop dead rows. Readers go on with the old table until the new one is ready."""
        table = self._items.compacted()
        with self._lock.write():
            self._items = table
            self._version += 1


def _in_batches(items: Iterable[IndexedItem]) -> Iterator[list[IndexedItem]]:
    """Items in lists of a bounded length."""
    rest = iter(items)
    while batch := list(islice(rest, _ITEMS_AT_ONCE)):
        yield batch
