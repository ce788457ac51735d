"""What several routes share."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from collections.abc import Collection as Kinds
from typing import Annotated, Any, cast

from fastapi import Path, Request, Response
from fastapi.routing import APIRoute

from nitari.server.body import JSON, Body, read_body
from nitari.server.context import Api
from nitari.server.requests import refuse

COLLECTION = "{c}"

Collection = Annotated[
    str,
    Path(description="The collection's name, or `default`.", max_length=256, examples=["default"]),
]
ItemId = Annotated[
    str,
    Path(description="Percent-encoded: ids may hold slashes.", min_length=1, max_length=512, examples=["24-mb01"]),
]


class StrictRoute(APIRoute):
    """A route that refuses query parameters that it does not know: ``?k=4`` in the wrong place is not for nothing."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The usual one, once the parameters are known."""
        handle = super().get_route_handler()
        known = [param.alias for param in self.dependant.query_params]

        async def checked(request: Request) -> Response:
            _check_parameters(request, known)
            return await handle(request)

        return checked


def _check_parameters(request: Request, known: Sequence[str]) -> None:
    """See that all query parameters are ``known``."""
    if not request.scope["query_string"]:
        return
    for name in request.query_params:
        if name not in known:
            expected = f"no other query parameters than {', '.join(known)}" if known else "no query parameters"
            refuse(name[:80], "a query parameter", expected)


class DirectRoute(APIRoute):
    """A route whose endpoint takes the request and texts only, and answers a ``Response``.

    It gets them directly: what FastAPI does in between, for parameters that it would convert and check, costs 0.1 ms,
    as much as all the rest. The document is as for any other route.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint, given what it names."""
        endpoint = cast(Callable[..., Coroutine[Any, Any, Response]], self.endpoint)
        in_query = [param.name for param in self.dependant.query_params]

        async def handle(request: Request) -> Response:
            _check_parameters(request, in_query)
            named = request.path_params
            if in_query and request.scope["query_string"]:
                given = request.query_params
                named = {**named, **{name: given[name] for name in in_query if name in given}}
            return await endpoint(request=request, **named)

        return handle


async def take(api: Api, request: Request, accepts: Kinds[str]) -> Body:
    """The body of a request, within the server's bounds."""
    return await read_body(request, accepts=accepts, most=api.config.max_body_bytes, room=api.room)


def json_response(
    body: bytes, timing: str | None = None, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """JSON that is encoded already."""
    response = Response(body, status, media_type=JSON, headers=dict(headers or {}))
    if timing is not None:
        response.headers["Server-Timing"] = timing
    return response
