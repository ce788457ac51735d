"""Galleries over a real catalog in a temporary folder, and catalogs in which things happen while they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from nitari.catalog.base import Catalog, Edit, IndexedItem
from nitari.catalog.sql import FILE_NAME, SqlCatalog
from nitari.index.base import Editions, VectorIndex
from nitari.index.exact import ExactIndex
from nitari.index.segments.maintain import Maintainer
from nitari.index.segments.manifest import Origin
from nitari.index.segments.policy import Policy
from nitari.index.segments.segmented import SegmentedIndex
from nitari.index.segments.store import IndexStore
from nitari.search.gallery import Gallery
from nitari.search.query import Query
from nitari.search.searcher import Searcher
from nitari.search.tables import TableKeeper
from nitari.types import Answer, FloatArray, KeyArray
from support.catalogs import COLLECTION, DIM, ready
from support.extraction import text_extractor


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


class Kept:
    """A catalog with an index on disk, kept by a maintainer, and galleries that follow both."""

    def __init__(self, folder: Path) -> None:
        self.catalog = open_catalog(folder)
        self.store = open_store(self.catalog, folder / "index")
        self.maintainer = open_maintainer(self.catalog, self.store, Policy(seal_rows=2, table_changes=2, fanout=2))
        self.indexes: list[SegmentedIndex] = []
        self.read = 0

    def open(self) -> Gallery:
        """A gallery that notes in ``read`` how many vectors it read from the catalog."""
        watched = Interrupted(self.catalog)
        vectors = watched.vectors

        def counting(*, collection: str, keys: KeyArray | None = None) -> Iterator[tuple[KeyArray, FloatArray]]:
            for some, rows in vectors(collection=collection, keys=keys):
                self.read += some.size
                yield some, rows

        watched.vectors = counting  # type: ignore[method-assign]
        index = SegmentedIndex(DIM)
        self.indexes.append(index)
        return open_gallery(watched, index, editions=self.store)  # type: ignore[arg-type]

    def close(self) -> None:
        """Close everything but the galleries, whose catalog this is."""
        for index in self.indexes:
            index.close()
        self.maintainer.close()
        self.catalog.close()


def damage(path: Path) -> None:
    """Change a file's last byte for those who open it from now on."""
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    copy = path.with_name("tmp-damaged")
    copy.write_bytes(data)
    copy.replace(path)


def searcher_of(gallery: Gallery) -> Searcher:
    """Searches in a gallery; photos are texts."""
    return Searcher(gallery=gallery, extractor=text_extractor)


def search_in(gallery: Gallery, query: Query) -> Answer:
    """What a gallery answers."""
    return searcher_of(gallery).search(query)


def apply(catalog: Catalog, *edits: Edit) -> int:
    """Make edits; returns the last one's number."""
    return catalog.apply(edits, collection=COLLECTION.name)
