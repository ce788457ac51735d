"""A home's catalog as a file: copied while others write, looked into, taken back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from nitari.catalog.base import Catalog
from nitari.errors import NotFoundError
from nitari.images.base import UPLOAD

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class CatalogFacts:
    """What a catalog says of itself.

    Args:
        identity: Which catalog, and which course of events.
        schema: Version of its tables.
        seq: Number of its last change.
        oldest: The first change to which it can be taken back; 0 for the empty catalog.
        oldest_at: When that was; ``None`` for change 0.
        items: How many.
        images: How many.
        vectors: How many in each collection.
    """

    identity: str
    schema: int
    seq: int
    oldest: int = 0
    oldest_at: datetime | None = None
    items: int = 0
    images: int = 0
    vectors: Mapping[str, int] = field(default_factory=dict)


class CatalogFile:
    """The catalog of a home, and copies of it in other files.

    Args:
        path: The home's.
        opener: Opens the catalog in a file.
        schema: The newest version of its tables that this program knows; what it opens is of that version.
    """

    def __init__(self, path: Path, *, opener: Callable[[Path], Catalog], schema: int) -> None:
        self._path = path
        self._open = opener
        self.schema = schema

    def copy(self, path: Path, *, tick: Callable[[], None]) -> CatalogFacts:
        """Write one consistent state of the home's catalog into a new file, while others write on.

        Args:
            path: The file.
            tick: Called now and then meanwhile; what it raises ends the copy.

        Raises:
            NotFoundError: the home has no catalog.
            DependencyError: the disk is full or cannot be written.
        """
        if not self._path.is_file():
            raise NotFoundError(
                f"{self._path.parent} holds no catalog, so there is nothing to save",
                remedy="give the right folder with --home",
            )
        with closing(self._open(self._path)) as catalog:
            catalog.backup(path, progress=lambda _done, _total: tick())
        return self.facts(path)

    def facts(self, path: Path) -> CatalogFacts:
        """What the catalog in a file says of itself."""
        with closing(self._open(path)) as catalog:
            stats, reach = catalog.stats(), catalog.history_range()
            return CatalogFacts(
                identity=catalog.identity,
                schema=self.schema,
                seq=stats.seq,
                oldest=reach.oldest,
                oldest_at=reach.oldest_at,
                items=stats.items,
                images=stats.images,
                vectors=dict(stats.vectors),
            )

    def uploads(self, path: Path) -> frozenset[str]:
        """The digests of the uploaded photos that the items of the catalog in a file name."""
        with closing(self._open(path)) as catalog:
            return _digests(catalog.image_links(UPLOAD))

    def past_uploads(self, path: Path) -> frozenset[str]:
        """The digests of those that items named before: they are needed to go back to a time when they did."""
        with closing(self._open(path)) as catalog:
            return _digests(catalog.past_image_links(UPLOAD))

    def branch(self, path: Path, at: int | datetime | None = None) -> CatalogFacts:
        """Make the catalog in a file one of its own: with another identity, as it was at a point, where one is given.

        Args:
            path: The file.
            at: Number of a change, or a time with its zone.

        Raises:
            UsageError: a point that has not come yet.
            StateError: code ``history-gone``: a point before its history begins.
        """
        with closing(self._open(path)) as catalog:
            if at is not None:
                catalog.rollback(at)
            catalog.reidentify()
        return self.facts(path)


def _digests(links: Iterable[str]) -> frozenset[str]:
    """The digests in links to uploads; links that name none are passed over, whoever wrote them."""
    named = (link.removeprefix(UPLOAD) for link in links)
    return frozenset(digest for digest in named if _DIGEST.fullmatch(digest))
