"""Each method of the client: what it sends, what it makes of the answer."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

import nitari
from nitari.client import Client, DeleteOperation, PutOperation, UnreachableError
from nitari.client.errors import ApiNotFoundError
from nitari.errors import NotFoundError, UsageError
from nitari.server.app import openapi_document
from nitari.server.examples import HEATMAP
from nitari.server.schemas import ItemBody

Route = Callable[[httpx.Request], Any]

JOB = {
    "job_id": "j1",
    "kind": "import",
    "state": "queued",
    "feed": "https://shop.example/feed.xml",
    "feed_id": None,
    "sync": False,
    "allow_delete": False,
    "created_at": "2026-11-23T12:00:00Z",
    "started_at": None,
    "finished_at": None,
    "progress": None,
    "problem": None,
}
EDIT = {"item_id": "a", "result": "created", "status": 201, "rejections": [], "image_links": []}


def hit(item_id: str) -> dict[str, Any]:
    """A hit as a server sends it."""
    return {
        "item_id": item_id,
        "item_group_id": item_id,
        "score": 0.5,
        "title": "",
        "link": None,
        "image": "a.jpg",
        "thumbnail": "/v1/x",
        "box": [0, 0, 1, 1],
        "attributes": {"price": 3, "sale": True, "color": ["red"]},
        "duplicates": [],
        "why": None,
    }


def answer(*item_ids: str, more: bool = False) -> dict[str, Any]:
    """An answer as a server sends it."""
    return {
        "collection": "card",
        "hits": [hit(item_id) for item_id in item_ids],
        "more": more,
        "total": 100,
        "facets": [],
        "regions": [],
        "query_box": None,
        "timing_ms": {"total": 1.5},
        "seq": 4,
        "plan": None,
        "category": None,
        "worn": None,
        "familiarity": None,
    }


class Fake:
    """A server that answers every request with what ``reply`` gives: JSON, bytes, or a whole response."""

    def __init__(self) -> None:
        self.reply: Route = lambda _request: {}
        self.requests: list[httpx.Request] = []

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        request.read()
        self.requests.append(request)
        told = self.reply(request)
        if isinstance(told, httpx.Response):
            return told
        return httpx.Response(200, content=told) if isinstance(told, bytes) else httpx.Response(200, json=told)

    @property
    def last(self) -> httpx.Request:
        """The last request."""
        return self.requests[-1]

    def json(self) -> Any:
        """The last request's body."""
        return json.loads(self.last.content)


@pytest.fixture
def fake() -> Fake:
    """A server to be told what to say."""
    return Fake()


@pytest.fixture
def client(fake: Fake) -> Iterator[Client]:
    """A client of it."""
    with Client("http://nitari.example", transport=httpx.MockTransport(fake.handle), retries=0) as made:
        yield made


def test_it_is_a_public_name() -> None:
    """`from nitari import Client` is how it is had."""
    assert nitari.Client is Client


def test_it_is_light() -> None:
    """Whoever only asks a server loads no web framework, no model runtime and no arrays."""
    code = "import sys; from nitari import Client; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"fastapi", "starlette", "numpy", "onnxruntime", "PIL", "sqlalchemy"} & set(loaded)


def test_every_route_has_a_method(client: Client, fake: Fake) -> None:
    """What the API can do, the client can; the page's own ways of signing in are the exception."""
    fake.reply = lambda _request: httpx.Response(404)
    calls: list[Callable[[], object]] = [
        client.live,
        client.ready,
        client.metrics,
        client.stats,
        client.collections,
        client.collection,
        client.sample_items,
        client.jobs,
        lambda: client.search(item_id="a"),
        lambda: client.detect(url="http://x/"),
        lambda: client.recommend(liked=["a"]),
        lambda: client.heatmap("b", item_id="a"),
        lambda: client.facets(["a"]),
        lambda: client.get_item("a"),
        lambda: client.put_item("a"),
        lambda: client.delete_item("a"),
        lambda: list(client.edit_items([DeleteOperation(op="delete", item_id="a")])),
        lambda: client.photo("a"),
        lambda: client.keep_query_photo(b""),
        lambda: client.query_photo("a"),
        lambda: client.forget_query_photo("a"),
        lambda: client.import_feed("http://x/"),
        lambda: client.job("a"),
        lambda: client.retry_job("a"),
        lambda: client.cancel_job("a"),
        client.aliases,
        lambda: client.set_alias("a", "b"),
        lambda: client.set_alias_back("a"),
        client.snapshots,
        client.save_snapshot,
    ]
    for call in calls:
        with pytest.raises(ApiNotFoundError):
            call()
    asked = {(request.method, request.url.path) for request in fake.requests}
    routes = {
        (method.upper(), re.sub(r"\{\w+\}", "a", path.replace("{c}", "default")))
        for path, found in openapi_document()["paths"].items()
        for method in found
    }
    assert asked == {route for route in routes if route[1] != "/session"}


def test_search_by_item(client: Client, fake: Fake) -> None:
    """Only what was given is sent; the answer is typed."""
    fake.reply = lambda _request: answer("b", "c")
    found = client.search(item_id="a", k=2, filter={"price": {"lt": 50}}, facets=("color",))
    assert fake.last.url.path == "/v1/collections/default/search"
    assert fake.json() == {"item_id": "a", "k": 2, "filter": {"price": {"lt": 50}}, "facets": ["color"]}
    assert [one.item_id for one in found.hits] == ["b", "c"]
    assert found.hits[0].attributes == {"price": 3.0, "sale": True, "color": ["red"]}


def test_search_with_what_being_alike_means(client: Client, fake: Fake) -> None:
    """All choices are sent, and what the query was taken for is typed."""
    fake.reply = lambda _request: answer("b") | {"category": {"value": "Tees", "probability": 0.9}, "worn": 0.25}
    found = client.search(item_id="a", emphasis=1, worn=0.5, category="off", collapse=False)
    assert fake.json() == {"item_id": "a", "emphasis": 1, "worn": 0.5, "category": "off", "collapse": False}
    assert found.category is not None
    assert (found.category.value, found.worn, found.hits[0].duplicates) == ("Tees", 0.25, [])


def test_search_with_reasons(client: Client, fake: Fake) -> None:
    """What each score is made of is asked for, and typed."""
    reasons = {"similarity": 0.5, "contributions": {"shape": 0.4, "color": 0.1}, "category": 0.05, "rerank": 0.0}
    reply = answer("b")
    reply["hits"][0]["why"] = reasons
    fake.reply = lambda _request: reply
    (hit,) = client.search(item_id="a", why=True).hits
    assert fake.json() == {"item_id": "a", "why": True}
    assert hit.why is not None
    assert hit.why.model_dump() == reasons


def test_heat_maps(client: Client, fake: Fake) -> None:
    """The hit and what it is compared with are sent, a photo in a form; the answer is typed."""
    fake.reply = lambda _request: HEATMAP
    found = client.heatmap("b", item_id="a", emphasis=1)
    assert fake.last.url.path == "/v1/collections/default/heatmap"
    assert fake.json() == {"hit": "b", "item_id": "a", "emphasis": 1}
    assert found.hit is not None
    assert found.hit.values == [[0.0, 0.4], [0.1, 1.0]]
    client.heatmap("b", photo=b"jpeg-bytes", region="whole")
    assert b'{"hit": "b", "region": "whole"}' in fake.last.content
    assert b"jpeg-bytes" in fake.last.content


def test_search_with_explanation(client: Client, fake: Fake) -> None:
    """How the index was searched is asked for, and typed."""
    step = {
        "part": "live",
        "rows": 9,
        "allowed": 4,
        "how": "scan",
        "reason": "",
        "probes": 0,
        "candidates": 4,
        "ms": 0.1,
    }
    fake.reply = lambda _request: answer("b") | {"plan": [step]}
    found = client.search(item_id="a", explain=True)
    assert fake.json() == {"item_id": "a", "explain": True}
    assert found.collection == "card"
    assert found.plan is not None
    assert found.plan[0].how == "scan"


def test_search_by_photo(client: Client, fake: Fake) -> None:
    """A photo goes in a form, the options beside it."""
    fake.reply = lambda _request: answer("b")
    client.search(photo=b"\xff\xd8jpeg", region=[0.1, 0.1, 0.9, 0.9])
    assert fake.last.headers["Content-Type"].startswith("multipart/form-data")
    assert b'{"region": [0.1, 0.1, 0.9, 0.9]}' in fake.last.content
    assert b"\xff\xd8jpeg" in fake.last.content


def test_detect(client: Client, fake: Fake) -> None:
    """A photo goes alone in its form, a link as JSON."""
    fake.reply = lambda _request: {"width": 10, "height": 20, "regions": [], "timing_ms": {}}
    assert client.detect(photo=b"jpeg").height == 20
    assert b"options" not in fake.last.content
    client.detect(url="https://shop.example/a.jpg")
    assert fake.json() == {"url": "https://shop.example/a.jpg"}


def pages(request: httpx.Request) -> Any:
    """Five items, two of them twice, as if the catalog had changed between the pages."""
    items = ["a", "b", "b", "c", "a", "d", "e"]
    asked = json.loads(request.content)
    offset, k = asked["offset"], asked["k"]
    return answer(*items[offset : offset + k], more=offset + k < len(items))


def test_search_all_pages(client: Client, fake: Fake) -> None:
    """Page by page, as far as it is read, each item once."""
    fake.reply = pages
    hits = client.search_all(item_id="q", k=2)
    assert next(hits).item_id == "a"
    assert len(fake.requests) == 1
    assert [one.item_id for one in hits] == ["b", "c", "d", "e"]
    assert [json.loads(request.content)["offset"] for request in fake.requests] == [0, 2, 4, 6]
    asked = [request.url.path for request in fake.requests]  # what answered first goes on answering
    assert asked == ["/v1/collections/default/search", *["/v1/collections/card/search"] * 3]


def test_search_all_stops(client: Client, fake: Fake) -> None:
    """At a limit, at the server's window, and at an empty page."""
    fake.reply = pages
    assert [one.item_id for one in client.search_all(item_id="q", k=2, limit=3)] == ["a", "b", "c"]
    fake.reply = lambda request: answer(str(json.loads(request.content)["offset"]), more=True)
    assert [one.item_id for one in client.search_all(item_id="q", k=100, offset=9_999)] == ["9999"]
    assert fake.json()["k"] == 1
    fake.reply = lambda _request: answer(more=True)
    assert list(client.search_all(item_id="q")) == []


def test_search_all_reads_a_photo_once(client: Client, fake: Fake) -> None:
    """An open file serves every page."""
    fake.reply = lambda request: answer(str(len(fake.requests)), more=len(fake.requests) < 3)
    assert len(list(client.search_all(photo=io.BytesIO(b"jpeg"), k=1))) == 3
    assert all(b"jpeg" in request.content for request in fake.requests)


@pytest.mark.parametrize(
    ("item_id", "path"),
    [
        ("24-mb01", b"24-mb01"),
        ("a/b c", b"a%2Fb%20c"),
        ("鞄?#%", b"%E9%9E%84%3F%23%25"),
        ("..", b"%2E%2E"),
        (".", b"%2E"),
        ("a.b", b"a.b"),
    ],
)
def test_item_ids_in_paths(client: Client, fake: Fake, item_id: str, path: bytes) -> None:
    """Whatever an id holds, it stays one segment of the path."""
    fake.reply = lambda _request: EDIT
    client.delete_item(item_id)
    assert fake.last.url.raw_path == b"/v1/collections/default/items/" + path


def test_put_item_as_json(client: Client, fake: Fake) -> None:
    """Without photos to upload, an item is JSON."""
    fake.reply = lambda _request: EDIT
    assert client.put_item("a", title="Bag", image_links=["https://x/a.jpg"], attributes={"price": 3}).status == 201
    assert fake.last.method == "PUT"
    assert fake.json() == {"title": "Bag", "image_links": ["https://x/a.jpg"], "attributes": {"price": 3}}
    client.put_item("a", image_links=["https://x/a.jpg"], refetch=True)
    assert fake.json()["refetch"] is True


def test_put_item_with_photos(client: Client, fake: Fake) -> None:
    """Photos go in a form, in order."""
    fake.reply = lambda _request: EDIT
    client.put_item("a", photos=[b"front", io.BytesIO(b"back")])
    sent = fake.last.content
    assert 0 < sent.index(b'name="item"') < sent.index(b"front") < sent.index(b"back")


def test_edit_items(client: Client, fake: Fake) -> None:
    """Bounded requests, results in order, failures among them."""

    def reply(request: httpx.Request) -> Mapping[str, Any]:
        sent = [operation["item_id"] for operation in json.loads(request.content)["operations"]]
        results = [EDIT | {"item_id": item_id, "status": 404, "result": "absent"} for item_id in sent]
        return {"results": results, "failed": len(results), "seq": 1}

    fake.reply = reply
    edits = [PutOperation(op="put", item_id=f"i{number}", item=ItemBody()) for number in range(4)]
    done = list(client.edit_items([*edits, DeleteOperation(op="delete", item_id="i4")], batch_items=2))
    assert [(one.item_id, one.status) for one in done] == [(f"i{number}", 404) for number in range(5)]
    assert len(fake.requests) == 3
    assert fake.last.url.path.endswith("/items:batch")


@pytest.mark.parametrize("batch_items", [0, 1001])
def test_batches_have_bounds(client: Client, batch_items: int) -> None:
    """Said at the call, not at the first result."""
    with pytest.raises(UsageError, match="batch_items"):
        client.edit_items([], batch_items=batch_items)


def test_import_by_url_and_by_file(client: Client, fake: Fake, tmp_path: Path) -> None:
    """A URL is sent as JSON for the server to fetch, a file is uploaded."""
    fake.reply = lambda _request: httpx.Response(202, json=JOB)
    assert client.import_feed("https://shop.example/feed.xml", sync=True).state == "queued"
    assert fake.json() == {"feed": "https://shop.example/feed.xml", "sync": True, "allow_delete": False}
    path = tmp_path / "feed.csv"
    path.write_bytes(b"id,image_link\n")
    client.import_feed(path, feed_id="spring")
    assert b'filename="feed.csv"' in fake.last.content
    assert b'"feed_id": "spring"' in fake.last.content
    with pytest.raises(UsageError, match=r"nowhere\.csv"):
        client.import_feed(tmp_path / "nowhere.csv")


def test_wait(client: Client, fake: Fake) -> None:
    """Until the job has succeeded."""
    states = iter(["queued", "running", "succeeded"])
    fake.reply = lambda _request: JOB | {"state": next(states)}
    assert client.wait("j1", poll=0).state == "succeeded"
    assert fake.last.url.path == "/v1/jobs/j1"


def test_aliases(client: Client, fake: Fake) -> None:
    """Named, switched, switched back; the answer says whether the server follows already."""
    told = {
        "alias": "default",
        "collection": "new",
        "previous": "old",
        "since": "2026-11-23T12:00:00Z",
        "serving": True,
    }
    fake.reply = lambda request: {"aliases": [told | {"serving": False}]} if request.method == "GET" else told
    assert [one.serving for one in client.aliases()] == [False]
    assert client.set_alias("default", "new").serving
    assert (fake.last.method, fake.last.url.path, fake.json()) == (
        "PUT", "/v1/aliases/default", {"collection": "new"}
    )  # fmt: skip
    assert client.set_alias_back("default").collection == "new"
    assert fake.last.url.path == "/v1/aliases/default:back"


def test_a_way_back_whose_answer_was_lost_is_not_taken_twice(client: Client, fake: Fake) -> None:
    """A second try would lead forth again."""

    def lose(_request: httpx.Request) -> Any:
        raise httpx.ReadError("reset")

    fake.reply = lose
    with Client("http://nitari.example", transport=httpx.MockTransport(fake.handle), retries=3) as patient:
        for call in (lambda: patient.set_alias_back("default"), patient.save_snapshot):
            fake.requests.clear()
            with pytest.raises(UnreachableError):
                call()
            assert len(fake.requests) == 1


def test_snapshots(client: Client, fake: Fake) -> None:
    """Good and damaged ones; a save may take longer than other requests."""
    good = {"number": 1, "at": "2026-11-23T12:00:00Z", "seq": 4, "size": 100, "damaged": None}
    bad = {"number": 2, "at": None, "seq": None, "size": None, "damaged": "half of it is missing"}
    saved = {"number": 3, "seq": 5, "size": 200, "sent": 20}
    fake.reply = lambda request: {"url": "s3://b", "snapshots": [good, bad]} if request.method == "GET" else saved
    assert [one.damaged for one in client.snapshots()] == [None, "half of it is missing"]
    assert client.save_snapshot().sent == 20
    assert fake.last.extensions["timeout"]["read"] == 3600
    assert fake.last.extensions["timeout"]["connect"] == 60
    client.save_snapshot(timeout=5)
    assert fake.last.extensions["timeout"]["read"] == 5


def test_photos_are_bytes(client: Client, fake: Fake) -> None:
    """Pictures come as they are."""
    fake.reply = lambda _request: b"\xff\xd8"
    assert client.photo("a", link="https://x/a b.jpg", size=64) == b"\xff\xd8"
    assert dict(fake.last.url.params) == {"link": "https://x/a b.jpg", "size": "64"}


def test_errors_are_those_of_the_core(client: Client, fake: Fake) -> None:
    """Code that catches the searcher's errors catches the client's."""
    problem = {"title": "Not Found", "status": 404, "detail": "no item 'a'", "code": "not-found"}
    fake.reply = lambda _request: httpx.Response(404, json=problem)
    with pytest.raises(NotFoundError, match="no item 'a'") as error:
        client.get_item("a")
    assert isinstance(error.value, ApiNotFoundError)


def test_a_deletion_whose_answer_was_lost_is_not_repeated(client: Client, fake: Fake) -> None:
    """A second try would say that there is no such item."""

    def lose(_request: httpx.Request) -> Any:
        raise httpx.ReadError("reset")

    fake.reply = lose
    with pytest.raises(UnreachableError):
        client.delete_item("a")
    assert len(fake.requests) == 1
