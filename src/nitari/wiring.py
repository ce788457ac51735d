"""The composition root: settings in, a searcher or an ingester out.

With ``recipes`` and ``indexes`` the only module that names adapters. Each is imported inside the branch that picks
it, so that what is not used is not loaded.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from nitari.errors import FeedError, UsageError
from nitari.indexes import INDEXES as INDEXES
from nitari.indexes import open_index
from nitari.recipes import REGION_CARDS as REGION_CARDS
from nitari.recipes import Extractors, adopt, default_collection, keep_default, with_recipe
from nitari.recipes import open_store as open_store
from nitari.settings import Settings

if TYPE_CHECKING:
    from nitari.catalog.base import Feed
    from nitari.catalog.sql import SqlCatalog
    from nitari.extract import Extractor
    from nitari.images.base import Decoder, ImageSource
    from nitari.images.cache import OriginalsCache
    from nitari.ingest.jobs import Job, Run
    from nitari.ingest.reembed import Reembedder
    from nitari.ingest.worker import ImportReport, Ingester
    from nitari.search.searcher import Searcher
    from nitari.server.services import KnownSnapshot, SavedSnapshot, Services
    from nitari.snapshots.snapshots import Snapshots

log = logging.getLogger(__name__)

ORIGINALS = "originals"
JOBS = "jobs"
THUMBNAILS = "thumbnails"
QUERY_PHOTOS = "query-photos"
# Items in work at a time beyond the cores: enough to hide a shop's latency, few enough to be a polite guest.
FETCHERS = 16


def open_catalog(settings: Settings) -> SqlCatalog:
    """The catalog in the home folder, created where there is none."""
    from nitari.catalog.sql import FILE_NAME, SqlCatalog

    return SqlCatalog.open(settings.home / FILE_NAME)


def prune_history(settings: Settings, catalog: SqlCatalog) -> int:
    """Let the catalog forget what items were longer ago than the settings say. Returns how many changes."""
    return catalog.prune_history(datetime.now(UTC) - timedelta(days=settings.catalog.history_days))


def open_originals(settings: Settings) -> OriginalsCache:
    """Photos from the web and uploaded ones, by digest, in the home folder."""
    from nitari.images.cache import OriginalsCache

    return OriginalsCache(settings.home / ORIGINALS)


def open_decoder(settings: Settings) -> Decoder:
    """What reads photos, within the settings' limits."""
    from nitari.images.decode import ImageDecoder

    return ImageDecoder(max_bytes=settings.images.max_bytes, max_pixels=settings.images.max_pixels)


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
        raise UsageError(
            "no place for snapshots is given",
            remedy="give a URL, or set snapshots.url in nitari.toml",
            code="snapshots-unset",
        )
    return Snapshots(
        repository=Repository(Storage.open(url)),
        home=Home(settings.home, settings.models.cards),
        catalog=CatalogFile(settings.home / FILE_NAME, opener=SqlCatalog.open, schema=VERSION),
        version=__version__,
    )


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
    """An ingester over the home folder's catalog, which forgets its oldest history in the end."""
    from nitari.ingest.worker import Ingester

    extractor = open_extractor(settings)
    with open_catalog(settings) as catalog:
        adopt(catalog, extractor)
        yield Ingester(
            catalog=catalog,
            extractor=extractor,
            sources=_sources(settings),
            workers=settings.ingest.workers,
            fetchers=FETCHERS,
            commit_items=settings.ingest.commit_items,
            others=Extractors(settings).others(catalog, than=extractor.collection),
        )
        prune_history(settings, catalog)


def open_searcher(settings: Settings, *, extractor: Extractor | None = None) -> Searcher:
    """A searcher over the home folder's catalog, up to date with it. Close it, or use it in a ``with`` statement.

    Args:
        settings: Where and how.
        extractor: What makes vectors of query photos, where the caller has one already.
    """
    from nitari.calibrations import open_calibration
    from nitari.search.gallery import Gallery
    from nitari.search.searcher import Searcher

    extractor = extractor or open_extractor(settings)
    spec = extractor.spec
    catalog = open_catalog(settings)
    try:
        adopt(catalog, extractor)
        index, editions = open_index(settings, catalog, spec)
        calibration = open_calibration(settings, spec)
        gallery = Gallery.open(catalog=catalog, index=index, collection=spec.name, editions=editions)
    except BaseException:
        catalog.close()
        raise
    return Searcher(
        gallery=gallery,
        extractor=lambda: extractor,
        source=_web_source(settings),
        remembered=settings.server.query_cache,
        blocks=extractor.blocks,
        gate=extractor.gate,
        category=settings.search.category,
        calibration=calibration,
    )


@contextmanager
def open_services(settings: Settings) -> Iterator[Services]:
    """All that the HTTP server stands on, over one catalog.

    Edits and imports get into the collection that is in use when they come, and into those beside it: the one that the
    server started with may be dropped by then.
    """
    from nitari.catalog.feeds.submitted import read_submitted
    from nitari.ingest.edit import Editor
    from nitari.ingest.jobs import Jobs
    from nitari.search.searchers import Searchers
    from nitari.server.pictures import CatalogPictures
    from nitari.server.query_photos import FolderQueryPhotos
    from nitari.server.services import Services

    extractor = open_extractor(settings)
    extractors = {extractor.collection: extractor}
    beside = Extractors(settings)
    sources = _sources(settings)
    originals = open_originals(settings)
    decoder = open_decoder(settings)
    with ExitStack() as stack:
        catalog = stack.enter_context(open_catalog(settings))

        def open_other(name: str) -> Searcher:
            for gone in extractors.keys() - {*searchers.names, name}:
                del extractors[gone]
            extractors[name] = open_extractor(settings, name)
            return open_searcher(settings, extractor=extractors[name])

        first = open_searcher(settings, extractor=extractor)
        searchers = stack.enter_context(closing(Searchers(catalog=catalog, first=first, open=open_other)))
        source = stack.enter_context(closing(sources(None)))

        @lru_cache(maxsize=1)
        def editor_of(collection: str) -> Editor:
            return Editor(
                catalog=catalog,
                extractor=extractors[collection],
                source=source,
                originals=originals,
                read=read_submitted,
                workers=settings.ingest.workers,
                others=beside.others(catalog, than=collection),
            )

        def in_use() -> Extractor:
            return extractors[searchers.current.collection]

        run = _import_runner(settings, catalog, in_use, beside)
        jobs = stack.enter_context(Jobs(folder=settings.home / JOBS, run=run))
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
        forget = partial(prune_history, settings, catalog)
        snapshots = _HomeSnapshots(partial(open_snapshots, settings))
        yield Services(
            searchers=searchers,
            catalog=catalog,
            editor=lambda: editor_of(searchers.current.collection),
            jobs=jobs,
            pictures=pictures,
            query_photos=query_photos,
            snapshots=snapshots,
            prune_history=forget,
        )


class _HomeSnapshots:
    """The home's snapshots as the server shows them; their place is looked at when somebody asks.

    Args:
        open: Opens them.
    """

    def __init__(self, open: Callable[[], Snapshots]) -> None:  # noqa: A002 - what it does
        self._open = open

    def url(self) -> str:
        """Where they are, without credentials."""
        return self._open().url

    def list(self) -> Sequence[KnownSnapshot]:
        """All there are, oldest first."""
        from nitari.server.services import KnownSnapshot
        from nitari.snapshots.repository import Damaged

        return [
            KnownSnapshot(one.number, None, None, None, one.reason.message)
            if isinstance(one, Damaged)
            else KnownSnapshot(one.number, one.at, one.catalog.seq, one.bytes)
            for one in self._open().published()
        ]

    def save(self) -> SavedSnapshot:
        """Save one now."""
        from nitari.server.services import SavedSnapshot

        saved = self._open().save()
        made = saved.snapshot
        return SavedSnapshot(made.number, made.catalog.seq, made.bytes, saved.sent_bytes)


def _import_runner(settings: Settings, catalog: SqlCatalog, in_use: Callable[[], Extractor], beside: Extractors) -> Run:
    """What carries out an import for a client: of a URL or an uploaded file, never of a folder of this machine.

    Paths in such a feed lead nowhere: only ``http(s)`` links are followed, whatever lies beside the file. Half of the
    workers are left to queries.
    """
    from nitari.catalog.feed import UploadedFeed
    from nitari.ingest.worker import Ingester

    def run(job: Job, source: str, on_progress: Callable[[ImportReport], None]) -> ImportReport:
        feed = (
            open_feed(settings, source, feed_id=job.feed_id)
            if job.url is not None
            else UploadedFeed(Path(source), name=job.feed, feed_id=job.feed_id)
        )
        extractor = in_use()
        ingester = Ingester(
            catalog=catalog,
            extractor=extractor,
            sources=lambda _image_base: _web_links(settings),
            workers=max(1, settings.ingest.workers // 2),
            fetchers=FETCHERS,
            commit_items=settings.ingest.commit_items,
            others=beside.others(catalog, than=extractor.collection),
        )
        return ingester.run(feed, sync=job.sync, allow_delete=job.allow_delete, on_progress=on_progress)

    return run


def open_extractor(settings: Settings, collection: str | None = None) -> Extractor:
    """The one path from bytes to vectors. Networks are loaded, and fetched if settings allow it, on first use.

    Args:
        settings: Where and how.
        collection: A collection or alias of the home folder's catalog; by default what clients search: the collection
            that alias ``default`` names, whatever model the settings name, else what the settings make.

    Raises:
        NotFoundError: no collection and no alias has this name.
    """
    from nitari.catalog.sql import FILE_NAME

    extractors = Extractors(settings)
    if collection is None and not (settings.home / FILE_NAME).exists():
        return extractors.build()
    with open_catalog(settings) as catalog:
        if collection is None:
            return extractors.default(catalog)
        return extractors.of(catalog.collection(catalog.resolve(collection) or collection))


def settings_in_use(settings: Settings) -> Settings:
    """The settings as the home's default collection was made, where there is one; it decides which models are used."""
    from nitari.catalog.sql import FILE_NAME

    if not (settings.home / FILE_NAME).exists():
        return settings
    with open_catalog(settings) as catalog:
        spec = default_collection(catalog)
    return settings if spec is None or spec.recipe is None else with_recipe(settings, spec.recipe)


@contextmanager
def open_reembedder(
    settings: Settings, *, name: str | None = None, refetch: bool = False, as_settings: bool = True
) -> Iterator[Reembedder]:
    """What fills a collection beside the one in use, made as the settings say.

    Args:
        settings: The embedder and the extract settings of the new collection.
        name: The new collection's name. By default the model card's; where that stands for other vectors, with the
            fingerprint added. A collection that is made just so already is gone on with.
        refetch: Whether links are followed where an original is not kept.
        as_settings: Otherwise the collection ``name`` is filled as its own recipe says.

    Raises:
        UsageError: an empty catalog; a name that stands for other vectors.
        NotFoundError: no such collection, where it is to be filled as it is.
    """
    from nitari.ingest.reembed import Reembedder

    extractors = Extractors(settings)
    with open_catalog(settings) as catalog:
        keep_default(catalog, extractors)
        if name is not None and not as_settings:
            extractor = extractors.of(catalog.collection(name))
        else:
            extractor = extractors.beside(catalog, name=name)
        yield Reembedder(
            catalog=catalog,
            extractor=extractor,
            originals=open_originals(settings),
            sources=_sources(settings, web=refetch),
            workers=settings.ingest.workers,
            fetchers=FETCHERS if refetch else settings.ingest.workers + 1,
            commit_items=settings.ingest.commit_items,
        )


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


def open_photos(settings: Settings, image_base: str | None) -> ImageSource:
    """Gets the photos of a feed with this folder. Close it."""
    return _sources(settings)(image_base)


def _sources(settings: Settings, *, web: bool = True) -> Callable[[str | None], ImageSource]:
    """From a feed's folder to the source of its photos; what comes from the web, or was uploaded, is kept.

    Without ``web``, links to it are not followed.
    """

    def source(image_base: str | None) -> ImageSource:
        from nitari.images.cache import CachingSource
        from nitari.images.files import FileSource
        from nitari.images.kept import NotFetching
        from nitari.images.links import LinkSource
        from nitari.images.uploads import UploadSource

        originals = open_originals(settings)
        followed = CachingSource(_web_source(settings), originals) if web else NotFetching()
        files = FileSource(Path(image_base), max_bytes=settings.images.max_bytes) if image_base else None
        uploads = UploadSource(originals, max_bytes=settings.images.max_bytes)
        return LinkSource(web=followed, files=files, uploads=uploads)

    return source
