"""Queries to answers: a question of any kind becomes vectors, vectors become items, items become hits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from time import perf_counter
from types import TracebackType
from typing import Any, Self

import numpy as np

from nitari.embeddings.base import QueryGate
from nitari.errors import UsageError
from nitari.extract import Extractor
from nitari.images.base import ImageSource
from nitari.index.base import PromisesRecall, Step, VectorIndex
from nitari.search.alike import LikenessMaps, PhotoOf, likeness_maps
from nitari.search.blank import blank_photo
from nitari.search.calibration import Calibration, reach, scored
from nitari.search.categories import DEFAULT_ATTRIBUTE, Categories, Learned
from nitari.search.columns import AttributeSummary
from nitari.search.counts import Counted, Counts
from nitari.search.emphasis import can_emphasize, weighed
from nitari.search.filters import EVERYTHING, Filter, parse_filter
from nitari.search.flat_share import FlatShare
from nitari.search.gallery import Gallery, Holding
from nitari.search.nearest import Nearest, nearest_items
from nitari.search.photos import PhotoReader
from nitari.search.query import Query, check_facets
from nitari.search.ranking import Ranked, Wish, ranked
from nitari.search.recent import Recent
from nitari.search.sample import sample
from nitari.search.vectors import direction, ordinal_of, query_vectors
from nitari.search.why import reasons
from nitari.types import Answer, Block, Box, Detection, FloatArray, Hit, Region

# What looks like an item is asked again and again (every product page shows it), and stays true until an item changes:
# so many answers of at most so many neighbors are kept, 12 bytes a neighbor.
_REMEMBERED_ITEMS = 8192
_NEIGHBORS = 128


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
        recall: Share of the true nearest that the index was found to answer; ``None`` where nothing was compared yet,
            or where it is exact.
        damaged: Parts of the index on disk that were found damaged and set aside in the last week.
    """

    collection: str
    dim: int
    items: int
    groups: int
    keys: int
    seq: int
    recall: float | None = None
    damaged: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    """What a query brings to search with, apart from items of the gallery.

    Args:
        vectors: float32 ``[q, dim]``, unit rows; ``None`` where items of the gallery say what is wanted.
        regions: Found on the query photo.
        box: Of the query photo, that is searched with.
        timing_ms: Milliseconds by stage so far.
        worn: Probability that the query photo shows a worn garment; ``None`` where nothing tells.
    """

    vectors: FloatArray | None = None
    regions: tuple[Region, ...] = ()
    box: Box | None = None
    timing_ms: Mapping[str, float] = field(default_factory=dict)
    worn: float | None = None


class Searcher:
    """Answers queries about one collection. Safe to use from any number of threads.

    Args:
        gallery: What is searched. The searcher closes it.
        extractor: Makes the extractor; called once, by the first query that brings a photo, so that queries by item
            and by vector never load a model.
        source: Gets the photos of ``url`` queries; ``None`` refuses them. The searcher closes it.
        remembered: Of how many query photos the vectors (never the photos) are kept, so that another filter, page or
            threshold costs no network, and another box only that of its own vector.
        blocks: What the parts of the gallery's vectors speak of; ``()`` where that is not known, and ``Query.emphasis``
            changes nothing.
        gate: Says which of these parts count for a query; ``None`` where all do.
        category: Which attribute says what an item is, for ``Query.category``; empty for none.
        calibration: Turns likeness into the probability that an item is relevant; ``None`` to score by the cosine.
    """

    def __init__(
        self,
        *,
        gallery: Gallery,
        extractor: Callable[[], Extractor],
        source: ImageSource | None = None,
        remembered: int = 0,
        blocks: Sequence[Block] = (),
        gate: QueryGate | None = None,
        category: str = DEFAULT_ATTRIBUTE,
        calibration: Calibration | None = None,
    ) -> None:
        self._gallery = gallery
        self._categories = Categories(gallery, category)
        self._calibration = calibration
        self._blocks = tuple(blocks)
        self._gate = gate
        self._photos = PhotoReader(
            extractor=extractor,
            collection=gallery.collection,
            dim=gallery.dim,
            source=source,
            remembered=remembered,
        )
        self._counts = Counts()
        self._flat_share = FlatShare()
        self._neighbors: Recent[Ranked] = Recent(_REMEMBERED_ITEMS)

    @property
    def collection(self) -> str:
        """The name of what is searched."""
        return self._gallery.collection

    @property
    def takes_emphasis(self) -> bool:
        """Whether ``Query.emphasis`` changes anything: whether the model's vectors tell color from shape."""
        return can_emphasize(self._blocks)

    @property
    def refreshed_at(self) -> float:
        """When the answers were last known to be up to date with the catalog, as ``time.monotonic`` says it."""
        return self._gallery.refreshed_at

    def search(self, query: Query) -> Answer:
        """Answer a query from the catalog as it was at the last ``refresh``.

        Hits come by score, best first, ties by item id. For an unchanged catalog and an exact index, pages (``offset``)
        neither repeat nor skip an item. A score is the probability that the item is relevant where the searcher has a
        calibration, else how alike it is; the ranking's part is in it (see ``nitari.search.ranking``).

        Raises:
            UsageError: a vector of another width or without direction, a url that is not one or not allowed, likes and
                dislikes that cancel each other out.
            FilterError: a filter that does not parse.
            NotFoundError: an item to search by that is not there.
            ImageError: a photo that cannot be used.
            FetchError: a url whose photo cannot be had.
        """
        started = perf_counter()
        wanted = None if query.filter is None else parse_filter(query.filter)
        trace: list[Step] | None = [] if query.explain else None
        question = self._question(query)
        learned = self._categories.current() if query.category != "off" else Learned()
        asked = perf_counter()
        with self._gallery.reading() as holding:
            found = self._ranked(holding, query, question.vectors, wanted, learned, trace)
            hits, more = _page(holding, found, query, self._calibration_of(found))
            if query.why:
                hits = self._explained(holding, hits, found, query, question.vectors)
            total = self._counts.total(holding, wanted)
            facets = self._counts.facets(holding, wanted, query.facets, limit=query.facet_limit)
            seq = holding.seq
        now = perf_counter()
        timing = {**question.timing_ms, "search": (now - asked) * 1e3, "total": (now - started) * 1e3}
        plan = None if trace is None else tuple(asdict(step) for step in trace)
        return Answer(
            hits=hits,
            timing_ms=timing,
            regions=question.regions,
            query_box=question.box,
            more=more,
            total=total,
            facets=facets,
            seq=seq,
            plan=plan,
            category=found.guess,
            worn=question.worn,
            familiarity=None if self._gate is None else found.familiarity,
        )

    def detect(self, *, photo: bytes | None = None, url: str | None = None) -> Detection:
        """The products on a photo. A search with the same photo then does not look for them again.

        Args:
            photo: An image file's bytes.
            url: An ``http(s)`` link to an image; exactly one of the two is given.

        Raises:
            UsageError: both or none are given, a url that is not one or not allowed.
            ImageError: a photo that cannot be used.
            FetchError: a url whose photo cannot be had.
        """
        if (photo is None) == (url is None):
            raise UsageError(
                f"a detection takes exactly one of photo and url; found {'none' if photo is None else 'both'}"
            )
        return self._photos.detect(photo, url)

    def likeness_maps(self, query: Query, hit: str, photo_of: PhotoOf) -> LikenessMaps:
        """Where a query and an item are alike; takes a second or two, so not for the threads that answer queries.

        As ``nitari.search.alike.likeness_maps``.
        """
        parts = (self._gallery, self._photos, self._blocks, self._gate)
        return likeness_maps(*parts, query, hit, photo_of, ease=self._ease(query))

    def facets(self, names: Sequence[str], *, filter: Mapping[str, Any] | None = None, limit: int = 20) -> Counted:  # noqa: A002 - as in Query
        """What the items that pass a filter are like; see ``Query.facets`` for what is counted.

        Args:
            names: Attributes, at most 32, as in a filter: one leading ``@`` is taken off.
            filter: JSON filter; ``None`` for all items.
            limit: Most values of each facet, 1-1000.

        Raises:
            UsageError: too many names, or a limit out of range.
            FilterError: a filter that does not parse.
        """
        check_facets(names, limit)
        wanted = None if filter is None else parse_filter(filter)
        with self._gallery.reading() as holding:
            facets = self._counts.facets(holding, wanted, names, limit=limit)
            return Counted(facets, self._counts.total(holding, wanted), holding.seq)

    def sample(self, count: int) -> tuple[str, ...]:
        """Ids of a few items to show what there is: spread evenly over the catalog, each of another group.

        Args:
            count: How many at most; fewer come where there are not as many groups. The same ones come as long as the
                catalog stays as it is.
        """
        with self._gallery.reading() as holding:
            return sample(holding.items, count)

    def refresh(self) -> int:
        """Catch up with the catalog's change log. Returns how many changed items were read again."""
        return self._gallery.refresh()

    def learn(self) -> bool:
        """Learn anew what the categories look like, where enough of the catalog has changed. Returns whether it did.

        To be called now and then, off the query path; no query waits for it.
        """
        return self._categories.refresh()

    def check_recall(self) -> bool:
        """Compare a recent query with the exact answer, so that the promised recall is kept.

        Returns whether there was one to compare. To be called now and then, off the query path; no query waits for it.
        """
        with self._gallery.reading() as holding:
            index = holding.index
        return isinstance(index, PromisesRecall) and index.check_recall()

    def warm(self) -> None:
        """Load extractor and networks by a blank photo, and learn the categories, so that no real photo waits."""
        self._photos.warm(blank_photo())
        self._categories.current()

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
                recall=_recall_of(holding.index),
                damaged=self._gallery.damaged,
            )

    def ping(self) -> None:
        """Raise ``DependencyError`` or ``StateError`` where the catalog does not answer."""
        self._gallery.ping()

    def close(self) -> None:
        """Close the gallery (with its index and catalog) and the source."""
        try:
            self._gallery.close()
        finally:
            self._photos.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _question(self, query: Query) -> _Question:
        """What the query brings; photos are fetched and embedded here, before the gallery is held still."""
        if query.photo is not None or query.url is not None:
            ease = self._ease(query)
            extraction = self._photos.extract(query.photo, query.url, query.region, query.worn, ease=ease)
            return _Question(
                vectors=np.stack([view.vector for view in extraction.views]).astype(np.float32, copy=False),
                regions=extraction.regions,
                box=min((view.region.box for view in extraction.views), key=lambda box: box.area),
                timing_ms=extraction.timing_ms,
                worn=extraction.worn,
            )
        if query.vector is not None:
            return _Question(vectors=direction(query.vector, self._gallery.dim)[None])
        return _Question()

    def _ease(self, query: Query) -> float:
        """How much of what a transform would take out of the query is taken out, by what the gallery holds."""
        transform = self._photos.transform if query.worn == "auto" else None
        if transform is None:
            return 1.0
        with self._gallery.reading() as holding:
            return self._flat_share.ease(holding, transform)

    def _ranked(
        self,
        holding: Holding,
        query: Query,
        brought: FloatArray | None,
        wanted: Filter | None,
        learned: Learned,
        trace: list[Step] | None,
    ) -> Ranked:
        """The items that the query asks for, from the best on, and one more to tell whether there are more."""
        count = query.offset + query.k + 1
        classifier = self._categories.of(holding, learned, wanted) if query.category != "off" else None
        # A category brings items nearer from beyond a radius, and those that vote may lie there.
        max_distance = None if classifier is not None else reach(query.min_score, self._calibration)

        def look() -> Ranked:
            vectors, excluded = query_vectors(self._gallery, holding, query, brought)
            asking = weighed(vectors, self._blocks, query.emphasis, self._gate)

            def find(most: int, passing: Filter | None) -> Nearest:
                return nearest_items(
                    holding,
                    asking.vectors,
                    count=most,
                    scales=asking.scales,
                    excluded=excluded,
                    allowed=None if passing is None or passing.node == EVERYTHING else holding.allowed(passing),
                    group_by=query.group_by,
                    max_distance=max_distance,
                    trace=trace,
                )

            wish = Wish(
                asking=asking,
                vectors=vectors,
                wanted=wanted,
                category=query.category,
                attribute=self._categories.attribute,
                classifier=classifier,
                own=self._own_category(holding, query),
                collapse=query.collapse,
                familiarity=1.0 if self._gate is None else float(self._gate.familiarity(vectors).max()),
            )
            return ranked(holding, find, wish, count)

        if query.item_id is None or query.liked or query.disliked or count > _NEIGHBORS or query.explain:
            return look()
        token = None if wanted is None else wanted.token
        ranking = (query.category, learned.number, query.collapse, query.emphasis)
        key = (query.item_id, token, count, query.group_by, max_distance, ranking)
        return self._neighbors.get(holding.version, key, look)

    def _explained(
        self, holding: Holding, hits: tuple[Hit, ...], found: Ranked, query: Query, brought: FloatArray | None
    ) -> tuple[Hit, ...]:
        """The hits of a page, each with what its score is made of."""
        vectors, _ = query_vectors(self._gallery, holding, query, brought)
        asking = weighed(vectors, self._blocks, query.emphasis, self._gate)
        page = slice(query.offset, query.offset + len(hits))
        told = reasons(holding, found, page, asking, self._blocks, self._calibration_of(found))
        return tuple(replace(hit, why=why) for hit, why in zip(hits, told, strict=True))

    def _calibration_of(self, found: Ranked) -> Calibration | None:
        """The calibration of this very query."""
        return None if self._calibration is None else self._calibration.of_query(found.familiarity)

    def _own_category(self, holding: Holding, query: Query) -> str | None:
        """What the query's item says that it is; ``None`` where it does not, or where likes and dislikes bend it."""
        if query.item_id is None or query.liked or query.disliked or not self._categories.attribute:
            return None
        ordinal = ordinal_of(self._gallery, holding, query.item_id)
        (value,) = holding.items.columns.texts(self._categories.attribute, np.asarray([ordinal], np.int32))
        return value


def _recall_of(index: VectorIndex) -> float | None:
    """What was measured of an index that promises a recall; ``None`` where nothing was."""
    if not isinstance(index, PromisesRecall):
        return None
    measured = index.recall()
    return measured.value if measured.queries else None


def _page(
    holding: Holding, found: Ranked, query: Query, calibration: Calibration | None
) -> tuple[tuple[Hit, ...], bool]:
    """The hits that the query asks to see, and whether there are more behind them."""
    scores = scored(1.0 - found.distances, calibration)
    good = len(scores) if query.min_score is None else int(np.count_nonzero(scores >= query.min_score))
    page = slice(query.offset, min(query.offset + query.k, good))
    hits = list(holding.items.hits(found.views[page], scores[page].tolist()))
    for place, others in found.duplicates.items():
        if page.start <= place < page.stop:
            ids = tuple(holding.items.item_id(ordinal) for ordinal in others)
            hits[place - page.start] = replace(hits[place - page.start], duplicates=ids)
    return tuple(hits), good > query.offset + query.k
