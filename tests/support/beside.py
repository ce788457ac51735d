"""Several collections of one catalog, each with vectors of its own of the same photos, and their searchers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from nitari.catalog.base import Catalog, ItemPut, PhotoFeatures, StoredRegion, StoredView
from nitari.catalog.sql import FILE_NAME, SqlCatalog
from nitari.errors import DependencyError, StateError
from nitari.extract import Extractor
from nitari.index.exact import ExactIndex
from nitari.search.gallery import Gallery
from nitari.search.query import Query
from nitari.search.searcher import Searcher
from nitari.search.searchers import Searchers
from nitari.types import WHOLE
from support.catalogs import DIM, FEED, photo, put, vector_of
from support.extraction import TextEmbedder, text_extractor

OLD, NEW, THIRD = NAMES = ("card", "new", "third")


class Watched(Searcher):
    """A searcher of which it is known what was done with it, and that can be in trouble."""

    warmed = closed = 0
    cold = False
    trouble: StateError | None = None

    def refresh(self) -> int:
        """As the real one, or not at all."""
        if self.trouble is not None:
            raise self.trouble
        return super().refresh()

    def warm(self) -> None:
        """Count, unless there is no model to be had."""
        if self.cold:
            raise RuntimeError("no weights")
        self.warmed += 1

    def close(self) -> None:
        """Count, and close."""
        self.closed += 1
        super().close()


def extractor_of(name: str) -> Extractor:
    """What makes the vectors of a collection."""
    salt = "" if name == OLD else name
    return text_extractor(embedder=TextEmbedder(name=name, salt=salt))


def features_in(name: str, digest: str) -> PhotoFeatures:
    """The features that ``extractor_of`` makes of this photo."""
    salt = "" if name == OLD else name
    whole = StoredRegion(WHOLE, "whole", 1.0)
    return PhotoFeatures(640, 480, (), (StoredView(whole, vector_of(salt + digest)),), None)


def put_in_all(item_id: str, digest: str) -> ItemPut:
    """An item with one photo that has features in every collection."""
    features = {name: features_in(name, digest) for name in NAMES}
    image = photo(f"images/{item_id}.jpg", digest, extracted=False)
    return put(item_id, replace(image, features=features.pop(OLD), other_features=features))


@dataclass
class Beside:
    """A catalog in which ``default`` names ``OLD``, and how its searchers are opened.

    Args:
        folder: Of the catalog.
        catalog: The truth.
        opened: Every searcher that was opened, in order.
        unfit: Collections that cannot be opened, and how often that was tried.
    """

    folder: Path
    catalog: Catalog
    opened: list[Watched] = field(default_factory=list)
    unfit: dict[str, int] = field(default_factory=dict)

    def open(self, name: str) -> Watched:
        """Open a collection."""
        if name in self.unfit:
            self.unfit[name] += 1
            raise DependencyError(f"the model of {name} cannot be had")
        catalog = SqlCatalog.open(self.folder / FILE_NAME)
        gallery = Gallery.open(catalog=catalog, index=ExactIndex(DIM), collection=name)
        self.opened.append(Watched(gallery=gallery, extractor=lambda: extractor_of(name)))
        return self.opened[-1]

    def of(self, name: str) -> Watched:
        """The last that was opened of a collection."""
        return next(searcher for searcher in reversed(self.opened) if searcher.collection == name)

    def edit(self, item_id: str, digest: str) -> None:
        """Put an item into all collections."""
        self.catalog.apply([put_in_all(item_id, digest)], collection=OLD)

    @contextmanager
    def searchers(self, *, grace_s: float = 120.0) -> Iterator[Searchers]:
        """Searchers of it, to begin with what ``default`` names only."""
        first = self.open(self.catalog.resolve("default") or OLD)
        opened = Searchers(catalog=self.catalog, first=first, open=self.open, grace_s=grace_s)
        try:
            yield opened
        finally:
            opened.close()


@contextmanager
def collections_beside(folder: Path, *, items: int = 12) -> Iterator[Beside]:
    """A catalog of items ``i0``, ``i1`` ... of photos ``d0``, ``d1`` ... in three collections."""
    with SqlCatalog.open(folder / FILE_NAME) as catalog:
        for name in NAMES:
            catalog.register_collection(extractor_of(name).spec)
        catalog.register_feed(FEED, "/feed/folder")
        catalog.apply([put_in_all(f"i{n}", f"d{n}") for n in range(items)], collection=OLD)
        catalog.point("default", OLD)
        yield Beside(folder, catalog)


def told(searcher: Searcher, text: str = "d1") -> list[tuple[str, float]]:
    """What a searcher finds to a photo: different scores in each collection."""
    return [(hit.item_id, hit.score) for hit in searcher.search(Query(photo=text.encode(), k=5)).hits]
