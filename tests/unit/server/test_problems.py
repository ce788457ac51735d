"""Each error has its status and its words."""

from __future__ import annotations

import logging
from http import HTTPStatus

import pytest

from nitari.errors import (
    BlockedError,
    BusyError,
    ConfigurationError,
    DataError,
    DependencyError,
    FetchError,
    FilterError,
    MissingExtraError,
    NitariError,
    NotFoundError,
    StateError,
    UsageError,
)
from nitari.server import problems
from nitari.server.problems import RequestError, describe, found, status_of


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("x"), 400),
        (FilterError("x"), 400),
        (BlockedError("x"), 400),
        (NotFoundError("x"), 404),
        (UsageError("x", code="job-state"), 409),
        (UsageError("x", code="too-many-jobs"), 503),
        (DataError("x"), 422),
        (FetchError("x"), 422),
        (BusyError("x"), 503),
        (DependencyError("x"), 503),
        (ConfigurationError("x"), 500),
        (MissingExtraError("x", "y"), 500),
        (StateError("x"), 500),
        (NitariError("x"), 500),
        (RequestError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "x"), 415),
    ],
)
def test_statuses(error: NitariError, status: int) -> None:
    """Whose fault it is."""
    assert status_of(error) == status
    assert describe(error).status == status


@pytest.mark.parametrize("kind", [ConfigurationError, StateError, DependencyError])
def test_what_is_ours_goes_to_the_log(kind: type[NitariError], caplog: pytest.LogCaptureFixture) -> None:
    """The client gets a number, the log the error under the same number."""
    with caplog.at_level(logging.ERROR):
        problem = describe(kind("/srv/secret", remedy="edit /srv/secret"))
    assert "secret" not in problem.model_dump_json()
    (record,) = caplog.records
    assert getattr(record, "incident") in problem.detail  # noqa: B009 - an extra field
    assert record.exc_info


def test_filters_name_their_field() -> None:
    """The field that is at fault is the filter."""
    assert describe(FilterError("filter.price.gtr: no")).errors[0].field == "filter"


@pytest.mark.parametrize(
    "value",
    ["\ud800", 10**5000, "x" * 1000, {"a": object()}, [1.5, None, True]],
    ids=["surrogate", "digits", "long", "object", "list"],
)
def test_anything_can_be_shown(value: object) -> None:
    """Shortened, and in a form that can be sent."""
    shown = found(value)
    assert 0 < len(shown) <= 120
    assert shown.encode()


def test_any_message_can_be_sent() -> None:
    """A message may quote what UTF-8 cannot carry."""
    assert problems.problem(400, detail="\ud800", code="x").body
