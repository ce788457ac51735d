"""The composition root: settings in, a searcher or an ingester out. The only module that names every adapter.

Each adapter is imported inside the branch that picks it, so that what is not used is not loaded.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from nitari.errors import FeedError, StateError, UsageError
from nitari.settings import Settings

if TYPE_CHECKING:
    from nitari.catalog.base import CollectionSpec, Feed
    from nitari.catalog.sql import SqlCatalog
    from nitari.embeddings.base import Embedder
    from nitari.extract import Extractor
    from nitari.images.base import ImageSource
    from nitari.images.cache import OriginalsCache
    from nitari.index.base import VectorIndex
    from nitari.ingest.jobs import Job, Run
    from nitari.ingest.worker import ImportReport, Ingester
    from nitari.models.card import Card, Part
    from nitari.models.store import ModelStore
    from nitari.regions.base import RegionFinder
    from nitari.runtimes.lazy import LazyModel
    from nitari.search.gallery import Gallery
    from nitari.search.searcher import Searcher
    from nitari.server.services import Services
    from nitari.snapshots.snapshots import Snapshots

log = logging.getLogger(__name__)

SALIENCY_CARD = "u2netp"
ORIGINALS = "originals"
INDEXES = "index"
JOBS = "jobs"
THUMBNAILS = "thumbnails"
QUERY_PHOTOS = "query-photos"
# Items in work at a time beyond the cores: enough to hide a shop's latency, few enough to be a polite guest.
FETCHERS = 16
# Below this, reading vectors from the catalog is as quick as reading a snapshot of the index.
SNAPSHOT_FROM = 20_000
# A snapshot that lacks more than this share of the keys is written anew.
SNAPSHOT_STALE = 0.1


def open_catalog(settings: Settings) -> SqlCatalog:
    """The catalog in the home folder, created where there is none."""
    from nitari.catalog.sql import FILE_NAME, SqlCatalog

    return SqlCatalog.open(settings.home / FILE_NAME)


def open_originals(settings: Settings) -> OriginalsCache:
    """Photos from the web and uploaded ones, by digest, in the home folder."""
    from nitari.images.cache import OriginalsCache

    return OriginalsCache(settings.home / ORIGINALS)


def open_snapshots(settings: Settings, url: str | None = None) -> Snapshots:
    """The snapshots at a URL (the settings' where none is given), and the home folder to save there.

    Raises:
        UsageError: no URL at all, or one that nobody knows.
        MissingExtraError: a URL whose library is not installed.
    """
    from nitari import __version__
    from nitari.catalog.schema import VERSION
    from nitari.catalog.sql import FILE_NAME, SqlCatalog
    from nitari.snapshots.catalog_file import CatalogFile
    from nitari.snapshots.contents import Home
    from nitari.snapshots.repository import Repository
    from nitari.snapshots.snapshots import Snapshots
    from nitari.snapshots.storage import Storage

    url = url or settings.snapshots.url
    if url is None:
        raise UsageError("no place for snapshots is given", remedy="give a URL, or set snapshots.url in nitari.toml")
    return Snapshots(
        repository=Repository(Storage.open(url)),
        home=Home(settings.home, settings.models.cards),
        catalog=CatalogFile(settings.home / FILE_NAME, opener=SqlCatalog.open, schema=VERSION),
        version=__version__,
    )


def open_store(settings: Settings) -> ModelStore:
    """The store of model cards and networks."""
    from nitari.models.store import ModelStore

    models = settings.models
    return ModelStore(cache=models.cache, cards=models.cards, download=models.download)


def open_feed(
    settings: Settings,
    source: str,
    *,
    feed_id: str | None = None,
    query: str | None = None,
    encoding: str | None = None,
    image_base: str | Path | None = None,
) -> Feed:
    """A feed from wherever it is; one at a URL is fetched under the same rules as image links.

    Arguments are those of ``nitari.catalog.feed.open_feed``.

    Raises:
        FeedError: a source that cannot be read.
    """
    from nitari.catalog.feed import open_feed as open_any

    @contextmanager
    def opener(url: str) -> Iterator[BinaryIO]:
        from nitari.images.base import NotModified

        with closing(_web_source(settings, max_bytes=settings.http.max_feed_bytes)) as web:
            original = web.fetch(url)
        if isinstance(original, NotModified):
            raise FeedError(f"{url} answered as if an older copy were known")
        yield BytesIO(original.data)

    return open_any(source, feed_id=feed_id, query=query, encoding=encoding, image_base=image_base, opener=opener)


@contextmanager
def open_ingester(settings: Settings) -> Iterator[Ingester]:
    """An ingester over the home folder's catalog."""
    from nitari.ingest.worker import Ingester

    extractor = open_extractor(settings)
    with open_catalog(settings) as catalog:
        yield Ingester(
            catalog=catalog,
            extractor=extractor,
            sources=_sources(settings),
            workers=settings.ingest.workers,
            fetchers=FETCHERS,
            commit_items=settings.ingest.commit_items,
        )


def open_searcher(settings: Settings, *, extractor: Extractor | None = None) -> Searcher:
    """A searcher over the home folder's catalog, up to date with it. Close it, or use it in a ``with`` statement.

    Args:
        settings: Where and how.
        extractor: What makes vectors of query photos, where the caller has one already.
    """
    from nitari.catalog.base import CollectionSpec
    from nitari.search.gallery import Gallery
    from nitari.search.searcher import Searcher

    extractor = extractor or open_extractor(settings)
    spec = CollectionSpec(extractor.collection, extractor.dim, extractor.fingerprint)
    catalog = open_catalog(settings)
    try:
        catalog.register_collection(spec)
        index = _index(settings, spec.dim, catalog.stats().vectors.get(spec.name, 0))
        snapshots = _Snapshots(settings, catalog, index, spec)
        indexed_at = snapshots.load(index)
        gallery = Gallery.open(catalog=catalog, index=index, collection=spec.name, indexed_at=indexed_at)
        snapshots.keep(gallery, indexed_at)
    except BaseException:
        catalog.close()
        raise
    return Searcher(
        gallery=gallery,
        extractor=lambda: extractor,
        source=_web_source(settings),
        remembered=settings.server.query_cache,
    )


@contextmanager
def open_services(settings: Settings) -> Iterator[Services]:
    """All that the HTTP server stands on, over one extractor and one catalog."""
    from nitari.catalog.feeds.submitted import read_submitted
    from nitari.images.decode import ImageDecoder
    from nitari.ingest.edit import Editor
    from nitari.ingest.jobs import Jobs
    from nitari.server.pictures import CatalogPictures
    from nitari.server.query_photos import FolderQueryPhotos
    from nitari.server.services import Services

    extractor = open_extractor(settings)
    sources = _sources(settings)
    originals = open_originals(settings)
    decoder = ImageDecoder(max_bytes=settings.images.max_bytes, max_pixels=settings.images.max_pixels)
    with ExitStack() as stack:
        catalog = stack.enter_context(open_catalog(settings))
        searcher = stack.enter_context(open_searcher(settings, extractor=extractor))
        source = stack.enter_context(closing(sources(None)))
        editor = Editor(
            catalog=catalog,
            extractor=extractor,
            source=source,
            originals=originals,
            read=read_submitted,
            workers=settings.ingest.workers,
        )
        jobs = stack.enter_context(Jobs(folder=settings.home / JOBS, run=_import_runner(settings, catalog, extractor)))
        pictures = stack.enter_context(
            CatalogPictures(
                catalog=catalog,
                originals=originals,
                sources=sources,
                decoder=decoder,
                folder=settings.home / THUMBNAILS,
                max_bytes=settings.server.thumbnail_cache_bytes,
            )
        )
        query_photos = FolderQueryPhotos(
            folder=settings.home / QUERY_PHOTOS,
            decoder=decoder,
            days=settings.server.query_photo_days,
            most=settings.server.query_photos,
        )
        yield Services(searcher, catalog, editor, jobs, pictures, query_photos)


def _import_runner(settings: Settings, catalog: SqlCatalog, extractor: Extractor) -> Run:
    """What carries out an import for a client: of a URL or an uploaded file, never of a folder of this machine.

    Paths in such a feed lead nowhere: only ``http(s)`` links are followed, whatever lies beside the file. Half of the
    workers are left to queries.
    """
    from nitari.catalog.feed import UploadedFeed
    from nitari.ingest.worker import Ingester

    ingester = Ingester(
        catalog=catalog,
        extractor=extractor,
        sources=lambda _image_base: _web_links(settings),
        workers=max(1, settings.ingest.workers // 2),
        fetchers=FETCHERS,
        commit_items=settings.ingest.commit_items,
    )

    def run(job: Job, source: str, on_progress: Callable[[ImportReport], None]) -> ImportReport:
        feed = (
            open_feed(settings, source, feed_id=job.feed_id)
            if job.url is not None
            else UploadedFeed(Path(source), name=job.feed, feed_id=job.feed_id)
        )
        return ingester.run(feed, sync=job.sync, allow_delete=job.allow_delete, on_progress=on_progress)

    return run


def open_extractor(settings: Settings) -> Extractor:
    """The one path from bytes to vectors. Loads the networks, and fetches them on first use if settings allow it."""
    from nitari.embeddings.lowlevel import LowLevelDescriptor
    from nitari.extract import Extractor
    from nitari.images.decode import ImageDecoder

    store = open_store(settings)
    return Extractor(
        decoder=ImageDecoder(max_bytes=settings.images.max_bytes, max_pixels=settings.images.max_pixels),
        regions=_regions(settings, store),
        embedder=_embedder(settings, store),
        descriptor=LowLevelDescriptor() if settings.extract.lowlevel else None,
        views=settings.extract.views,
    )


def _embedder(settings: Settings, store: ModelStore) -> Embedder:
    """The embedder that the settings name: one network, or several and descriptors side by side."""
    from nitari.embeddings.composite import CompositeEmbedder
    from nitari.errors import ModelError

    card = store.card(settings.models.embedder)
    if card.kind == "saliency":
        raise ModelError(
            f"model {card.name} finds regions, it does not embed", remedy="set models.embedder to an embedder's card"
        )
    if card.kind == "composite":
        parts = [(_part(settings, store, part), part.weight) for part in card.parts]
        return CompositeEmbedder(name=card.name, parts=parts)
    return _network(settings, store, card)


def _part(settings: Settings, store: ModelStore, part: Part) -> Embedder:
    """One part of a composite as an embedder.

    Raises:
        ModelError: a descriptor that does not exist, or of another width.
    """
    if not part.is_descriptor:
        return _network(settings, store, store.card(part.name))
    from nitari.embeddings.composite import DescriptorEmbedder
    from nitari.embeddings.lowlevel import LowLevelDescriptor
    from nitari.errors import ModelError

    descriptor = LowLevelDescriptor()
    if (part.name, part.descriptor_dim) != (descriptor.name, descriptor.dim):
        raise ModelError(
            f"a model card has the descriptor {part.name} of width {part.descriptor_dim}, "
            f"there is only {descriptor.name} of width {descriptor.dim}",
            remedy="correct parts in the card that models.embedder names",
        )
    return DescriptorEmbedder(descriptor)


def _network(settings: Settings, store: ModelStore, card: Card) -> Embedder:
    """One network as an embedder, loaded at its first use."""
    from nitari.embeddings.onnx import OnnxEmbedder

    return OnnxEmbedder(card=card, model=_lazy(settings, store, card), fingerprint=_fingerprint(store, card))


def _regions(settings: Settings, store: ModelStore) -> RegionFinder:
    """The region finder that the settings name."""
    if settings.extract.regions == "whole":
        from nitari.regions.whole import WholeFinder

        return WholeFinder()
    from nitari.regions.saliency import SaliencyFinder

    card = store.card(SALIENCY_CARD)
    return SaliencyFinder(card=card, model=_lazy(settings, store, card), fingerprint=_fingerprint(store, card))


def _lazy(settings: Settings, store: ModelStore, card: Card) -> LazyModel:
    """A card's network, fetched (if settings allow it) and loaded when it is first run."""
    from nitari.runtimes.lazy import LazyModel
    from nitari.runtimes.onnx import OnnxModel

    def load() -> OnnxModel:
        (network,) = store.networks(card, progress=log.info)
        return OnnxModel(network.path, providers=settings.runtime.providers, threads=settings.runtime.threads)

    return LazyModel(load)


def _fingerprint(store: ModelStore, card: Card) -> str:
    """A card's own where it pins its weights, so that nothing needs to be there; else of the weights in the store."""
    if any(source.sha256 for source in card.weights):
        return card.fingerprint
    (network,) = store.networks(card)
    return network.fingerprint


def _web_source(settings: Settings, *, max_bytes: int | None = None) -> ImageSource:
    """Follows http(s) links under the settings' limits, and keeps what it fetched."""
    from nitari.images.http import HttpSource

    http = settings.http
    return HttpSource(
        timeout_s=http.timeout_s,
        total_timeout_s=http.total_timeout_s,
        retries=http.retries,
        per_host=http.per_host,
        allow_private=http.allow_private,
        user_agent=http.user_agent,
        max_bytes=max_bytes or settings.images.max_bytes,
    )


def _web_links(settings: Settings) -> ImageSource:
    """Follows http(s) links and no others."""
    from nitari.images.cache import CachingSource
    from nitari.images.links import LinkSource

    return LinkSource(web=CachingSource(_web_source(settings), open_originals(settings)), files=None)


def _sources(settings: Settings) -> Callable[[str | None], ImageSource]:
    """From a feed's folder to the source of its photos; what comes from the web, or was uploaded, is kept."""

    def source(image_base: str | None) -> ImageSource:
        from nitari.images.cache import CachingSource
        from nitari.images.files import FileSource
        from nitari.images.links import LinkSource
        from nitari.images.uploads import UploadSource

        originals = open_originals(settings)
        web = CachingSource(_web_source(settings), originals)
        files = FileSource(Path(image_base), max_bytes=settings.images.max_bytes) if image_base else None
        uploads = UploadSource(originals, max_bytes=settings.images.max_bytes)
        return LinkSource(web=web, files=files, uploads=uploads)

    return source


def _index(settings: Settings, dim: int, count: int) -> VectorIndex:
    """The engine for a collection of ``count`` vectors."""
    engine = settings.index.engine
    if engine == "auto":
        engine = "faiss" if count > settings.index.exact_below and find_spec("faiss") else "exact"
    if engine == "faiss":
        from nitari.index.faiss import FaissIndex

        return FaissIndex(dim)
    from nitari.index.exact import ExactIndex

    return ExactIndex(dim)


class _Snapshots:
    """The index file of a large collection, so that a process need not read every vector from the catalog."""

    def __init__(self, settings: Settings, catalog: SqlCatalog, index: VectorIndex, spec: CollectionSpec) -> None:
        from nitari.index.snapshot import SnapshotHeader

        self._folder = settings.home / INDEXES / spec.name
        self._header = SnapshotHeader(
            engine=index.engine,
            collection=spec.name,
            dim=spec.dim,
            fingerprint=spec.fingerprint,
            catalog=catalog.identity,
            seq=catalog.seq(),
        )

    def load(self, index: VectorIndex) -> int | None:
        """Fill ``index`` from the last snapshot; the change it was complete with, ``None`` where there is none."""
        from nitari.index.snapshot import load_snapshot

        try:
            found = load_snapshot(index, self._folder, expected=self._header)
        except StateError as exc:
            log.warning(
                "an index snapshot cannot be used and is rebuilt from the catalog", extra={"reason": exc.message}
            )
            return None
        return found.seq if found else None

    def keep(self, gallery: Gallery, indexed_at: int | None) -> None:
        """Save a snapshot where there is none, or only one that many changes have passed by."""
        gallery.save(lambda index, seq: self._save_if_due(index, seq, indexed_at))

    def _save_if_due(self, index: VectorIndex, seq: int, indexed_at: int | None) -> None:
        from nitari.index.snapshot import save_snapshot

        fresh = indexed_at is not None and seq - indexed_at <= SNAPSHOT_STALE * len(index)
        if len(index) < SNAPSHOT_FROM or fresh:
            return
        try:
            save_snapshot(index, self._folder, header=replace(self._header, seq=seq))
        except StateError as exc:
            log.warning("an index snapshot could not be saved", extra={"reason": exc.message})
