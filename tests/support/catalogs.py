"""Catalogs for tests: every adapter of the port, and edits with features that follow from the digest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from sqlalchemy import Select
from sqlalchemy.dialects import sqlite

from nitari.catalog.base import (
    Catalog,
    ChangeKind,
    CollectionSpec,
    ImagePut,
    IndexedItem,
    ItemPut,
    ItemRejections,
    PhotoFeatures,
    StoredRegion,
    StoredView,
)
from nitari.catalog.sql import FILE_NAME, SqlCatalog
from nitari.types import Attributes, Box, FloatArray, Item, Rejection

DIM = 16
COLLECTION = CollectionSpec(name="card", dim=DIM, fingerprint="0123456789abcdef")
FEED = "feed.csv"

ADAPTERS: Mapping[str, Callable[[Path], Catalog]] = {
    "sqlite": lambda folder: SqlCatalog.open(folder / "home" / FILE_NAME),
}
"""By name, what opens the catalog of a folder; opening the same folder again opens the same catalog."""


def ready(catalog: Catalog) -> Catalog:
    """The catalog with the collection and the feed of these tests registered."""
    catalog.register_collection(COLLECTION)
    catalog.register_feed(FEED, "/feed/folder")
    return catalog


def vector_of(digest: str, nth: int = 0) -> FloatArray:
    """The unit vector of a photo's ``nth`` view: float32 ``[DIM]``, the same for the same bytes."""
    seed = int.from_bytes(hashlib.sha256(f"{digest}/{nth}".encode()).digest()[:8])
    vector = np.random.default_rng(seed).standard_normal(DIM)
    unit: FloatArray = (vector / np.linalg.norm(vector)).astype(np.float32)
    return unit


def features_of(digest: str, *, views: int = 1) -> PhotoFeatures:
    """What extraction finds on the photo with this digest."""
    product = StoredRegion(Box(0.1, 0.2, 0.7, 0.9), "product", 0.75)
    whole = StoredRegion(Box(0.0, 0.0, 1.0, 1.0), "whole", 1.0)
    shown = (product, whole)[:views]
    return PhotoFeatures(
        width=600 + len(digest),
        height=800,
        regions=(product,),
        views=tuple(StoredView(region, vector_of(digest, nth)) for nth, region in enumerate(shown)),
        lowlevel=np.linspace(0, 1, 300, dtype=np.float32),
    )


def photo(link: str, digest: str, *, extracted: bool = True, views: int = 1, etag: str | None = None) -> ImagePut:
    """A photo to put, with its features unless ``extracted`` is False."""
    return ImagePut(link, digest, etag, None, features_of(digest, views=views) if extracted else None)


def put(
    item_id: str,
    *photos: ImagePut,
    title: str = "",
    group_id: str = "",
    attributes: Attributes | None = None,
    feed_id: str | None = FEED,
    row_digest: str = "row",
) -> ItemPut:
    """An item to put with these photos."""
    links = tuple(image.link for image in photos)
    item = Item(item_id, links, title=title, group_id=group_id, attributes=attributes or {})
    return ItemPut(item, feed_id, row_digest, photos)


def reject(item_id: str | None, *codes: str, run: str = "run-1", location: str | None = None) -> ItemRejections:
    """What is wrong with an item or a location now."""
    rejections = tuple(Rejection(code, f"{code} found", "mend it", item_id, None, location) for code in codes)
    return ItemRejections(FEED, run, item_id, location, rejections)


def indexed(catalog: Catalog, item_ids: Sequence[str] | None = None) -> dict[str, IndexedItem]:
    """What a searcher holds, by item."""
    return {item.item_id: item for item in catalog.indexed_items(collection=COLLECTION.name, item_ids=item_ids)}


def keys_of(catalog: Catalog, item_id: str) -> list[int]:
    """The keys of one item, in the order of its photos."""
    return [int(key) for item in indexed(catalog, [item_id]).values() for key in item.keys]


def vectors_by_key(catalog: Catalog) -> dict[int, FloatArray]:
    """All vectors of the collection."""
    found: dict[int, FloatArray] = {}
    for keys, vectors in catalog.vectors(collection=COLLECTION.name):
        found.update(zip((int(key) for key in keys), vectors, strict=True))
    return found


def kinds(catalog: Catalog, after: int = 0) -> list[tuple[ChangeKind, str]]:
    """The change log without numbers and times."""
    return [(change.kind, change.item_id) for change in catalog.changes(after)]


def query_plan(catalog: SqlCatalog, statement: Select[*tuple[object, ...]]) -> list[str]:
    """SQLite's steps for a statement."""
    compiled = statement.compile(dialect=sqlite.dialect())
    text = str(compiled)
    for name in compiled.binds:
        text = text.replace(f"(__[POSTCOMPILE_{name}])", "(1, 2)")
    with catalog._database.read() as connection:
        return [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", (1,) * text.count("?"))]
