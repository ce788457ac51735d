"""Galleries over a real catalog in a temporary folder, and catalogs in which things happen while they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from nitari.catalog.base import Catalog, IndexedItem
from nitari.catalog.sql import FILE_NAME, SqlCatalog
from nitari.index.base import Editions, VectorIndex
from nitari.index.exact import ExactIndex
from nitari.index.segments.maintain import Maintainer
from nitari.index.segments.manifest import Origin
from nitari.index.segments.policy import Policy
from nitari.index.segments.store import IndexStore
from nitari.search.gallery import Gallery
from nitari.search.tables import TableKeeper
from nitari.types import FloatArray, KeyArray
from support.catalogs import COLLECTION, DIM, ready


def open_catalog(folder: Path) -> Catalog:
    """The catalog of a folder, with the collection and feed of ``support.catalogs``."""
    return ready(SqlCatalog.open(folder / FILE_NAME))


def open_gallery(catalog: Catalog, index: VectorIndex | None = None, *, editions: Editions | None = None) -> Gallery:
    """A gallery of the whole catalog."""
    return Gallery.open(
        catalog=catalog,
        index=ExactIndex(DIM) if index is None else index,
        collection=COLLECTION.name,
        editions=editions,
    )


def open_store(catalog: Catalog, folder: Path) -> IndexStore:
    """The index on disk of a catalog of ``support.catalogs``."""
    origin = Origin(COLLECTION.name, DIM, COLLECTION.fingerprint, catalog.identity)  # type: ignore[attr-defined]
    return IndexStore(folder, origin=origin, engines={})


def open_maintainer(catalog: Catalog, store: IndexStore, policy: Policy, **options: Any) -> Maintainer:
    """What keeps it, the table of items included."""
    tables = TableKeeper(catalog, COLLECTION.name)
    return Maintainer(store=store, truth=catalog, policy=policy, tables=tables, **options)


class Interrupted:
    """A catalog during whose reads something happens: ``between`` runs after items were read, before vectors are.

    Everything else is passed on to the catalog.
    """

    def __init__(self, catalog: Catalog, between: Callable[[], None] = lambda: None) -> None:
        self.catalog = catalog
        self.between = between

    def __getattr__(self, name: str) -> Any:
        return getattr(self.catalog, name)

    def indexed_items(self, *, collection: str, item_ids: Sequence[str] | None = None) -> Iterator[IndexedItem]:
        """The items, all read before ``between`` runs."""
        items = list(self.catalog.indexed_items(collection=collection, item_ids=item_ids))
        self.between()
        return iter(items)

    def vectors(self, *, collection: str, keys: KeyArray | None = None) -> Iterator[tuple[KeyArray, FloatArray]]:
        """The vectors as they are then."""
        return self.catalog.vectors(collection=collection, keys=keys)
