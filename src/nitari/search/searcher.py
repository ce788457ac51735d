"""Queries to answers: extraction, nearest neighbors, items, hits. (Signatures first; the bodies follow.)"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from nitari.extract import Extractor
from nitari.images.base import ImageSource
from nitari.search.columns import AttributeSummary
from nitari.search.gallery import Gallery
from nitari.search.query import Query
from nitari.types import Answer


@dataclass(frozen=True, slots=True)
class SearcherStats:
    """What a searcher holds.

    Args:
        collection: Whose vectors.
        dim: Their width.
        items: Items that can be found.
        groups: Groups among them.
        keys: Vectors in the index.
        seq: The catalog change that the answers are up to date with.
    """

    collection: str
    dim: int
    items: int
    groups: int
    keys: int
    seq: int


class Searcher:
    """Answers queries about one collection. Safe to use from any number of threads.

    Args:
        gallery: What is searched. The searcher closes it.
        extractor: Makes the extractor; called once, by the first query that brings a photo, so that queries by item
            and by vector never load a model.
        source: Gets the photos of ``url`` queries; ``None`` refuses them. The searcher closes it.
    """

    def __init__(
        self, *, gallery: Gallery, extractor: Callable[[], Extractor], source: ImageSource | None = None
    ) -> None:
        raise NotImplementedError

    def search(self, query: Query) -> Answer:
        """Answer a query."""
        raise NotImplementedError

    def refresh(self) -> int:
        """Catch up with the catalog's change log. Returns the number of changed items that were read again."""
        raise NotImplementedError

    def warm(self) -> None:
        """Load the extractor now, so that the first photo does not wait for it."""
        raise NotImplementedError

    def known_attributes(self) -> Mapping[str, AttributeSummary]:
        """What filters can ask about, for hints."""
        raise NotImplementedError

    def stats(self) -> SearcherStats:
        """Counts."""
        raise NotImplementedError

    def ping(self) -> None:
        """Raise where the catalog does not answer."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the gallery (with its index and catalog) and the source."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
