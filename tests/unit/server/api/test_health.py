"""Whether it lives, whether it is ready, and its figures."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import cast

import httpx
from fastapi import FastAPI

from nitari.errors import DependencyError
from nitari.search.searcher import SearcherStats
from nitari.server.api import health
from nitari.server.context import Api
from nitari.telemetry import Metrics


class Searcher:
    """Well, until told otherwise."""

    error: DependencyError | None = None

    def ping(self) -> None:
        """As the real one."""
        if self.error:
            raise self.error

    def stats(self) -> SearcherStats:
        """As the real one."""
        return SearcherStats(collection="c", dim=8, items=5, groups=4, keys=7, seq=9)


def application(searcher: Searcher) -> FastAPI:
    """The health routes over a searcher, with one job that runs."""
    searchers = SimpleNamespace(current=searcher)
    services = SimpleNamespace(
        searchers=searchers, jobs=SimpleNamespace(list=lambda: [SimpleNamespace(state="running")])
    )
    api = SimpleNamespace(
        services=services,
        metrics=Metrics(version="1"),
        work=SimpleNamespace(waiting=2),
        edits=SimpleNamespace(waiting=1),
    )
    app = FastAPI()
    app.include_router(health.router(cast(Api, api)))
    return app


def get(app: FastAPI, path: str) -> httpx.Response:
    """A request."""

    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:
            return await client.get(path)

    return asyncio.run(send())


def test_alive_and_ready() -> None:
    """Ready says of what."""
    app = application(Searcher())
    assert get(app, "/livez").json() == {"status": "ok"}
    assert get(app, "/readyz").json() == {"status": "ok", "collection": "c", "items": 5, "seq": 9}


def test_not_ready() -> None:
    """It lives, and is not ready; how the catalog is reached is the operator's business."""
    searcher = Searcher()
    searcher.error = DependencyError("the database /secret/path does not answer")
    app = application(searcher)
    assert get(app, "/livez").status_code == 200
    response = get(app, "/readyz")
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == "dependency"
    assert "secret" not in response.text


def test_metrics() -> None:
    """What is looked up is there, and the content type is Prometheus'."""
    response = get(application(Searcher()), "/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    lines = response.text.splitlines()
    for line in (
        "nitari_items 5.0",
        "nitari_keys 7.0",
        "nitari_seq_served 9.0",
        "nitari_waiting_requests 3.0",
        'nitari_jobs{state="running"} 1.0',
    ):
        assert line in lines
