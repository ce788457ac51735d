"""Reading stored items and features back, for the writer, which compares, and for the catalog, which answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, bindparam, exists, func, select

from nitari.catalog import schema
from nitari.catalog.base import DEFAULT_ALIAS, StoredImage, StoredItem, StoredRegion
from nitari.catalog.codec import FeatureRows, decode_attributes, decode_region, decode_texts, region_row
from nitari.catalog.edits import ImageRow, ItemFields, ItemRow
from nitari.types import Item

T = TypeVar("T")

CHUNK = 500
"""Values in one ``IN`` list; SQLite before 3.32 takes 999 parameters in a statement."""

_items, _images, _features = schema.items.c, schema.images.c, schema.features.c
_views, _vectors, _regions = schema.views.c, schema.vectors.c, schema.regions.c

_ITEMS = (
    select(
        _items.number,
        _items.item_id,
        _items.group_id,
        _items.title,
        _items.image_links,
        _items.attributes,
        schema.feeds.c.feed_id,
        _items.row_digest,
        _items.seq,
    )
    .outerjoin_from(schema.items, schema.feeds)
    .where(_items.item_id.in_(bindparam("item_ids", expanding=True)))
)
_IMAGES = (
    select(
        _images.item,
        _images.number,
        _images.position,
        _images.link,
        _images.digest,
        _images.etag,
        _images.last_modified,
        _images.width,
        _images.height,
        exists().where(_features.image == _images.number, _features.collection == bindparam("collection")),
    )
    .where(_images.item.in_(bindparam("items", expanding=True)))
    .order_by(_images.item, _images.position)
)
_IMAGE_WITH_DIGEST = (
    select(_images.number)
    .join_from(schema.images, schema.features)
    .where(_images.digest == bindparam("digest"), _features.collection == bindparam("collection"))
    .limit(1)
)
_FEATURES = (
    select(_images.width, _images.height, _features.lowlevel)
    .join_from(schema.images, schema.features)
    .where(_features.image == bindparam("image"), _features.collection == bindparam("collection"))
)
_REGIONS: Select[tuple[float, float, float, float, str, float]] = (
    select(_regions.x1, _regions.y1, _regions.x2, _regions.y2, _regions.label, _regions.score)
    .where(_regions.image == bindparam("image"), _regions.collection == bindparam("collection"))
    .order_by(_regions.position)
)
_VIEWS: Select[tuple[float, float, float, float, str, float, bytes]] = (
    select(_views.x1, _views.y1, _views.x2, _views.y2, _views.label, _views.score, _vectors.vector)
    .join_from(schema.views, schema.vectors)
    .where(_views.image == bindparam("image"), _views.collection == bindparam("collection"))
    .order_by(_views.key)
)
_WHOLE_ITEM = (
    select(
        _items.number,
        _items.group_id,
        _items.title,
        _items.image_links,
        _items.attributes,
        schema.feeds.c.feed_id,
        schema.feeds.c.image_base,
        _items.seq,
    )
    .outerjoin_from(schema.items, schema.feeds)
    .where(_items.item_id == bindparam("item_id"))
)
_ITS_IMAGES = (
    select(_images.number, _images.link, _images.digest, _images.width, _images.height)
    .where(_images.item == bindparam("item"))
    .order_by(_images.position, _images.number)
)
_DEFAULT = (
    select(schema.aliases.c.collection).where(schema.aliases.c.name == DEFAULT_ALIAS).correlate(None).scalar_subquery()
)
_ITS_REGIONS = (
    select(
        _regions.image,
        _regions.collection,
        _regions.x1,
        _regions.y1,
        _regions.x2,
        _regions.y2,
        _regions.label,
        _regions.score,
    )
    .join_from(schema.images, schema.regions, _regions.image == _images.number)
    .where(_images.item == bindparam("item"))
    .order_by(
        _regions.image, func.coalesce(_regions.collection == _DEFAULT, False), _regions.collection, _regions.position
    )
)


def chunks(values: Sequence[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    """The values in order, ``size`` at a time."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def stored_items(connection: Connection, item_ids: Sequence[str], collection: int) -> dict[str, ItemRow]:
    """What is stored of these items, by id; absent ones are left out."""
    found: dict[str, ItemRow] = {}
    for some in chunks(item_ids):
        rows = connection.execute(_ITEMS, {"item_ids": some}).all()
        images = _images_of(connection, [row.number for row in rows], collection)
        for number, item_id, group_id, title, links, attributes, feed_id, row_digest, seq in rows:
            fields = ItemFields(item_id, group_id, title, links, attributes, feed_id)
            found[item_id] = ItemRow(number, fields, row_digest, seq, tuple(images[number]))
    return found


def stored_item(connection: Connection, item_id: str) -> StoredItem | None:
    """One item, whole."""
    row = connection.execute(_WHOLE_ITEM, {"item_id": item_id}).one_or_none()
    if row is None:
        return None
    images = connection.execute(_ITS_IMAGES, {"item": row.number}).all()
    regions = _regions_by_image(connection.execute(_ITS_REGIONS, {"item": row.number}))
    item = Item(
        item_id=item_id,
        image_links=decode_texts(row.image_links),
        title=row.title,
        group_id=row.group_id,
        attributes=decode_attributes(row.attributes),
    )
    stored = tuple(
        StoredImage(link, digest, width, height, regions.get(number, ()))
        for number, link, digest, width, height in images
    )
    return StoredItem(item, row.feed_id, row.image_base, stored, row.seq)


def image_with_digest(connection: Connection, digest: str, collection: int) -> int | None:
    """Number of some photo with these bytes that has features in the collection."""
    return connection.scalar(_IMAGE_WITH_DIGEST, {"digest": digest, "collection": collection})


def stored_features(connection: Connection, image: int, collection: int) -> FeatureRows:
    """The features of a photo that has some in the collection."""
    of = {"image": image, "collection": collection}
    width, height, lowlevel = connection.execute(_FEATURES, of).one()
    regions = tuple(region_row(row) for row in connection.execute(_REGIONS, of))
    rows: Iterable[Sequence[Any]] = connection.execute(_VIEWS, of)
    views = tuple((region_row(row[:6]), row[6]) for row in rows)
    return FeatureRows(width, height, lowlevel, regions, views)


def _images_of(connection: Connection, items: Sequence[int], collection: int) -> dict[int, list[ImageRow]]:
    images: dict[int, list[ImageRow]] = defaultdict(list)
    if items:
        rows: Sequence[Sequence[Any]] = connection.execute(_IMAGES, {"items": items, "collection": collection}).all()
        for row in rows:
            images[row[0]].append(ImageRow(*row[1:]))
    return images


def _regions_by_image(rows: Iterable[Sequence[Any]]) -> dict[int, tuple[StoredRegion, ...]]:
    """Regions of each photo, those that come last of it; rows come by image and collection."""
    found: dict[int, tuple[StoredRegion, ...]] = {}
    for (image, _), group in groupby(rows, key=itemgetter(0, 1)):
        found[image] = tuple(decode_region(tuple(row)[2:]) for row in group)
    return found
