"""Errors as RFC 9457 problem details: one table from error classes to statuses."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from nitari.errors import (
    BlockedError,
    ConfigurationError,
    DataError,
    DependencyError,
    FetchError,
    NitariError,
    NotFoundError,
    StateError,
    UsageError,
)

MEDIA_TYPE = "application/problem+json"

# The first class that fits counts, so subclasses stand before their parents.
_STATUS: tuple[tuple[type[NitariError], HTTPStatus], ...] = (
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (UsageError, HTTPStatus.BAD_REQUEST),
    (BlockedError, HTTPStatus.BAD_REQUEST),
    (FetchError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (DataError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (DependencyError, HTTPStatus.SERVICE_UNAVAILABLE),
    (ConfigurationError, HTTPStatus.INTERNAL_SERVER_ERROR),
    (StateError, HTTPStatus.INTERNAL_SERVER_ERROR),
    (NitariError, HTTPStatus.INTERNAL_SERVER_ERROR),
)


def problem(status: int, *, title: str, detail: str, code: str, remedy: str = "", **extra: Any) -> JSONResponse:
    """A problem document; ``code`` is for programs, ``detail`` and ``remedy`` for people."""
    body: dict[str, Any] = {"type": "about:blank", "title": title, "status": status, "detail": detail, "code": code}
    if remedy:
        body["remedy"] = remedy
    return JSONResponse({**body, **extra}, status_code=status, media_type=MEDIA_TYPE)


def status_of(error: NitariError) -> HTTPStatus:
    """The status that says whose fault ``error`` is."""
    return next(status for kind, status in _STATUS if isinstance(error, kind))


def install(app: FastAPI) -> None:
    """Make every error of ``app`` a problem document."""

    @app.exception_handler(NitariError)
    def _ours(_request: Request, error: NitariError) -> JSONResponse:
        status = status_of(error)
        return problem(status, title=status.phrase, detail=error.message, code=error.code, remedy=error.remedy)

    @app.exception_handler(RequestValidationError)
    def _schema(_request: Request, error: RequestValidationError) -> JSONResponse:
        errors = [
            {"field": ".".join(str(part) for part in found["loc"]), "message": found["msg"]} for found in error.errors()
        ]
        detail = "; ".join(f"{found['field']}: {found['message']}" for found in errors)
        return problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, title="Request does not fit", detail=detail, code="request", errors=errors
        )

    @app.exception_handler(HTTPException)
    def _http(_request: Request, error: HTTPException) -> JSONResponse:
        title = HTTPStatus(error.status_code).phrase
        response = problem(
            error.status_code, title=title, detail=str(error.detail), code=title.lower().replace(" ", "-")
        )
        response.headers.update(error.headers or {})
        return response
