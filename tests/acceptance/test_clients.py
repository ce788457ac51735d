"""Both clients against one real server that wants a token, and the TypeScript client's types against the API."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nitari import Client
from nitari.client import (
    AccessError,
    ApiDataError,
    ApiNotFoundError,
    DeleteOperation,
    ItemBody,
    Operation,
    PutOperation,
)
from nitari.errors import DataError, UsageError
from nitari.server.app import openapi_document
from support.server import FAST, Server, run_cli, serving
from support.shop import make_shop

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "clients" / "typescript"
TOKEN = "a-token-of-the-tests-only"  # noqa: S105  # of nothing
ITEM = "i0003"


@dataclass(frozen=True)
class Shop:
    """A server, and the photo of ``ITEM``."""

    server: Server
    photo: Path


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, model_store: object) -> Iterator[Shop]:
    """Twelve items, served to those who have the token."""
    folder = tmp_path_factory.mktemp("clients")
    made = make_shop(folder / "shop", 12)
    run_cli(folder / "home", "import", str(made.folder))
    snapshots = (folder / "snapshots").as_uri()
    env = FAST | {"NITARI__SERVER__TOKEN": TOKEN, "NITARI__SNAPSHOTS__URL": snapshots}
    with serving(folder / "home", env=env) as server:
        yield Shop(server, made.folder / "images" / "0003-0.jpg")


@pytest.fixture
def client(shop: Shop) -> Iterator[Client]:
    """A client that has the token."""
    with Client(shop.server.url, token=TOKEN) as made:
        yield made


def test_what_there_is(client: Client) -> None:
    """The server, its collection and its figures."""
    assert client.live().status == "ok"
    assert client.ready().items == client.stats().items == 12
    collection = client.collection()
    assert collection.name in client.collections()
    assert "color" in {attribute.name for attribute in collection.attributes}
    assert len(client.sample_items(limit=3)) == 3
    assert "nitari_stage_seconds" in client.metrics()


def test_questions(client: Client, shop: Shop) -> None:
    """By photo, item and vector; filters, facets, pages; regions."""
    found = client.search(photo=shop.photo, k=2, region=[0, 0, 1, 1], facets=["color"])
    assert [hit.item_id for hit in found.hits][:1] == [ITEM]
    assert len(found.hits) == 2
    assert {value.value for value in found.facets[0].values} == {"red", "blue", "green"}
    red = client.search(item_id=ITEM, filter={"color": "red"}, k=12)
    assert {hit.attributes["color"] for hit in red.hits} == {"red"}
    assert client.search(vector=[1.0] * client.collection().dim, k=1).hits
    assert len({hit.item_id for hit in client.search_all(photo=shop.photo, k=5)}) == 12
    assert ITEM not in {hit.item_id for hit in client.recommend(liked=[ITEM], disliked=["i0001"]).hits}
    assert client.facets(["color"], filter={"price": {"lt": 13}}).total == 3
    assert client.detect(photo=shop.photo).width == 96


def test_edits(client: Client, shop: Shop) -> None:
    """Put with a photo, seen at once; many at a time; deleted."""
    item_id = "from python/鞄"
    edit = client.put_item(item_id, title="Mine", attributes={"price": 12.5, "sale": True}, photos=[shop.photo])
    assert (edit.result, edit.status) == ("created", 201)
    assert client.get_item(item_id).attributes == {"price": 12.5, "sale": True}
    assert client.search(photo=shop.photo, filter={"price": 12.5}).hits[0].item_id == item_id
    assert client.photo(item_id, link=edit.image_links[0], size=32).startswith(b"\xff\xd8")
    operations: list[Operation] = [
        PutOperation(op="put", item_id="py-1", item=ItemBody(image_links=edit.image_links)),
        DeleteOperation(op="delete", item_id="py-1"),
        DeleteOperation(op="delete", item_id="nothing"),
    ]
    results = list(client.edit_items(operations, batch_items=2))
    assert [(one.result, one.status) for one in results] == [("created", 201), ("deleted", 200), ("absent", 404)]
    assert client.delete_item(item_id).result == "deleted"
    with pytest.raises(ApiNotFoundError):
        client.delete_item(item_id)


def test_query_photos(client: Client, shop: Shop) -> None:
    """Kept when asked, found by, forgotten."""
    kept = client.keep_query_photo(shop.photo)
    assert client.search(photo_id=kept.photo_id, k=1).hits[0].item_id == ITEM
    assert client.query_photo(kept.photo_id).startswith(b"\xff\xd8")
    client.forget_query_photo(kept.photo_id)
    with pytest.raises(ApiNotFoundError):
        client.query_photo(kept.photo_id)


def test_imports(client: Client, tmp_path: Path) -> None:
    """An uploaded feed becomes a job; a row that cannot be used is not the job's failure."""
    feed = tmp_path / "feed.csv"
    feed.write_text("id,title,image_link\npy-2,Two,http://127.0.0.1:9/x.jpg\n")
    done = client.wait(client.import_feed(feed, feed_id="python"), timeout=60, poll=0.05)
    assert done.progress is not None
    assert done.progress.rejected == 1
    assert done.job_id in {job.job_id for job in client.jobs()}
    for again in (client.retry_job, client.cancel_job):
        with pytest.raises(UsageError) as error:
            again(done.job_id)
        assert error.value.code == "job-state"


def test_aliases(client: Client, shop: Shop) -> None:
    """A name of its own for a collection, searched under it, and what cannot be."""
    name = client.collection().name
    alias = client.set_alias("from-python", name)
    assert (alias.collection, alias.previous, alias.serving) == (name, None, True)
    assert "from-python" in {one.alias for one in client.aliases()}
    with Client(shop.server.url, token=TOKEN, collection="from-python") as other:
        found = other.search(item_id=ITEM, k=1, explain=True)
        assert found.collection == name
        assert found.plan is not None
        assert [step.part for step in found.plan] == ["live"]
    with pytest.raises(ApiNotFoundError):
        client.set_alias_back("from-python")
    with pytest.raises(ApiNotFoundError):
        client.set_alias("from-python", "absent")


def test_snapshots(client: Client) -> None:
    """Saved where the server's settings say, and listed."""
    saved = client.save_snapshot()
    listed = client.snapshots()[-1]
    assert (listed.number, listed.seq, listed.damaged) == (saved.number, saved.seq, None)


def test_mistakes(client: Client, shop: Shop) -> None:
    """Problems of a real server are typed, name the field, and fit the core's own tree."""
    with pytest.raises(ApiDataError) as error:
        client.search(item_id=ITEM, k=0)
    assert [at.field for at in error.value.errors] == ["k"]
    with pytest.raises(DataError, match="text"):
        client.search(photo=b"no photo")
    with pytest.raises(ApiDataError) as refused:
        client.put_item("x", photos=[b"no photo"])
    assert len(refused.value.errors) == 1
    with Client(shop.server.url, token="not that one at all") as stranger, pytest.raises(AccessError) as denied:  # noqa: S106
        stranger.stats()
    assert denied.value.status == 401


def test_python_page(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that docs/how-to/python-client.md shows runs, from top to bottom."""
    page = (ROOT / "docs" / "how-to" / "python-client.md").read_text("utf-8")
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    shutil.copy(shop.photo, tmp_path / "photo.jpg")
    (tmp_path / "feed.csv").write_text("id,title,image_link\nmd-1,One,http://127.0.0.1:9/x.jpg\n")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(code.replace('"http://127.0.0.1:8321"', f'"{shop.server.url}", token="{TOKEN}"'), names)  # noqa: S102  # ours
    assert names["best"].item_id == ITEM
    assert not names["failed"]
    assert names["done"].state == "succeeded"
    with Client(shop.server.url, token=TOKEN) as client:
        added = [DeleteOperation(op="delete", item_id=f"shirt-{number}") for number in range(200)]
        assert {edit.result for edit in client.edit_items(added)} == {"deleted"}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory, missing: Callable[[str], None]) -> Path:
    """A copy of the TypeScript package with what its lock file pins installed."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        missing("node and npm are not installed")
    folder = tmp_path_factory.mktemp("typescript") / "clients" / "typescript"
    shutil.copytree(PACKAGE, folder, ignore=shutil.ignore_patterns("node_modules", "dist", "build"))
    done = npm_run(folder, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
    if done.returncode:
        missing(f"the TypeScript client's libraries cannot be installed: {done.stderr[-500:]}")
    return folder


def npm_run(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A command of npm."""
    command = [str(shutil.which("npm")), *words]
    return subprocess.run(
        command, cwd=folder, env=os.environ | env, capture_output=True, text=True, encoding="utf-8", check=False
    )


def test_typescript_client(package: Path, shop: Shop) -> None:
    """It compiles strictly, and its own tests pass, those against the server included."""
    done = npm_run(package, "test", NITARI_URL=shop.server.url, NITARI_TOKEN=TOKEN, NITARI_PHOTO=str(shop.photo))
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert re.search(r"\bskipped 0\b", done.stdout), done.stdout[-2000:]


def test_typescript_types_are_current(package: Path) -> None:
    """src/schema.ts is what `npm run generate` makes of the API as it is now."""
    document = package.parent.parent / "docs" / "reference" / "openapi.json"
    document.parent.mkdir(parents=True)
    document.write_text(json.dumps(openapi_document(), sort_keys=True), "utf-8")
    done = npm_run(package, "run", "generate")
    assert done.returncode == 0, done.stderr
    made = (package / "src" / "schema.ts").read_text("utf-8")
    kept = (PACKAGE / "src" / "schema.ts").read_text("utf-8")
    assert made == kept, "run scripts/reference.py, then `npm run generate` in clients/typescript"


def test_typescript_client_has_every_route() -> None:
    """What the API can do, it can do; health and figures for operators, and the page's sign-in, are the exceptions."""
    code = (PACKAGE / "src" / "index.ts").read_text("utf-8")
    routes = {(method.upper(), path) for path, found in openapi_document()["paths"].items() for method in found}
    asked = {(method, path) for method, path in routes if f'http.{method}("{path}"' in code}
    assert routes - asked == {
        *(("GET", path) for path in ("/livez", "/metrics", "/session")),
        ("POST", "/session"),
        ("DELETE", "/session"),
    }


def test_typescript_lock_names_no_registry() -> None:
    """Wherever the package is installed, the libraries come from the registry that is set up there."""
    lock = json.loads((PACKAGE / "package-lock.json").read_text("utf-8"))
    assert lock["packages"]
    assert not [name for name, found in lock["packages"].items() if "resolved" in found]
    assert all("integrity" in found for name, found in lock["packages"].items() if name)
