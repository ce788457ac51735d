"""Errors as RFC 9457 problem details: one table from error classes to statuses."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from nitari.errors import (
    BlockedError,
    BusyError,
    ConfigurationError,
    DataError,
    DependencyError,
    FilterError,
    NitariError,
    NotFoundError,
    StateError,
    UsageError,
)
from nitari.server.schemas import FieldProblem, Problem

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 1
_SHOWN = 120

# The first class that fits counts, so subclasses stand before their parents.
_STATUS: tuple[tuple[type[NitariError], HTTPStatus], ...] = (
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (UsageError, HTTPStatus.BAD_REQUEST),
    (BlockedError, HTTPStatus.BAD_REQUEST),
    (DataError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (BusyError, HTTPStatus.SERVICE_UNAVAILABLE),
    (DependencyError, HTTPStatus.SERVICE_UNAVAILABLE),
    (ConfigurationError, HTTPStatus.INTERNAL_SERVER_ERROR),
    (StateError, HTTPStatus.INTERNAL_SERVER_ERROR),
    (NitariError, HTTPStatus.INTERNAL_SERVER_ERROR),
)
# Codes that say more than their class does.
_STATUS_OF_CODE = {
    "job-state": HTTPStatus.CONFLICT,
    "feed-gone": HTTPStatus.CONFLICT,
    "too-many-jobs": HTTPStatus.SERVICE_UNAVAILABLE,
    "snapshot-busy": HTTPStatus.CONFLICT,
    "snapshot-race": HTTPStatus.CONFLICT,
    "snapshot-foreign": HTTPStatus.CONFLICT,
}
# Where Python's names are older than RFC 9110, or differ from one version of Python to the next.
_TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}


class RequestError(UsageError):
    """A request that does not fit, with the status and the fields that say how.

    Args:
        status: What to answer.
        message: What was found and what was expected.
        errors: The fields at fault, where the request has fields.
        code: A stable word for programs.
        remedy: What to do about it.
        headers: To send beside it.
    """

    default_code = "request"

    def __init__(
        self,
        status: HTTPStatus,
        message: str,
        *,
        errors: Sequence[FieldProblem] = (),
        code: str | None = None,
        remedy: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, remedy=remedy, code=code)
        self.status = status
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


def title_of(status: int) -> str:
    """A status in words."""
    return _TITLES.get(status) or HTTPStatus(status).phrase


def status_of(error: NitariError) -> HTTPStatus:
    """The status that says whose fault ``error`` is."""
    if isinstance(error, RequestError):
        return error.status
    if isinstance(error, UsageError | StateError) and error.code in _STATUS_OF_CODE:
        return _STATUS_OF_CODE[error.code]
    return next(status for kind, status in _STATUS if isinstance(error, kind))


def describe(error: NitariError) -> Problem:
    """An error as clients see it. What only the operator may see is logged instead, under a number that both have."""
    status = status_of(error)
    # What is not the client's is for the operator: it may name folders, hosts and files of the server.
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(error, BusyError):
        return _concealed(error, status, error.code)
    errors = list(error.errors) if isinstance(error, RequestError) else []
    if isinstance(error, FilterError):
        errors = [FieldProblem(field="filter", expected=error.message)]
    return Problem(
        title=title_of(status),
        status=status,
        detail=error.message,
        code=error.code,
        remedy=error.remedy,
        errors=errors,
    )


def problem(
    status: int,
    *,
    detail: str,
    code: str,
    title: str | None = None,
    remedy: str = "",
    errors: Sequence[FieldProblem] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem document; ``code`` is for programs, ``detail`` and ``remedy`` for people."""
    shown = Problem(
        title=title or title_of(status), status=status, detail=detail, code=code, remedy=remedy, errors=list(errors)
    )
    return render(shown, headers=headers)


def render(shown: Problem, *, headers: Mapping[str, str] | None = None) -> Response:
    """A problem as a response."""
    # In ASCII: a message may quote what the client sent, and that may hold what UTF-8 cannot carry.
    body = json.dumps(shown.model_dump(), ensure_ascii=True).encode()
    return Response(body, status_code=shown.status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def found(value: object) -> str:
    """What a client sent, as JSON, shortened."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=repr)
    except (ValueError, RecursionError):  # an integer of more digits than Python prints; a circle
        text = f"a value of type {type(value).__name__}"
    text = text.encode(errors="replace").decode()
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def unforeseen(error: Exception) -> Response:
    """What is answered to an error that nobody foresaw; it is logged."""
    return render(_concealed(error, HTTPStatus.INTERNAL_SERVER_ERROR, "internal"))


def install(app: FastAPI, *, allowed: Callable[[str], Sequence[str]], busy: Callable[[], None]) -> None:
    """Make every error of ``app`` a problem document.

    Args:
        app: Whose errors.
        allowed: From a path to the methods that it takes, for ``Allow``.
        busy: Called for each request that is refused for lack of room.
    """

    @app.exception_handler(NitariError)
    async def _ours(_request: Request, error: NitariError) -> Response:
        headers = dict(error.headers) if isinstance(error, RequestError) else {}
        if isinstance(error, BusyError):
            busy()
        if status_of(error) == HTTPStatus.SERVICE_UNAVAILABLE:
            headers["Retry-After"] = str(RETRY_AFTER_S)
        return render(describe(error), headers=headers)

    @app.exception_handler(RequestValidationError)
    async def _schema(_request: Request, error: RequestValidationError) -> Response:
        fields = [
            FieldProblem(
                field=".".join(str(part) for part in wrong["loc"][1:]),
                found=found(wrong.get("input")),
                expected=expectation(wrong),
            )
            for wrong in error.errors()
        ]
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail=sentence(fields), code="request", errors=fields)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        detail = str(error.detail)
        path = request.url.path
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            methods = ", ".join(sorted(allowed(path)))
            headers["Allow"] = methods
            detail = f"{path[:200]} does not take {request.method}; expected {methods}"
        elif error.status_code == HTTPStatus.NOT_FOUND:
            detail = f"there is nothing at {path[:200]}"
        code = title_of(error.status_code).lower().replace(" ", "-")
        return problem(error.status_code, detail=detail, code=code, headers=headers)


def expectation(wrong: Mapping[str, Any]) -> str:
    """What pydantic expected, as half a sentence."""
    match wrong["type"]:
        case "missing":
            return "a value; it is required"
        case "extra_forbidden":
            return "nothing: there is no such field"
        case "json_invalid":
            return f"JSON ({wrong['msg'].removeprefix('Invalid JSON: ')})"
    text = str(wrong["msg"])
    for start in ("Input should be ", "Value should be ", "Input should ", "Value should "):
        if text.startswith(start):
            return text.removeprefix(start)
    return text


def sentence(fields: Sequence[FieldProblem]) -> str:
    """The first few fields at fault, in words."""
    shown = [f"{field.field or 'the body'} is {field.found}; expected {field.expected}" for field in fields[:3]]
    rest = len(fields) - len(shown)
    return ". ".join(shown) + (f". {rest} more fields are at fault" if rest > 0 else "")


def _concealed(error: Exception, status: HTTPStatus, code: str) -> Problem:
    """A problem of ours: the log has the error, the client has a number to find it by."""
    number = uuid.uuid4().hex[:12]
    log.error("a request failed for a reason of ours", extra={"incident": number}, exc_info=error)
    if isinstance(error, DependencyError):
        detail = f"a service that this server needs does not answer (incident {number})"
    else:
        detail = f"this server is at fault, not the request (incident {number})"
    return Problem(
        title=title_of(status),
        status=status,
        detail=detail,
        code=code,
        remedy="ask whoever runs this server to look for that number in its log",
    )
