"""What a process holds of one collection: an index and a table of items, following the catalog's change log."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from threading import Lock
from time import monotonic
from typing import cast

import numpy as np

from nitari.catalog.base import Catalog
from nitari.errors import NotFoundError, StateError
from nitari.index.base import Edition, Editions, Sealed, Segmented, VectorIndex
from nitari.search.allowed import AllowedKeys
from nitari.search.filters import Filter
from nitari.search.following import Follower, Pending, needed
from nitari.search.items import ItemTable
from nitari.search.lock import ReadWriteLock
from nitari.search.tables import open_table
from nitari.types import FloatArray, KeyArray

log = logging.getLogger(__name__)


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


@dataclass(frozen=True, slots=True)
class Published:
    """An index that takes over sealed segments, and where a maintainer publishes them.

    Args:
        index: The gallery's own index.
        editions: What is published of the collection.
    """

    index: Segmented
    editions: Editions


class Gallery:
    """One collection in memory, following the catalog. Build with ``Gallery.open``; read inside ``reading()``.

    Any number of threads may read while one refreshes; readers see the catalog as it was after some change, never
    half of one. That holds across items, too, as long as the catalog pauses now and then for the time it takes to read
    the last few changes; where it does not, or where a gallery is more than 1,000 changes behind, each item is right by
    itself while the gallery catches up.
    """

    def __init__(self, *, catalog: Catalog, index: VectorIndex, collection: str, published: Published | None) -> None:
        self._catalog = catalog
        self._index = index
        self._collection = collection
        self._published = published
        self._edition: object = None
        self._saved = ""  # the saved table that the items come from
        self._follower = Follower(catalog, collection)
        self._items = ItemTable()
        self._seq = 0
        self._version = 0
        self._refreshed_at = -inf
        self._lock = ReadWriteLock()
        self._following = Lock()

    @classmethod
    def open(
        cls, *, catalog: Catalog, index: VectorIndex | Segmented, collection: str, editions: Editions | None = None
    ) -> Gallery:
        """Open what is published of the collection, read the rest from the catalog and catch up with its change log.

        Args:
            catalog: The truth. The gallery closes it.
            index: Empty. The gallery closes it.
            collection: Whose vectors.
            editions: Where a maintainer publishes sealed segments; ``index`` must take them over then. ``None`` to
                read every vector from the catalog.

        Raises:
            StateError: the catalog names keys whose vectors it does not have.
        """
        published = Published(cast(Segmented, index), editions) if editions is not None else None
        gallery = cls(catalog=catalog, index=index, collection=collection, published=published)
        gallery._fill()
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

    @property
    def damaged(self) -> int:
        """Parts of the index on disk that were found damaged and set aside."""
        return 0 if self._published is None else len(self._published.editions.rejected())

    @contextmanager
    def reading(self) -> Iterator[Holding]:
        """Hold the gallery still: everything read inside belongs to one state. Not to be nested; keep it short."""
        with self._lock.read():
            yield Holding(self._index, self._items, self._seq, self._version)

    def refresh(self) -> int:
        """Apply what happened in the catalog since the last time, and take over what a maintainer published.

        Where it fails, the gallery stays searchable as it was, and the next call tries again.

        Returns:
            How many items were read again.

        Raises:
            StateError: the catalog names keys whose vectors it does not have, or went back in time.
        """
        with self._following:
            began = monotonic()
            count = self._replace_damaged() + self._catch_up()
            if self._published is not None and self._published.editions.newest() != self._edition:
                count += self._renew(self._published)
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

    def _fill(self) -> None:
        """Open and read everything. What happens meanwhile is replayed from the change log afterwards.

        What was held before is replaced; all that is searched stays searchable meanwhile.
        """
        edition = self._open_edition(self._published, self._catalog.seq(), ()) if self._published is not None else None
        table = edition.table if edition is not None else None
        segments: Sequence[Sealed] = edition.segments if edition is not None else ()
        try:
            saved = (table.path, table.seq) if table is not None else None
            items, seq = open_table(self._catalog, self._collection, saved)
            prepared = self._published.index.prepare(segments, items.known) if self._published is not None else None
        except BaseException:
            self._edition = None
            if edition is not None:
                _close(edition, ())
            raise
        if table is not None:
            table.close()
        with self._lock.write():
            if self._published is not None:
                self._published.index.swap(prepared)
            if len(self._index):
                keys = self._index.keys()
                self._index.remove(keys[~items.known(keys)])
            self._items, self._seq = items, seq
            self._saved = table.path.name if table is not None else ""
            self._version += 1
        for keys, vectors in self._vectors(_beside(np.sort(self._items.keys()), segments)):
            with self._lock.write():
                self._index.add(keys, vectors)

    def _replace_damaged(self) -> int:
        """Read everything again where the items come from a saved table that was found damaged since.

        Returns:
            How many items were read again.
        """
        if self._published is None or not self._saved:
            return 0
        editions = self._published.editions
        if editions.newest() == self._edition or self._saved not in editions.rejected():
            return 0
        log.warning("a saved table of items was found damaged; all is read again", extra={"table": self._saved})
        self._fill()
        return len(self._items)

    def _open_edition(self, published: Published, seq: int, held: Sequence[Sealed]) -> Edition | None:
        """What is published, opened, unless it is of no use to one who knows the catalog up to ``seq``."""
        stamp = published.editions.newest()
        edition = published.editions.open(held)
        self._edition = stamp
        if edition is not None and edition.seq > seq:
            log.warning("an index is newer than its catalog and is not used", extra={"collection": self._collection})
            _close(edition, held)
            return None
        return edition

    def _renew(self, published: Published) -> int:
        """Take over a newer edition, where there is one. Returns how many items were read again."""
        # Its segments are looked at with a table that knows at least what they know.
        index, held = published.index, published.index.segments
        edition = self._open_edition(published, self._catalog.seq(), held)
        if edition is None:  # what is open stays good
            return 0
        try:
            if edition.table is not None:
                edition.table.close()
            count = self._catch_up()
            prepared = index.prepare(edition.segments, self._items.known)
            # What was found damaged is not in the edition, and is built again later: till then its rows come from the
            # catalog.
            names = {segment.name for segment in edition.segments}
            for segment in held:
                if segment.name not in names:
                    lost = _beside(np.sort(segment.keys), edition.segments)
                    for keys, vectors in self._vectors(lost[self._items.known(lost)]):
                        with self._lock.write():
                            self._index.add(keys, vectors)
        except BaseException:
            self._edition = None
            _close(edition, held)
            raise
        with self._lock.write():
            index.swap(prepared)
        return count

    def _vectors(self, wanted: KeyArray) -> Iterator[tuple[KeyArray, FloatArray]]:
        """The vectors of ``wanted`` (ascending), as far as they are still there."""
        if not wanted.size:
            return
        few = wanted.size < len(self._items) // 2
        for keys, vectors in self._catalog.vectors(collection=self._collection, keys=wanted if few else None):
            new = wanted[np.minimum(np.searchsorted(wanted, keys), wanted.size - 1)] == keys
            if new.any():
                yield keys[new], vectors[new]

    def _catch_up(self) -> int:
        """Replay the change log. Returns how many items were read again."""
        count = 0
        while changes := self._follower.changes(self._seq):
            pending, seq = self._follower.read(changes, self._items.known)
            self._apply(pending, seq)
            count += len(pending.items)
        if (seq := self._catalog.seq()) < self._seq:
            raise StateError(
                f"the catalog is at change {seq}, behind change {self._seq} that was seen before",
                remedy="restart, so that everything is read anew: an older catalog was put in its place",
            )
        return count

    def _apply(self, pending: Pending, seq: int) -> None:
        """Make the index and the table what was read."""
        keys = needed([item for item in pending.items.values() if item is not None], self._items.known)
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


def _beside(keys: KeyArray, segments: Sequence[Sealed]) -> KeyArray:
    """Those of ``keys`` that are in none of ``segments``."""
    for segment in segments:
        keys = keys[segment.find(keys) < 0]
    return keys


def _close(edition: Edition, held: Sequence[Sealed]) -> None:
    """Let go of an edition that is not used, but not of what was open before."""
    for segment in edition.segments:
        if segment not in held:
            segment.close()
    if edition.table is not None:
        edition.table.close()
