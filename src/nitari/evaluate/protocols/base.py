"""What a protocol is made of: plain data, which ``runner.py`` carries out with the production ingester and searcher."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from nitari.catalog.base import Feed, FeedRow
from nitari.errors import DataError
from nitari.evaluate.measures import MEASURES
from nitari.evaluate.qrels import Judgments
from nitari.folds import fold_key
from nitari.images.base import Decoder
from nitari.types import Box, Item, Rejection

CATEGORY = "product_type"
ITEM_ID = "item_id"
"""What a filter calls an item's id."""
GROUP_ID = "item_group_id"
"""What a filter calls an item's group."""

_NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Materials:
    """What protocols are made with.

    Args:
        open_feed: Opens the feed that a folder holds; a plain folder of photos is one, too.
        decoder: Reads photos, for protocols that cut photos of their own from them.
        work: A folder for these, made when there are any; ``None`` where none can be kept.
    """

    open_feed: Callable[[Path], Feed]
    decoder: Decoder | None = None
    work: Path | None = None


@dataclass(frozen=True, slots=True)
class EvalQuery:
    """One question of a protocol.

    Args:
        query_id: Unique in the protocol.
        image_link: The photo that asks: a path relative to ``image_base``, or an ``http(s)`` link.
        box: The region to search with; ``None`` for the searcher's default.
        filter: What may answer, in the searcher's filter language, so that what is taken out costs no depth.
        category: For the table by category; empty for none.
        image_base: The folder that the path is relative to; ``None`` for that of the protocol's first gallery.
        options: Further arguments of ``nitari.search.query.Query``: ``emphasis``, ``min_score`` ...
        pinned: Options that it is always asked with as they stand here, or without, whatever a run is given.
        subject: What the question is about, where one photo asks in several ways; the query's own id if not given.
        fold_key: The seller or style of the photo: a model that was trained on it must not be asked this (see
            ``nitari.folds``). The subject if not given.
    """

    query_id: str
    image_link: str
    box: Box | None = None
    filter: Mapping[str, Any] | None = None
    category: str = ""
    image_base: str | None = None
    options: Mapping[str, Any] = field(default_factory=lambda: _NO_OPTIONS)
    pinned: tuple[str, ...] = ()
    subject: str = ""
    fold_key: str = ""

    def __post_init__(self) -> None:
        if not self.subject:
            object.__setattr__(self, "subject", self.query_id)
        if not self.fold_key:
            object.__setattr__(self, "fold_key", self.subject)


class GalleryFeed:
    """A feed of items that may answer: rows that were read already, each cut down to what the protocol shows.

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

    def items(self) -> list[Item]:
        """The items among the entries."""
        return items(self._entries)

    def map(self, change: Callable[[Item], Item]) -> GalleryFeed:
        """This feed with each item changed."""
        changed = [
            entry if isinstance(entry, Rejection) else replace(entry, item=change(entry.item))
            for entry in self._entries
        ]
        return GalleryFeed(self._feed_id, self._image_base, changed)


@dataclass(frozen=True, slots=True)
class Lens:
    """One number of a protocol: which rankings it looks at, what is right in them, and how that is counted.

    Args:
        name: How reports call it.
        measure: See ``nitari.evaluate.measures.measure``: ``P@10``, ``Success@5``, ``mAP`` ...
        judgments: What counts, for each query that it looks at; ``None`` for the protocol's own. Several queries may
            have one subject, but only one of them in one lens.
        less_is_better: Whether a small number is the good one.
        meaning: What it says, where the name does not, in a few words.
    """

    name: str
    measure: str
    judgments: Judgments | None = None
    less_is_better: bool = False
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a threshold of the score is judged by: what it should keep out, and what it should let through.

    Args:
        unwanted: Queries that should be answered with nothing.
        wanted: For queries that should be answered, what with.
    """

    unwanted: tuple[str, ...]
    wanted: Judgments


@dataclass(frozen=True, slots=True)
class EvalProtocol:
    """What is asked, of whom, and what is right.

    Args:
        name: As in ``nitari eval NAME``.
        gallery: The items that may answer.
        queries: The questions.
        judgments: What is right; ``None`` where nobody said, which allows a run but no measures.
        also: Further galleries beside the first, from other feeds; no two have an item of the same id.
        lenses: What is reported; where there are none, every standard measure of the judgments.
        sweep: Where thresholds are to be compared.
    """

    name: str
    gallery: GalleryFeed
    queries: tuple[EvalQuery, ...]
    judgments: Judgments | None
    also: tuple[GalleryFeed, ...] = ()
    lenses: tuple[Lens, ...] = ()
    sweep: Sweep | None = None

    @property
    def galleries(self) -> tuple[GalleryFeed, ...]:
        """All of them."""
        return (self.gallery, *self.also)

    @property
    def measured(self) -> tuple[Lens, ...]:
        """What is reported, each lens with its judgments; nothing where there are none."""
        if self.lenses:
            return tuple(
                lens if lens.judgments is not None else replace(lens, judgments=self.judgments or {})
                for lens in self.lenses
            )
        return () if self.judgments is None else tuple(Lens(name, name, self.judgments) for name in MEASURES)


def items(entries: Iterable[FeedRow | Rejection]) -> list[Item]:
    """The items among what a feed holds."""
    return [entry.item for entry in entries if isinstance(entry, FeedRow)]


def gallery_of(name: str, feed: Feed, entries: Sequence[FeedRow | Rejection]) -> GalleryFeed:
    """A gallery of a feed's entries. Galleries of one name and feed hold the same, and share the folder they lie in."""
    return GalleryFeed(f"eval-{name}:{feed.feed_id}", feed.image_base, entries)


def main_photo_only(entry: FeedRow | Rejection) -> FeedRow | Rejection:
    """A row without its further photos."""
    if isinstance(entry, Rejection):
        return entry
    return replace(entry, item=replace(entry.item, image_links=entry.item.image_links[:1]))


def main_photos(feed: Feed) -> GalleryFeed:
    """The main photo of every item of a feed: the gallery that several protocols share."""
    return gallery_of("luma", feed, [main_photo_only(entry) for entry in feed.read()])


def backs(found: Iterable[Item]) -> tuple[EvalQuery, ...]:
    """A query for each item that shows its back, with the item's id."""
    views = ((item, back_view(item)) for item in found)
    return tuple(query_of(item, link) for item, link in views if link is not None)


def back_view(item: Item) -> str | None:
    """An item's first further photo with ``_back`` in its file name."""
    return next((link for link in item.image_links[1:] if "_back" in link.rsplit("/", 1)[-1]), None)


def category_of(item: Item) -> str:
    """An item's kind; a path of kinds as ``Men > Tops > Tees``."""
    value = item.attributes.get(CATEGORY, "")
    return " > ".join(value) if isinstance(value, tuple) else str(value)


def folder_of(item: Item) -> str:
    """The folder of a photo in a plain folder of photos, relative to it; empty for that itself."""
    value = item.attributes.get("folder", ())
    return value[-1] if isinstance(value, tuple) and value else ""


def styles(found: Sequence[Item]) -> dict[str, dict[str, int]]:
    """For each item's id, every item of its style, itself included, as relevant."""
    groups: dict[str, dict[str, int]] = {}
    for item in found:
        groups.setdefault(item.group_id, {})[item.item_id] = 1
    return {item.item_id: groups[item.group_id] for item in found}


def query_of(item: Item, link: str, **changes: Any) -> EvalQuery:
    """A photo of an item that asks, in the fold of its item."""
    given: dict[str, Any] = {"category": category_of(item), "fold_key": fold_key(item), **changes}
    return EvalQuery(given.pop("query_id", item.item_id), link, **given)


def subfolder(protocol: str, folder: Path, name: str) -> Path:
    """A folder that a protocol needs beside others.

    Raises:
        DataError: it is not there.
    """
    found = folder / name
    if not found.is_dir():
        there = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir()) if folder.is_dir() else []
        raise DataError(
            f"protocol {protocol} needs a folder {name}/ in {folder}, which holds {', '.join(there) or 'no folder'}",
            remedy=f"give a folder that holds it, see nitari eval --help and docs/accuracy.md: {name}/",
            code="protocol",
        )
    return found


def unfit(name: str, folder: Path, found: str, *, catalog: str = "") -> DataError:
    """A catalog that is not what the protocol is made for."""
    return DataError(
        f"{folder} does not fit the protocol {name}: {found}",
        remedy=f"get the catalog that {name} is made for with: nitari sample {catalog or name} DIR",
        code="protocol",
    )
