"""Fills a collection beside others: gives stored photos their features in it, from the originals that were kept.

What is still to do is asked of the catalog each time, so a run that was killed is resumed by running it again, any
number of edits may come meanwhile, and what they bring is done in the same run. A photo whose original cannot be had
is recorded with its reason, never passed over silently; the next run tries it again.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from time import monotonic

from nitari.catalog.base import Catalog, FeaturesPut, Lack, LackingPhoto
from nitari.errors import ConfigurationError, DataError, FetchError
from nitari.extract import Extractor
from nitari.images.base import ImageSource, NotModified, Original, Originals, Validators, shown
from nitari.ingest.examine import to_features

PHOTOS_AN_ITEM = 8
"""How many photos an item is taken to have when the size of a transaction is bounded."""


@dataclass(slots=True)
class ReembedReport:
    """Counts of a re-embedding; every one is of committed work.

    Args:
        collection: The collection being filled.
        total: Photos that had no features in it when the run began.
        photos: Photos that got features in this run.
        reused: Of these, those whose features were those of the same photo on another item.
        lacks: Photos that could not get any, and why.
        seconds: Wall-clock time.
        complete: Whether every photo was dealt with, those that came meanwhile included.
    """

    collection: str
    total: int = 0
    photos: int = 0
    reused: int = 0
    lacks: list[Lack] = field(default_factory=list)
    seconds: float = 0.0
    complete: bool = False


@dataclass(frozen=True, slots=True)
class _Found:
    """Features for a photo, and whether they were there already."""

    put: FeaturesPut
    reused: bool


@dataclass(frozen=True, slots=True)
class _InWork:
    """A photo that is being looked at."""

    photo: LackingPhoto
    outcome: Future[_Found | Lack]


class Reembedder:
    """Fills one collection.

    Args:
        catalog: Whose photos.
        extractor: What makes features of the collection; it is registered, and maintained from now on.
        originals: Photos from the web and uploaded ones, by digest.
        sources: From a feed's ``image_base`` to the source of the photos that are not among them.
        workers: Photos decoded and embedded at a time.
        fetchers: Photos in work at a time.
        commit_items: Items in one transaction.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        extractor: Extractor,
        originals: Originals,
        sources: Callable[[str | None], ImageSource],
        workers: int = 1,
        fetchers: int = 4,
        commit_items: int = 64,
    ) -> None:
        self._catalog = catalog
        self._extractor = extractor
        self._originals = originals
        self._sources = sources
        self._threads = max(workers, fetchers)
        self._compute = threading.BoundedSemaphore(workers)
        self._commit_items = commit_items
        catalog.register_collection(extractor.spec)

    @property
    def collection(self) -> str:
        """Name of the collection being filled."""
        return self._extractor.collection

    def run(self, *, on_progress: Callable[[ReembedReport], None] | None = None) -> ReembedReport:
        """Fill the collection, until nothing lacks but what cannot be had.

        Args:
            on_progress: Called after each commit with the counts so far.

        Raises:
            DependencyError: the catalog failed, or the models' server; what came before is committed.
            ModelError: weights that cannot be had.
            KeyboardInterrupt: after committing what was finished.
        """
        # Edits from now on bring their own features; what they did before is found lacking.
        if self._extractor.spec not in self._catalog.maintained():
            self._catalog.maintain(self.collection)
        run = _Run(self._catalog, self.collection, self._commit_items, on_progress or (lambda _report: None))
        with ExitStack() as stack:
            sources: dict[str | None, ImageSource] = {}

            def look(photo: LackingPhoto) -> _Found | Lack:
                return self._look(photo, sources[photo.image_base])

            with ThreadPoolExecutor(self._threads, thread_name_prefix="nitari-reembed") as pool:

                def submit(photo: LackingPhoto) -> Future[_Found | Lack]:
                    if photo.image_base not in sources:
                        sources[photo.image_base] = stack.enter_context(closing(self._open(photo.image_base)))
                    return pool.submit(look, photo)

                while run.pass_over(submit, ahead=2 * self._threads):
                    pass  # what was put while it was read
        return run.finish()

    def _open(self, image_base: str | None) -> ImageSource:
        try:
            return self._sources(image_base)
        except ConfigurationError as error:
            return _Gone(error)

    def _look(self, photo: LackingPhoto, source: ImageSource) -> _Found | Lack:
        try:
            stored = self._catalog.features(photo.digest, collection=self.collection)
            features = stored
            if features is None:
                data = self._data(photo, source)
                with self._compute:
                    features = to_features(self._extractor.extract(data))
        except DataError as error:
            return Lack(photo.item_id, photo.link, photo.digest, error.code, error.message, error.remedy)
        return _Found(FeaturesPut(photo.item_id, photo.link, photo.digest, features), stored is not None)

    def _data(self, photo: LackingPhoto, source: ImageSource) -> bytes:
        """The very bytes that the catalog knows the digest of.

        Raises:
            DataError: they cannot be had; ``original-changed`` where others stand in their place.
        """
        kept = self._originals.get(photo.digest)
        if kept is not None:
            return kept
        original = source.fetch(photo.link)
        if isinstance(original, NotModified):
            raise TypeError("a source answered NotModified to an unconditional fetch")
        if original.digest != photo.digest:
            raise DataError(
                f"behind image link {shown(photo.link)} stands a photo with digest {original.digest[:16]} by now, "
                f"expected {photo.digest[:16]} as imported",
                remedy="import its feed again: the new photo then gets into this collection, too",
                code="original-changed",
            )
        return original.data


class _Gone:
    """The source of a feed whose folder cannot be opened: photos that are kept elsewhere need it no more."""

    def __init__(self, error: ConfigurationError) -> None:
        self._error = error

    def fetch(self, link: str, *, known: Validators | None = None) -> Original | NotModified:
        """Nothing; says why."""
        raise FetchError(
            f"the photo behind {shown(link)} cannot be read: {self._error.message}",
            remedy="bring the feed's folder back, or import the feed again from where it is now",
            code="folder-missing",
        )

    def close(self) -> None:
        """Nothing to close."""


class _Run:
    """One re-embedding: what waits for its commit, what could not be had, what was counted."""

    def __init__(
        self, catalog: Catalog, collection: str, commit_items: int, on_progress: Callable[[ReembedReport], None]
    ) -> None:
        self._catalog = catalog
        self._collection = collection
        self._commit_items = commit_items
        self._on_progress = on_progress
        self._started = monotonic()
        self._lacking: set[tuple[str, str, str]] = set()
        self._found: list[_Found] = []
        self._lacks: list[Lack] = []
        self._items: set[str] = set()
        lacking = {info.name: info.lacking for info in catalog.collections()}
        self._report = ReembedReport(collection, lacking[collection])

    def pass_over(self, submit: Callable[[LackingPhoto], Future[_Found | Lack]], *, ahead: int) -> int:
        """Deal with every photo that lacks features and was not tried in vain before. Returns how many there were."""
        count = 0
        window: deque[_InWork] = deque()
        try:
            for photo in self._catalog.lacking(self._collection):
                if (photo.item_id, photo.link, photo.digest) in self._lacking:
                    continue
                count += 1
                window.append(_InWork(photo, submit(photo)))
                while len(window) >= ahead:
                    self._take(window.popleft())
            while window:
                self._take(window.popleft())
        except BaseException:
            # Ctrl-C, a full disk, weights that cannot be had: keep what is finished, drop what is not.
            for work in window:
                work.outcome.cancel()
            while window and window[0].outcome.done() and not window[0].outcome.cancelled():
                if window[0].outcome.exception() is None:
                    self._take(window[0])
                window.popleft()
            raise
        finally:
            self._commit()
        return count

    def finish(self) -> ReembedReport:
        """Everything was dealt with."""
        self._report.complete = True
        self._report.seconds = monotonic() - self._started
        self._on_progress(self._report)
        return self._report

    def _take(self, work: _InWork) -> None:
        """Put an outcome into the batch, waiting for it if need be; an item's photos go together where they can."""
        outcome = work.outcome.result()
        waiting = len(self._found) + len(self._lacks)
        full = len(self._items) >= self._commit_items and work.photo.item_id not in self._items
        if full or waiting >= PHOTOS_AN_ITEM * self._commit_items:
            self._commit()
        self._items.add(work.photo.item_id)
        if isinstance(outcome, Lack):
            self._lacks.append(outcome)
            self._lacking.add((outcome.item_id, outcome.link, outcome.digest))
        else:
            self._found.append(outcome)

    def _commit(self) -> None:
        """Write what waits; count it only when it is durable."""
        found, lacks = self._found, self._lacks
        self._found, self._lacks = [], []
        self._items.clear()
        if found:
            self._report.photos += self._catalog.add_features([each.put for each in found], collection=self._collection)
            self._report.reused += sum(each.reused for each in found)
        if lacks:
            self._catalog.record_lacks(lacks, collection=self._collection)
            self._report.lacks += lacks
        if found or lacks:
            self._report.seconds = monotonic() - self._started
            self._on_progress(self._report)
