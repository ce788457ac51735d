"""What the client raises: the tree of ``nitari.errors``, so that code that catches those need not know of HTTP.

::

    NitariError
    ├── ApiError                the server answered with a problem; has `status`, `code`, `message`, `remedy`, `errors`
    │   ├── ApiUsageError       also a UsageError: a request that cannot be (400, 413, 415, ...)
    │   ├── ApiNotFoundError    also a NotFoundError: an item, job, photo or collection that is not there (404)
    │   ├── AccessError         also a ConfigurationError: the token is missing or wrong (401, 403)
    │   ├── ApiDataError        also a DataError: a photo, link or field that cannot be used (422)
    │   ├── ApiBusyError        also a BusyError: still too busy after all retries (429, 503 with code `busy`)
    │   └── ApiServerError      the server's own fault (500 and above), or not the answer of a Nitari server
    ├── UnreachableError        a DependencyError: no connection, a lost one, or no answer in time
    └── JobError                a job that was waited for and did not succeed
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from pydantic import ValidationError

from nitari.errors import (
    BusyError,
    ConfigurationError,
    DataError,
    DependencyError,
    NitariError,
    NotFoundError,
    UsageError,
)
from nitari.server.schemas import FieldProblem, JobModel, Problem

_SHOWN = 200
"""Characters of a strange answer that a message shows."""


class ApiError(NitariError):
    """The server answered with a problem (RFC 9457).

    Args:
        message: The problem's ``detail``: what was found and what was expected.
        status: The HTTP status.
        code: A stable word for programs.
        remedy: What to do about it; may be empty.
        errors: One for each field at fault; may be empty.
    """

    default_code = "api"

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str | None = None,
        remedy: str = "",
        errors: Sequence[FieldProblem] = (),
    ) -> None:
        super().__init__(message, remedy=remedy, code=code)
        self.status = status
        self.errors = tuple(errors)

    @property
    def detail(self) -> str:
        """The message, by its name in the problem document."""
        return self.message


class ApiUsageError(ApiError, UsageError):
    """A request that cannot be."""


class ApiNotFoundError(ApiError, NotFoundError):
    """An item, job, photo or collection that is not there."""


class AccessError(ApiError, ConfigurationError):
    """The token is missing, wrong, or not enough."""


class ApiDataError(ApiError, DataError):
    """A photo, a link or a field that cannot be used."""


class ApiBusyError(ApiError, BusyError):
    """The server was still too busy after all retries. Nothing was begun; the same request may be sent again."""


class ApiServerError(ApiError):
    """The server's own fault, or an answer that is not of a Nitari server."""

    default_code = "server"


class UnreachableError(DependencyError):
    """No connection, one that broke, or no answer in time. Whether the request was carried out is not known."""

    default_code = "unreachable"


class JobError(NitariError):
    """A job that was waited for and failed, was canceled, or still runs after the time that was given.

    Args:
        job: The job as it was last seen.
    """

    default_code = "job"

    def __init__(self, message: str, *, job: JobModel, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy, code=job.problem.code if job.problem else None)
        self.job = job


_BY_STATUS: dict[int, type[ApiError]] = {
    HTTPStatus.UNAUTHORIZED: AccessError,
    HTTPStatus.FORBIDDEN: AccessError,
    HTTPStatus.NOT_FOUND: ApiNotFoundError,
    HTTPStatus.UNPROCESSABLE_ENTITY: ApiDataError,
    HTTPStatus.TOO_MANY_REQUESTS: ApiBusyError,
}


def error_of(status: int, body: bytes) -> ApiError:
    """The error for an answer that is not a success, whoever gave it: a proxy's HTML page gets a message too."""
    try:
        problem = Problem.model_validate_json(body)
    except ValidationError:
        return _kind(status, "")(
            f"the answer is {status} without a problem document; it begins {shown(body)}",
            status=status,
            remedy="see whether base_url names a Nitari server, or a proxy in front of it answers in its place",
        )
    return _kind(status, problem.code)(
        problem.detail, status=status, code=problem.code, remedy=problem.remedy, errors=problem.errors
    )


def shown(body: bytes) -> str:
    """The first characters of a strange answer, on one line."""
    return repr(body[:_SHOWN].decode(errors="replace"))


def _kind(status: int, code: str) -> type[ApiError]:
    if code == BusyError.default_code:
        return ApiBusyError
    return _BY_STATUS.get(status, ApiUsageError if 400 <= status < 500 else ApiServerError)
