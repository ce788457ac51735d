"""What several routes share."""

from __future__ import annotations

from collections.abc import Collection as Kinds
from collections.abc import Mapping
from typing import Annotated

from fastapi import Path, Request, Response

from nitari.server.body import JSON, Body, read_body
from nitari.server.context import Api

COLLECTION = "{c}"

Collection = Annotated[
    str,
    Path(description="The collection's name, or `default`.", max_length=256, examples=["default"]),
]
ItemId = Annotated[
    str,
    Path(description="Percent-encoded: ids may hold slashes.", min_length=1, max_length=512, examples=["24-mb01"]),
]


async def take(api: Api, request: Request, accepts: Kinds[str]) -> Body:
    """The body of a request, within the server's bounds."""
    return await read_body(request, accepts=accepts, most=api.config.max_body_bytes)


def json_response(
    body: bytes, timing: str | None = None, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """JSON that is encoded already."""
    response = Response(body, status, media_type=JSON, headers=dict(headers or {}))
    if timing is not None:
        response.headers["Server-Timing"] = timing
    return response
