"""Carries a protocol out: imports its gallery, asks its queries in threads, and keeps the rankings.

Everything goes through the production ingester and searcher: what is measured is what is served.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from types import MappingProxyType
from typing import Any, Protocol

from nitari.catalog.base import Feed
from nitari.errors import BlockedError, DataError, FetchError
from nitari.evaluate.protocols import EvalProtocol, EvalQuery
from nitari.evaluate.qrels import Ranking
from nitari.ingest.worker import ImportReport
from nitari.search.query import Query, RegionChoice
from nitari.types import Answer, Hit

_NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})
DEPTH = 1000
"""Hits ranked for a query: TREC's custom, and the searcher's largest page."""
SHOWN = 20
"""Hits of a query that are kept whole, with photo and box, for people to look at."""


class Ingests(Protocol):
    """What is needed of an ingester (``nitari.ingest.worker.Ingester`` is one)."""

    def run(
        self,
        feed: Feed,
        *,
        sync: bool = False,
        allow_delete: bool = False,
        on_progress: Callable[[ImportReport], None] | None = None,
    ) -> ImportReport:
        """Import a feed."""
        ...


class Searches(Protocol):
    """What is needed of a searcher (``nitari.search.searcher.Searcher`` is one); used from several threads."""

    def search(self, query: Query) -> Answer:
        """Answer a query."""
        ...


@dataclass(frozen=True, slots=True)
class Run:
    """What a protocol's queries were answered.

    Args:
        protocol: What was asked.
        rankings: For every query id, item ids with scores, best first; empty where the query failed.
        failures: For queries that could not be asked, why; they count as answered with nothing.
        depth: How many hits were asked for.
        gallery: Counts of the gallery's import.
        seconds: Wall-clock time of the queries together.
        timing_ms: Mean milliseconds of a query by stage.
        hits: For every query id that was answered, its first ``SHOWN`` hits.
        familiarity: For every query id that was answered, ``Answer.familiarity``, 1 where nothing tells.
    """

    protocol: EvalProtocol
    rankings: Mapping[str, Ranking]
    failures: Mapping[str, str]
    depth: int
    gallery: ImportReport
    seconds: float
    timing_ms: Mapping[str, float] = field(default_factory=dict)
    hits: Mapping[str, tuple[Hit, ...]] = field(default_factory=dict)
    familiarity: Mapping[str, float] = field(default_factory=dict)


def home_for(root: Path, protocol: EvalProtocol, fingerprint: str) -> Path:
    """The home folder that keeps this protocol's gallery between evaluations, below ``root``.

    Another folder for other data and for another way to extract, so that switching back and forth embeds nothing twice
    and never meets vectors of another kind. Protocols with the same galleries share one.

    Args:
        root: Where such folders lie.
        protocol: Its galleries' feed ids and folders are part of the name.
        fingerprint: The extractor's.
    """
    feeds = [part for gallery in protocol.galleries for part in (gallery.feed_id, gallery.image_base or "")]
    text = "\n".join((*feeds, fingerprint))
    name = protocol.gallery.feed_id.partition(":")[0].removeprefix("eval-")
    return root / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def run_protocol(
    protocol: EvalProtocol,
    *,
    ingester: Ingests,
    open_searcher: Callable[[], AbstractContextManager[Searches]],
    depth: int = DEPTH,
    workers: int = 1,
    options: Mapping[str, Any] = _NO_OPTIONS,
    on_import: Callable[[ImportReport], None] | None = None,
    on_query: Callable[[int, int], None] | None = None,
) -> Run:
    """Import the gallery (what is there and unchanged is skipped), ask every query, and keep the rankings.

    Args:
        protocol: What to ask.
        ingester: Of a home that holds this protocol's gallery and nothing else (see ``home_for``).
        open_searcher: Opens a searcher on the same home; called once the gallery is in.
        depth: Hits to rank for a query, 1-1000. mAP counts relevant items below it as never found.
        workers: Queries asked at a time.
        options: Arguments of ``Query`` that every query is asked with, but for those that it pins.
        on_import: Called with the counts of the import so far.
        on_query: Called with how many queries are answered, and how many there are.

    Raises:
        NitariError: what the ingester or the searcher raises, except for a query's photo that is unusable, which is
            recorded in ``failures``.
    """
    gallery = _together(
        [ingester.run(feed, sync=True, allow_delete=True, on_progress=on_import) for feed in protocol.galleries]
    )
    rankings: dict[str, Ranking] = {}
    failures: dict[str, str] = {}
    hits: dict[str, tuple[Hit, ...]] = {}
    familiarity: dict[str, float] = {}
    totals: dict[str, float] = {}
    started = perf_counter()
    with open_searcher() as searcher:
        for query, outcome in _ask_all(protocol, searcher, depth=depth, workers=workers, options=options):
            if isinstance(outcome, DataError):
                rankings[query.query_id] = ()
                failures[query.query_id] = outcome.message
            else:
                rankings[query.query_id] = tuple((hit.item_id, hit.score) for hit in outcome.hits)
                hits[query.query_id] = outcome.hits[:SHOWN]
                familiarity[query.query_id] = 1.0 if outcome.familiarity is None else outcome.familiarity
                for stage, spent in outcome.timing_ms.items():
                    totals[stage] = totals.get(stage, 0.0) + spent
            if on_query is not None:
                on_query(len(rankings), len(protocol.queries))
    answered = max(1, len(rankings) - len(failures))
    timing = {stage: total / answered for stage, total in totals.items()}
    return Run(protocol, rankings, failures, depth, gallery, perf_counter() - started, timing, hits, familiarity)


def _ask_all(
    protocol: EvalProtocol, searcher: Searches, *, depth: int, workers: int, options: Mapping[str, Any]
) -> Iterator[tuple[EvalQuery, Answer | DataError]]:
    """Queries with their answers, in order; a bounded window of them in work."""

    def ask(query: EvalQuery) -> Answer | DataError:
        try:
            return searcher.search(_query(query, query.image_base or protocol.gallery.image_base, depth, options))
        except DataError as exc:  # an unusable photo is the data's fault: one failure, not the end of the run
            return exc

    window: deque[tuple[EvalQuery, Future[Answer | DataError]]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="nitari-eval") as pool:
        try:
            for query in protocol.queries:
                window.append((query, pool.submit(ask, query)))
                if len(window) >= 2 * workers:
                    first, answer = window.popleft()
                    yield first, answer.result()
            while window:
                first, answer = window.popleft()
                yield first, answer.result()
        finally:
            for _, answer in window:
                answer.cancel()


def _query(query: EvalQuery, base: str | None, depth: int, options: Mapping[str, Any]) -> Query:
    """The query as the searcher takes it, its photo read."""
    region: RegionChoice = query.box if query.box is not None else "auto"
    asked: dict[str, Any] = {"region": region, "filter": query.filter, "k": depth, **query.options}
    asked |= {name: value for name, value in options.items() if name not in query.pinned}
    if query.image_link.lower().startswith(("http://", "https://")):
        return Query(url=query.image_link, **asked)
    return Query(photo=_read(query.image_link, base), **asked)


def _together(reports: Sequence[ImportReport]) -> ImportReport:
    """The counts of several imports as one, under the name of the first."""
    counts = ("rows", "indexed", "updated", "unchanged", "rejected", "kept", "photos", "rejections", "deleted")
    sums = {name: sum(getattr(report, name) for report in reports) for name in counts}
    seconds, complete = sum(report.seconds for report in reports), all(report.complete for report in reports)
    return replace(reports[0], **sums, seconds=seconds, complete=complete, total=sums["rows"])


def _read(link: str, base: str | None) -> bytes:
    """The bytes of a query photo in the protocol's folder."""
    if base is None:
        raise BlockedError(f"query photo {link!r} is a path, but this feed has no folder", remedy="give a URL")
    folder = Path(base).resolve()
    path = (folder / link).resolve()
    if not path.is_relative_to(folder):
        raise BlockedError(f"query photo {link!r} lies outside {folder}", remedy="keep query photos beside the feed")
    try:
        return path.read_bytes()
    except OSError as exc:
        raise FetchError(f"query photo {link!r} cannot be read: {exc.strerror}", remedy="check the path") from exc
