"""Signing in and out, as the page does it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI

from nitari.server import problems
from nitari.server.api import session
from nitari.server.context import Api
from nitari.server.security import middleware
from nitari.server.security.access import Access
from nitari.telemetry import Metrics

TOKEN = "correct-horse-battery"  # noqa: S105 - a test's


def client(token: str | None = TOKEN, *, root: str = "http://127.0.0.1:8321", open_search: bool = False) -> Client:
    """A browser before a guarded server."""
    app = FastAPI()
    access = Access(token=token, open_search=open_search)
    config = SimpleNamespace(allowed_hosts=(), max_body_bytes=100_000)
    api = cast(Api, SimpleNamespace(access=access, metrics=Metrics(version="1"), config=config))
    app.include_router(session.router(api))
    problems.install(app, allowed=lambda _path: [], busy=lambda: None)

    @app.get("/v1/stats")
    async def stats() -> str:
        return "secret"

    middleware.install(app, api)
    return Client(app, root)


class Client:
    """Keeps cookies from one request to the next."""

    def __init__(self, app: FastAPI, root: str) -> None:
        self._app = app
        self._root = root
        self.cookies = httpx.Cookies()

    def ask(self, method: str, path: str, **rest: Any) -> httpx.Response:
        """A request."""

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(transport=transport, base_url=self._root, cookies=self.cookies) as browser:
                response = await browser.request(method, path, **rest)
                self.cookies = browser.cookies
                return response

        return asyncio.run(send())


def test_in_and_out() -> None:
    """The token opens a session, the session opens the rest, and signing out ends it, for copies of the cookie too."""
    browser = client()
    assert browser.ask("GET", "/session").json() == {"needed": True, "granted": False}
    assert browser.ask("GET", "/v1/stats").status_code == 401
    response = browser.ask("POST", "/session", json={"token": TOKEN})
    assert response.status_code == 204
    cookie = response.headers["set-cookie"]
    assert TOKEN not in cookie
    assert {"HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert browser.ask("GET", "/v1/stats").json() == "secret"
    assert browser.ask("GET", "/session").json() == {"needed": True, "granted": True}
    stolen = httpx.Cookies(browser.cookies)
    assert browser.ask("DELETE", "/session").status_code == 204
    assert not browser.cookies
    browser.cookies = stolen
    assert browser.ask("GET", "/v1/stats").status_code == 401


def test_over_https_the_cookie_stays_there() -> None:
    """A cookie of https is never sent by http."""
    response = client(root="https://127.0.0.1").ask("POST", "/session", json={"token": TOKEN})
    assert "; Secure" in response.headers["set-cookie"]


def test_wrong_token() -> None:
    """401 with what to do; no cookie."""
    response = client().ask("POST", "/session", json={"token": "wrong"})
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert "set-cookie" not in response.headers


def test_guessing_ends_in_429() -> None:
    """Sooner or later nobody listens any more, and says how long."""
    browser = client()
    statuses = [browser.ask("POST", "/session", json={"token": f"guess {n}"}).status_code for n in range(30)]
    assert statuses[0] == 401
    assert statuses[-1] == 429
    response = browser.ask("POST", "/session", json={"token": TOKEN})
    assert response.status_code == 429
    assert int(response.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"token": 5}', b'{"token": ""}', b'{"token": "secret", "x": 1}']
)
def test_bodies_that_do_not_fit(body: bytes) -> None:
    """422, and what was sent is not repeated: it may hold the token."""
    response = client().ask("POST", "/session", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert "secret" not in response.text


def test_foreign_pages_cannot_sign_in_or_out() -> None:
    """Neither with the visitor's cookie nor without."""
    foreign = {"Origin": "http://evil.example"}
    assert client().ask("POST", "/session", json={"token": TOKEN}, headers=foreign).status_code == 403
    assert client().ask("DELETE", "/session", headers=foreign).status_code == 403


def test_where_none_is_needed() -> None:
    """Without a token, or with open search, the page need not ask for one."""
    assert client(None).ask("GET", "/session").json() == {"needed": False, "granted": True}
    assert client(open_search=True).ask("GET", "/session").json() == {"needed": False, "granted": False}
    assert client(None).ask("POST", "/session", json={"token": "anything"}).status_code == 204
