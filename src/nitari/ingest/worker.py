"""Carries out what ``plan.py`` decides: reads a feed, looks at its photos in threads, writes in order, in batches.

What is counted is committed. A kill at any line costs at most the batch in hand, and the same command resumes: what is
already there is seen to be unchanged. Nothing is kept between runs but the catalog itself.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from time import monotonic

from nitari.catalog.base import Catalog, Edit, Feed, FeedRow, ItemDelete, ItemRejections, KnownItem
from nitari.errors import DependencyError, FeedError, SyncRefusedError
from nitari.extract import Extractor
from nitari.images.base import ImageSource
from nitari.ingest.examine import Examiner, Others, no_others
from nitari.ingest.plan import ItemPlan, Outcome, plan_deletions
from nitari.types import Rejection

CHUNK = 64
"""Rows whose stored state is looked up at once."""
COMMIT_AFTER_S = 1.0
"""Longest time that finished work waits for its commit."""


@dataclass(slots=True)
class ImportReport:
    """Counts of an import; every one is of committed work.

    Args:
        feed_id: The feed.
        total: About how many rows the feed has, ``None`` if unknown.
        rows: Rows dealt with.
        indexed: Items that are new or whose photos changed.
        updated: Items of which only text changed.
        unchanged: Items with nothing to do.
        rejected: Rows or items that are not in the catalog because of what was rejected.
        kept: Items with a rejection whose older photo stays searchable.
        photos: Photos that were embedded.
        rejections: Rejections recorded.
        deleted: Items deleted by ``--sync``.
        seconds: Wall-clock time.
        complete: Whether the feed was read to its end.
    """

    feed_id: str
    total: int | None = None
    rows: int = 0
    indexed: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    kept: int = 0
    photos: int = 0
    rejections: int = 0
    deleted: int = 0
    seconds: float = 0.0
    complete: bool = False


@dataclass(slots=True)
class _Batch:
    """Edits and counts that wait for the next commit."""

    edits: list[Edit] = field(default_factory=list)
    rows: int = 0
    photos: int = 0
    kept: int = 0
    rejections: int = 0
    outcomes: dict[Outcome, int] = field(default_factory=dict)
    since: float = field(default_factory=monotonic)

    def add(self, plan: ItemPlan, rejected: ItemRejections | None) -> None:
        self.rows += 1
        self.outcomes[plan.outcome] = self.outcomes.get(plan.outcome, 0) + 1
        if plan.put is not None:
            self.edits.append(plan.put)
            self.photos += sum(image.features is not None for image in plan.put.images)
        if rejected is not None:
            self.edits.append(rejected)
            self.rejections += len(rejected.rejections)
            self.kept += any(rejection.kept for rejection in rejected.rejections)


@dataclass(frozen=True, slots=True)
class _InWork:
    """A row whose photos are being looked at."""

    row: FeedRow
    plan: Future[ItemPlan]


class Ingester:
    """Imports feeds into a catalog.

    Args:
        catalog: Where to.
        extractor: What photos become.
        sources: From a feed's ``image_base`` to the source of its photos.
        workers: Photos decoded and embedded at a time.
        fetchers: Items in work at a time; more than ``workers`` where links are URLs and waiting is the cost.
        commit_items: Items in one transaction.
        others: Further collections that new photos belong into.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        extractor: Extractor,
        sources: Callable[[str | None], ImageSource],
        workers: int = 1,
        fetchers: int = 16,
        commit_items: int = 64,
        others: Others = no_others,
    ) -> None:
        self._catalog = catalog
        self._examiner = Examiner(catalog=catalog, extractor=extractor, workers=workers, others=others)
        self._sources = sources
        self._threads = max(workers, fetchers)
        self._commit_items = commit_items
        self._collection = extractor.collection
        catalog.register_collection(extractor.spec)

    def run(
        self,
        feed: Feed,
        *,
        sync: bool = False,
        allow_delete: bool = False,
        on_progress: Callable[[ImportReport], None] | None = None,
    ) -> ImportReport:
        """Import a feed; again and again is the way to keep up with it.

        Args:
            feed: What to import.
            sync: Also delete the feed's own items that are no longer in it.
            allow_delete: See ``nitari.ingest.plan.plan_deletions``.
            on_progress: Called after each commit with the counts so far.

        Raises:
            FeedError: the feed cannot be read (any further); what came before is committed.
            DependencyError: the feed's database failed, likewise; or the catalog's, the models' server.
            SyncRefusedError: the deletion was refused; everything else is done and committed.
            KeyboardInterrupt: after committing what was finished.
        """
        run = _Run(
            catalog=self._catalog,
            collection=self._collection,
            examiner=self._examiner,
            feed=feed,
            commit_items=self._commit_items,
            on_progress=on_progress or (lambda _report: None),
        )
        with closing(self._sources(feed.image_base)) as source:
            run.read(source, threads=self._threads)
        if sync:
            run.delete(allow_delete=allow_delete)
        return run.finish()


class _Run:
    """One import of one feed: what was seen, what waits for its commit, what was counted."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        collection: str,
        examiner: Examiner,
        feed: Feed,
        commit_items: int,
        on_progress: Callable[[ImportReport], None],
    ) -> None:
        self._catalog = catalog
        self._collection = collection
        self._examiner = examiner
        self._feed = feed
        self._commit_items = commit_items
        self._on_progress = on_progress
        self._run_id = uuid.uuid4().hex
        self._seen: set[str] = set()
        self._unidentified = 0
        self._batch = _Batch()
        self._started = monotonic()
        self._report = ImportReport(feed.feed_id, feed.size_hint)
        catalog.register_feed(feed.feed_id, feed.image_base)

    def read(self, source: ImageSource, *, threads: int) -> None:
        """Deal with every row: a bounded window of items in work, written in the feed's order."""
        window: deque[_InWork] = deque()
        with ThreadPoolExecutor(threads, thread_name_prefix="nitari-ingest") as pool:
            try:
                for entry, known in self._with_known():
                    if isinstance(entry, Rejection):
                        self._reject_row(entry)
                        continue
                    window.append(_InWork(entry, pool.submit(self._examine, entry, known, source)))
                    while len(window) >= 2 * threads or (window and window[0].plan.done()):
                        self._take(window.popleft())
                while window:
                    self._take(window.popleft())
            except (FeedError, DependencyError):  # the rows before the fault are as good as ever
                while window:
                    self._take(window.popleft())
                raise
            except BaseException:
                # Ctrl-C, a full disk: keep what is finished, drop what is not.
                for work in window:
                    work.plan.cancel()
                while window and window[0].plan.done() and not window[0].plan.cancelled():
                    self._take(window.popleft())
                raise
            finally:
                self._commit()

    def delete(self, *, allow_delete: bool) -> None:
        """Delete what left the feed."""
        owned = frozenset(self._catalog.feed_item_ids(self._feed.feed_id))
        try:
            gone = plan_deletions(
                feed_id=self._feed.feed_id,
                owned=owned,
                seen=self._seen,
                unidentified=self._unidentified,
                allow_delete=allow_delete,
            )
        except SyncRefusedError:
            self.finish()
            raise
        for start in range(0, len(gone), CHUNK):
            part = gone[start : start + CHUNK]
            self._catalog.apply([ItemDelete(item_id) for item_id in part], collection=self._collection)
            self._report.deleted += len(part)
            self._on_progress(self._report)

    def finish(self) -> ImportReport:
        """The whole feed was read: forget rejections that no longer hold, and report."""
        self._catalog.finish_run(self._feed.feed_id, self._run_id)
        self._report.complete = True
        self._report.seconds = monotonic() - self._started
        self._on_progress(self._report)
        return self._report

    def _with_known(self) -> Iterator[tuple[FeedRow | Rejection, KnownItem | None]]:
        """The feed's rows, each with what the catalog has of it, looked up a chunk at a time."""
        for chunk in _chunks(self._feed.read()):
            ids = [entry.item.item_id for entry in chunk if isinstance(entry, FeedRow)]
            known = self._catalog.known(ids, collection=self._collection)
            for entry in chunk:
                yield entry, known.get(entry.item.item_id) if isinstance(entry, FeedRow) else None

    def _examine(self, row: FeedRow, known: KnownItem | None, source: ImageSource) -> ItemPlan:
        return self._examiner.examine(
            row.item, feed_id=self._feed.feed_id, location=row.location, known=known, source=source
        )

    def _take(self, work: _InWork) -> None:
        """Put a finished item into the batch, waiting for it if need be."""
        plan = work.plan.result()
        item_id = work.row.item.item_id
        self._seen.add(item_id)
        found = work.row.rejections + plan.rejections
        # A put clears what was wrong with the item before; an unchanged, faultless item needs no write at all.
        rejected = self._rejections(item_id, None, found) if found or plan.put is not None else None
        self._batch.add(plan, rejected)
        self._commit_if_due()

    def _reject_row(self, rejection: Rejection) -> None:
        """Record a row that the feed itself could not read."""
        if rejection.item_id is not None:
            self._seen.add(rejection.item_id)
        else:
            self._unidentified += 1
        # Recorded by its place, not its item: a second row with an item's id must not hide what is wrong with the
        # first.
        rejected = self._rejections(None, rejection.location, (rejection,))
        self._batch.add(ItemPlan(Outcome.REJECTED, None), rejected)
        self._commit_if_due()

    def _rejections(self, item_id: str | None, location: str | None, of: tuple[Rejection, ...]) -> ItemRejections:
        return ItemRejections(self._feed.feed_id, self._run_id, item_id, location, of)

    def _commit_if_due(self) -> None:
        if self._batch.rows >= self._commit_items or monotonic() - self._batch.since >= COMMIT_AFTER_S:
            self._commit()

    def _commit(self) -> None:
        """Write the batch in one transaction; count it only when it is durable."""
        batch, self._batch = self._batch, _Batch()
        if not batch.rows:
            return
        if batch.edits:
            self._catalog.apply(batch.edits, collection=self._collection)
        report = self._report
        report.rows += batch.rows
        report.photos += batch.photos
        report.kept += batch.kept
        report.rejections += batch.rejections
        for outcome, count in batch.outcomes.items():
            setattr(report, outcome.value, getattr(report, outcome.value) + count)
        report.seconds = monotonic() - self._started
        self._on_progress(report)


def _chunks(rows: Iterator[FeedRow | Rejection]) -> Iterator[list[FeedRow | Rejection]]:
    """Rows in lists of ``CHUNK``; where the feed breaks off, the rows before come out before the error does."""
    chunk: list[FeedRow | Rejection] = []
    try:
        for row in rows:
            chunk.append(row)
            if len(chunk) == CHUNK:
                yield chunk
                chunk = []
    except (FeedError, DependencyError):
        yield chunk
        raise
    yield chunk
