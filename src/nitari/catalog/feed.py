"""Opens a feed: looks at what the source is, and picks the reader for it.

A source is a file (CSV, TSV, JSON lines, a JSON array, Parquet, RSS or Atom, Shopify's export, each also gzipped), a
folder that holds one as ``feed.*``, a folder of photos, a database URL with a query, or an http(s) URL of a file.
What columns mean is written down in ``feeds.columns``.
"""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from nitari.catalog.base import Feed, FeedRow
from nitari.catalog.feeds.columns import to_item
from nitari.catalog.feeds.folder import FolderFeed
from nitari.catalog.feeds.jsonl import JsonArrayReader, JsonLinesReader
from nitari.catalog.feeds.records import RecordReader
from nitari.catalog.feeds.remote import Opener, RemoteFeed, public_url
from nitari.catalog.feeds.shopify import ShopifyReader, is_shopify
from nitari.catalog.feeds.sniff import Format, sniff
from nitari.catalog.feeds.tabular import Table, TabularReader
from nitari.catalog.feeds.text import translated
from nitari.errors import FeedError, UsageError
from nitari.types import Rejection

FEED_NAMES = ("feed.csv", "feed.tsv", "feed.jsonl", "feed.json", "feed.xml", "feed.parquet")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)


def open_feed(
    source: str | os.PathLike[str],
    *,
    feed_id: str | None = None,
    query: str | None = None,
    encoding: str | None = None,
    image_base: str | os.PathLike[str] | None = None,
    opener: Opener | None = None,
) -> Feed:
    """Open a feed. Files are looked at now and read by ``read``, as often as that is called.

    Args:
        source: A path or URL, see above.
        feed_id: A name for the feed. Where not given: its resolved path, or its URL without credentials; for a database
            also a digest of the query, since two queries are two feeds.
        query: For a database URL, and only there: the statement whose rows are the items.
        encoding: Of a text feed, as Python calls it; detected where not given.
        image_base: The folder that relative image links start from; where not given, the feed's own folder, and
            nothing for databases and http feeds (the links of those are taken relative to the feed's URL).
        opener: Opens http(s) URLs; without it such a source is an error.

    Raises:
        FeedError: a source that is not there, or is no feed.
        UsageError: a source or query that cannot be.
        MissingExtraError: a format or database whose optional library is not installed.
    """
    text = os.fspath(source)
    base = None if image_base is None else str(Path(image_base).expanduser().resolve())
    scheme = match[1].lower() if (match := _SCHEME.match(text)) else ""
    if scheme and scheme not in ("http", "https", "file"):
        return _database(text, query, feed_id, base)
    if query is not None:
        raise UsageError(
            f"a query needs a database, and {public_url(text)} is none",
            remedy="give a database URL such as postgresql://user@host/shop or sqlite:///shop.db",
        )
    if scheme in ("http", "https"):
        if opener is None:
            raise UsageError(
                f"{public_url(text)} cannot be fetched from here", remedy="download it and import the file"
            )
        return RemoteFeed(text, opener=opener, reading=lambda path: _file(path, None, encoding, None), feed_id=feed_id)
    path = Path(unquote(urlsplit(text).path) if scheme == "file" else text).expanduser()
    return _local(path, feed_id, encoding, base)


def _database(url: str, query: str | None, feed_id: str | None, base: str | None) -> Feed:
    from nitari.catalog.feeds.sql import SqlReader

    if query is None:
        raise UsageError(
            f"a {url.partition('://')[0]} database needs a query",
            remedy="say which rows are the items: --query 'select id, title, image_link from products'",
        )
    reader = SqlReader(url, query)
    return RecordFeed(reader, feed_id=feed_id or reader.name, image_base=base)


def _local(path: Path, feed_id: str | None, encoding: str | None, base: str | None) -> Feed:
    """A file or folder as a feed."""
    with translated(path):
        path = path.resolve()
        if not path.exists():
            raise FeedError(f"{path} does not exist", remedy="check the path", code="not-found")
        if path.is_dir():
            inside = feed_inside(path)
            if inside is None:
                return FolderFeed(path, feed_id=feed_id)
            path = inside.resolve()
    if not path.is_file():
        raise FeedError(
            f"{path} is a pipe or a device; a feed is read more than once",
            remedy="save it to a file and import that",
            code="file",
        )
    return _file(path, feed_id, encoding, base)


def _file(path: Path, feed_id: str | None, encoding: str | None, base: str | None) -> Feed:
    reader = _reader(path, encoding)
    return RecordFeed(reader, feed_id=feed_id or path.as_posix(), image_base=base or str(path.parent))


def feed_inside(folder: Path) -> Path | None:
    """The ``feed.*`` that makes a folder this feed's folder.

    Raises:
        FeedError: where there are two of them.
    """
    wanted = {name + end for name in FEED_NAMES for end in ("", ".gz")}
    found = sorted(entry for entry in folder.iterdir() if entry.name.lower() in wanted and entry.is_file())
    if len(found) > 1:
        raise FeedError(
            f"{folder} holds two feeds: {' and '.join(entry.name for entry in found)}",
            remedy=f"name the one to import, e.g. {found[0]}",
            code="two-feeds",
        )
    return found[0] if found else None


def _reader(path: Path, encoding: str | None) -> RecordReader:
    """The reader for a file."""
    kind = sniff(path, encoding)
    if kind is Format.PARQUET:
        from nitari.catalog.feeds.parquet import ParquetReader

        return ParquetReader(path)
    if kind is Format.XML:
        from nitari.catalog.feeds.xml import XmlReader

        return XmlReader(path, encoding)
    if kind is Format.JSON_ARRAY:
        return JsonArrayReader(path, encoding)
    if kind is Format.JSON_LINES:
        return JsonLinesReader(path, encoding)
    table = Table(path, encoding=encoding)
    return ShopifyReader(table) if is_shopify(table.header()) else TabularReader(table)


class RecordFeed:
    """A feed of rows with columns: maps them to items, and sees that no id comes twice.

    Of rows with the same id the first good one counts.
    """

    def __init__(self, reader: RecordReader, *, feed_id: str, image_base: str | None) -> None:
        self._reader = reader
        self._feed_id = feed_id
        self._image_base = image_base

    @property
    def feed_id(self) -> str:
        """The feed's path or URL, or the name that was given."""
        return self._feed_id

    @property
    def image_base(self) -> str | None:
        """The feed's folder."""
        return self._image_base

    @property
    def size_hint(self) -> int | None:
        """About how many rows there are."""
        return self._reader.size_hint

    def read(self) -> Iterator[FeedRow | Rejection]:
        """Rows in the feed's order.

        Raises:
            FeedError: a feed that cannot be read at all, or not any further.
        """
        seen = SeenIds()
        unit = self._reader.unit
        for record in self._reader.records():
            if isinstance(record, Rejection):
                yield record
                continue
            location = f"{unit} {record.number}"
            item, problems = to_item(record, location)
            if item is not None and (first := seen.first(item.item_id, record.number)) is not None:
                yield Rejection(
                    "duplicate-id",
                    f"id {item.item_id!r} was given in {unit} {first} already; the first one is used",
                    "give each item an id of its own; put the variants of a style under one item_group_id",
                    item_id=item.item_id,
                    location=location,
                )
                continue
            if item is None:
                yield from problems
            else:
                yield FeedRow(item, location, tuple(problems))


class UploadedFeed:
    """A feed file that a client sent: it has no folder, so that paths in it lead nowhere.

    Args:
        path: Where it is kept.
        name: What the client calls it; errors name this in place of ``path``.
        feed_id: Its name.

    Raises:
        FeedError: no feed.
    """

    image_base: str | None = None

    def __init__(self, path: Path, *, name: str, feed_id: str | None) -> None:
        self._path = path
        self._name = name
        with self._naming():
            self._feed = _file(path, feed_id or name, None, None)
            self.size_hint = self._feed.size_hint
        self.feed_id = self._feed.feed_id

    def read(self) -> Iterator[FeedRow | Rejection]:
        """Rows in the feed's order.

        Raises:
            FeedError: a feed that cannot be read at all, or not any further.
        """
        with self._naming():
            yield from self._feed.read()

    @contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except FeedError as exc:
            message = exc.message.replace(str(self._path), self._name)
            raise FeedError(message, remedy=exc.remedy, code=exc.code) from exc


class SeenIds:
    """Which ids a feed has had, and where first, in 24 to 48 bytes an id: an open-addressed table of 64-bit hashes.

    Two ids with one hash would be taken for duplicates: 1 in 10^6 for a feed of 5 million items.
    """

    def __init__(self) -> None:
        self._count = 0
        self._allocate(1 << 10)

    def _allocate(self, slots: int) -> None:
        self._mask = slots - 1
        self._hashes = array("Q", bytes(8 * slots))
        self._places = array("Q", bytes(8 * slots))

    def first(self, item_id: str, place: int) -> int | None:
        """Where the id was first, or ``None`` if it is new: then it is remembered at ``place``."""
        found = self._put(hash(item_id) & 0xFFFF_FFFF_FFFF_FFFF or 1, place)
        if found is None:
            self._count += 1
            if 3 * self._count > 2 * self._mask:
                self._grow()
        return found

    def _put(self, hashed: int, place: int) -> int | None:
        slot = hashed & self._mask
        while (there := self._hashes[slot]) != hashed:
            if not there:
                self._hashes[slot] = hashed
                self._places[slot] = place
                return None
            slot = (slot + 1) & self._mask
        return self._places[slot]

    def _grow(self) -> None:
        hashes, places = self._hashes, self._places
        self._allocate(2 * (self._mask + 1))
        for hashed, place in zip(hashes, places, strict=True):
            if hashed:
                self._put(hashed, place)
