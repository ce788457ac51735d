"""The one layer around all routes. One, not five: each costs every request an await and two closures."""

from __future__ import annotations

from time import perf_counter

from fastapi import FastAPI
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from nitari.server import problems
from nitari.server.context import Api
from nitari.server.security.headers import Outgoing
from nitari.server.security.hosts import Hosts
from nitari.server.security.incoming import Incoming, Load
from nitari.server.security.origin import check_origin
from nitari.server.security.refusal import Refusal
from nitari.server.work import caller_gone

NO_ROUTE = "none"
HUNG_UP = 499
"""What metrics count where the caller did not wait for an answer; nginx' word for it, never sent."""

BODIES_HELD = 8
"""Bodies of the largest size that are held at a time; many more of the usual size."""

_WANTED = frozenset({b"host", b"origin", b"sec-fetch-site", b"authorization", b"cookie"})


def install(app: FastAPI, api: Api) -> None:
    """Put the layer around ``app``. Call it after every other ``add_middleware``, so that nothing is outside it."""
    app.add_middleware(Guard, api=api)


class Guard:
    """Turns away what must not come in, completes what goes out, and counts both.

    Args:
        app: What is guarded.
        api: Whose configuration, access and metrics.
    """

    def __init__(self, app: ASGIApp, *, api: Api) -> None:
        self._app = app
        self._access = api.access
        self._metrics = api.metrics
        self._load = Load(most=BODIES_HELD * api.config.max_body_bytes)
        self._hosts = Hosts(api.config.allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Of ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        incoming = Incoming(receive, self._load)
        outgoing = Outgoing(send)
        previous = caller_gone.set(incoming.gone)
        try:
            refusal = self._refusal(scope)
            if refusal is None:
                await self._app(scope, incoming.receive, outgoing.send)
            else:
                await _response(refusal)(scope, receive, outgoing.send)
        except ClientDisconnect:  # nobody is left to be answered
            outgoing.status = HUNG_UP
        except Exception as exc:
            if outgoing.status:  # the answer was begun: cutting the connection is the only way to say that it failed
                raise
            await problems.unforeseen(exc)(scope, receive, outgoing.send)
        finally:
            caller_gone.reset(previous)
            incoming.close()
            seconds = perf_counter() - started
            self._metrics.request(scope["method"], _route(scope), outgoing.status or HUNG_UP, seconds)

    def _refusal(self, scope: Scope) -> Refusal | None:
        """Why a request must not come in, if it must not."""
        headers: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            if name in _WANTED:
                # Two of a kind are read as one that fits nothing; but cookies may come in several lines.
                joint = b"; " if name == b"cookie" else b", "
                headers[name] = headers[name] + joint + value if name in headers else value
        method: str = scope["method"]
        host = headers.get(b"host")
        client = scope["client"][0] if scope.get("client") else ""
        return (
            self._hosts.check(host)
            or check_origin(
                method,
                scheme=scope["scheme"],
                host=host,
                origin=headers.get(b"origin"),
                site=headers.get(b"sec-fetch-site"),
            )
            or self._access.check(method, scope["path"], headers, client)
        )


def _route(scope: Scope) -> str:
    """The template of the route that a request came to."""
    found = getattr(scope.get("route"), "path_format", None)
    return found if isinstance(found, str) else NO_ROUTE


def _response(refusal: Refusal) -> Response:
    return problems.problem(
        refusal.status, detail=refusal.detail, code=refusal.code, remedy=refusal.remedy, headers=refusal.headers
    )
