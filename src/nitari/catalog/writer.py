"""Carries out edits in one write transaction: reads what is stored, asks ``edits`` what to do, writes in batches."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Delete, Insert, Update, bindparam, delete, insert, select, update

from nitari.catalog import schema
from nitari.catalog.base import ChangeKind, Edit, FeaturesPut, ImagePut, ItemDelete, ItemPut
from nitari.catalog.codec import FeatureRows, encode_features
from nitari.catalog.edits import ImagePlan, ItemPlan, ItemRow, plan_put, rejections_after, rounds, staying
from nitari.catalog.history import Before, record_before
from nitari.catalog.rows import chunks, image_with_digest, stored_features, stored_items
from nitari.errors import NotFoundError, StateError

_DELETE_REJECTIONS = delete(schema.rejections).where(
    schema.rejections.c.feed == bindparam("of_feed"), schema.rejections.c.scope == bindparam("of_scope")
)
_FORGET_REJECTIONS = delete(schema.rejections).where(schema.rejections.c.scope == bindparam("of_scope"))
_DELETE_FEATURES = delete(schema.features).where(
    schema.features.c.image == bindparam("of_image"), schema.features.c.collection == bindparam("of_collection")
)
_DELETE_IMAGES = delete(schema.images).where(schema.images.c.number == bindparam("of_number"))
_DELETE_ITEMS = delete(schema.items).where(schema.items.c.number == bindparam("of_number"))
_UPDATE_ITEMS = update(schema.items).where(schema.items.c.number == bindparam("of_number"))
_UPDATE_IMAGES = update(schema.images).where(schema.images.c.number == bindparam("of_number"))
_SET_COUNTER = update(schema.counters).where(schema.counters.c.name == bindparam("of_name"))

# The order in which a round's rows are written: rows go before rows come, owners come before what they own.
_ORDER: tuple[Delete | Insert | Update, ...] = (
    _DELETE_FEATURES,
    _DELETE_IMAGES,
    _DELETE_ITEMS,
    _ADD_ITEMS := insert(schema.items),
    _UPDATE_ITEMS,
    _ADD_IMAGES := insert(schema.images),
    _UPDATE_IMAGES,
    _ADD_FEATURES := insert(schema.features),
    _ADD_REGIONS := insert(schema.regions),
    _ADD_VIEWS := insert(schema.views),
    _ADD_VECTORS := insert(schema.vectors),
    _ADD_CHANGES := insert(schema.changes),
)
_REGION_COLUMNS = ("x1", "y1", "x2", "y2", "label", "score")


_COLLECTIONS_OF = select(schema.features.c.collection).where(schema.features.c.image == bindparam("image"))
_COLLECTION = select(schema.collections.c.number, schema.collections.c.name, schema.collections.c.dim).where(
    schema.collections.c.name == bindparam("name")
)


@dataclass(frozen=True, slots=True)
class Collection:
    """A registered collection: its number in the database, its name and the width of its vectors."""

    number: int
    name: str
    dim: int


def find_collection(connection: Connection, name: str) -> Collection | None:
    """A collection by name, if there is one."""
    row = connection.execute(_COLLECTION, {"name": name}).one_or_none()
    return None if row is None else Collection(*row)


class Numbers:
    """Numbers never given out before, taken under a lock that the transaction holds until its end."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        rows = connection.execute(select(schema.counters).order_by(schema.counters.c.name).with_for_update())
        self._last: dict[str, int] = dict(rows.all())
        self._first = dict(self._last)

    def take(self, kind: str) -> int:
        """The next number of a kind."""
        self._last[kind] += 1
        return self._last[kind]

    def last(self, kind: str) -> int:
        """The last number of a kind that was given out; 0 if none was."""
        return self._last[kind]

    def store(self) -> None:
        """Write the counters back; to be called once, at the transaction's end."""
        moved = [{"of_name": name, "value": last} for name, last in self._last.items() if last != self._first[name]]
        if moved:
            self._connection.execute(_SET_COUNTER, moved)


class Writer:
    """Applies edits; lives as long as one transaction.

    Args:
        connection: In a write transaction.
        collection: The collection that features are of.
    """

    def __init__(self, connection: Connection, collection: Collection) -> None:
        self._connection = connection
        self._collection = collection
        self._numbers = Numbers(connection)
        self._at_us = time.time_ns() // 1000
        self._features_seen: dict[str, FeatureRows] = {}
        self._others: dict[str, Collection | None] = {}
        self._pending: dict[Delete | Insert | Update, list[dict[str, Any]]] = defaultdict(list)
        self._changes: list[Before] = []

    def apply(self, edits: Sequence[Edit]) -> int:
        """Carry out edits in order. Returns the number of the last change there is.

        Raises:
            NotFoundError: a feed that was never registered.
            StateError: code ``no-features``: features to be reused that are not (or no longer) there.
        """
        self._feeds = self._feed_numbers(edits)
        for some in rounds(edits):
            ids = [edit.item.item_id if isinstance(edit, ItemPut) else edit.item_id for edit in some]
            stored = stored_items(self._connection, ids, self._collection.number)
            for item_id, edit in zip(ids, some, strict=True):
                if isinstance(edit, ItemPut):
                    self._put(stored.get(item_id), edit)
                elif item_id in stored:
                    self._delete(stored[item_id], edit)
            self._flush()
        self._record_rejections(edits)
        self._numbers.store()
        return self._numbers.last("seq")

    def add_features(self, puts: Sequence[FeaturesPut]) -> int:
        """Give stored photos their features. Returns how many got some; see ``Catalog.add_features``."""
        wanted = {(put.item_id, put.link, put.digest): put.features for put in puts}
        stored = stored_items(self._connection, sorted({put.item_id for put in puts}), self._collection.number)
        added = {
            item_id: [
                (image.number, encode_features(wanted[item_id, image.link, image.digest], self._collection.dim))
                for image in item.images
                if not image.extracted and (item_id, image.link, image.digest) in wanted
            ]
            for item_id, item in stored.items()
        }
        touched = [item for item_id, item in stored.items() if added[item_id]]
        for item in touched:
            seq = self._log(ChangeKind.PUT, item.fields.item_id, item, frozenset({self._collection.number}))
            self._pending[_UPDATE_ITEMS].append({"of_number": item.number, "seq": seq})
            for image, rows in added[item.fields.item_id]:
                self._write_features(image, self._collection.number, rows)
        self._flush()
        self._numbers.store()
        return sum(len(images) for images in added.values())

    def _put(self, stored: ItemRow | None, put: ItemPut) -> None:
        images = [
            replace(self._plan_image(stored, put, image), others=self._plan_others(stored, image))
            for image in put.images
        ]
        plan = plan_put(stored, put, images)
        seq = self._log(plan.change, put.item.item_id, stored, self._touched(plan)) if plan.change else None
        number = stored.number if stored else self._numbers.take("item")
        if plan.update:
            self._write_item(number, stored, plan, put.row_digest, seq)
        self._pending[_DELETE_IMAGES] += [{"of_number": dropped} for dropped in plan.dropped]
        for position, image in enumerate(plan.images):
            self._write_image(number, position, image)

    def _plan_image(self, stored: ItemRow | None, put: ItemPut, image: ImagePut) -> ImagePlan:
        row = staying(stored, image)
        kept = row if row is not None and row.extracted else None
        if image.features is None:
            if kept is not None:
                return ImagePlan(image, row, None, kept)
            rows = self._reused(image)
            if rows is not None:
                return ImagePlan(image, row, rows, rows)
            if row is not None:  # it lacks features as before, and is not lost to other collections
                return ImagePlan(image, row, None, row)
            raise StateError(
                f"item {put.item.item_id!r}, image {image.link!r}: no photo with digest {image.digest[:16]} "
                f"has features in collection {self._collection.name!r} (any more)",
                remedy="extract the photo and put the item with its features",
                code="no-features",
            )
        rows = encode_features(image.features, self._collection.dim)
        self._features_seen[image.digest] = rows
        # A run that was killed after its commit sends the same again: its keys stay.
        if kept is not None and rows == stored_features(self._connection, kept.number, self._collection.number):
            return ImagePlan(image, row, None, kept)
        return ImagePlan(image, row, rows, rows)

    def _plan_others(self, stored: ItemRow | None, image: ImagePut) -> dict[int, FeatureRows]:
        """Features to write in further collections; not those that are there, nor of collections that are gone."""
        if not image.other_features:
            return {}
        row = staying(stored, image)
        there = set(self._connection.scalars(_COLLECTIONS_OF, {"image": row.number})) if row is not None else set()
        planned = {}
        for name, features in image.other_features.items():
            other = self._other(name)
            if other is not None and other.number != self._collection.number and other.number not in there:
                planned[other.number] = encode_features(features, other.dim)
        return planned

    def _other(self, name: str) -> Collection | None:
        if name not in self._others:
            self._others[name] = find_collection(self._connection, name)
        return self._others[name]

    def _reused(self, image: ImagePut) -> FeatureRows | None:
        """Features of another photo with the same bytes: of this very batch, or stored; ``None`` if there are none."""
        rows = self._features_seen.get(image.digest)
        if rows is None:
            other = image_with_digest(self._connection, image.digest, self._collection.number)
            if other is None:
                return None
            rows = stored_features(self._connection, other, self._collection.number)
            self._features_seen[image.digest] = rows
        return rows

    def _delete(self, stored: ItemRow, edit: ItemDelete) -> None:
        self._pending[_DELETE_ITEMS].append({"of_number": stored.number})
        self._log(ChangeKind.DELETE, edit.item_id, stored, None)

    def _touched(self, plan: ItemPlan) -> frozenset[int] | None:
        """The collections whose features of stored photos a put changes; ``None`` for all."""
        if plan.dropped:
            return None
        own = {self._collection.number} if any(image.rows is not None for image in plan.images) else set()
        return frozenset(own.union(*(image.others for image in plan.images)))

    def _log(self, kind: ChangeKind, item_id: str, stored: ItemRow | None, touched: frozenset[int] | None) -> int:
        seq = self._numbers.take("seq")
        self._pending[_ADD_CHANGES].append({"seq": seq, "kind": kind.value, "item_id": item_id, "at_us": self._at_us})
        self._changes.append(Before(seq, item_id, stored.number if stored else None, touched))
        return seq

    def _write_item(
        self, number: int, stored: ItemRow | None, plan: ItemPlan, row_digest: str, seq: int | None
    ) -> None:
        fields = plan.fields
        columns = {
            "group_id": fields.group_id,
            "title": fields.title,
            "image_links": fields.image_links,
            "attributes": fields.attributes,
            "feed": None if fields.feed_id is None else self._feeds[fields.feed_id],
            "row_digest": row_digest,
        }
        if stored is None:
            self._pending[_ADD_ITEMS].append({"number": number, "item_id": fields.item_id, "seq": seq, **columns})
        else:
            self._pending[_UPDATE_ITEMS].append({"of_number": number, "seq": seq or stored.seq, **columns})

    def _write_image(self, item: int, position: int, plan: ImagePlan) -> None:
        put, stored, rows = plan.put, plan.stored, plan.rows
        columns = {
            "position": position,
            "etag": put.etag,
            "last_modified": put.last_modified,
            "width": plan.sized.width,
            "height": plan.sized.height,
        }
        if stored is None:
            number = self._numbers.take("image")
            new = {"number": number, "item": item, "link": put.link, "digest": put.digest}
            self._pending[_ADD_IMAGES].append({**new, **columns})
        else:
            number = stored.number
            if any(getattr(stored, name) != value for name, value in columns.items()):
                self._pending[_UPDATE_IMAGES].append({"of_number": number, **columns})
        if rows is not None:
            if stored is not None and stored.extracted:
                gone = {"of_image": number, "of_collection": self._collection.number}
                self._pending[_DELETE_FEATURES].append(gone)
            self._write_features(number, self._collection.number, rows)
        for collection, others in plan.others.items():
            self._write_features(number, collection, others)

    def _write_features(self, image: int, collection: int, rows: FeatureRows) -> None:
        pending = self._pending
        of = {"image": image, "collection": collection}
        pending[_ADD_FEATURES].append({**of, "lowlevel": rows.lowlevel})
        for position, region in enumerate(rows.regions):
            columns = dict(zip(_REGION_COLUMNS, region, strict=True))
            pending[_ADD_REGIONS].append({**of, "position": position, **columns})
        for region, vector in rows.views:
            key = self._numbers.take("key")
            columns = dict(zip(_REGION_COLUMNS, region, strict=True))
            pending[_ADD_VIEWS].append({"key": key, **of, **columns})
            pending[_ADD_VECTORS].append({"key": key, "collection": collection, "vector": vector})

    def _flush(self) -> None:
        record_before(self._connection, self._changes)
        self._changes.clear()
        for statement in _ORDER:
            rows = self._pending.pop(statement, None)
            if rows:
                self._connection.execute(statement, rows)

    def _record_rejections(self, edits: Sequence[Edit]) -> None:
        forgotten, recorded = rejections_after(edits)
        if forgotten:
            self._connection.execute(_FORGET_REJECTIONS, [{"of_scope": gone} for gone in sorted(forgotten)])
        if not recorded:
            return
        places = [{"of_feed": self._feeds[feed_id], "of_scope": scope} for feed_id, scope in recorded]
        self._connection.execute(_DELETE_REJECTIONS, places)
        rows = [
            {
                "number": self._numbers.take("rejection"),
                "feed": self._feeds[feed_id],
                "scope": scope,
                "run_id": edit.run_id,
                "code": rejection.code,
                "reason": rejection.reason,
                "remedy": rejection.remedy,
                "item_id": rejection.item_id,
                "image_link": rejection.image_link,
                "location": rejection.location,
                "kept": rejection.kept,
            }
            for (feed_id, scope), edit in recorded.items()
            for rejection in edit.rejections
        ]
        if rows:
            self._connection.execute(insert(schema.rejections), rows)

    def _feed_numbers(self, edits: Iterable[Edit]) -> dict[str, int]:
        wanted = sorted(
            {edit.feed_id for edit in edits if not isinstance(edit, ItemDelete) and edit.feed_id is not None}
        )
        feeds = schema.feeds.c
        numbers: dict[str, int] = {}
        for some in chunks(wanted):
            rows = self._connection.execute(select(feeds.feed_id, feeds.number).where(feeds.feed_id.in_(some)))
            numbers.update(rows.all())
        missing = [feed_id for feed_id in wanted if feed_id not in numbers]
        if missing:
            raise NotFoundError(
                f"feed {missing[0]!r} was never registered", remedy="register the feed before its items are put"
            )
        return numbers
