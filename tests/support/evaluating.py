"""A feed of items made by hand, and an ingester and a searcher that need no network, for tests of evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from nitari.catalog.base import Feed, FeedRow
from nitari.errors import DataError
from nitari.evaluate.protocols import Materials
from nitari.images.decode import ImageDecoder
from nitari.ingest.worker import ImportReport
from nitari.search.query import Query
from nitari.types import WHOLE, Answer, Attributes, Hit, Item, Rejection


@dataclass(frozen=True)
class ListFeed:
    """A feed that is a list."""

    entries: Sequence[FeedRow | Rejection]
    feed_id: str = "test-feed"
    image_base: str | None = None

    @property
    def size_hint(self) -> int:
        """How many entries there are."""
        return len(self.entries)

    def read(self) -> Iterator[FeedRow | Rejection]:
        """The entries."""
        return iter(self.entries)


def row(
    item_id: str, *links: str, group: str = "", title: str = "", **attributes: str | float | tuple[str, ...]
) -> FeedRow:
    """A row of a feed."""
    said: Attributes = attributes
    return FeedRow(Item(item_id, links or (f"{item_id}.jpg",), title, group, said), "line 1")


def materials(*feeds: Feed, work: Path | None = None) -> Materials:
    """What protocols are made with: one feed wherever it is looked for, or each in the folder named after it."""

    def open_feed(folder: Path) -> Feed:
        named = {feed.feed_id: feed for feed in feeds}
        return feeds[0] if len(feeds) == 1 else named[folder.name]

    return Materials(open_feed, ImageDecoder(), work)


@dataclass
class FakeIngester:
    """Takes a feed in and remembers what it was asked to do."""

    item_ids: list[str] = field(default_factory=list)
    asked: list[tuple[str, bool, bool]] = field(default_factory=list)

    def run(
        self,
        feed: Feed,
        *,
        sync: bool = False,
        allow_delete: bool = False,
        on_progress: Callable[[ImportReport], None] | None = None,
    ) -> ImportReport:
        """Count the feed's rows."""
        self.asked.append((feed.feed_id, sync, allow_delete))
        self.item_ids = [entry.item.item_id for entry in feed.read() if isinstance(entry, FeedRow)]
        report = ImportReport(feed.feed_id, feed.size_hint, indexed=len(self.item_ids), complete=True)
        if on_progress is not None:
            on_progress(report)
        return report


@dataclass
class FakeSearcher:
    """Ranks by a table from a photo's bytes to item ids; photos that are not in it cannot be decoded."""

    table: Mapping[bytes, Sequence[str]]
    queries: list[Query] = field(default_factory=list)
    is_open: bool = False

    def search(self, query: Query) -> Answer:
        """Look the photo up."""
        assert self.is_open
        self.queries.append(query)
        if query.photo is None or query.photo not in self.table:
            raise DataError("not a photo")
        hits = [Hit(item_id, item_id, 0.9, "", WHOLE) for item_id in self.table[query.photo][: query.k]]
        return Answer(tuple(hits), {"total": 2.0})

    @contextmanager
    def open(self) -> Iterator[FakeSearcher]:
        """Open it, and close it after."""
        self.is_open = True
        yield self
        self.is_open = False
