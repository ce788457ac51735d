"""Queries from production, of which nobody has said what is right: photos in a folder, or a ``queries.csv``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nitari.catalog.base import Feed, FeedRow
from nitari.errors import DataError
from nitari.evaluate.protocols import CATEGORY, ITEM_ID, EvalProtocol, EvalQuery, GalleryFeed
from nitari.evaluate.queries import read_queries
from nitari.ingest.worker import ImportReport

PROTOCOL = "queries"
"""What a saved run of such queries calls its protocol."""
DEPTH = 100


def of_feed(feed: Feed) -> EvalProtocol:
    """Each item's main photo asks; a plain folder of photos is such a feed, too.

    Raises:
        DataError: there is no photo.
    """
    items = [entry.item for entry in feed.read() if isinstance(entry, FeedRow)]
    if not items:
        raise DataError(
            f"{feed.feed_id} holds no photo to ask with", remedy="name a folder that holds photos", code="queries"
        )
    queries = []
    for item in items:
        value = item.attributes.get(CATEGORY, "")
        category = " > ".join(value) if isinstance(value, tuple) else str(value)
        queries.append(EvalQuery(item.item_id, item.image_links[0], category=category))
    return _protocol(feed.image_base, tuple(queries))


def of_csv(path: Path) -> EvalProtocol:
    """The queries of a ``queries.csv`` (see ``read_queries``); photos are looked for in its folder.

    Raises:
        DataError: as ``read_queries``.
    """
    queries = tuple(
        EvalQuery(
            row.query_id,
            row.image_link,
            row.box,
            {"not": {ITEM_ID: list(row.exclude)}} if row.exclude else None,
            row.category,
        )
        for row in read_queries(path)
    )
    return _protocol(str(path.resolve().parent), queries)


class AsItIs:
    """Stands for an ingester where the gallery is what the home holds already: imports nothing."""

    def run(
        self,
        feed: Feed,
        *,
        sync: bool = False,
        allow_delete: bool = False,
        on_progress: Callable[[ImportReport], None] | None = None,
    ) -> ImportReport:
        """Say that nothing was imported."""
        del sync, allow_delete, on_progress
        return ImportReport(feed.feed_id, 0)


def _protocol(base: str | None, queries: tuple[EvalQuery, ...]) -> EvalProtocol:
    return EvalProtocol(PROTOCOL, GalleryFeed(PROTOCOL, base, ()), queries, None)
