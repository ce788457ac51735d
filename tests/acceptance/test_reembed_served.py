"""Another model under a server at work: real networks, load all the time, edits meanwhile, switched and switched back.

No query may fail, and every answer must be of one collection, the one that it names: its scores are compared with what
that collection answers when it is asked by its own name. Photos never change here, so that between a query and an item
there is one true score in each collection, whatever else is edited.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

import httpx

from support.server import FAST, PATIENCE_S, Server, run_cli, serving

OLD, NEW = "mobilenet-v2", "efficientnet-lite0"
ITEMS = 16
QUERIES = 6
LOAD_THREADS = 2
SWITCHES = 8
# Far above what another order of additions does to a score, far below what another network does to most of them.
CLOSE, FAR = 1e-4, 1e-2
ENV = FAST | {
    "NITARI__MODELS__EMBEDDER": OLD,
    "NITARI__SERVER__QUERY_CACHE": "0",  # every photo is embedded, by the network of the collection that answers
    "NITARI__INGEST__COMMIT_ITEMS": "4",
}
Table: TypeAlias = dict[str, dict[str, float]]
"""Of one collection: by query and item, the score."""


@dataclass(frozen=True)
class Seen:
    """An answer, and when it was asked for and had, by ``time.monotonic``."""

    query: str
    body: dict[str, Any]
    began: float
    ended: float


@dataclass
class Load:
    """What clients were answered."""

    seen: list[Seen] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Switch:
    """A switch: when it was asked for, when the server said that it follows, and what it leads to."""

    began: float
    followed: float
    collection: str


class Shop:
    """A client of the server that edits, switches and looks."""

    def __init__(self, server: Server, photos: dict[str, bytes]) -> None:
        self.server = server
        self.photos = photos
        self.http = httpx.Client(base_url=server.url, timeout=PATIENCE_S)

    def search(self, query: str, *, collection: str = "default", k: int = 10) -> httpx.Response:
        """Ask with a photo."""
        return self.http.post(
            f"/v1/collections/{collection}/search",
            params={"options": f'{{"k": {k}}}'},
            content=self.photos[query],
            headers={"Content-Type": "image/jpeg"},
        )

    def table(self, collection: str) -> Table:
        """The scores of all items, asked of a collection by its name, once it knows the last edit."""
        last = self.http.get("/v1/stats").json()["catalog_seq"]
        patience = time.monotonic() + PATIENCE_S
        while self.http.get(f"/v1/collections/{collection}").json()["seq"] < last:
            assert time.monotonic() < patience, "what waits is not kept up"
            time.sleep(0.05)
        found: Table = {}
        for query in self.photos:
            answer = self.search(query, collection=collection, k=1000)
            assert answer.status_code == 200, answer.text
            assert answer.json()["collection"] == collection
            found[query] = {hit["item_id"]: hit["score"] for hit in answer.json()["hits"]}
        return found

    def switch(self, method: str, path: str, **body: str) -> Switch:
        """Switch, and look at the very next answer."""
        began = time.monotonic()
        answer = self.http.request(method, f"/v1/aliases/{path}", json=body or None)
        followed = time.monotonic()
        assert answer.status_code == 200, answer.text
        alias = answer.json()
        assert alias["serving"], alias
        assert self.search("q0").json()["collection"] == alias["collection"]
        return Switch(began, followed, alias["collection"])

    def edit(self, nth: int) -> None:
        """Put an item with a photo, change another, delete the one before: each is seen by the next answer."""
        query = f"q{nth % QUERIES}"
        for item_id in (f"kept-{query}", f"gone-{query}-{nth}"):
            item = f'{{"title": "Edit {nth}", "attributes": {{"price": {nth}}}}}'
            path = f"/v1/collections/default/items/{item_id}"
            put = self.http.put(path, data={"item": item}, files={"photo": self.photos[query]})
            assert put.status_code in (200, 201), put.text
        hits = self.search(query, k=1000).json()["hits"]
        assert {hit["attributes"]["price"] for hit in hits if hit["item_id"] == item_id} == {nth}
        assert self.http.delete(path).status_code == 200
        assert item_id not in {hit["item_id"] for hit in self.search(query, k=1000).json()["hits"]}


@contextmanager
def load_on(server: Server, photos: dict[str, bytes]) -> Iterator[Load]:
    """Clients that ask again and again, each on a connection of its own, until the block ends."""
    load, stop = Load(), threading.Event()

    def ask(first: int) -> None:
        shop = Shop(server, photos)
        for nth in count(first):
            if stop.wait(0.01):
                break
            query, began = f"q{nth % QUERIES}", time.monotonic()
            try:
                answer = shop.search(query)
            except httpx.HTTPError as exc:
                load.failures.append(repr(exc))
                continue
            if answer.status_code == 200:
                load.seen.append(Seen(query, answer.json(), began, time.monotonic()))
            else:
                load.failures.append(answer.text)
        shop.http.close()

    threads = [threading.Thread(target=ask, args=(first,)) for first in range(LOAD_THREADS)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@contextmanager
def editing(server: Server, photos: dict[str, bytes]) -> Iterator[list[str]]:
    """Edits, one after the other, until the block ends; gives what went wrong."""
    troubles: list[str] = []
    stop = threading.Event()

    def edit() -> None:
        shop = Shop(server, photos)
        for nth in count():
            if stop.is_set():
                break
            try:
                shop.edit(nth)
            except (AssertionError, httpx.HTTPError) as exc:
                troubles.append(repr(exc))
        shop.http.close()

    thread = threading.Thread(target=edit)
    thread.start()
    try:
        yield troubles
    finally:
        stop.set()
        thread.join()


def reembed(home: Path) -> int:
    """Fill the other collection, in a process of its own. Returns its exit code: 3 where a photo is missing."""
    command = [sys.executable, "-m", "nitari", "--home", str(home), "reembed", NEW]
    done = subprocess.run(command, env=os.environ | ENV, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 3), done.stderr
    return done.returncode


def score_of(table: Table, query: str, item_id: str) -> float:
    """The true score. What was deleted meanwhile had the photo of the one that was kept."""
    name = "-".join(("kept", item_id.split("-")[1])) if item_id.startswith("gone-") else item_id
    return table[query][name]


def check_unmixed(seen: list[Seen], tables: dict[str, Table]) -> None:
    """Every answer is that of the collection that it names."""
    for one in seen:
        table = tables[one.body["collection"]]
        assert one.body["hits"]
        for hit in one.body["hits"]:
            true = score_of(table, one.query, hit["item_id"])
            assert abs(hit["score"] - true) < CLOSE, (one.body["collection"], one.query, hit)
        scores = [hit["score"] for hit in one.body["hits"]]
        assert scores == sorted(scores, reverse=True)


def check_switched(seen: list[Seen], switches: list[Switch]) -> int:
    """What began after the server said that it follows, and was had before the next switch, is from there.

    Returns:
        How many answers that were.
    """
    checked = 0
    for switch, following in zip(switches, [*switches[1:], None], strict=True):
        for one in seen:
            if one.began > switch.followed and (following is None or one.ended < following.began):
                assert one.body["collection"] == switch.collection
                checked += 1
    return checked


def test_another_model_under_load(tmp_path: Path, model_store: object) -> None:
    """From the first query to the last none fails, none mixes, and the way back is as quick as the way there."""
    home = tmp_path / "home"
    run_cli(home, "sample", "drawn", str(tmp_path / "shop"), "--items", str(ITEMS), env=ENV)
    run_cli(home, "import", str(tmp_path / "shop"), env=ENV)
    files = sorted((tmp_path / "shop" / "queries").glob("*.jpg"))[:QUERIES]
    photos = {f"q{nth}": file.read_bytes() for nth, file in enumerate(files)}
    assert len(photos) == QUERIES

    with serving(home, env=ENV) as server, load_on(server, photos) as load:
        shop = Shop(server, photos)
        with editing(server, photos) as troubles:
            incomplete = reembed(home)
            assert shop.http.get("/v1/collections").json()["collections"] == [OLD]
            switches = [shop.switch("PUT", "default", collection=NEW)]
            switches += [shop.switch("POST", "default:back") for _ in range(SWITCHES)]
            if incomplete:  # an edit began before the other collection was known, and ended after it was filled
                assert reembed(home) == 0
            switches += [shop.switch("PUT", "default", collection=name) for name in (OLD, NEW)]
        assert troubles == []
        assert shop.http.get("/v1/collections").json()["collections"] == sorted([OLD, NEW])
        tables = {name: shop.table(name) for name in (OLD, NEW)}
        shop.http.close()
    assert load.failures == []

    assert [set(tables[OLD][query]) for query in photos] == [set(tables[NEW][query]) for query in photos]
    apart = [
        abs(tables[OLD][query][item] - tables[NEW][query][item]) for query in photos for item in tables[OLD][query]
    ]
    assert sum(distance > FAR for distance in apart) > 0.8 * len(apart), "the scores would not tell them apart"
    check_unmixed(load.seen, tables)
    assert {one.body["collection"] for one in load.seen} == {OLD, NEW}
    assert check_switched(load.seen, switches) > SWITCHES
