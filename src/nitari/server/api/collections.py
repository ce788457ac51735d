"""What there is, and what can be asked of it."""

from __future__ import annotations

from time import monotonic
from weakref import WeakKeyDictionary

from fastapi import APIRouter, Response

from nitari import __version__
from nitari.search.query import MAX_K, MAX_WINDOW
from nitari.search.searcher import Searcher
from nitari.server import examples, openapi, present
from nitari.server.api.common import COLLECTION, Collection, StrictRoute, json_response
from nitari.server.context import Api
from nitari.server.overview import Overview
from nitari.server.schemas import (
    MAX_BATCH,
    CollectionModel,
    CollectionsModel,
    StatsModel,
)


def router(api: Api) -> APIRouter:
    """The routes that describe."""
    routes = APIRouter(prefix="/v1", tags=["collections"], route_class=StrictRoute)
    services, config = api.services, api.config
    overviews: WeakKeyDictionary[Searcher, Overview] = WeakKeyDictionary()

    def described(searcher: Searcher) -> bytes:
        overview = overviews.get(searcher)
        if overview is None:
            overview = overviews.setdefault(searcher, Overview(searcher, facets=config.facets))
        stats, attributes, facets = overview.look()
        return present.encode(
            {
                "name": stats.collection,
                "aliases": services.searchers.aliases_of(stats.collection),
                "dim": stats.dim,
                "items": stats.items,
                "groups": stats.groups,
                "keys": stats.keys,
                "seq": stats.seq,
                "attributes": [
                    {"name": name, "kinds": summary.kinds, "items": summary.items, "distinct": summary.distinct}
                    for name, summary in attributes.items()
                ],
                "facets": facets,
                "emphasis": searcher.takes_emphasis,
                "keeps_query_photos": config.keeps_query_photos,
                "query_photo_days": config.query_photo_days,
                "limits": {
                    "max_body_bytes": config.max_body_bytes,
                    "max_pixels": config.max_pixels,
                    "max_k": MAX_K,
                    "max_window": MAX_WINDOW,
                    "max_batch": MAX_BATCH,
                },
            }
        )

    def counted() -> bytes:
        stats = services.catalog.stats()
        feeds: dict[str, int] = {}
        for feed_id, count in stats.feeds.items():
            name = present.feed_name(feed_id)
            feeds[name] = feeds.get(name, 0) + count
        return present.encode(
            {
                "version": __version__,
                "collection": services.searchers.current.collection,
                "items": stats.items,
                "groups": stats.groups,
                "images": stats.images,
                "rejections": stats.rejections,
                "feeds": feeds,
                "catalog_seq": stats.seq,
                "served_seq": services.searchers.current.stats().seq,
                "uptime_s": round(monotonic() - api.started, 3),
                "waiting": api.work.waiting,
            }
        )

    @routes.get(
        "/collections",
        operation_id="listCollections",
        summary="All collections",
        response_class=Response,
        responses=openapi.answers(CollectionsModel, examples.COLLECTIONS),
    )
    async def list_collections() -> Response:
        """Those that this process serves: what an alias names, or named before."""
        return json_response(present.encode({"collections": services.searchers.names}))

    @routes.get(
        f"/collections/{COLLECTION}",
        operation_id="getCollection",
        summary="A collection, and what can be asked of it",
        response_class=Response,
        responses=openapi.answers(CollectionModel, examples.COLLECTION, failing=(404, 422, 503)),
    )
    async def get_collection(c: Collection) -> Response:
        """Counts, attributes that filters can name, those that suit a page, and the server's limits."""
        return json_response(await api.work.run(described, api.searcher(c)))

    @routes.get(
        "/stats",
        operation_id="getStats",
        summary="Counts of the catalog and of this process",
        response_class=Response,
        responses=openapi.answers(StatsModel, examples.STATS, failing=(503,)),
    )
    async def get_stats() -> Response:
        """`served_seq` behind `catalog_seq` means that answers are out of date."""
        return json_response(await api.work.run(counted))

    return routes
