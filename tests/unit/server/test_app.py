"""Every route of the whole application over a small real catalog: what it answers, held to its schema."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from nitari.errors import BusyError, ConfigurationError, DependencyError
from nitari.search.alike import LikenessMaps
from nitari.search.searcher import Searcher
from nitari.server import schemas, schemas_search
from nitari.server.app import MAP_THREADS, MAPS_WAITING, create_app, openapi_document
from support.application import KEPT, MAX_BODY, ROOT, Application, application

JPEG = {"Content-Type": "image/jpeg"}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Application]:
    """The application."""
    with application(tmp_path) as app:
        yield app


def answered(response: httpx.Response, model: type[BaseModel], status: int = 200) -> Any:
    """The answer, which fits its schema."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    model.model_validate_json(response.content)
    return response.json()


def refused(response: httpx.Response, status: int) -> dict[str, Any]:
    """The problem, which fits its schema."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    schemas.Problem.model_validate_json(response.content)
    body: dict[str, Any] = response.json()
    assert body["status"] == status
    return body


def test_search_by_photo_three_ways(served: Application) -> None:
    """The photo as the body, in a form, and kept: one answer, with its timing in the header."""
    asked = [
        served.ask("POST", f"{ROOT}/search", params={"options": '{"region": "whole"}'}, content=b"d2", headers=JPEG),
        served.ask("POST", f"{ROOT}/search", files={"photo": b"d2"}, data={"options": '{"region": "whole"}'}),
        served.ask("POST", f"{ROOT}/search", json={"photo_id": KEPT, "region": "whole"}),
    ]
    answers = [answered(response, schemas_search.AnswerModel) for response in asked]
    assert all(answer["hits"] == answers[0]["hits"] for answer in answers)
    best = answers[0]["hits"][0]
    assert best["item_id"] == "i2"
    assert best["thumbnail"] == "/v1/collections/default/photos/i2?link=images%2F2.jpg"
    assert "total;dur=" in asked[0].headers["server-timing"]


def test_search_by_json(served: Application) -> None:
    """By item with facets, by link, by liked items; no link of a hit leads to a script."""
    found = answered(
        served.ask("POST", f"{ROOT}/search", json={"item_id": "i1", "k": 3, "facets": ["gender", "price"]}),
        schemas_search.AnswerModel,
    )
    assert len(found["hits"]) == 3
    assert found["more"]
    assert found["total"] == 6
    assert [facet["name"] for facet in found["facets"]] == ["gender", "price"]
    linked = served.ask("POST", f"{ROOT}/search", json={"url": "https://shop.example/x.jpg"})
    hits = {hit["item_id"]: hit for hit in answered(linked, schemas_search.AnswerModel)["hits"]}
    assert hits["i0"]["link"] is None
    assert hits["i1"]["link"] == "https://shop.example/1"
    liked = served.ask("POST", f"{ROOT}/recommend", json={"liked": ["i1"], "disliked": ["i2"]})
    assert {"i1", "i2"}.isdisjoint(hit["item_id"] for hit in answered(liked, schemas_search.AnswerModel)["hits"])


def test_search_is_explained_on_request(served: Application) -> None:
    """Beside the answer stands what was done for it; unasked, nothing does."""
    asked = {"vector": [1.0] * 16, "k": 2, "filter": {"gender": "female"}}
    plain = answered(served.ask("POST", f"{ROOT}/search", json=asked), schemas_search.AnswerModel)
    assert (plain["plan"], plain["collection"]) == (None, "card")
    told = answered(served.ask("POST", f"{ROOT}/search", json={**asked, "explain": True}), schemas_search.AnswerModel)
    assert told["hits"] == plain["hits"]
    (step,) = told["plan"]
    assert (step["rows"], step["allowed"], bool(step["reason"])) == (6, 3, True)
    liked = {"liked": ["i1"], "explain": True}
    assert answered(served.ask("POST", f"{ROOT}/recommend", json=liked), schemas_search.AnswerModel)["plan"]
    photo = served.ask("POST", f"{ROOT}/search", files={"photo": b"d2"}, data={"options": '{"explain": true}'})
    assert answered(photo, schemas_search.AnswerModel)["plan"]


def test_hits_say_why_on_request(served: Application) -> None:
    """JSON, a query string and a form take the wish; unasked, nothing is told."""
    options = '{"why": true, "k": 2}'
    asked = [
        served.ask("POST", f"{ROOT}/search", json={"item_id": "i1", "why": True}),
        served.ask("POST", f"{ROOT}/search", params={"options": options}, content=b"d2", headers=JPEG),
        served.ask("POST", f"{ROOT}/search", files={"photo": b"d2"}, data={"options": options}),
        served.ask("POST", f"{ROOT}/recommend", json={"liked": ["i1"], "why": True}),
    ]
    for response in asked:
        why = answered(response, schemas_search.AnswerModel)["hits"][0]["why"]
        assert sum(why["contributions"].values()) == pytest.approx(why["similarity"], abs=1e-5)
    plain = served.ask("POST", f"{ROOT}/search", json={"item_id": "i1"})
    assert answered(plain, schemas_search.AnswerModel)["hits"][0]["why"] is None


def test_heat_maps(served: Application) -> None:
    """Of a photo in three ways, of an item, and of items whose photos are gone."""
    path = f"{ROOT}/heatmap"
    asked = [
        served.ask("POST", path, params={"options": '{"hit": "i2"}'}, content=b"d2", headers=JPEG),
        served.ask("POST", path, files={"photo": b"d2"}, data={"options": '{"hit": "i2"}'}),
        served.ask("POST", path, json={"photo_id": KEPT, "hit": "i2"}),
    ]
    maps = [answered(response, schemas_search.HeatmapModel) for response in asked]
    assert all(one["hit"] == maps[0]["hit"] for one in maps)
    grid = maps[0]["query"]
    assert (len(grid["values"]), len(grid["values"][0])) == (grid["rows"], grid["cols"])
    assert (grid["image"], maps[0]["hit"]["image"], maps[0]["hit_reason"]) == (None, "images/2.jpg", "")
    gone = answered(served.ask("POST", path, json={"item_id": "i1", "hit": "i5"}), schemas_search.HeatmapModel)
    assert gone["query"]["image"] == "images/1.jpg"
    assert (gone["hit"], gone["hit_reason"]) == (None, "photo images/5.jpg is gone")
    refused(served.ask("POST", path, json={"item_id": "i1", "hit": "none"}), 404)
    refused(served.ask("POST", path, json={"item_id": "i1"}), 422)
    refused(served.ask("POST", path, params={"options": '{"hit": "i2"}'}, content=b"broken", headers=JPEG), 422)
    refused(served.ask("POST", path, json={"url": "file:///etc/passwd.jpg", "hit": "i2"}), 400)


def test_heat_maps_hold_up_no_query(served: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    """One is made at a time, a few wait, a further one is refused at once; searches are answered meanwhile."""
    release, made = threading.Event(), Searcher.likeness_maps

    def slow(*args: Any) -> LikenessMaps:
        release.wait(30)
        return made(*args)

    monkeypatch.setattr(Searcher, "likeness_maps", slow)
    body = {"item_id": "i1", "hit": "i2"}

    async def ask() -> list[int]:
        transport = httpx.ASGITransport(app=served.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            most = MAP_THREADS + MAPS_WAITING
            tasks = [asyncio.create_task(client.post(f"{ROOT}/heatmap", json=body)) for _ in range(most + 1)]
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            searched = await client.post(f"{ROOT}/search", json={"item_id": "i1"})
            release.set()
            others = await asyncio.gather(*tasks)
            assert {refused(task.result(), 503)["code"] for task in done} == {"busy"}
            return [searched.status_code, *sorted(one.status_code for one in others)]

    assert asyncio.run(ask()) == [200, *[200] * (MAP_THREADS + MAPS_WAITING), 503]


def test_detect_and_facets(served: Application) -> None:
    """Products on a photo, and counts under a filter."""
    found = answered(served.ask("POST", f"{ROOT}/detect", content=b"d2", headers=JPEG), schemas_search.DetectionModel)
    assert found["regions"][0]["box"] == [0.25, 0.25, 0.75, 0.75]
    asked = {"names": ["gender"], "filter": {"price": {"lt": 13}}}
    counted = answered(served.ask("POST", f"{ROOT}/facets", json=asked), schemas_search.FacetsModel)
    assert counted["total"] == 3
    assert counted["facets"][0]["values"] == [{"value": "female", "count": 2}, {"value": "male", "count": 1}]


def test_items_live_and_die(served: Application) -> None:
    """Put, get, replace, delete: each is seen by the very next search."""
    path = f"{ROOT}/items/new%2Fone%20%E3%81%AE"
    item = {
        "title": "New",
        "image_links": ["https://shop.example/a.jpg"],
        "attributes": {"price": 5, "tags": ["a", "b"]},
    }
    made = answered(served.ask("PUT", path, json=item), schemas.EditModel, 201)
    assert (made["item_id"], made["result"]) == ("new/one の", "created")
    stored = answered(served.ask("GET", path), schemas.ItemModel)
    assert stored["attributes"] == {"price": 5.0, "tags": ["a", "b"]}
    assert stored["feed_id"] is None
    found = served.ask("POST", f"{ROOT}/search", json={"item_id": "new/one の", "k": 9}).json()
    assert found["total"] == 7
    again = answered(served.ask("PUT", path, json=item), schemas.EditModel)
    assert again["result"] == "unchanged"
    assert answered(served.ask("DELETE", path), schemas.EditModel)["result"] == "deleted"
    refused(served.ask("POST", f"{ROOT}/search", json={"item_id": "new/one の"}), 404)
    refused(served.ask("DELETE", path), 404)
    refused(served.ask("GET", path), 404)


def test_items_with_uploaded_photos(served: Application) -> None:
    """Photos in the form come before the links, and keep their links for later."""
    form = {"item": '{"image_links": ["https://shop.example/b.jpg"]}'}
    made = served.ask("PUT", f"{ROOT}/items/up", data=form, files=[("photo", b"one"), ("photo", b"two")])
    links = answered(made, schemas.EditModel, 201)["image_links"]
    assert [link.split(":")[0] for link in links] == ["upload", "upload", "https"]
    again = served.ask("PUT", f"{ROOT}/items/up", json={"image_links": links[1:]})
    assert answered(again, schemas.EditModel)["image_links"] == links[1:]


def test_put_without_usable_photo_names_each(served: Application) -> None:
    """What is wrong with every photo is said under its own field."""
    links = ["https://shop.example/a.gif", "https://shop.example/b.gif"]
    problem = refused(served.ask("PUT", f"{ROOT}/items/bad", json={"image_links": links}), 422)
    assert [error["field"] for error in problem["errors"]] == ["image_links.0", "image_links.1"]
    assert "404" in problem["errors"][0]["expected"]


def test_batch_has_a_status_for_each(served: Application) -> None:
    """What fails does not keep the rest from being done."""
    operations = [
        {"op": "put", "item_id": "a", "item": {"image_links": ["https://shop.example/a.jpg"]}},
        {"op": "put", "item_id": "b", "item": {"image_links": ["https://shop.example/b.gif"]}},
        {"op": "put", "item_id": "c", "item": {"image_links": ["file:///etc/passwd"]}},
        {"op": "delete", "item_id": "i0"},
        {"op": "delete", "item_id": "absent"},
    ]
    done = answered(served.ask("POST", f"{ROOT}/items:batch", json={"operations": operations}), schemas.BatchModel)
    assert [result["status"] for result in done["results"]] == [201, 422, 400, 200, 404]
    assert done["failed"] == 3
    assert served.services.searchers.current.stats().seq == done["seq"]


def test_pictures(served: Application) -> None:
    """A picture has a tag, and is not sent twice; a size beyond bounds names the field."""
    first = served.ask("GET", f"{ROOT}/photos/a%2Fb", params={"link": "images/1.jpg", "size": 100})
    assert first.content == b"a/b images/1.jpg 100"
    assert first.headers["cache-control"] == "private, max-age=300"
    tag = first.headers["etag"]
    again = served.ask("GET", f"{ROOT}/photos/a%2Fb?size=100", headers={"If-None-Match": f'"x", W/{tag}'})
    assert (again.status_code, again.content) == (304, b"")
    problem = refused(served.ask("GET", f"{ROOT}/photos/a?size=2049"), 422)
    assert problem["errors"][0]["field"] == "size"
    refused(served.ask("GET", f"{ROOT}/photos/none"), 404)


def test_query_photos(served: Application) -> None:
    """Kept on request, seen, forgotten."""
    kept = served.ask("POST", f"{ROOT}/query-photos", content=b"photo", headers=JPEG)
    path = answered(kept, schemas.QueryPhotoModel, 201)["photo"]
    assert kept.headers["location"] == path
    assert served.ask("GET", path).headers["content-type"] == "image/jpeg"
    assert served.ask("DELETE", path).status_code == 204
    refused(served.ask("GET", f"{ROOT}/query-photos/other"), 404)


def test_collections_and_stats(served: Application) -> None:
    """What there is, what suits as a filter, and nothing under another name."""
    described = answered(served.ask("GET", ROOT), schemas.CollectionModel)
    assert described["name"] == "card"
    assert described["facets"] == ["gender", "price", "colors"]
    assert described == answered(served.ask("GET", "/v1/collections/card"), schemas.CollectionModel)
    assert answered(served.ask("GET", "/v1/collections"), schemas.CollectionsModel) == {"collections": ["card"]}
    assert answered(served.ask("GET", "/v1/stats"), schemas.StatsModel)["items"] == 6
    assert refused(served.ask("GET", "/v1/collections/other"), 404)["code"] == "collection-not-found"


def test_jobs(served: Application) -> None:
    """Accepted with a place to look at it; canceled once, retried, and refused where its state does not allow it."""
    made = served.ask("POST", "/v1/jobs", json={"feed": "https://shop.example/feed.csv", "sync": True})
    job = answered(made, schemas.JobModel, 202)
    assert made.headers["location"] == f"/v1/jobs/{job['job_id']}"
    assert answered(served.ask("GET", made.headers["location"]), schemas.JobModel)["state"] == "queued"
    assert refused(served.ask("POST", f"/v1/jobs/{job['job_id']}:retry"), 409)["code"] == "job-state"
    assert answered(served.ask("POST", f"/v1/jobs/{job['job_id']}:cancel"), schemas.JobModel)["state"] == "canceled"
    assert answered(served.ask("POST", f"/v1/jobs/{job['job_id']}:retry"), schemas.JobModel)["state"] == "queued"
    form = served.ask("POST", "/v1/jobs", files={"feed": ("a.csv", b"id\n1\n")}, data={"options": '{"feed_id": "f"}'})
    assert answered(form, schemas.JobModel, 202)["feed_id"] == "f"
    assert len(answered(served.ask("GET", "/v1/jobs"), schemas.JobsModel)["jobs"]) == 2
    refused(served.ask("GET", "/v1/jobs/none"), 404)
    for feed in ("/etc/passwd", "file:///etc/passwd"):
        refused(served.ask("POST", "/v1/jobs", json={"feed": feed}), 400)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PATCH", f"{ROOT}/items/x", "DELETE, GET, PUT"),
        ("GET", f"{ROOT}/search", "POST"),
        ("GET", "/v1/jobs/x:cancel", "POST"),
        ("DELETE", "/v1/jobs", "GET, POST"),
    ],
)
def test_other_methods_are_told_which_there_are(served: Application, method: str, path: str, allow: str) -> None:
    """405 with all methods of the path, not only those of the first route."""
    response = served.ask(method, path)
    assert refused(response, 405)["code"] == "method-not-allowed"
    assert response.headers["allow"] == allow


def test_other_paths_are_problems_too(served: Application) -> None:
    """No redirect, no plain text."""
    for path in ("/v1", "/v1/jobs/", "/docs", "/redoc", f"{ROOT}/nothing"):
        refused(served.ask("GET", path), 404)


def test_bodies_are_bounded(served: Application) -> None:
    """Too long a body is refused, declared or not."""
    too_long = b"x" * (MAX_BODY + 1)
    assert refused(served.ask("POST", f"{ROOT}/search", content=too_long, headers=JPEG), 413)["code"] == "too-large"

    async def parts() -> Any:
        yield too_long

    refused(served.ask("POST", f"{ROOT}/search", content=parts(), headers=JPEG), 413)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BusyError("64 wait"), 503),
        (DependencyError("the database at 10.0.0.7 times out"), 503),
        (ConfigurationError("/srv/secret/nitari.toml is wrong", remedy="edit /srv/secret/nitari.toml"), 500),
    ],
)
def test_what_is_ours_is_not_told(
    served: Application, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    """Errors of the operator's go to the log, under a number that the client has, too."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(type(served.services.searchers.current), "search", fail)
    response = served.ask("POST", f"{ROOT}/search", json={"item_id": "i1"})
    problem = refused(response, status)
    assert not {"secret", "10.0.0.7"} & set(response.text.replace("/", " ").split())
    assert (response.headers.get("retry-after") == "1") == (status == 503)
    assert ("incident" in problem["detail"]) == (not isinstance(error, BusyError))


def test_the_document_is_the_served_one(served: Application) -> None:
    """Made without a catalog, it is what the server tells; every route says all that it is asked to say."""
    document = openapi_document()
    assert document == served.ask("GET", "/openapi.json").json()
    names, tags = [], {tag["name"] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            names.append(route["operationId"])
            assert route["summary"], path
            assert route["description"], path
            assert route["tags"], path
            assert set(route["tags"]) <= tags, path
            for status, answer in route["responses"].items():
                for kind, content in answer.get("content", {}).items():
                    assert "schema" in content, (path, method, status)
                    assert kind.startswith("image/") or "example" in content, (path, method, status)
                    assert (kind == "application/problem+json") == (int(status) >= 400)
    assert len(set(names)) == len(names)
    assert "HTTPValidationError" not in json.dumps(document)


def test_examples_fit_their_schemas() -> None:
    """What the document shows is what the models take."""
    for methods in openapi_document()["paths"].values():
        for route in methods.values():
            places = [*route["responses"].values(), route.get("requestBody", {})]
            for content in (place["content"].get("application/json") for place in places if "content" in place):
                if content is None:
                    continue
                name = content["schema"]["$ref"].rsplit("/", 1)[1]
                model = getattr(schemas, name, None) or getattr(schemas_search, name)
                shown = [content["example"]] if "example" in content else []
                for example in [*shown, *(one["value"] for one in content.get("examples", {}).values())]:
                    model.model_validate_json(json.dumps(example))


def test_lifespan_follows_the_catalog_and_ends(served: Application) -> None:
    """The threads beside the routes start with it, survive what they meet, and end with it."""
    app = create_app(served.services, served.config)
    before = {thread.name for thread in threading.enumerate()}

    async def live() -> set[str]:
        async with app.router.lifespan_context(app):
            return {thread.name for thread in threading.enumerate()} - before

    assert {"nitari-follow", "nitari-prune", "nitari-jobs"} <= asyncio.run(live())
    assert not {"nitari-follow", "nitari-prune"} & {thread.name for thread in threading.enumerate()}
