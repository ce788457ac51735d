"""Queries to answers: a question of any kind becomes vectors, vectors become items, items become hits."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from time import perf_counter
from types import TracebackType
from typing import Self

import numpy as np

from nitari.errors import ConfigurationError, UsageError
from nitari.extract import Extractor, unit
from nitari.images.base import ImageSource, Original
from nitari.search.columns import AttributeSummary
from nitari.search.filters import EVERYTHING, Filter, parse_filter
from nitari.search.gallery import Gallery, Holding
from nitari.search.nearest import Nearest, nearest_items
from nitari.search.query import Query
from nitari.types import Answer, Box, FloatArray, Hit, Region

DISLIKED_WEIGHT = 0.5
"""How much disliked items push the query away, beside liked ones, which weigh 1. Rocchio's beta: with 0, dislikes do
nothing; with 1, the large part that all vectors of a catalog share cancels out, and noise decides."""


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


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    """What a query comes down to.

    Args:
        vectors: float32 ``[q, dim]``, unit rows; ``None`` where ``liked`` items say what is wanted.
        liked: Items to be like.
        disliked: Items to be unlike.
        regions: Found on the query photo.
        box: Of the query photo, that is searched with.
        timing_ms: Milliseconds by stage so far.
    """

    vectors: FloatArray | None = None
    liked: tuple[str, ...] = ()
    disliked: tuple[str, ...] = ()
    regions: tuple[Region, ...] = ()
    box: Box | None = None
    timing_ms: Mapping[str, float] = field(default_factory=dict)


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
        self._gallery = gallery
        self._make_extractor = extractor
        self._extractor: Extractor | None = None
        self._extractor_lock = Lock()
        self._source = source

    def search(self, query: Query) -> Answer:
        """Answer a query from the catalog as it was at the last ``refresh``.

        Hits come by score, best first, ties by item id. For an unchanged catalog and an exact index, pages (``offset``)
        neither repeat nor skip an item.

        Raises:
            UsageError: a vector of another width or without direction, a url that is not one or not allowed.
            FilterError: a filter that does not parse.
            NotFoundError: an item to search by that is not there.
            ImageError: a photo that cannot be used.
            FetchError: a url whose photo cannot be had.
        """
        started = perf_counter()
        wanted = None if query.filter is None else parse_filter(query.filter)
        question = self._question(query)
        asked = perf_counter()
        hits, more = self._find(query, question, wanted)
        now = perf_counter()
        timing = {**question.timing_ms, "search": (now - asked) * 1e3, "total": (now - started) * 1e3}
        return Answer(hits, timing, question.regions, question.box, more)

    def refresh(self) -> int:
        """Catch up with the catalog's change log. Returns how many changed items were read again."""
        return self._gallery.refresh()

    def warm(self) -> None:
        """Load extractor and networks now, by a blank photo, so that the first real one does not wait for them."""
        self._loaded().extract(blank_photo(), describe=False)

    def known_attributes(self) -> Mapping[str, AttributeSummary]:
        """What filters can ask about, by name. Looks at every value, so it is for hints, not for every query."""
        with self._gallery.reading() as holding:
            return holding.items.columns.summaries(holding.items.alive)

    def stats(self) -> SearcherStats:
        """Counts."""
        with self._gallery.reading() as holding:
            return SearcherStats(
                collection=self._gallery.collection,
                dim=holding.index.dim,
                items=len(holding.items),
                groups=holding.items.columns.group_count(holding.items.alive),
                keys=len(holding.index),
                seq=holding.seq,
            )

    def ping(self) -> None:
        """Raise ``DependencyError`` or ``StateError`` where the catalog does not answer."""
        self._gallery.ping()

    def close(self) -> None:
        """Close the gallery (with its index and catalog) and the source."""
        try:
            self._gallery.close()
        finally:
            if self._source is not None:
                self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _question(self, query: Query) -> _Question:
        """What the query comes down to; photos are fetched and embedded here, before the gallery is held still."""
        if query.photo is not None:
            return self._from_photo(query.photo, query, {})
        if query.url is not None:
            started = perf_counter()
            data = self._fetch(query.url)
            return self._from_photo(data, query, {"fetch": (perf_counter() - started) * 1e3})
        if query.vector is not None:
            return _Question(vectors=_checked(query.vector, self._gallery.dim)[None])
        if query.item_id is not None:
            return _Question(liked=(query.item_id,))
        return _Question(liked=query.liked, disliked=query.disliked)

    def _from_photo(self, data: bytes, query: Query, timing: Mapping[str, float]) -> _Question:
        """The question that a photo asks."""
        extraction = self._loaded().extract(data, choice=query.region, describe=False)
        return _Question(
            vectors=np.stack([view.vector for view in extraction.views]).astype(np.float32, copy=False),
            regions=extraction.regions,
            box=min((view.region.box for view in extraction.views), key=lambda box: box.area),
            timing_ms={**timing, **extraction.timing_ms},
        )

    def _fetch(self, url: str) -> bytes:
        """The bytes behind a link. Paths are not for callers to choose, whatever the source could read."""
        if self._source is None:
            raise UsageError("this searcher does not fetch photos from links", remedy="send the photo itself")
        if not url.lower().startswith(("http://", "https://")):
            raise UsageError(f"url is {url[:80]!r}; expected a link that starts with http:// or https://")
        fetched = self._source.fetch(url)
        if not isinstance(fetched, Original):
            raise AssertionError("a source answers NotModified only to a conditional fetch")
        return fetched.data

    def _loaded(self) -> Extractor:
        """The extractor, made when it is first needed, by one thread; where that fails, the next query tries again."""
        with self._extractor_lock:
            if self._extractor is None:
                extractor = self._make_extractor()
                have = (extractor.collection, extractor.dim)
                want = (self._gallery.collection, self._gallery.dim)
                if have != want:
                    raise ConfigurationError(
                        f"the extractor makes vectors of {have[0]!r}, {have[1]} wide, but the gallery holds "
                        f"{want[0]!r}, {want[1]} wide",
                        remedy="open the searcher with the model card that the catalog was imported with",
                    )
                self._extractor = extractor
            return self._extractor

    def _find(self, query: Query, question: _Question, wanted: Filter | None) -> tuple[tuple[Hit, ...], bool]:
        """Hits, and whether there are more behind them."""
        with self._gallery.reading() as holding:
            liked = [self._ordinal(holding, item_id) for item_id in question.liked]
            disliked = [self._ordinal(holding, item_id) for item_id in question.disliked]
            if question.vectors is not None:
                vectors = question.vectors
            elif query.item_id is not None:
                vectors = _vectors_of(holding, liked[0])
            else:
                vectors = _like(holding, liked, disliked)[None]
            nearest = nearest_items(
                holding,
                vectors,
                count=query.offset + query.k + 1,
                excluded=frozenset(liked + disliked),
                allowed=None if wanted is None or wanted.node == EVERYTHING else holding.allowed(wanted),
                group_by=query.group_by,
                max_distance=None if not query.min_score else 1.0 - query.min_score,
            )
            return _page(holding, nearest, query)

    def _ordinal(self, holding: Holding, item_id: str) -> int:
        """An item's ordinal."""
        ordinal = holding.items.ordinal(item_id)
        if ordinal is None:
            raise self._gallery.explain_missing(item_id)
        return ordinal


def blank_photo() -> bytes:
    """A white PNG of 64 x 64 pixels, written without a library (ISO/IEC 15948)."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    side = 64
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)  # 8-bit gray, no interlace
    rows = zlib.compress((b"\0" + b"\xff" * side) * side)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _page(holding: Holding, nearest: Nearest, query: Query) -> tuple[tuple[Hit, ...], bool]:
    """The hits that the query asks to see, and whether there are more behind them."""
    # In float64, so that different distances stay different scores.
    scores = np.clip(1.0 - nearest.distances.astype(np.float64), 0.0, 1.0)
    good = len(scores) if query.min_score is None else int(np.count_nonzero(scores >= query.min_score))
    page = slice(query.offset, min(query.offset + query.k, good))
    return holding.items.hits(nearest.views[page], scores[page].tolist()), good > query.offset + query.k


def _vectors_of(holding: Holding, ordinal: int) -> FloatArray:
    """All stored vectors of an item: float32 ``[n, dim]``, unit rows."""
    return unit(holding.index.vectors(holding.items.keys_of(ordinal)))


def _like(holding: Holding, liked: list[int], disliked: list[int]) -> FloatArray:
    """The direction of liked items, away from disliked ones: float32 ``[dim]``, unit length.

    Rocchio's relevance feedback ("Relevance feedback in information retrieval", in Salton, The SMART Retrieval System,
    1971) without an original query: ``unit(mean(liked) - beta * mean(disliked))``. An item weighs the same however
    many photos it has.
    """
    wanted = np.mean([_vectors_of(holding, ordinal).mean(axis=0) for ordinal in liked], axis=0)
    if disliked:
        unwanted = np.mean([_vectors_of(holding, ordinal).mean(axis=0) for ordinal in disliked], axis=0)
        wanted = wanted - DISLIKED_WEIGHT * unwanted
    if not np.linalg.norm(wanted) > 1e-6:
        raise UsageError("liked and disliked items cancel each other out", remedy="name other items, or fewer")
    return unit(wanted.astype(np.float32))


def _checked(vector: FloatArray, dim: int) -> FloatArray:
    """A caller's vector as a unit vector: float32 ``[dim]``."""
    try:
        given = np.asarray(vector, np.float64)
    except (TypeError, ValueError) as exc:
        raise UsageError(f"vector is not an array of {dim} numbers: {exc}") from exc
    if given.shape != (dim,):
        raise UsageError(
            f"vector has shape {list(given.shape)}; this collection's vectors have [{dim}]",
            remedy="send a vector of the collection's own model",
        )
    with np.errstate(over="ignore"):
        length = float(np.linalg.norm(given))
    if not (np.isfinite(length) and length > 0.0):
        raise UsageError(
            f"vector has length {length}; expected one that is above 0 and finite",
            remedy="look for NaN, infinity or all zeros in it",
        )
    return (given / length).astype(np.float32)
