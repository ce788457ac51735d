"""The layer around all routes: what it turns away, adds and counts, around a small application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect

from nitari.server.context import Api
from nitari.server.security import middleware
from nitari.server.security.access import Access
from nitari.telemetry import Metrics

TOKEN = "correct-horse-battery"  # noqa: S105 - a test's
MAX_BODY = 1000


def make(*, token: str | None = None, allowed_hosts: tuple[str, ...] = ()) -> tuple[FastAPI, Metrics]:
    """An application with a few routes, guarded."""
    app = FastAPI()

    @app.get("/v1/things/{thing:path}")
    async def read(thing: str) -> dict[str, str]:
        return {"thing": thing}

    @app.post("/v1/things")
    async def write(request: Request) -> int:
        return len(await request.body())

    @app.get("/v1/own")
    async def own() -> Response:
        return Response(headers={"Cache-Control": "private", "Content-Security-Policy": "default-src 'self'"})

    @app.get("/v1/fails")
    async def fails() -> None:
        raise ZeroDivisionError("secret of the server")

    @app.get("/v1/fails-late")
    async def fails_late() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"x"
            raise ZeroDivisionError("secret of the server")

        return StreamingResponse(parts())

    @app.get("/v1/hung-up")
    async def hung_up() -> None:
        raise ClientDisconnect

    metrics = Metrics(version="1")
    config = SimpleNamespace(allowed_hosts=allowed_hosts, max_body_bytes=MAX_BODY)
    access = Access(token=token, open_search=False)
    middleware.install(app, cast(Api, SimpleNamespace(access=access, metrics=metrics, config=config)))
    return app, metrics


def ask(app: FastAPI, method: str, path: str, **rest: Any) -> httpx.Response:
    """A request."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8321") as client:
            return await client.request(method, path, **rest)

    return asyncio.run(send())


def counted(metrics: Metrics) -> set[str]:
    """Labels of all requests counted, such as ``GET /livez 200``."""
    lines = metrics.render()[0].decode().splitlines()
    found = [line.split('"') for line in lines if line.startswith("nitari_http_request_seconds_count")]
    return {f"{method} {route} {status}" for _, method, _, route, _, status, _ in found}


def test_headers_of_every_answer() -> None:
    """Answers, missing pages and refusals alike; what a route says itself stands."""
    app, _ = make()
    for path in ("/v1/things/x", "/nowhere", "/v1/fails"):
        headers = ask(app, "GET", path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["permissions-policy"].startswith("camera=(self)")
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["cache-control"] == "no-store"
        assert not [name for name in headers if name.startswith("access-control-")]
    own = ask(app, "GET", "/v1/own").headers
    assert own.get_list("cache-control") == ["private"]
    assert own.get_list("content-security-policy") == ["default-src 'self'"]


def test_turned_away() -> None:
    """A foreign host, a foreign page, a stranger: each a problem document with its own status, and counted."""
    app, metrics = make(token=TOKEN, allowed_hosts=("shop.example",))
    known = {"Authorization": f"Bearer {TOKEN}"}
    cases = [
        (421, {"Host": "evil.example", **known}),
        (403, {"Origin": "http://evil.example", **known}),
        (403, {"Sec-Fetch-Site": "same-site", **known}),
        (401, {}),
        (401, {"Authorization": "Bearer wrong"}),
        (200, known),
        (200, {"Host": "shop.example", "Origin": "https://shop.example", **known}),
    ]
    for status, headers in cases:
        response = ask(app, "POST", "/v1/things", headers=headers, content=b"abc")
        assert response.status_code == status
        if status != 200:
            assert response.headers["content-type"] == "application/problem+json"
            assert response.json()["status"] == status
            assert response.json()["remedy"]
    assert counted(metrics) == {"POST none 421", "POST none 403", "POST none 401", "POST /v1/things 200"}


def test_twice_the_same_header() -> None:
    """Two hosts are none, and two tokens are none."""
    app, _ = make(token=TOKEN)
    two_hosts = [("Host", "127.0.0.1"), ("Host", "127.0.0.1")]
    assert ask(app, "GET", "/livez", headers=two_hosts).status_code == 421
    two_tokens = [("Authorization", f"Bearer {TOKEN}"), ("Authorization", f"Bearer {TOKEN}")]
    assert ask(app, "GET", "/v1/own", headers=two_tokens).status_code == 401


def test_preflight_gets_no_permission() -> None:
    """A browser that asks whether a foreign page may send JSON is not told that it may."""
    app, _ = make()
    headers = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    response = ask(app, "OPTIONS", "/v1/things", headers=headers)
    assert response.status_code == 405
    assert not [name for name in response.headers if name.startswith("access-control-")]


def test_routes_are_counted_by_template() -> None:
    """However many things there are, and whatever strangers ask for."""
    app, metrics = make()
    for path in ("/v1/things/a", "/v1/things/b/c", "/etc/passwd", "/v1/own"):
        ask(app, "GET", path)
    assert counted(metrics) == {"GET /v1/things/{thing} 200", "GET none 404", "GET /v1/own 200"}


def test_the_unforeseen(caplog: pytest.LogCaptureFixture) -> None:
    """The client learns that the server is at fault, and no more; the log has the rest."""
    app, metrics = make()
    response = ask(app, "GET", "/v1/fails")
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert "secret" not in response.text
    assert "Traceback" not in response.text
    assert "secret of the server" in caplog.text
    assert counted(metrics) == {"GET /v1/fails 500"}


def test_the_unforeseen_in_mid_answer() -> None:
    """An answer that was begun is cut off, so that nobody takes it for whole."""
    app, _ = make()
    with pytest.raises(ZeroDivisionError):
        ask(app, "GET", "/v1/fails-late")


def test_nobody_waits() -> None:
    """A caller that hung up is counted as such, and is no error."""
    app, metrics = make()
    with pytest.raises(Exception):  # noqa: B017, PT011 - the test's transport misses an answer, and says so its own way
        ask(app, "GET", "/v1/hung-up")
    assert counted(metrics) == {"GET /v1/hung-up 499"}


def test_bodies_are_let_go() -> None:
    """What one request held does not count against the next ones."""
    app, _ = make()
    for _ in range(3 * middleware.BODIES_HELD):
        assert ask(app, "POST", "/v1/things", content=b"x" * MAX_BODY).json() == MAX_BODY


def test_lifespan_passes() -> None:
    """What is no request is none of its business."""
    seen: list[str] = []

    async def app(scope: dict[str, Any], _receive: Callable[..., Any], _send: Callable[..., Any]) -> None:
        seen.append(scope["type"])

    config = SimpleNamespace(allowed_hosts=(), max_body_bytes=1)
    api = SimpleNamespace(access=Access(token=None, open_search=False), metrics=Metrics(version="1"), config=config)
    guard = middleware.Guard(cast(Any, app), api=cast(Api, api))
    asyncio.run(guard({"type": "lifespan"}, cast(Any, None), cast(Any, None)))
    assert seen == ["lifespan"]
