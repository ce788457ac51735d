"""Whole items: every row that hangs on an item, in all collections, read, and put back as it was."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, insert, select

from nitari.catalog import schema
from nitari.catalog.codec import RegionRow, decode_texts, region_row
from nitari.catalog.rows import chunks

_items, _images, _features = schema.items.c, schema.images.c, schema.features.c
_regions, _views, _vectors = schema.regions.c, schema.views.c, schema.vectors.c

ITEM_COLUMNS = ("item_id", "group_id", "title", "image_links", "attributes", "feed", "row_digest", "seq")
IMAGE_COLUMNS = ("position", "link", "digest", "etag", "last_modified", "width", "height")
_LINKS = ITEM_COLUMNS.index("image_links")
_DIGEST = 1 + IMAGE_COLUMNS.index("digest")
REGION_COLUMNS = ("x1", "y1", "x2", "y2", "label", "score")

_ITEMS = select(_items.number, *(_items[name] for name in ITEM_COLUMNS)).where(
    _items.number.in_(bindparam("items", expanding=True))
)
_IMAGES = (
    select(_images.item, _images.number, *(_images[name] for name in IMAGE_COLUMNS))
    .where(_images.item.in_(bindparam("items", expanding=True)))
    .order_by(_images.item, _images.position, _images.number)
)
_FEATURES = (
    select(_images.item, _features.image, _features.collection, _features.lowlevel)
    .join_from(schema.images, schema.features, _features.image == _images.number)
    .where(_images.item.in_(bindparam("items", expanding=True)))
)
_REGIONS = (
    select(_regions.image, _regions.collection, *(_regions[name] for name in REGION_COLUMNS))
    .join_from(schema.images, schema.regions, _regions.image == _images.number)
    .where(_images.item.in_(bindparam("items", expanding=True)))
    .order_by(_regions.image, _regions.collection, _regions.position)
)
_VIEWS = (
    select(_views.image, _views.collection, _views.key, *(_views[name] for name in REGION_COLUMNS), _vectors.vector)
    .join_from(schema.images, schema.views, _views.image == _images.number)
    .join(schema.vectors, _vectors.key == _views.key)
    .where(_images.item.in_(bindparam("items", expanding=True)))
    .order_by(_views.key)
)
_DELETE = delete(schema.items).where(_items.number == bindparam("of_number"))


@dataclass(frozen=True, slots=True)
class ViewState:
    """A view: its key, the region it speaks for, the vector's fp16 bytes."""

    key: int
    region: RegionRow
    vector: bytes


@dataclass(frozen=True, slots=True)
class FeatureState:
    """The features of one photo in one collection; views by key."""

    lowlevel: bytes | None
    regions: tuple[RegionRow, ...]
    views: tuple[ViewState, ...]


@dataclass(frozen=True, slots=True)
class ItemState:
    """An item with all that hangs on it, as the tables have it.

    Args:
        number: Of the item.
        columns: The others of ``ITEM_COLUMNS``, in that order.
        images: Of each photo, in the item's order, its number and its ``IMAGE_COLUMNS``.
        features: By number of the photo and number of the collection.
    """

    number: int
    columns: tuple[Any, ...]
    images: tuple[tuple[Any, ...], ...]
    features: Mapping[tuple[int, int], FeatureState] = field(default_factory=dict)

    @property
    def item_id(self) -> str:
        """The item's id."""
        return str(self.columns[0])

    @property
    def seq(self) -> int:
        """The change that last touched it."""
        return int(self.columns[-1])

    @property
    def image_links(self) -> tuple[str, ...]:
        """Its image links as the feed gives them, those of rejected photos included."""
        return decode_texts(self.columns[_LINKS])

    @property
    def digests(self) -> tuple[str, ...]:
        """The digest of each of its photos."""
        return tuple(image[_DIGEST] for image in self.images)

    def with_seq(self, seq: int) -> ItemState:
        """The same, last touched by change ``seq``."""
        return ItemState(self.number, (*self.columns[:-1], seq), self.images, self.features)


def read_states(
    connection: Connection, items: Sequence[int], *, collections: Iterable[int] | None = None
) -> dict[int, ItemState]:
    """What is stored of these items, by number, with their features in ``collections`` (in all if ``None``)."""
    found: dict[int, ItemState] = {}
    for some in chunks(items):
        of = {"items": some}
        images: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
        for item, *columns in connection.execute(_IMAGES, of):
            images[item].append(tuple(columns))
        features = _features_of(connection, some, collections)
        for number, *columns in connection.execute(_ITEMS, of):
            found[number] = ItemState(number, tuple(columns), tuple(images[number]), features.get(number, {}))
    return found


def insert_states(connection: Connection, states: Iterable[ItemState]) -> None:
    """Write items that are not there, with everything that hangs on them, under the numbers and keys they name."""
    items, images, features = [], [], []
    regions, views, vectors = [], [], []
    for state in states:
        items.append({"number": state.number, **dict(zip(ITEM_COLUMNS, state.columns, strict=True))})
        for number, *columns in state.images:
            images.append({"number": number, "item": state.number, **dict(zip(IMAGE_COLUMNS, columns, strict=True))})
        for (image, collection), found in state.features.items():
            of = {"image": image, "collection": collection}
            features.append({**of, "lowlevel": found.lowlevel})
            for position, region in enumerate(found.regions):
                regions.append({**of, "position": position, **dict(zip(REGION_COLUMNS, region, strict=True))})
            for view in found.views:
                views.append({"key": view.key, **of, **dict(zip(REGION_COLUMNS, view.region, strict=True))})
                vectors.append({"key": view.key, "collection": collection, "vector": view.vector})
    for table, rows in (
        (schema.items, items),
        (schema.images, images),
        (schema.features, features),
        (schema.regions, regions),
        (schema.views, views),
        (schema.vectors, vectors),
    ):
        if rows:
            connection.execute(insert(table), rows)


def delete_states(connection: Connection, states: Iterable[ItemState]) -> None:
    """Delete items with everything that hangs on them."""
    numbers = [{"of_number": state.number} for state in states]
    if numbers:
        connection.execute(_DELETE, numbers)


def _features_of(
    connection: Connection, items: Sequence[int], collections: Iterable[int] | None
) -> dict[int, dict[tuple[int, int], FeatureState]]:
    """By item, the features of its photos in some collections, in all if ``None``."""
    wanted = None if collections is None else sorted(collections)
    if wanted == []:
        return {}

    def rows(statement: Select[*tuple[Any, ...]], collection: Any) -> Iterable[Sequence[Any]]:
        narrowed = statement if wanted is None else statement.where(collection.in_(wanted))
        return connection.execute(narrowed, {"items": items})

    regions: dict[tuple[int, int], list[RegionRow]] = defaultdict(list)
    for image, collection, *region in rows(_REGIONS, _regions.collection):
        regions[image, collection].append(region_row(region))
    views: dict[tuple[int, int], list[ViewState]] = defaultdict(list)
    for image, collection, key, *region, vector in rows(_VIEWS, _views.collection):
        views[image, collection].append(ViewState(key, region_row(region), vector))
    found: dict[int, dict[tuple[int, int], FeatureState]] = defaultdict(dict)
    for item, image, collection, lowlevel in rows(_FEATURES, _features.collection):
        at = (image, collection)
        found[item][at] = FeatureState(lowlevel, tuple(regions[at]), tuple(views[at]))
    return found
