"""The whole HTTP application over a small real catalog, with photos that are texts, and called without a network."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from nitari.catalog.base import CollectionSpec
from nitari.catalog.feeds.submitted import read_submitted
from nitari.catalog.sql import FILE_NAME, SqlCatalog
from nitari.errors import FetchError, NotFoundError
from nitari.images.base import NotModified, Original, Validators
from nitari.images.cache import OriginalsCache
from nitari.index.exact import ExactIndex
from nitari.ingest.edit import Editor
from nitari.ingest.jobs import Job, Jobs
from nitari.ingest.worker import ImportReport
from nitari.search.gallery import Gallery
from nitari.search.searcher import Searcher
from nitari.search.searchers import Searchers
from nitari.server.app import create_app
from nitari.server.services import KeptPhoto, KnownSnapshot, Picture, SavedSnapshot, ServerConfig, Services
from support.beside import extractor_of
from support.catalogs import COLLECTION, DIM, FEED, photo, put
from support.extraction import PRODUCT, text_extractor
from support.galleries import open_gallery

ROOT = "/v1/collections/default"
MAX_BODY = 100_000
KEPT = "kept-photo"


class Web:
    """A web on which every link that ends in ``.jpg`` has a photo."""

    def fetch(self, link: str, *, known: Validators | None = None) -> Original | NotModified:
        """The link itself as the photo's bytes."""
        if not link.endswith(".jpg"):
            raise FetchError(f"{link} answers 404", remedy="correct the link")
        return Original(link.encode(), hashlib.sha256(link.encode()).hexdigest())

    def close(self) -> None:
        """Nothing is open."""


class Pictures:
    """Pictures that say what they are of."""

    def original(self, item_id: str, *, link: str | None) -> bytes:
        """The photo ``d0`` of ``images/0.jpg``, and so on; that of ``i5`` is gone."""
        if item_id == "i5" or link is None:
            raise FetchError(f"photo {link} is gone")
        return link.replace("images/", "d").removesuffix(".jpg").encode()

    def thumbnail(self, item_id: str, *, link: str | None, size: int) -> Picture:
        """Of every item but ``none``."""
        if item_id == "none":
            raise NotFoundError("item 'none' is not in the catalog")
        return Picture(f"{item_id} {link} {size}".encode(), f"tag-{size}")


class QueryPhotos:
    """One kept photo."""

    def keep(self, data: bytes) -> KeptPhoto:
        """Keep nothing, but say so."""
        return KeptPhoto(KEPT, datetime(2026, 12, 24, tzinfo=UTC))

    def get(self, photo_id: str) -> Picture:
        """The one."""
        if photo_id != KEPT:
            raise NotFoundError(f"query photo {photo_id!r} is not kept here")
        return Picture(b"d2", "tag")

    def forget(self, photo_id: str) -> None:
        """The one, for as long as it is asked for."""
        self.get(photo_id)

    def prune(self) -> int:
        """Nothing expires."""
        return 0


class Snapshots:
    """One snapshot that is there, and one that is saved."""

    def url(self) -> str:
        """Nowhere."""
        return "memory://snapshots"

    def list(self) -> Sequence[KnownSnapshot]:
        """A good one and a damaged one."""
        at = datetime(2026, 11, 24, tzinfo=UTC)
        return [KnownSnapshot(1, at, 3, 1000), KnownSnapshot(2, None, None, None, "its checksum does not fit")]

    def save(self) -> SavedSnapshot:
        """The third."""
        return SavedSnapshot(3, 6, 2000, 500)


@dataclass(frozen=True)
class Application:
    """The application, and a way to ask it."""

    app: FastAPI
    services: Services
    config: ServerConfig

    def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        """One request, in a lifespan of its own only as far as routes need one: none."""

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await client.request(method, path, **request)

        return asyncio.run(send())


@contextmanager
def application(folder: Path, *, facets: Sequence[str] = (), items: int = 6) -> Iterator[Application]:
    """Serve ``items`` items ``i0``, ``i1`` ... of photos ``d0``, ``d1`` ...; no thread beside the work queues runs."""
    extractor = text_extractor(PRODUCT)
    catalog = SqlCatalog.open(folder / FILE_NAME)
    catalog.register_collection(CollectionSpec(COLLECTION.name, DIM, extractor.fingerprint))
    catalog.register_feed(FEED, "/feed/folder")
    catalog.apply(
        [
            put(
                f"i{n}",
                photo(f"images/{n}.jpg", f"d{n}"),
                title=f"Item {n}",
                group_id=f"g{n // 2}",
                attributes={
                    "gender": ("female", "male")[n % 2],
                    "price": 10.0 + n,
                    "colors": ("red", "blue"),
                    "link": "javascript:alert(1)" if n == 0 else f"https://shop.example/{n}",
                },
            )
            for n in range(items)
        ],
        collection=COLLECTION.name,
    )
    searcher = Searcher(gallery=open_gallery(catalog), extractor=lambda: extractor, source=Web())
    editor = Editor(
        catalog=catalog,
        extractor=extractor,
        source=Web(),
        originals=OriginalsCache(folder / "originals"),
        read=read_submitted,
        workers=1,
    )

    def run(job: Job, _source: str, _progress: object) -> ImportReport:
        return ImportReport(job.feed_id or job.feed, complete=True)

    config = ServerConfig(
        refresh_s=3600,
        max_body_bytes=MAX_BODY,
        max_pixels=1000,
        workers=1,
        queue=8,
        token=None,
        open_search=False,
        allowed_hosts=(),
        facets=facets,
        keeps_query_photos=True,
        query_photo_days=30,
    )

    def open_other(name: str) -> Searcher:
        other = Gallery.open(catalog=SqlCatalog.open(folder / FILE_NAME), index=ExactIndex(DIM), collection=name)
        return Searcher(gallery=other, extractor=lambda: extractor_of(name), source=Web())

    searchers = Searchers(catalog=catalog, first=searcher, open=open_other)
    with Jobs(folder=folder / "jobs", run=run) as jobs, closing(searchers):
        services = Services(searchers, catalog, lambda: editor, jobs, Pictures(), QueryPhotos(), Snapshots())
        yield Application(create_app(services, config), services, config)
