"""Snapshots over HTTP: listed, saved one at a time, and whose fault it is where that fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from nitari.errors import DependencyError, NitariError, StateError, UsageError
from nitari.server import schemas
from nitari.server.app import create_app
from nitari.server.services import KnownSnapshot, SavedSnapshot
from support.application import Application, Snapshots, application


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Application]:
    """The application."""
    with application(tmp_path) as app:
        yield app


class Failing(Snapshots):
    """A place that says no."""

    def __init__(self, error: NitariError) -> None:
        self._error = error

    def list(self) -> Sequence[KnownSnapshot]:
        """Nothing."""
        raise self._error

    def save(self) -> SavedSnapshot:
        """Nothing."""
        raise self._error


class Slow(Snapshots):
    """A place far away."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()

    def save(self) -> SavedSnapshot:
        """When it is told to."""
        self.begun.set()
        assert self.go_on.wait(60)
        return super().save()


def over(served: Application, snapshots: Snapshots) -> Application:
    """The application with other snapshots."""
    services = replace(served.services, snapshots=snapshots)
    return Application(create_app(services, served.config), services, served.config)


def test_listed_and_saved(served: Application) -> None:
    """Damaged ones are listed as such; a save tells what it sent."""
    listed = served.ask("GET", "/v1/snapshots")
    assert listed.status_code == 200
    schemas.SnapshotsModel.model_validate_json(listed.content)
    body = listed.json()
    assert body["url"] == "memory://snapshots"
    assert body["snapshots"] == [
        {"number": 1, "at": "2026-11-24T00:00:00Z", "seq": 3, "size": 1000, "damaged": None},
        {"number": 2, "at": None, "seq": None, "size": None, "damaged": "its checksum does not fit"},
    ]
    saved = served.ask("POST", "/v1/snapshots")
    assert saved.status_code == 201
    assert saved.json() == schemas.SavedModel(number=3, seq=6, size=2000, sent=500).model_dump()


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (UsageError("no place for snapshots is given", remedy="set snapshots.url", code="snapshots-unset"), 400, True),
        (UsageError("snapshots of another catalog are there", code="snapshot-foreign"), 409, True),
        (StateError("another process published first", code="snapshot-race"), 409, True),
        (StateError("a prune is at work", code="snapshot-busy"), 409, True),
        (StateError("/srv/secret is damaged", code="snapshot-damaged"), 500, False),
        (DependencyError("s3.secret.example does not answer"), 503, False),
    ],
)
def test_failures(served: Application, error: NitariError, status: int, told: bool) -> None:
    """What the caller can do something about is told; what only the operator can is in the log."""
    app = over(served, Failing(error))
    for method in ("GET", "POST"):
        response = app.ask(method, "/v1/snapshots")
        assert response.status_code == status, response.text
        problem = response.json()
        schemas.Problem.model_validate(problem)
        assert problem["code"] == error.code
        assert (problem["detail"] == error.message) == told
        assert "secret" not in response.text


def test_one_at_a_time(served: Application) -> None:
    """A second save is refused at once, and a list is not kept waiting by the first one."""
    slow = Slow()
    app = over(served, slow)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(app.ask, "POST", "/v1/snapshots")
        try:
            assert slow.begun.wait(60)
            second = app.ask("POST", "/v1/snapshots")
            assert (second.status_code, second.json()["code"]) == (409, "snapshot-busy")
            assert app.ask("GET", "/v1/snapshots").status_code == 200
            assert not first.done()
        finally:
            slow.go_on.set()
        assert first.result().status_code == 201
    assert app.ask("POST", "/v1/snapshots").status_code == 201
