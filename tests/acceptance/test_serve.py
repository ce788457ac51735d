"""`nitari serve`, a real server: photos in, hits out; edits of another process are seen; it stops when told to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from support.server import FAST, PATIENCE_S, run_cli, serving
from support.shop import Shop, make_shop, write_photo

MAX_BODY = 50_000
ENV = FAST | {"NITARI__SERVER__MAX_BODY_BYTES": str(MAX_BODY)}


@dataclass
class Served:
    """A shop, its home and a client of the server over it."""

    shop: Shop
    home: Path
    client: httpx.Client

    def photo(self, number: int) -> bytes:
        """A catalog photo's bytes."""
        return (self.shop.folder / "images" / f"{number:04}-0.jpg").read_bytes()

    def import_again(self) -> None:
        """Import the shop, in another process."""
        run_cli(self.home, "import", str(self.shop.write()), env=ENV)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, model_store: object) -> Iterator[Served]:
    """Twelve items, served."""
    folder = tmp_path_factory.mktemp("serve")
    shop, home = make_shop(folder / "shop", 12), folder / "home"
    run_cli(home, "import", str(shop.folder), env=ENV)
    with serving(home, env=ENV) as server, httpx.Client(base_url=server.url, timeout=PATIENCE_S) as client:
        yield Served(shop, home, client)


def test_photo_as_the_body(served: Served) -> None:
    """A raw image body finds its item; options go in the query string."""
    response = served.client.post(
        "/v1/collections/default/search",
        params={"options": json.dumps({"k": 2})},
        content=served.photo(3),
        headers={"Content-Type": "image/jpeg"},
    )
    assert response.status_code == 200
    body = response.json()
    assert body["hits"][0]["item_id"] == "i0003"
    assert len(body["hits"]) == 2
    assert {"decode", "embed", "search", "total"} <= set(body["timing_ms"])


def test_photo_in_a_form(served: Served) -> None:
    """A form with a photo and options finds the same."""
    response = served.client.post(
        "/v1/collections/default/search",
        files={"photo": served.photo(3)},
        data={"options": '{"k": 3, "region": [0, 0, 1, 1]}'},
    )
    assert response.status_code == 200
    assert response.json()["hits"][0]["item_id"] == "i0003"


def test_json_queries(served: Served) -> None:
    """By item, by liked items, by vector of the wrong width."""
    hits = served.client.post("/v1/collections/default/search", json={"item_id": "i0003", "k": 20}).json()["hits"]
    assert len(hits) == 11
    liked = served.client.post(
        "/v1/collections/default/search", json={"liked": ["i0001"], "disliked": ["i0002"], "k": 20}
    ).json()["hits"]
    assert len(liked) == 10
    wrong = served.client.post("/v1/collections/default/search", json={"vector": [1.0, 0.0]})
    assert wrong.status_code == 400
    assert "1280" in wrong.json()["detail"]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"content": b"<html>", "headers": {"Content-Type": "image/jpeg"}}, 422),
        ({"content": b"", "headers": {"Content-Type": "image/png"}}, 422),
        ({"json": {"item_id": "nope"}}, 404),
        ({"json": {}}, 400),
        ({"json": {"item_id": "i0001", "k": 0}}, 422),
        ({"json": {"item_id": "i0001", "filter": {"a": {"gtr": 1}}}}, 400),
        ({"json": {"url": "http://127.0.0.1:9/x.jpg"}}, 400),
        ({"json": {"url": "file:///etc/passwd"}}, 400),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"content": b"x", "headers": {"Content-Type": "text/plain"}}, 415),
        ({"data": {"options": "{}"}, "files": {"other": b"x"}}, 422),
    ],
)
def test_mistakes_are_problem_documents(served: Served, request_: dict[str, object], status: int) -> None:
    """Each wrong request gets its own 4xx, as RFC 9457 wants it."""
    response = served.client.post("/v1/collections/default/search", **request_)  # type: ignore[arg-type]  # as the table has it
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status
    assert body["detail"]


def test_too_large_a_body(served: Served) -> None:
    """A body over the cap is refused, whether its length was declared or not."""
    too_large = b"x" * (MAX_BODY + 1)
    headers = {"Content-Type": "image/jpeg"}
    assert served.client.post("/v1/collections/default/search", content=too_large, headers=headers).status_code == 413
    assert (
        served.client.post("/v1/collections/default/search", content=iter([too_large]), headers=headers).status_code
        == 413
    )


def test_health(served: Served) -> None:
    """Alive and ready, and ready says of what."""
    assert served.client.get("/livez").json() == {"status": "ok"}
    assert served.client.get("/readyz").json()["collection"] == "mobilenet-v2"


def test_edits_of_another_process_are_seen(served: Served) -> None:
    """A new price, a new photo and a new item come through without a restart."""
    served.shop.rows["i0007"]["price"] = "77.00 USD"
    write_photo(served.shop.folder / "images" / "new.jpg", 4242)
    served.shop.put("fresh", photos=["images/new.jpg"])
    served.import_again()
    deadline = time.monotonic() + PATIENCE_S
    while served.client.get("/readyz").json()["items"] < 13:
        assert time.monotonic() < deadline, "the new item never came"
        time.sleep(0.05)  # polling, not a promise
    photo = (served.shop.folder / "images" / "new.jpg").read_bytes()
    found = served.client.post(
        "/v1/collections/default/search", content=photo, headers={"Content-Type": "image/jpeg"}
    ).json()
    assert found["hits"][0]["item_id"] == "fresh"
    filtered = served.client.post(
        "/v1/collections/default/search", json={"item_id": "fresh", "filter": {"price": 77}}
    ).json()
    assert [hit["item_id"] for hit in filtered["hits"]] == ["i0007"]


def test_other_addresses_need_a_token(served: Served) -> None:
    """Without one, the server stays on this machine, and says how to get further."""
    command = [sys.executable, "-m", "nitari", "--home", str(served.home), "serve", "--host", "0.0.0.0"]  # noqa: S104
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | ENV, check=False)
    assert done.returncode == 5
    assert "there is no token" in done.stderr
    assert "--token-file" in done.stderr
    assert "--insecure-no-token" in done.stderr


def test_with_a_token(served: Served, tmp_path: Path) -> None:
    """Any address will do; the page asks for the token, and programs bring it."""
    token = tmp_path / "token"
    token.write_text("correct-horse-battery\n")
    words = ("--host", "0.0.0.0", "--token-file", str(token), "--allow-host", "shop.example")  # noqa: S104
    with serving(served.home, *words, env=ENV) as server, httpx.Client(timeout=PATIENCE_S) as client:
        root = server.url.replace("0.0.0.0", "127.0.0.1")  # noqa: S104
        assert client.get(f"{root}/").status_code == 200
        assert client.get(f"{root}/v1/stats").status_code == 401
        known = {"Authorization": "Bearer correct-horse-battery"}
        assert client.get(f"{root}/v1/stats", headers=known).status_code == 200
        assert client.get(f"{root}/v1/stats", headers={**known, "Host": "shop.example"}).status_code == 200
        assert client.get(f"{root}/v1/stats", headers={**known, "Host": "evil.example"}).status_code == 421
