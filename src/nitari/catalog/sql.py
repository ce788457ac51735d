"""The catalog in a SQL database: SQLite by default, one file in the home folder.

``schema`` holds the tables, ``database`` the transactions, ``edits`` the decisions, ``writer`` the writing, ``indexed``
what indexes are made of, ``collections`` which vectors there are; here is what is asked of a catalog.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, bindparam, delete, func, insert, select, update

from nitari.catalog import collections, schema
from nitari.catalog.base import (
    Alias,
    CatalogStats,
    Change,
    ChangeKind,
    CollectionInfo,
    CollectionSpec,
    Edit,
    FeaturesPut,
    IndexedItem,
    KnownImage,
    KnownItem,
    Lack,
    LackingPhoto,
    PhotoFeatures,
    StoredItem,
)
from nitari.catalog.codec import decode_features, decode_texts, encode_texts
from nitari.catalog.database import Database, damaged
from nitari.catalog.edits import ItemRow, check
from nitari.catalog.indexed import read_items, read_key_changes, read_keys, read_vectors
from nitari.catalog.past import SqlRecovery
from nitari.catalog.rows import image_with_digest, stored_features, stored_item, stored_items
from nitari.catalog.sqlite import SQLite
from nitari.catalog.writer import Collection, Numbers, Writer
from nitari.errors import DependencyError
from nitari.types import FloatArray, KeyArray, Rejection

T = TypeVar("T")

FILE_NAME = "catalog.sqlite"
PATIENCE_S = 60.0
ROWS = 1000
"""Rows read at a time where rows are small."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_items, _images, _features = schema.items.c, schema.images.c, schema.features.c
_views, _vectors, _regions = schema.views.c, schema.vectors.c, schema.regions.c

_SEQ = select(schema.counters.c.value).where(schema.counters.c.name == "seq")
_CHANGES = (
    select(schema.changes)
    .where(schema.changes.c.seq > bindparam("after"))
    .order_by(schema.changes.c.seq)
    .limit(bindparam("at_most"))
)


class SqlCatalog(SqlRecovery):
    """The ``Catalog`` port over SQL. Use it as a context manager, or ``close`` it.

    A generator that it returns holds a connection and one state of the catalog until it is read to its end or closed;
    writers are not held up by it, but their log cannot shrink meanwhile.

    Args:
        database: Where; the tables are created or migrated here.
    """

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        with database.read() as connection:
            ready = schema.is_current(connection)
        if not ready:
            database.write(lambda connection: schema.prepare(connection, where=database.name))

    @classmethod
    def open(cls, path: Path, *, patience_s: float = PATIENCE_S) -> SqlCatalog:
        """Open the catalog in a SQLite file, ``FILE_NAME`` in the home folder; create it where there is none.

        Beside it lie ``-wal`` and ``-shm`` files while it is in use, and after a crash: they belong to it, copy all
        three or none. The file must be on a local disk.

        Args:
            path: The file; missing folders are made.
            patience_s: How long a write waits for other processes' writes.

        Raises:
            StateError: a file that is damaged, not a catalog, or from a newer version.
            DependencyError: a file or folder that cannot be read and written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise DependencyError(
                f"folder {path.parent} cannot be made: {exc.strerror}",
                remedy="choose another home folder with --home or NITARI__HOME",
                code="catalog-failed",
            ) from exc
        database = Database(SQLite(path), patience_s=patience_s)
        try:
            return cls(database)
        except BaseException:
            database.close()
            raise

    def __enter__(self) -> SqlCatalog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close connections."""
        self._database.close()

    def identity_of(self, collection: str) -> str:
        """Of a collection of this catalog: one that is registered after another of its name was dropped has another.

        Raises:
            NotFoundError: no collection has this name.
        """
        return f"{self.identity}-{self._collection(collection).number}"

    def ping(self) -> None:
        """Raise ``DependencyError`` or ``StateError`` where the database does not answer."""
        self.seq()

    # Registering

    def register_collection(self, spec: CollectionSpec) -> None:
        """Create the collection, or check that it is what it was.

        Raises:
            ConfigurationError: the collection exists with another fingerprint or width.
        """
        with self._database.read() as connection:
            row = collections.registered(connection, spec)
        if row is None or (row[2] is None and spec.recipe is not None):
            row = self._database.write(lambda connection: collections.register(connection, spec))
        collections.check_same(spec, row, where=self._database.name)

    def register_feed(self, feed_id: str, image_base: str | None) -> None:
        """Remember a feed and what its relative links are relative to."""
        columns = schema.feeds.c

        def work(connection: Connection) -> None:
            row = connection.execute(select(columns.image_base).where(columns.feed_id == feed_id)).one_or_none()
            if row is None:
                numbers = Numbers(connection)
                values = {"number": numbers.take("feed"), "feed_id": feed_id, "image_base": image_base}
                connection.execute(insert(schema.feeds), values)
                numbers.store()
            elif row.image_base != image_base:
                connection.execute(update(schema.feeds).where(columns.feed_id == feed_id).values(image_base=image_base))

        self._database.write(work)

    # Collections and aliases

    def collection(self, name: str) -> CollectionSpec:
        """What the vectors of a collection are.

        Raises:
            NotFoundError: no collection has this name.
        """
        with self._database.read() as connection:
            found = {spec.name: spec for _, spec, _ in collections.specs(connection)}
            collections.require(connection, name, where=self._database.name)
        return found[name]

    def collections(self) -> tuple[CollectionInfo, ...]:
        """Every collection with its counts, in the order of registration; some 0.1 s for a million photos."""
        with self._database.read() as connection:
            return collections.infos(connection)

    def maintained(self) -> tuple[CollectionSpec, ...]:
        """The collections that new and changed photos get features in, in the order of registration."""
        with self._database.read() as connection:
            return tuple(spec for _, spec, kept_up in collections.specs(connection) if kept_up)

    def maintain(self, collection: str) -> None:
        """Count a collection among the maintained ones though no alias names it: it is being built."""
        self._change(collection, partial(collections.maintain, maintained=True))

    def retire(self, collection: str) -> None:
        """Take ``maintain`` back, and let no alias lead back to this collection. One that an alias names stays."""
        self._change(collection, partial(collections.maintain, maintained=False))

    def drop_collection(self, name: str) -> None:
        """Delete a collection with its vectors. It is gone at once; its rows go in transactions of bounded length."""
        for number in self._database.write(partial(collections.begin_drop, name=name, where=self._database.name)):
            after: int | None = 0
            while after is not None:
                after = self._database.write(partial(collections.drop_some, number=number, after=after))

    def aliases(self) -> tuple[Alias, ...]:
        """Every alias, by name."""
        with self._database.read() as connection:
            return collections.aliases(connection)

    def resolve(self, alias: str) -> str | None:
        """The collection that an alias names; ``None`` where there is no such alias."""
        with self._database.read() as connection:
            return collections.resolve(connection, alias)

    def point(self, alias: str, collection: str) -> Alias:
        """Let an alias name a collection from now on, in one step; what it named before is remembered.

        Raises:
            NotFoundError: no collection has this name.
            UsageError: an alias that cannot be a name.
        """
        return self._change(collection, lambda connection, to: collections.point(connection, alias, to))

    def point_back(self, alias: str) -> Alias:
        """Let an alias name what it named before; once more leads forth again.

        Raises:
            NotFoundError: there is no such alias, or nothing that it named before.
        """
        return self._database.write(partial(collections.point_back, alias=alias, where=self._database.name))

    def lacking(self, collection: str) -> Iterator[LackingPhoto]:
        """Stored photos without features in a collection, by image number, read in pages."""
        of, after = self._collection(collection), 0
        while True:
            with self._database.read() as connection:
                page = collections.lacking_page(connection, of, after)
            yield from (photo for _, photo in page)
            if not page:
                return
            after = page[-1][0]

    def add_features(self, photos: Sequence[FeaturesPut], *, collection: str) -> int:
        """Give stored photos their features in a collection, in one transaction; a PUT is logged for each item.

        Photos that are gone, that have another digest by now or that have features already are left alone.

        Returns:
            How many photos got features.

        Raises:
            NotFoundError: no collection has this name.
            UsageError: vectors of another width.
        """
        return self._database.write(lambda connection: self._writer(connection, collection).add_features(photos))

    def record_lacks(self, lacks: Sequence[Lack], *, collection: str) -> None:
        """Remember why these photos could not be given features; replaces what was remembered of them."""
        self._change(collection, lambda connection, of: collections.record_lacks(connection, lacks, of))

    def lacks(self, collection: str) -> Iterator[Lack]:
        """What is remembered of photos that still have no features in a collection, by image number."""
        of = self._collection(collection)
        return self._reading(lambda connection: collections.recorded_lacks(connection, of))

    # Writing

    def apply(self, edits: Sequence[Edit], *, collection: str) -> int:
        """Carry out edits in order, in one transaction. Returns the number of the last change (0 if none ever).

        An ``ItemPut`` that changes nothing leaves no change behind. A photo keeps its keys while its link and digest
        stay and no other features are given for it; a new order of photos is a PUT with the same keys. New validators
        or a new row digest alone are stored without a change. A deleted item's rejections go with it, in all feeds.

        Raises:
            NotFoundError: a collection or feed that was never registered.
            StateError: code ``no-features``: a photo without features whose digest no stored photo has (any more).
            UsageError: an item without photos, or vectors of another width.
            DependencyError: other writers did not let go in time, or the disk failed.
        """
        check(edits)
        return self._database.write(lambda connection: self._writer(connection, collection).apply(edits))

    def finish_run(self, feed_id: str, run_id: str) -> None:
        """A run has read the whole feed: forget this feed's rejections that it did not raise again."""
        feed = select(schema.feeds.c.number).where(schema.feeds.c.feed_id == feed_id).scalar_subquery()
        stale = delete(schema.rejections).where(schema.rejections.c.feed == feed, schema.rejections.c.run_id != run_id)
        self._database.write(lambda connection: connection.execute(stale))

    # Items

    def known(self, item_ids: Sequence[str], *, collection: str) -> Mapping[str, KnownItem]:
        """What is stored of these items, by id; absent ones are left out."""
        number = self._collection(collection).number
        with self._database.read() as connection:
            stored = stored_items(connection, item_ids, number)
        return {item_id: _known(row) for item_id, row in stored.items()}

    def get(self, item_id: str) -> StoredItem | None:
        """One item, whole; its regions are those of the default collection, else of the one registered last."""
        with self._database.read() as connection:
            return stored_item(connection, item_id)

    def features(self, digest: str, *, collection: str) -> PhotoFeatures | None:
        """The features stored for a photo with this digest, of whichever item; ``None`` if there are none."""
        of = self._collection(collection)
        with self._database.read() as connection:
            image = image_with_digest(connection, digest, of.number)
            rows = None if image is None else stored_features(connection, image, of.number)
        return None if rows is None else decode_features(rows, of.dim)

    def feed_item_ids(self, feed_id: str) -> Iterator[str]:
        """The ids of the items that this feed owns, by item number; none for an unknown feed."""
        owned = (
            select(_items.item_id)
            .join_from(schema.items, schema.feeds)
            .where(schema.feeds.c.feed_id == feed_id)
            .order_by(_items.number)
        )
        return (row[0] for row in self._stream(owned, {}, ROWS))

    def digests(self) -> Iterator[str]:
        """The digest of every stored photo, once, ascending."""
        return (row[0] for row in self._stream(select(_images.digest).distinct().order_by(_images.digest), {}, ROWS))

    def image_links(self, prefix: str) -> Iterator[str]:
        """Every image link of an item that starts with ``prefix``, rejected photos' included, by item number."""
        start = encode_texts([prefix])[1:-2]  # as it stands in a list of links
        wanted = select(_items.image_links).where(_items.image_links.contains(start, autoescape=True))
        rows = self._stream(wanted.order_by(_items.number), {}, ROWS)
        return (link for row in rows for link in decode_texts(row[0]) if link.startswith(prefix))

    # What indexes are made of

    def indexed_items(self, *, collection: str, item_ids: Sequence[str] | None = None) -> Iterator[IndexedItem]:
        """What a searcher holds of all items (or these), in one consistent read, ordered by item number."""
        number = self._collection(collection).number
        return self._reading(lambda connection: read_items(connection, number, item_ids))

    def vectors(self, *, collection: str, keys: KeyArray | None = None) -> Iterator[tuple[KeyArray, FloatArray]]:
        """Vectors by key, in batches: int64 ``[n]``, float32 ``[n, dim]`` unit rows, ascending keys; all if ``None``.

        Rows are of unit length as far as fp16 goes (norms within 0.1 %). Keys that are not there are left out.
        """
        of = self._collection(collection)
        return self._reading(lambda connection: read_vectors(connection, of, keys, where=self._database.name))

    def keys(self, *, collection: str) -> tuple[int, KeyArray]:
        """All keys that stand for an item, and the change at which: int64 ``[n]``, ascending; a second a million."""
        number = self._collection(collection).number
        with self._database.read() as connection:
            return int(connection.scalar(_SEQ) or 0), read_keys(connection, number)

    def key_changes(
        self, after: int, *, collection: str, at_most: int = 100_000
    ) -> tuple[int, KeyArray, KeyArray] | None:
        """What became of the keys of items that changed after ``after``; ``None`` where that is not known any more."""
        number = self._collection(collection).number
        with self._database.read() as connection:
            return read_key_changes(connection, number, after, at_most=at_most)

    # The change log

    def seq(self) -> int:
        """The number of the last committed change; 0 in an empty catalog."""
        with self._database.read() as connection:
            value = connection.scalar(_SEQ)
        if value is None:
            raise damaged(self._database.name, "its counters are gone")
        return int(value)

    def changes(self, after: int, *, limit: int = 1000) -> Sequence[Change]:
        """Changes with ``seq > after``, ascending, at most ``limit``."""
        with self._database.read() as connection:
            rows = connection.execute(_CHANGES, {"after": after, "at_most": limit}).all()
        return [
            Change(seq, ChangeKind(kind), item_id, _EPOCH + timedelta(microseconds=at_us))
            for seq, kind, item_id, at_us in rows
        ]

    # Reports

    def rejections(self, *, feed_id: str | None = None) -> Iterator[tuple[str, Rejection]]:
        """What is rejected at present, with the feed's id, ordered by feed and time."""
        columns = schema.rejections.c
        wanted = (
            select(
                schema.feeds.c.feed_id,
                columns.code,
                columns.reason,
                columns.remedy,
                columns.item_id,
                columns.image_link,
                columns.location,
                columns.kept,
            )
            .join_from(schema.feeds, schema.rejections)
            .order_by(schema.feeds.c.feed_id, columns.number)
        )
        if feed_id is not None:
            wanted = wanted.where(schema.feeds.c.feed_id == feed_id)
        return ((feed, Rejection(*rest)) for feed, *rest in self._stream(wanted, {}, ROWS))

    def stats(self) -> CatalogStats:
        """Counts, of one state; read from indexes, some 0.1 s for a million items."""
        with self._database.read() as connection:

            def count(of: Select[Any]) -> int:
                return connection.scalar(of) or 0

            of_feed = select(schema.feeds.c.feed_id, func.count(_items.number))
            feeds = connection.execute(
                of_feed.outerjoin_from(schema.feeds, schema.items).group_by(schema.feeds.c.feed_id)
            )
            return CatalogStats(
                items=count(select(func.count()).select_from(schema.items)),
                groups=count(select(func.count(_items.group_id.distinct()))),
                images=count(select(func.count()).select_from(schema.images)),
                vectors={
                    spec.name: count(select(func.count()).where(_views.collection == number))
                    for number, spec, _ in collections.specs(connection)
                },
                rejections=count(select(func.count()).select_from(schema.rejections)),
                seq=count(_SEQ),
                feeds=dict(feeds.all()),
            )

    def _collection(self, name: str) -> Collection:
        """A registered collection, looked up each time: another process may drop it."""
        with self._database.read() as connection:
            return collections.require(connection, name, where=self._database.name)

    def _change(self, collection: str, work: Callable[[Connection, Collection], T]) -> T:
        """Do something to a collection in a write transaction."""

        def change(connection: Connection) -> T:
            return work(connection, collections.require(connection, collection, where=self._database.name))

        return self._database.write(change)

    def _writer(self, connection: Connection, collection: str) -> Writer:
        return Writer(connection, collections.require(connection, collection, where=self._database.name))

    def _reading(self, read: Callable[[Connection], Iterator[T]]) -> Iterator[T]:
        with self._database.read() as connection:
            yield from read(connection)

    def _stream(self, statement: Select[Any], values: Mapping[str, Any], batch: int) -> Iterator[Sequence[Any]]:
        with self._database.read() as connection:
            result = connection.execution_options(stream_results=True).execute(statement, values)
            for rows in result.partitions(batch):
                yield from rows


def _known(row: ItemRow) -> KnownItem:
    images = tuple(KnownImage(i.link, i.digest, i.etag, i.last_modified, i.extracted) for i in row.images)
    return KnownItem(row.fields.item_id, row.fields.feed_id, row.row_digest, images)
