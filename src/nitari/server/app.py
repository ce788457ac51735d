"""The HTTP application: routes over services, what runs beside them, and problems for whatever goes wrong."""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from time import monotonic
from typing import Any, cast

from fastapi import APIRouter, FastAPI

from nitari import __version__
from nitari.errors import NitariError
from nitari.server import openapi, pages, problems
from nitari.server.api import aliases, collections, health, items, jobs, photos, search, session, snapshots
from nitari.server.body import Room
from nitari.server.context import Api
from nitari.server.security import middleware
from nitari.server.security.access import Access
from nitari.server.services import ServerConfig, Services
from nitari.server.work import WorkQueue
from nitari.telemetry import Metrics

log = logging.getLogger(__name__)

PICTURE_THREADS = 8
"""Thumbnails in work at a time. Mostly they wait for a disk or a shop; how many decode is bounded by themselves."""
PICTURES_WAITING = 512
"""A page asks for dozens at once, and they are quick."""
SNAPSHOT_THREADS = 2
"""One saves, for minutes maybe; the other lists."""
SNAPSHOTS_WAITING = 4
MAP_THREADS = 1
"""Heat maps in work at a time: each keeps a core busy for a second or two, and queries want the others."""
MAPS_WAITING = 4
"""Further ones would come after whoever asked has given up."""
PREPARE_S = 1.0
"""How often to look whether an alias names a collection that is not open yet."""
PRUNE_S = 3600.0
"""How often expired query photos are looked for."""
# How often one query is compared with the exact answer: that takes up to some 50 ms of one core at a million vectors.
RECALL_S = 2.0
LEARN_S = 10.0
"""How often to look whether enough of the catalog has changed to learn anew what its categories look like."""
BODIES = 8
"""How many of the largest bodies may be in memory at a time; of usual photos, that is some hundreds."""
_ROUTERS = (
    search.router,
    items.router,
    photos.router,
    collections.router,
    aliases.router,
    jobs.router,
    snapshots.router,
    session.router,
    health.router,
)


def create_app(services: Services, config: ServerConfig) -> FastAPI:
    """Build the application. It serves one lifespan, and closes the threads that it starts, not the services.

    Args:
        services: What answers.
        config: How it behaves.
    """
    api = Api(
        services=services,
        config=config,
        work=WorkQueue(threads=config.workers, waiting=config.queue),
        pictures=WorkQueue(threads=PICTURE_THREADS, waiting=PICTURES_WAITING),
        edits=WorkQueue(threads=max(1, config.workers // 2), waiting=config.queue),
        slow=WorkQueue(threads=SNAPSHOT_THREADS, waiting=SNAPSHOTS_WAITING),
        maps=WorkQueue(threads=MAP_THREADS, waiting=MAPS_WAITING),
        room=Room(BODIES * config.max_body_bytes),
        metrics=Metrics(version=__version__),
        access=Access(token=config.token, open_search=config.open_search),
        started=monotonic(),
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        with ExitStack() as stack:
            stack.callback(api.work.close)
            stack.callback(api.pictures.close)
            stack.callback(api.edits.close)
            stack.callback(api.slow.close)
            stack.callback(api.maps.close)
            stack.enter_context(_running(api))
            yield

    routers = [*(make(api) for make in _ROUTERS), pages.router()]
    app = FastAPI(
        title=openapi.TITLE,
        version=__version__,
        lifespan=lifespan,
        docs_url=None,  # both would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    for router in routers:
        app.router.routes.extend(router.routes)  # as they are: a router in a router costs each request 30 us
    openapi.install(app)
    problems.install(app, allowed=lambda path: _allowed(routers, path), busy=api.metrics.busy)
    middleware.install(app, api)
    return app


def openapi_document() -> dict[str, Any]:
    """The OpenAPI document, without a catalog or a server: for making clients and for tests."""
    api = cast(Api, _Anything())  # routes only look at it when they are called
    routes = [route for make in _ROUTERS for route in make(api).routes]
    return openapi.document(routes)


class _Anything:
    """Has every attribute, and can be called, to no effect."""

    def __getattr__(self, _name: str) -> _Anything:
        return self

    def __call__(self, *_args: object, **_named: object) -> _Anything:
        return self

    def __iter__(self) -> Iterator[_Anything]:
        return iter(())


def _allowed(routers: list[APIRouter], path: str) -> list[str]:
    """The methods that some route takes at ``path``."""
    methods: set[str] = set()
    for router in routers:
        for route in router.routes:
            pattern = getattr(route, "path_regex", None)
            if pattern is not None and pattern.match(path):
                methods |= getattr(route, "methods", None) or set()
    return sorted(methods)


@contextmanager
def _running(api: Api) -> Iterator[None]:
    """What runs beside the routes: following the catalog, pruning query photos and history, imports."""
    searchers, metrics = api.services.searchers, api.metrics

    def follow() -> None:
        searchers.refresh()
        metrics.refreshed()

    with (
        _repeating("nitari-follow", follow, api.config.refresh_s, "the change log could not be read"),
        _repeating("nitari-prepare", searchers.prepare, PREPARE_S, "collections that aliases name could not be opened"),
        _repeating("nitari-prune", api.services.query_photos.prune, PRUNE_S, "query photos could not be pruned"),
        _repeating(
            "nitari-recall",
            lambda: searchers.current.check_recall(),
            RECALL_S,
            "the index's recall could not be checked",
        ),
        _repeating(
            "nitari-learn", lambda: searchers.current.learn(), LEARN_S, "what categories look like could not be learned"
        ),
        _repeating("nitari-forget", api.services.prune_history, PRUNE_S, "the catalog's history could not be pruned"),
    ):
        api.services.jobs.start(follow)
        yield


@contextmanager
def _repeating(name: str, act: Callable[[], object], every_s: float, failed: str) -> Iterator[None]:
    """Call ``act`` now and then on a thread of its own, whatever it raises."""
    stop = threading.Event()

    def repeat() -> None:
        failing = False
        while not stop.is_set():
            try:
                act()
                failing = False
            except NitariError as error:
                if not failing:  # once for each outage: at four times a second, a log would fill the disk
                    log.exception(failed, extra={"code": error.code})
                failing = True
            except Exception:
                log.exception(failed)
            stop.wait(every_s)

    thread = threading.Thread(target=repeat, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
