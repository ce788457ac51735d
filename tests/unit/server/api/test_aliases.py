"""Aliases over HTTP: switched and switched back, followed by the very next request, for who may edit only."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nitari.catalog.base import FeaturesPut
from nitari.server import schemas, schemas_search
from support.application import ROOT, Application, application
from support.beside import NEW, THIRD, extractor_of, features_in
from support.catalogs import COLLECTION

OLD = COLLECTION.name


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Application]:
    """The application over a catalog with a second collection of the same items."""
    with application(tmp_path) as app:
        catalog = app.services.catalog
        catalog.point("default", OLD)
        for name in (NEW, THIRD):
            catalog.register_collection(extractor_of(name).spec)
            catalog.add_features(
                [FeaturesPut(f"i{n}", f"images/{n}.jpg", f"d{n}", features_in(name, f"d{n}")) for n in range(6)],
                collection=name,
            )
        yield app


def found(app: Application, root: str = ROOT, **more: Any) -> dict[str, Any]:
    """The answer to a search by an item."""
    response = app.ask("POST", f"{root}/search", json={"item_id": "i1", "k": 3, **more})
    assert response.status_code == 200, response.text
    schemas_search.AnswerModel.model_validate_json(response.content)
    body: dict[str, Any] = response.json()
    return body


def scores(answer: dict[str, Any]) -> list[tuple[str, float]]:
    """Which items, how near."""
    return [(hit["item_id"], hit["score"]) for hit in answer["hits"]]


def alias(app: Application, method: str, path: str, status: int = 200, **request: Any) -> dict[str, Any]:
    """What is told of an alias."""
    response = app.ask(method, f"/v1/aliases{path}", **request)
    assert response.status_code == status, response.text
    if status == 200:
        schemas.AliasModel.model_validate_json(response.content)
    body: dict[str, Any] = response.json()
    return body


def test_a_switch_and_the_way_back(served: Application) -> None:
    """The next request is answered from there, and says so; its pictures keep their addresses."""
    before = found(served)
    assert before["collection"] == OLD
    switched = alias(served, "PUT", "/default", json={"collection": NEW})
    assert (switched["alias"], switched["collection"], switched["previous"]) == ("default", NEW, OLD)
    assert switched["serving"]
    after = found(served)
    assert after["collection"] == NEW
    assert scores(after) == scores(found(served, f"/v1/collections/{NEW}"))
    assert scores(after) != scores(before) == scores(found(served, f"/v1/collections/{OLD}"))
    thumbnails = [{hit["thumbnail"] for hit in answer["hits"] if hit["item_id"] == "i0"} for answer in (before, after)]
    assert all(path.startswith(f"{ROOT}/photos/") for paths in thumbnails for path in paths)
    back = alias(served, "POST", "/default:back")
    assert (back["collection"], back["previous"], back["serving"]) == (OLD, NEW, True)
    assert scores(found(served)) == scores(before)
    assert alias(served, "POST", "/default:back")["collection"] == NEW


def test_what_there_is(served: Application) -> None:
    """Every alias, and what is served under which names."""
    alias(served, "PUT", "/trial", json={"collection": NEW})
    listed = served.ask("GET", "/v1/aliases")
    schemas.AliasesModel.model_validate_json(listed.content)
    assert [(one["alias"], one["collection"], one["serving"]) for one in listed.json()["aliases"]] == [
        ("default", OLD, True),
        ("trial", NEW, True),
    ]
    assert served.ask("GET", "/v1/collections").json() == {"collections": [OLD, NEW]}
    described = served.ask("GET", "/v1/collections/trial").json()
    assert (described["name"], described["aliases"]) == (NEW, ["trial"])
    assert found(served, "/v1/collections/trial")["collection"] == NEW


def test_edits_are_seen_under_every_name(served: Application) -> None:
    """By the very next answer of the collection that was named, in use or not."""
    alias(served, "PUT", "/default", json={"collection": NEW})
    root = f"/v1/collections/{OLD}"
    item = {"image_links": ["https://shop.example/a.jpg"]}
    assert served.ask("PUT", f"{root}/items/fresh", json=item).status_code == 201
    searched = served.ask("POST", f"{root}/search", json={"item_id": "fresh"})
    assert searched.status_code == 200, searched.text
    assert served.ask("GET", f"{root}/items/fresh").json()["images"][0]["photo"].startswith(f"{root}/photos/fresh")


@pytest.mark.parametrize(
    ("method", "path", "request_", "status", "code"),
    [
        ("PUT", "/default", {"json": {"collection": "absent"}}, 404, "not-found"),
        ("PUT", "/Not%20a%20name", {"json": {"collection": NEW}}, 400, "collection-name"),
        ("PUT", f"/{'x' * 65}", {"json": {"collection": NEW}}, 422, "request"),
        ("PUT", "/default", {"json": {}}, 422, "request"),
        ("PUT", "/default", {"json": {"collection": NEW, "more": 1}}, 422, "request"),
        ("PUT", "/default", {"content": b"{"}, 415, "content-type"),
        ("POST", "/absent:back", {}, 404, "not-found"),
        ("POST", "/default:back", {}, 404, "not-found"),
        ("PUT", "/de%2Ffault", {"json": {"collection": NEW}}, 404, "not-found"),
        ("PUT", "/de:fault", {"json": {"collection": NEW}}, 404, "not-found"),
        ("DELETE", "/default", {}, 405, "method-not-allowed"),
        ("GET", "/default:back", {}, 405, "method-not-allowed"),
    ],
)
def test_mistakes(served: Application, method: str, path: str, request_: Any, status: int, code: str) -> None:
    """What is wrong is said, and nothing is switched."""
    problem = alias(served, method, path, status, **request_)
    schemas.Problem.model_validate(problem)
    assert problem["code"] == code
    assert found(served)["collection"] == OLD


def test_what_cannot_be_opened_is_not_said_to_be_served(served: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    """The switch is kept, and answers come from where they came."""

    def fail(_name: str) -> None:
        raise RuntimeError("no weights")

    monkeypatch.setattr(served.services.searchers, "_open", fail)
    switched = alias(served, "PUT", "/default", json={"collection": NEW})
    assert (switched["collection"], switched["serving"]) == (NEW, False)
    assert found(served)["collection"] == OLD


def test_the_way_back_waits_for_no_opening(served: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long another collection takes to be opened meanwhile."""
    alias(served, "PUT", "/default", json={"collection": NEW})
    searchers = served.services.searchers
    opening, done = threading.Event(), threading.Event()
    real = searchers._open

    def open_slowly(name: str) -> Any:
        opening.set()
        assert done.wait(60)
        return real(name)

    monkeypatch.setattr(searchers, "_open", open_slowly)
    served.services.catalog.point("trial", THIRD)
    preparing = threading.Thread(target=searchers.prepare)
    preparing.start()
    try:
        assert opening.wait(60)
        assert alias(served, "POST", "/default:back")["serving"]
        assert found(served)["collection"] == OLD
        assert not done.is_set()
    finally:
        done.set()
        preparing.join()
    assert found(served, "/v1/collections/trial")["collection"] == THIRD
