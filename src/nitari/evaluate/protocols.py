"""Protocols: which photos ask, which items may answer, and what counts as right.

A protocol is made from a feed and is plain data; ``runner.py`` carries it out with the production ingester and
searcher.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from nitari.catalog.base import Feed, FeedRow
from nitari.errors import DataError, UsageError
from nitari.evaluate.qrels import Judgments, read_qrels
from nitari.evaluate.queries import read_queries
from nitari.types import Box, Item, Rejection

FLAT_QUERIES = 1500
CATEGORY = "product_type"
SELLER = "seller_id"
ITEM_ID = "item_id"
"""What a filter calls an item's id."""


@dataclass(frozen=True, slots=True)
class EvalQuery:
    """One question of a protocol.

    Args:
        query_id: Unique in the protocol.
        image_link: The photo that asks: a path relative to the protocol's ``image_base``, or an ``http(s)`` link.
        box: The region to search with; ``None`` for the searcher's default.
        filter: What may answer, in the searcher's filter language, so that what is taken out costs no depth.
        category: For the table by category; empty for none.
    """

    query_id: str
    image_link: str
    box: Box | None = None
    filter: Mapping[str, Any] | None = None
    category: str = ""


class GalleryFeed:
    """A feed of the items that may answer: rows that were read already, each cut down to what the protocol shows.

    Args:
        feed_id: Its own name, so that ``--sync`` touches nothing else.
        image_base: See ``Feed``.
        entries: Rows and rejections in the feed's order.
    """

    def __init__(self, feed_id: str, image_base: str | None, entries: Sequence[FeedRow | Rejection]) -> None:
        self._feed_id = feed_id
        self._image_base = image_base
        self._entries = tuple(entries)

    @property
    def feed_id(self) -> str:
        """Stable name of the feed."""
        return self._feed_id

    @property
    def image_base(self) -> str | None:
        """What relative image links are relative to."""
        return self._image_base

    @property
    def size_hint(self) -> int:
        """How many entries there are."""
        return len(self._entries)

    def read(self) -> Iterator[FeedRow | Rejection]:
        """The entries, in order."""
        return iter(self._entries)


@dataclass(frozen=True, slots=True)
class EvalProtocol:
    """What is asked, of whom, and what is right.

    Args:
        name: ``luma``, ``flat`` or ``qrels``.
        gallery: The items that may answer.
        queries: The questions.
        judgments: What is right; ``None`` where nobody said, which allows a run but no measures.
    """

    name: str
    gallery: GalleryFeed
    queries: tuple[EvalQuery, ...]
    judgments: Judgments | None


def luma(feed: Feed, folder: Path) -> EvalProtocol:
    """Back view to front view: does the photo of a garment's back find its style?

    Queries: each item's first further photo with ``_back`` in its file name. Gallery: the main photo of every item.
    Relevant: every item of the query's ``item_group_id``, itself included (its main photo is another photo).
    """
    entries = list(feed.read())
    items = _items(entries)
    queries = []
    for item in items:
        back = next((link for link in item.image_links[1:] if "_back" in PurePosixPath(link).name), None)
        if back is not None:
            queries.append(EvalQuery(item.item_id, back, category=_category(item)))
    if not queries:
        raise _unfit("luma", folder, "no item has a photo named *_back* in additional_image_link")
    groups: dict[str, dict[str, int]] = {}
    for item in items:
        groups.setdefault(item.group_id, {})[item.item_id] = 1
    group_of = {item.item_id: item.group_id for item in items}
    judgments = {query.query_id: groups[group_of[query.query_id]] for query in queries}
    gallery = _gallery("luma", feed, [_main_photo_only(entry) for entry in entries])
    return EvalProtocol("luma", gallery, tuple(queries), judgments)


def flat(feed: Feed, folder: Path, *, count: int = FLAT_QUERIES) -> EvalProtocol:
    """Private seller's photo to the same kind of garment from other sellers.

    Queries: the main photos of the first ``count`` items by SHA-256 (hex) of the id. Gallery: the other items.
    Relevant: the same ``product_type``. The query seller's items are filtered out: one seller photographs many garments
    on one carpet, and finding the carpet is no merit.
    """
    entries = list(feed.read())
    items = _items(entries)
    order = sorted(items, key=lambda item: hashlib.sha256(item.item_id.encode()).hexdigest())
    asking, answering = order[:count], order[count:]
    if not answering:
        raise _unfit("flat", folder, f"it has {len(items)} items; {count} ask, and some more must be there to answer")
    sellers = {item.item_id: item.attributes.get(SELLER) for item in items}
    unlabeled = [item.item_id for item in items if sellers[item.item_id] is None or not _category(item)]
    if unlabeled:
        raise _unfit("flat", folder, f"item {unlabeled[0]!r} has no {SELLER} or no {CATEGORY}")
    by_type: dict[str, list[str]] = {}
    for item in answering:
        by_type.setdefault(_category(item), []).append(item.item_id)
    queries = []
    judgments = {}
    for item in asking:
        seller = sellers[item.item_id]
        others = {"not": {SELLER: seller}}
        queries.append(EvalQuery(item.item_id, item.image_links[0], filter=others, category=_category(item)))
        same = by_type.get(_category(item), [])
        judgments[item.item_id] = {item_id: 1 for item_id in same if sellers[item_id] != seller}
    ids = {item.item_id for item in answering}
    kept = [entry for entry in entries if isinstance(entry, Rejection) or entry.item.item_id in ids]
    return EvalProtocol("flat", _gallery("flat", feed, kept), tuple(queries), judgments)


def qrels(feed: Feed, folder: Path) -> EvalProtocol:
    """Your own queries: ``queries.csv`` and, if there, ``qrels.txt`` beside the feed.

    Gallery: every item with all its photos. A query's ``exclude`` column takes items out of the ranking and out of
    the judgments. The table by category follows the column ``category`` of ``queries.csv`` or, without it, the
    ``product_type`` of the query's most relevant item.
    """
    entries = list(feed.read())
    rows = read_queries(folder / "queries.csv")
    path = folder / "qrels.txt"
    judged = read_qrels(path) if path.is_file() else None
    if judged is not None:
        unknown = sorted(judged.keys() - {row.query_id for row in rows})
        if unknown:
            raise DataError(
                f"{path} judges query {unknown[0]!r}, which is not in queries.csv ({len(unknown)} such)",
                remedy="give both files the same query ids",
                code="qrels",
            )
        excluded = {row.query_id: set(row.exclude) for row in rows}
        judged = {
            query_id: {item_id: grade for item_id, grade in grades.items() if item_id not in excluded[query_id]}
            for query_id, grades in judged.items()
        }
    types = {item.item_id: _category(item) for item in _items(entries)}
    queries = []
    for row in rows:
        grades = (judged or {}).get(row.query_id, {})
        best = max(grades, key=lambda item_id: grades[item_id], default="")
        exclude = {"not": {ITEM_ID: list(row.exclude)}} if row.exclude else None
        category = row.category or types.get(best, "")
        queries.append(EvalQuery(row.query_id, row.image_link, row.box, exclude, category))
    return EvalProtocol("qrels", _gallery("qrels", feed, entries), tuple(queries), judged)


PROTOCOLS: Mapping[str, Callable[[Feed, Path], EvalProtocol]] = {"luma": luma, "flat": flat, "qrels": qrels}


def make_protocol(name: str, feed: Feed, folder: Path) -> EvalProtocol:
    """The protocol called ``name`` over the feed that ``folder`` holds.

    Raises:
        UsageError: there is no protocol of that name.
        DataError: the folder does not hold what the protocol needs; the message says what is missing.
    """
    if name not in PROTOCOLS:
        raise UsageError(f"there is no protocol {name!r}", remedy=f"give one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name](feed, folder)


def _items(entries: Sequence[FeedRow | Rejection]) -> list[Item]:
    return [entry.item for entry in entries if isinstance(entry, FeedRow)]


def _gallery(name: str, feed: Feed, entries: Sequence[FeedRow | Rejection]) -> GalleryFeed:
    return GalleryFeed(f"eval-{name}:{feed.feed_id}", feed.image_base, entries)


def _main_photo_only(entry: FeedRow | Rejection) -> FeedRow | Rejection:
    if isinstance(entry, Rejection):
        return entry
    return replace(entry, item=replace(entry.item, image_links=entry.item.image_links[:1]))


def _category(item: Item) -> str:
    value = item.attributes.get(CATEGORY, "")
    return " > ".join(value) if isinstance(value, tuple) else str(value)


def _unfit(name: str, folder: Path, found: str) -> DataError:
    return DataError(
        f"{folder} does not fit the protocol {name}: {found}",
        remedy=f"get the catalog that {name} is made for with: nitari sample {name} DIR",
        code="protocol",
    )
