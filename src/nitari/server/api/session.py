"""Signing in: the page's way to show the token once instead of with every request."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from nitari.server import examples, openapi, problems
from nitari.server.body import JSON, read_body
from nitari.server.context import Api
from nitari.server.schemas import SessionBody, SessionModel
from nitari.server.security.refusal import Refusal
from nitari.server.security.sessions import COOKIE, LASTS_S

MAX_BYTES = 10_000


def router(api: Api) -> APIRouter:
    """``/session``."""
    routes = APIRouter(tags=["session"])
    access = api.access

    @routes.get(
        "/session",
        operation_id="getSession",
        summary="Whether a token is needed, and was shown",
        responses=openapi.answers(SessionModel, examples.SESSION),
    )
    async def session(request: Request) -> SessionModel:
        """Whether searching needs one, and whether this caller may do everything."""
        return SessionModel(needed=access.needed, granted=access.granted(_headers(request), _client(request)))

    @routes.post(
        "/session",
        operation_id="signIn",
        summary="Show the token once",
        status_code=HTTPStatus.NO_CONTENT,
        response_class=Response,
        responses=openapi.answers(
            None, status=204, description="Signed in.", headers={"Set-Cookie": "Stands for the token."}, body=True
        ),
        openapi_extra=openapi.json_body(SessionBody, {"token": "the server's token"}),
    )
    async def sign_in(request: Request) -> Response:
        """The answer sets a cookie that stands for the token for twelve hours."""
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

    @routes.delete(
        "/session",
        operation_id="signOut",
        summary="End the session",
        status_code=HTTPStatus.NO_CONTENT,
        response_class=Response,
        responses=openapi.answers(None, status=204, description="It has ended."),
    )
    async def sign_out(request: Request) -> Response:
        """Wherever its cookie is."""
        access.sign_out(_headers(request))
        response = Response(status_code=HTTPStatus.NO_CONTENT)
        response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=request.url.scheme == "https")
        return response

    return routes


def _headers(request: Request) -> dict[bytes, bytes]:
    return dict(request.scope["headers"])


def _client(request: Request) -> str:
    return request.client.host if request.client else ""
