"""Answers that are not a success become errors that say whose fault it is."""

from __future__ import annotations

import json

import pytest

from nitari import errors
from nitari.client import (
    AccessError,
    ApiBusyError,
    ApiDataError,
    ApiError,
    ApiNotFoundError,
    ApiServerError,
    ApiUsageError,
)
from nitari.client.errors import error_of

PROBLEM = {
    "type": "about:blank",
    "title": "Unprocessable Content",
    "status": 422,
    "detail": "k is 0; it must be 1-1000",
    "code": "request",
    "remedy": "give a k of 1-1000",
    "errors": [{"field": "k", "found": "0", "expected": "1-1000"}],
}


@pytest.mark.parametrize(
    ("status", "code", "kind", "core"),
    [
        (400, "filter", ApiUsageError, errors.UsageError),
        (401, "token", AccessError, errors.ConfigurationError),
        (403, "host", AccessError, errors.ConfigurationError),
        (404, "not-found", ApiNotFoundError, errors.NotFoundError),
        (413, "body", ApiUsageError, errors.UsageError),
        (422, "image", ApiDataError, errors.DataError),
        (429, "rate", ApiBusyError, errors.BusyError),
        (500, "state", ApiServerError, errors.NitariError),
        (503, "busy", ApiBusyError, errors.BusyError),
        (503, "dependency", ApiServerError, errors.NitariError),
    ],
)
def test_kinds(status: int, code: str, kind: type[ApiError], core: type[errors.NitariError]) -> None:
    """Each status has its class, and each class is one of the core's too."""
    error = error_of(status, json.dumps(PROBLEM | {"status": status, "code": code}).encode())
    assert type(error) is kind
    assert isinstance(error, core)
    assert (error.status, error.code) == (status, code)


def test_all_of_a_problem_is_kept() -> None:
    """Detail, remedy and the fields at fault come through."""
    error = error_of(422, json.dumps(PROBLEM).encode())
    assert str(error) == error.detail == "k is 0; it must be 1-1000"
    assert error.remedy == "give a k of 1-1000"
    assert [(at.field, at.found, at.expected) for at in error.errors] == [("k", "0", "1-1000")]


@pytest.mark.parametrize("body", [b"", b"<html>Bad Gateway", b"\xff\xfe", b"[]", b'{"detail": "x"}'])
def test_answers_of_others(body: bytes) -> None:
    """A proxy's page is no problem document; the error shows its beginning and asks about the URL."""
    error = error_of(502, body)
    assert isinstance(error, ApiServerError)
    assert "502" in error.message
    assert "base_url" in error.remedy


def test_long_answers_are_cut() -> None:
    """A message does not grow with the answer."""
    assert len(error_of(502, b"x" * 1_000_000).message) < 400
