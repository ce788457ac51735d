"""Links that strangers send to a server lead to the public internet, or nowhere; each refusal has a code of its own.

The server is a real one on a rigged network (``support.rigged``): it may believe that it is on the public internet, and
every connection that it opens is on record. A canary listens where nobody must get.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import httpx
import pytest

from nitari.settings import Settings
from nitari.wiring import open_catalog
from support.picture import jpeg, noisy
from support.rigged import PUBLIC, PUBLIC_V6, Rigging
from support.server import FAST, PATIENCE_S, Server, run_cli, serving
from support.shop import make_shop
from support.web import Answer, Web, running_web

API = "/v1/collections/default"
MAX_BYTES = 200_000
LIMITS = {
    "NITARI__HTTP__RETRIES": "0",
    "NITARI__HTTP__TIMEOUT_S": "1",
    "NITARI__HTTP__TOTAL_TIMEOUT_S": "1.5",
    "NITARI__HTTP__MAX_FEED_BYTES": str(MAX_BYTES),
    "NITARI__IMAGES__MAX_BYTES": str(MAX_BYTES),
}
NAMES = {
    "shop.example": [[PUBLIC]],
    "shop6.example": [[PUBLIC_V6]],
    "localhost": [["127.0.0.1"]],
    "localhost.": [["127.0.0.1"]],
    "intranet.example": [["10.0.0.8"]],
    "metadata.google.internal": [["169.254.169.254"]],
    "mapped.example": [["::ffff:127.0.0.1"]],
    "both.example": [[PUBLIC, "127.0.0.1"]],
    # The second answer is what an attacker hopes that the connection is made by.
    "rebinding.example": [[PUBLIC], ["127.0.0.1"]],
}
PRIVATE_HOSTS = (
    "127.0.0.1", "127.1", "127.0.1", "127.255.255.254", "0", "localhost", "localhost.",
    "2130706433", "0x7f000001", "0x7f.0.0.1", "0x7f.1", "017700000001", "0.0.0.0",  # noqa: S104
    "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]",
    "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.100.100.200",
    "169.254.169.254", "169.254.170.2", "[fd00:ec2::254]", "168.63.129.16", "192.0.0.192", "2852039166",
    "[fe80::1]", "[fc00::1]", "[fec0::1]", "[ff02::1]", "224.0.0.1", "255.255.255.255", "198.18.0.1",
    "203.0.113.9", "[2001:db8::1]",
    "intranet.example", "metadata.google.internal", "mapped.example", "both.example",
    "127。0。0。1",
)  # fmt: skip
"""Hosts that stand for an address off the public internet, as they are put into a link."""

FORGED = {
    "file:///etc/passwd": "scheme",
    "ftp://shop.example/a.jpg": "scheme",
    "gopher://127.0.0.1:6379/_FLUSHALL": "scheme",
    "data:image/jpeg;base64,/9j/4AAQ": "scheme",
    "javascript:alert(1)": "scheme",
    "/etc/passwd": "scheme",
    "//127.0.0.1/a.jpg": "scheme",
    "..\\..\\secret.jpg": "scheme",
    "http://user:secret@shop.example/a.jpg": "blocked-credentials",
    "http://shop.example@127.0.0.1/a.jpg": "blocked-credentials",
    "http://shop.example:22/a.jpg": "blocked-port",
    "http://shop.example:25/a.jpg": "blocked-port",
    "http://shop.example:6379\\@127.0.0.1/a.jpg": "bad-url",
    "http://[fe80::1%25lo]/a.jpg": "bad-url",
    "http://[broken/a.jpg": "bad-url",
    "http://0177.0.0.1/a.jpg": "bad-url",
    "http://①②⑦.⓪.⓪.①/a.jpg": "bad-url",
    "http://１２７.０.０.１ /a.jpg": "bad-url",
    "http://shop.example:70000000/a.jpg": "bad-url",
    "http://127.0.0.1./a.jpg": "dns",
    "http://nowhere.example/a.jpg": "dns",
}
"""Links that are wrong in another way, and the code of each; ``scheme``: not even ``http``."""
SCHEME_CODES = {"search": "blocked-scheme", "detect": "blocked-scheme", "put": "image-link"}
# What a client that is told nothing else may come to: both are refusals, before anything is connected to.
REFUSALS = ("bad-url", "blocked-credentials", "image-link")


@dataclass
class Rigged:
    """A server on a rigged network, a shop in its internet, and a canary."""

    server: Server
    client: httpx.Client
    rigging: Rigging
    web: Web
    canary: Web

    def link(self, path: str, answer: Answer, host: str = "shop.example") -> str:
        """Let the internet answer under this path."""
        self.web.serve(path, answer)
        return self.web.url(path, host)


Way: TypeAlias = Callable[[Rigged, list[str]], list[str]]
"""Sends links to the server; returns the code that each was refused with, or ``used``."""


@pytest.fixture(scope="module")
def rigged(tmp_path_factory: pytest.TempPathFactory, model_store: object) -> Iterator[Rigged]:
    """A served shop; at the end, nothing has got where it must not."""
    folder = tmp_path_factory.mktemp("ssrf")
    home = folder / "home"
    run_cli(home, "import", str(make_shop(folder / "shop", 3).folder))
    rigging = Rigging(folder / "connections.jsonl", NAMES)
    env = {**FAST, **LIMITS, **rigging.env()}
    with (
        running_web() as web,
        running_web() as canary,
        serving(home, env=env, module="support.rigged") as server,
        httpx.Client(base_url=server.url, timeout=PATIENCE_S) as client,
    ):
        yield Rigged(server, client, rigging, web, canary)
        assert canary.connections == 0, "a request reached an address that must not be reached"
        public = {(PUBLIC, web.port), (PUBLIC_V6, web.port)}
        assert set(rigging.connections()) <= public, "the server connected to more than the public internet"


def by_search(rigged: Rigged, links: list[str]) -> list[str]:
    """As query photos."""
    return [_code(rigged.client.post(f"{API}/search", json={"url": link})) for link in links]


def by_detect(rigged: Rigged, links: list[str]) -> list[str]:
    """As photos to find products on."""
    return [_code(rigged.client.post(f"{API}/detect", json={"url": link})) for link in links]


def by_put(rigged: Rigged, links: list[str]) -> list[str]:
    """As photos of items. An item alone is refused as well, and is not there afterwards."""
    ids = [f"evil-{number}" for number in range(len(links))]
    puts = [
        {"op": "put", "item_id": item_id, "item": {"image_links": [link]}}
        for item_id, link in zip(ids, links, strict=True)
    ]
    response = rigged.client.post(f"{API}/items:batch", json={"operations": puts})
    assert response.status_code == 200, response.text
    codes = [_edit_code(result) for result in response.json()["results"]]
    for item_id, link, code in zip(ids, links, codes, strict=True):
        there = rigged.client.delete(f"{API}/items/{item_id}").status_code == 200
        assert there == (code == "used"), (link, code)
        if item_id in ids[:3] and not there:
            alone = rigged.client.put(f"{API}/items/{item_id}", json={"image_links": [link]})
            assert alone.status_code in (400, 422), alone.text
            _check_problem(alone)
    return codes


WAYS: dict[str, Way] = {"search": by_search, "detect": by_detect, "put": by_put}


@pytest.mark.parametrize("way", WAYS)
def test_the_internet_can_be_reached(rigged: Rigged, way: str) -> None:
    """A link to a public address is followed, by IPv4 and IPv6: what is refused below is not refused for nothing."""
    photo = Answer(200, jpeg(noisy()))
    links = [rigged.link(f"/{way}.jpg", photo), rigged.link(f"/{way}-6.jpg", photo, "shop6.example")]
    assert WAYS[way](rigged, links) == ["used", "used"]
    reached = {(PUBLIC, rigged.web.port), (PUBLIC_V6, rigged.web.port)}
    assert reached <= set(rigged.rigging.connections()), "connections are not on record"


@pytest.mark.parametrize("way", WAYS)
def test_private_addresses(rigged: Rigged, way: str) -> None:
    """However an address off the public internet is written, or named, it is refused before anything connects."""
    before = rigged.rigging.connections()
    links = [f"http://{host}:{rigged.canary.port}/secret" for host in PRIVATE_HOSTS]
    codes = dict(zip(links, WAYS[way](rigged, links), strict=True))
    assert {link: code for link, code in codes.items() if code != "blocked-address"} == {}
    assert rigged.rigging.connections() == before


@pytest.mark.parametrize("way", WAYS)
def test_other_forgeries(rigged: Rigged, way: str) -> None:
    """Schemes, ports, passwords and things that only look like links are refused, each for what it is."""
    before = rigged.rigging.connections()
    codes = dict(zip(FORGED, WAYS[way](rigged, list(FORGED)), strict=True))
    expected = {link: SCHEME_CODES[way] if code == "scheme" else code for link, code in FORGED.items()}
    wrong = {
        link: (code, expected[link])
        for link, code in codes.items()
        if code != expected[link] and not (expected[link] == "bad-url" and code in REFUSALS)
    }
    assert wrong == {}
    assert rigged.rigging.connections() == before


@pytest.mark.parametrize("way", WAYS)
def test_redirects(rigged: Rigged, way: str) -> None:
    """A redirect is checked like a first request, whatever its status, and however many came before it."""
    port = rigged.canary.port
    targets = {
        f"http://127.0.0.1:{port}/": "blocked-address",
        f"http://2130706433:{port}/": "blocked-address",
        f"http://[::1]:{port}/": "blocked-address",
        f"//127.0.0.1:{port}/": "blocked-address",
        f"http://intranet.example:{port}/": "blocked-address",
        "http://169.254.169.254/latest/meta-data/": "blocked-address",
        "file:///etc/passwd": "blocked-scheme",
        "gopher://127.0.0.1:6379/_FLUSHALL": "blocked-scheme",
        "http://user:secret@shop.example/": "blocked-credentials",
        "http://shop.example:22/": "blocked-port",
        "http://[broken": "bad-url",
        f"/{way}-circle": "too-many-redirects",
    }
    rigged.link(f"/{way}-circle", Answer(302, headers={"Location": f"/{way}-circle"}))
    links, expected = [], []
    for number, (target, code) in enumerate(targets.items()):
        status = (301, 302, 303, 307, 308)[number % 5]
        links.append(rigged.link(f"/{way}-redirect-{number}", Answer(status, headers={"Location": target})))
        expected.append(code)
    last = rigged.link(f"/{way}-last", Answer(302, headers={"Location": f"http://127.0.0.1:{port}/"}))
    links.append(rigged.link(f"/{way}-first", Answer(302, headers={"Location": last})))
    expected.append("blocked-address")
    assert dict(zip(links, WAYS[way](rigged, links), strict=True)) == dict(zip(links, expected, strict=True))


def test_names_that_change_between_check_and_use(rigged: Rigged) -> None:
    """The connection goes to the address that was checked; what the name stands for afterwards is checked anew."""
    link = rigged.link("/rebinding.jpg", Answer(200, jpeg(noisy()), {"Connection": "close"}), "rebinding.example")
    before = rigged.rigging.connections()
    assert by_search(rigged, [link]) == ["used"]
    assert rigged.rigging.connections() == [*before, (PUBLIC, rigged.web.port)]
    assert by_search(rigged, [link]) == ["blocked-address"]
    assert by_put(rigged, [link]) == ["blocked-address"]
    assert rigged.rigging.connections() == [*before, (PUBLIC, rigged.web.port)]


@pytest.mark.parametrize("way", WAYS)
def test_bodies_without_end(rigged: Rigged, way: str) -> None:
    """Huge, endless, dripping and cut-off answers end in time, and in bounded memory, with a code each."""

    def endless(send: Callable[[bytes], None]) -> None:
        try:
            while True:
                send(b"x" * 65536)
        except OSError:
            pass

    def dripping(send: Callable[[bytes], None]) -> None:
        try:
            for _ in range(600):
                send(b"x")
                time.sleep(0.05)
        except OSError:
            pass

    answers = {
        "huge": (Answer(200, b"x" * (MAX_BYTES + 1)), "too-large"),
        "endless": (Answer(200, write=endless), "too-large"),
        "dripping": (Answer(200, write=dripping), "timeout"),
        "short": (Answer(200, b"x", {"Content-Length": "1000", "Connection": "close"}), "bad-answer"),
        "page": (Answer(200, b"<html></html>", {"Content-Type": "image/jpeg"}), "html-page"),
        "missing": (Answer(404), "http-404"),
        "secret": (Answer(403), "http-403"),
        "failing": (Answer(500), "http-server"),
    }
    # A server that keeps its word about neither length nor end would hold the connection open: it hangs up itself.
    links = [rigged.link(f"/{way}-{name}", answer) for name, (answer, _) in answers.items()]
    expected = [code for _, code in answers.values()]
    codes = WAYS[way](rigged, links)
    assert dict(zip(answers, codes, strict=True)) == dict(zip(answers, expected, strict=True))


def test_feeds_by_url(rigged: Rigged) -> None:
    """A job's feed is fetched under the same rules: it fails with the link's own code, or is refused at once."""
    port = rigged.canary.port
    feeds = {
        f"http://127.0.0.1:{port}/feed.csv": "blocked-address",
        f"http://0x7f.1:{port}/feed.csv": "blocked-address",
        "http://169.254.169.254/feed.csv": "blocked-address",
        f"http://[::1]:{port}/feed.csv": "blocked-address",
        f"http://intranet.example:{port}/feed.csv": "blocked-address",
        "http://shop.example:25/feed.csv": "blocked-port",
        "http://user:secret@shop.example/feed.csv": "blocked-credentials",
        rigged.link("/feed-redirect.csv", Answer(302, headers={"Location": f"http://127.0.0.1:{port}/feed.csv"})): (
            "blocked-address"
        ),
        rigged.link("/feed-huge.csv", Answer(200, b"id\n" + b"1\n" * MAX_BYTES)): "too-large",
        rigged.link("/feed-missing.csv", Answer(404)): "http-404",
    }
    found = {feed: _job_code(rigged, feed) for feed in feeds}
    assert found == feeds
    for feed in ("file:///etc/passwd", "/etc/passwd", "shop/feed.csv", "ftp://shop.example/feed.csv", "sqlite:///x.db"):
        response = rigged.client.post("/v1/jobs", json={"feed": feed})
        assert 400 <= response.status_code < 500, (feed, response.text)
        _check_problem(response)


def test_links_inside_a_feed(rigged: Rigged) -> None:
    """A feed from the internet leads nowhere either: not by its links, and not to files of the server."""
    port = rigged.canary.port
    links = {
        f"http://127.0.0.1:{port}/a.jpg": "blocked-address",
        f"http://localhost:{port}/a.jpg": "blocked-address",
        "http://169.254.169.254/a.jpg": "blocked-address",
        "//127.0.0.1/a.jpg": "blocked-address",
        "file:///etc/passwd": "blocked-scheme",
        "upload:" + "0" * 64: "blocked-scheme",
        "C:/secret.jpg": "no-folder",
        # Relative to the feed's own address, as a browser would read them, never to a folder of the server.
        "/etc/passwd": "http-404",
        "../../etc/passwd": "http-404",
        "images/0001-0.jpg": "http-404",
    }
    good = rigged.link("/in-a-feed.jpg", Answer(200, jpeg(noisy())))
    rows = [f'bad-{number},"{link}"' for number, link in enumerate(links)] + [f'good,"{good}"']
    feed = rigged.link("/links.csv", Answer(200, "\n".join(["id,image_link", *rows]).encode()))
    job = _finished(rigged, feed)
    assert job["state"] == "succeeded", job
    with open_catalog(Settings(home=rigged.server.home)) as catalog:
        rejections = [rejection for _, rejection in catalog.rejections(feed_id=feed)]
        assert catalog.get("good") is not None
    assert {rejection.item_id: rejection.code for rejection in rejections} == {
        f"bad-{number}": code for number, code in enumerate(links.values())
    }


def test_thumbnails_follow_no_foreign_link(rigged: Rigged) -> None:
    """A thumbnail's link must be one of the item's own; any other is not followed."""
    before = rigged.rigging.connections()
    for link in (rigged.canary.url("/"), "file:///etc/passwd", "../home/catalog.db", rigged.web.url("/any.jpg")):
        response = rigged.client.get(f"{API}/photos/i0001", params={"link": link})
        assert response.status_code == 404, (link, response.text)
        _check_problem(response)
    assert rigged.rigging.connections() == before


def _code(response: httpx.Response) -> str:
    if response.status_code == 200:
        return "used"
    assert response.status_code in (400, 422), response.text
    return _check_problem(response)


def _edit_code(result: dict[str, Any]) -> str:
    if result["status"] < 300:
        return "used"
    assert result["status"] in (400, 422), result
    (rejection,) = result["rejections"]
    assert rejection["reason"], result
    assert rejection["remedy"], result
    return str(rejection["code"])


def _check_problem(response: httpx.Response) -> str:
    """The code of a problem document that tells what is wrong and what to do, and nothing about the server."""
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["detail"], body
    assert "secret@" not in response.text
    return str(body["code"])


def _finished(rigged: Rigged, feed: str) -> dict[str, Any]:
    """The job of importing a feed, once it has ended."""
    accepted = rigged.client.post("/v1/jobs", json={"feed": feed})
    assert accepted.status_code == 202, accepted.text
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        job: dict[str, Any] = rigged.client.get(accepted.headers["location"]).json()
        if job["state"] not in ("queued", "running"):
            return job
        time.sleep(0.05)  # polling, not a promise
    raise AssertionError(f"the job of {feed} never ended")


def _job_code(rigged: Rigged, feed: str) -> str:
    job = _finished(rigged, feed)
    assert job["state"] == "failed", job
    problem: dict[str, Any] = job["problem"]
    assert problem["detail"]
    return str(problem["code"])
