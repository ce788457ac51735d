"""Looks at an item's photos: fetches them, compares digests and, where it must be, extracts. Writes nothing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeAlias

from nitari.catalog.base import Catalog, ImagePut, KnownImage, KnownItem, PhotoFeatures, StoredRegion, StoredView
from nitari.errors import DataError, NitariError
from nitari.extract import Extractor
from nitari.images.base import ImageSource, NotModified, Validators
from nitari.ingest.plan import ItemPlan, Unusable, Usable, plan_item
from nitari.types import Extraction, Item, Region

Others: TypeAlias = Callable[[], Sequence[Extractor]]
"""The extractors of further collections that new photos belong into at this moment; asked again for each photo."""

log = logging.getLogger(__name__)


def no_others() -> Sequence[Extractor]:
    """There is one collection only."""
    return ()


class Examiner:
    """Finds out what an item's photos are now. Called from many threads; extracts in at most ``workers`` of them.

    A new photo gets features in further collections from the same bytes. What fails there is logged and left to the
    next re-embedding: what clients search today must not wait for it.

    Args:
        catalog: Asked for the features of a photo that another item has already.
        extractor: What a new photo becomes.
        workers: Photos decoded and embedded at a time: one for each core.
        others: Further collections.
    """

    def __init__(self, *, catalog: Catalog, extractor: Extractor, workers: int, others: Others = no_others) -> None:
        self._catalog = catalog
        self._extractor = extractor
        self._others = others
        self._compute = threading.BoundedSemaphore(workers)

    def examine(
        self,
        item: Item,
        *,
        feed_id: str | None,
        location: str | None,
        known: KnownItem | None,
        source: ImageSource,
        refetch: bool = True,
        at_once: int = 1,
    ) -> ItemPlan:
        """Look at every photo of ``item`` and decide what to write (see ``plan.py``).

        Args:
            item: The row.
            feed_id: The feed it stands in.
            location: Where it stands there.
            known: What the catalog has of it, if anything.
            source: Where its links lead.
            refetch: Whether to look again at photos that are stored for this item and link already.
            at_once: Photos of this item fetched at a time.
        """
        before = {image.link: image for image in known.images} if known else {}
        kept = {} if refetch else {link: image for link, image in before.items() if image.extracted}
        wanted = [link for link in item.image_links if link not in kept]
        if at_once > 1 and len(wanted) > 1:
            with ThreadPoolExecutor(min(at_once, len(wanted)), thread_name_prefix="nitari-photo") as pool:
                looked = list(pool.map(lambda link: self._look(link, before.get(link), source), wanted))
        else:
            looked = [self._look(link, before.get(link), source) for link in wanted]
        found = dict(zip(wanted, looked, strict=True))
        photos = [_same(kept[link]) if link in kept else found[link] for link in item.image_links]
        return plan_item(item, feed_id=feed_id, location=location, known=known, photos=photos)

    def _look(self, link: str, old: KnownImage | None, source: ImageSource) -> Usable | Unusable:
        # Without features it is fetched whole: what has not changed must be extracted all the same.
        complete = old is not None and old.extracted
        validators = Validators(old.etag, old.last_modified) if old is not None and complete else None
        try:
            original = source.fetch(link, known=validators)
            if isinstance(original, NotModified):
                if old is None:
                    raise TypeError("a source answered NotModified to an unconditional fetch")
                return _same(old)
            fresh = original.validators
            seen = ImagePut(link, original.digest, fresh.etag, fresh.last_modified)
            if complete and old is not None and old.digest == original.digest:
                return Usable(seen)
            features = self._features(self._extractor, original.data, original.digest)
        except DataError as error:
            return Unusable(link, error)
        others = self._other_features(original.data, original.digest)
        return Usable(replace(seen, features=features, other_features=others))

    def _features(self, extractor: Extractor, data: bytes, digest: str) -> PhotoFeatures:
        """A photo's features: those of the same photo on another item, else freshly extracted."""
        stored = self._catalog.features(digest, collection=extractor.collection)
        if stored is not None:
            return stored
        with self._compute:
            return to_features(extractor.extract(data))

    def _other_features(self, data: bytes, digest: str) -> dict[str, PhotoFeatures]:
        found = {}
        for extractor in self._others():
            try:
                found[extractor.collection] = self._features(extractor, data, digest)
            except NitariError as error:
                log.warning(
                    "a new photo got no features in another collection; `nitari reembed` gives it some",
                    extra={"collection": extractor.collection, "digest": digest, "reason": error.message},
                )
        return found


def _same(old: KnownImage) -> Usable:
    """The photo as it is stored."""
    return Usable(ImagePut(old.link, old.digest, old.etag, old.last_modified))


def to_features(extraction: Extraction) -> PhotoFeatures:
    """What the catalog stores of an extraction."""
    return PhotoFeatures(
        width=extraction.width,
        height=extraction.height,
        regions=tuple(_stored(region) for region in extraction.regions),
        views=tuple(StoredView(_stored(view.region), view.vector) for view in extraction.views),
        lowlevel=extraction.lowlevel,
    )


def _stored(region: Region) -> StoredRegion:
    return StoredRegion(region.box, region.label, region.score)
