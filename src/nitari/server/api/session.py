"""Signing in: the page's way to show the token once instead of with every request."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from nitari.server import problems
from nitari.server.body import JSON, read_body
from nitari.server.context import Api
from nitari.server.schemas import Problem, SessionBody, SessionModel
from nitari.server.security.refusal import Refusal
from nitari.server.security.sessions import COOKIE, LASTS_S

MAX_BYTES = 10_000

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "Not the token."},
    429: {"model": Problem, "description": "Too many wrong tokens from this address."},
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {JSON: {"schema": SessionBody.model_json_schema()}},
    }
}


def router(api: Api) -> APIRouter:
    """``/session``."""
    routes = APIRouter(tags=["session"])
    access = api.access

    @routes.get("/session")
    async def session(request: Request) -> SessionModel:
        """Whether searching needs a token, and whether this caller has shown it."""
        return SessionModel(needed=access.needed, granted=access.granted(_headers(request), _client(request)))

    @routes.post(
        "/session",
        status_code=HTTPStatus.NO_CONTENT,
        response_class=Response,
        responses=_PROBLEMS,
        openapi_extra=_BODY,
    )
    async def sign_in(request: Request) -> Response:
        """Show the token; the answer sets a cookie that stands for it for twelve hours."""
        body = await read_body(request, accepts=[JSON], most=MAX_BYTES)
        try:
            token = SessionBody.model_validate_json(body.data).token
        except ValidationError as exc:
            # Not what was found: that might be the token, and answers are logged by others.
            raise problems.RequestError(
                HTTPStatus.UNPROCESSABLE_ENTITY, 'the body is not {"token": "..."}', remedy="send the token as JSON"
            ) from exc
        cookie = access.sign_in(token, _client(request))
        if isinstance(cookie, Refusal):
            return problems.problem(
                cookie.status, detail=cookie.detail, code=cookie.code, remedy=cookie.remedy, headers=cookie.headers
            )
        response = Response(status_code=HTTPStatus.NO_CONTENT)
        # Secure only where the server was reached by https, or the browser would throw the cookie away.
        response.set_cookie(
            COOKIE, cookie, max_age=LASTS_S, httponly=True, samesite="strict", secure=request.url.scheme == "https"
        )
        return response

    @routes.delete("/session", status_code=HTTPStatus.NO_CONTENT, response_class=Response)
    async def sign_out(request: Request) -> Response:
        """End the session, wherever its cookie is."""
        access.sign_out(_headers(request))
        response = Response(status_code=HTTPStatus.NO_CONTENT)
        response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=request.url.scheme == "https")
        return response

    return routes


def _headers(request: Request) -> dict[bytes, bytes]:
    return dict(request.scope["headers"])


def _client(request: Request) -> str:
    return request.client.host if request.client else ""
