"""Fetching by URL: what is refused, what is limited, what is tried again. Each failure has a code of its own."""

from __future__ import annotations

import gzip
import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from typing import Any

import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.errors import BlockedError, FetchError
from nitari.images.base import NotModified, Original, Validators
from nitari.images.http import MAX_WAIT_S, HttpSource, wait_before_retry
from nitari.images.network import Network
from support.web import Answer, Web, running_web

PUBLIC = "93.184.216.34"
PHOTO = b"\xff\xd8 a photo \xff\xd9"


class Detour(httpcore.NetworkBackend):
    """Connects to the loopback server in place of public addresses, and writes down what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self._real = httpcore.SyncBackend()

    def connect_tcp(self, host: str, port: int, *rest: Any, **options: Any) -> httpcore.NetworkStream:
        """As the library asks a backend to."""
        self.asked.append((host, port))
        return self._real.connect_tcp("127.0.0.1" if host == PUBLIC else host, port, *rest, **options)


@pytest.fixture
def web() -> Iterator[Web]:
    """A loopback server."""
    with running_web() as server:
        yield server


@pytest.fixture
def canary() -> Iterator[Web]:
    """A loopback server that nobody must reach."""
    with running_web() as server:
        yield server
        assert server.connections == 0, "a request reached an address that must not be reached"


@pytest.fixture
def source() -> Iterator[HttpSource]:
    """A source that may reach loopback, and tries once."""
    made = HttpSource(allow_private=True, retries=0, timeout_s=5, total_timeout_s=10)
    yield made
    made.close()


def through(names: Mapping[str, str], detour: Detour, **options: Any) -> HttpSource:
    """A source that may reach public addresses only, with its own idea of what names stand for."""
    network = Network(resolve=lambda host, _port: [names.get(host, host)], backend=detour, timeout_s=5)
    return HttpSource(network=network, **({"retries": 0} | options))


def code_of(source: HttpSource, link: str) -> str:
    """The code that fetching this link fails with."""
    with pytest.raises(FetchError) as caught:
        source.fetch(link)
    assert caught.value.message
    assert caught.value.remedy
    return caught.value.code


def test_fetches_with_digest_and_validators(web: Web, source: HttpSource) -> None:
    """The body comes as it is, whatever type the server claims, with what a later conditional fetch needs."""
    link = web.serve("/a.jpg", Answer(200, PHOTO, {"Content-Type": "text/html", "ETag": '"1"', "Last-Modified": "x"}))
    got = source.fetch(link)
    assert got == Original(PHOTO, hashlib.sha256(PHOTO).hexdigest(), Validators('"1"', "x"))


def test_asks_conditionally(web: Web, source: HttpSource) -> None:
    """What we have is asked about by both validators; 304 means that it is still good."""

    def route(headers: Mapping[str, str]) -> Answer:
        same = headers.get("if-none-match") == '"1"' and headers.get("if-modified-since") == "then"
        return Answer(304) if same else Answer(200, PHOTO)

    web.routes["/a.jpg"] = route
    assert isinstance(source.fetch(web.url("/a.jpg"), known=Validators('"1"', "then")), NotModified)
    assert isinstance(source.fetch(web.url("/a.jpg"), known=Validators('"2"', "then")), Original)
    assert isinstance(source.fetch(web.url("/a.jpg")), Original)


def test_odd_characters_in_links(web: Web, source: HttpSource) -> None:
    """Spaces and other scripts in links, as feeds have them, are percent-encoded."""
    web.serve("/red%20dress/%E6%9C%8D.jpg?v=1", Answer(200, PHOTO))
    assert isinstance(source.fetch(web.url("/red dress/服.jpg?v=1#top") + " \n"), Original)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "0x7f.0.0.1",
        "0x7f000001",
        "2130706433",
        "017700000001",
        "0",
        "localhost",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        "[fd00:ec2::254]",
        "[fec0::1]",
        "[ff02::1]",
        "127。0。0。1",
        "169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "10.0.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "224.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
    ],
)
def test_private_addresses_are_refused(canary: Web, host: str) -> None:
    """However an address off the public internet is written, it is refused before anything connects."""
    source = HttpSource(retries=0, timeout_s=2)
    with pytest.raises(BlockedError) as caught:
        source.fetch(canary.url("/secret", host))
    source.close()
    assert caught.value.code == "blocked-address"
    assert "http.allow_private" in caught.value.remedy


@pytest.mark.parametrize("address", ["fe80::1%lo", "::ffff:10.0.0.1", "10.0.0.1", "127.0.0.1"])
def test_names_that_lead_to_private_addresses(canary: Web, address: str) -> None:
    """A public name that stands for a private address is refused."""
    detour = Detour()
    assert code_of(through({"shop.example": address}, detour), canary.url("/", "shop.example")) == "blocked-address"
    assert not detour.asked


def test_one_private_address_among_public_ones(canary: Web) -> None:
    """A name is refused if any of its addresses is."""
    detour = Detour()
    network = Network(resolve=lambda _host, _port: [PUBLIC, "127.0.0.1"], backend=detour)
    assert code_of(HttpSource(network=network, retries=0), canary.url("/", "shop.example")) == "blocked-address"
    assert not detour.asked


def test_a_name_that_changes_its_mind(web: Web) -> None:
    """The connection goes to the address that was checked: what the name stands for a moment later plays no part."""
    detour, answers = Detour(), iter([PUBLIC, "127.0.0.1", "127.0.0.1"])
    network = Network(resolve=lambda _host, _port: [next(answers)], backend=detour)
    web.serve("/a.jpg", Answer(200, PHOTO, {"Connection": "close"}))
    source = HttpSource(network=network, retries=0)
    assert isinstance(source.fetch(web.url("/a.jpg", "shop.example")), Original)
    assert detour.asked == [(PUBLIC, web.port)]
    assert code_of(source, web.url("/a.jpg", "shop.example")) == "blocked-address"
    assert len(detour.asked) == 1
    source.close()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_to_private_addresses(web: Web, canary: Web, status: int) -> None:
    """A redirect is checked like a first request."""
    detour = Detour()
    web.serve("/a.jpg", Answer(status, headers={"Location": canary.url("/secret")}))
    source = through({"shop.example": PUBLIC}, detour)
    assert code_of(source, web.url("/a.jpg", "shop.example")) == "blocked-address"
    assert detour.asked == [(PUBLIC, web.port)]
    source.close()


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("file:///etc/passwd", "blocked-scheme"),
        ("gopher://shop.example/", "blocked-scheme"),
        ("http://user:secret@shop.example/", "blocked-credentials"),
        ("http://[broken", "bad-url"),
    ],
)
def test_redirects_to_other_places(web: Web, source: HttpSource, location: str, code: str) -> None:
    """A redirect leads to http and https only, and carries no password."""
    assert code_of(source, web.serve("/a.jpg", Answer(302, headers={"Location": location}))) == code


@pytest.mark.parametrize(
    ("link", "code"),
    [
        ("ftp://shop.example/a.jpg", "blocked-scheme"),
        ("file:///etc/passwd", "blocked-scheme"),
        ("http://user:secret@shop.example/a.jpg", "blocked-credentials"),
        ("http:///a.jpg", "bad-url"),
        ("http://[broken/a.jpg", "bad-url"),
        ("http://a b/", "bad-url"),
        ("http://[fe80::1%25eth0]/", "bad-url"),
        ("http://１２７.０.０.１/", "bad-url"),
        ("http://shop.example:70000000/a.jpg", "bad-url"),
        ("http://shop.example/" + "a" * 100_000, "bad-url"),
        ("http://shop.example:22/a.jpg", "blocked-port"),
        ("http://shop.example:25/a.jpg", "blocked-port"),
    ],
)
def test_links_that_are_refused(link: str, code: str) -> None:
    """What cannot or must not be followed is refused, and no password appears in the message."""
    with pytest.raises(FetchError) as caught:
        through({"shop.example": PUBLIC}, Detour()).fetch(link)
    assert caught.value.code == code
    assert "secret" not in caught.value.message
    assert len(caught.value.message) < 1000


def test_redirects_are_followed_and_counted(web: Web, source: HttpSource) -> None:
    """Five redirects lead to the photo, relative ones too; a circle ends."""
    for i in range(5):
        web.serve(f"/{i}", Answer(302, headers={"Location": f"/{i + 1}"}))
    web.serve("/5", Answer(200, PHOTO))
    web.serve("/circle", Answer(302, headers={"Location": "/circle"}))
    assert isinstance(source.fetch(web.url("/0")), Original)
    assert code_of(source, web.url("/circle")) == "too-many-redirects"
    assert web.paths.count("/circle") == 6


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (404, "http-404"),
        (410, "http-404"),
        (401, "http-403"),
        (403, "http-403"),
        (429, "http-429"),
        (500, "http-server"),
        (503, "http-server"),
        (204, "http-status"),
        (206, "http-status"),
        (304, "http-status"),
        (418, "http-status"),
        (302, "http-status"),
    ],
)
def test_statuses(web: Web, source: HttpSource, status: int, code: str) -> None:
    """Everything but 200 is a failure that names the status."""
    link = web.serve("/a.jpg", Answer(status))
    with pytest.raises(FetchError, match=str(status)) as caught:
        source.fetch(link)
    assert caught.value.code == code
    assert link in caught.value.message


def test_too_large_by_its_header(web: Web) -> None:
    """A body that says that it is too large is not read."""
    source = HttpSource(allow_private=True, retries=0, max_bytes=1000)
    assert code_of(source, web.serve("/a.jpg", Answer(200, b"x" * 1001))) == "too-large"
    source.close()


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_too_large_without_saying_so(web: Web, encoding: str) -> None:
    """A body that never ends, or inflates without end, is cut off at the cap."""
    piece = gzip.compress(b"\x00" * 50_000_000) if encoding else b"x" * 65536
    ended = threading.Event()

    def write(send: Callable[[bytes], None]) -> None:
        try:
            while not ended.is_set():
                send(piece)
        except OSError:
            ended.set()

    source = HttpSource(allow_private=True, retries=0, max_bytes=200_000)
    link = web.serve("/a.jpg", Answer(200, headers={"Content-Encoding": encoding} if encoding else {}, write=write))
    assert code_of(source, link) == "too-large"
    assert ended.wait(10), "the connection stayed open"
    source.close()


def test_a_body_that_drips(web: Web) -> None:
    """A byte now and then keeps no download alive past its total time."""
    stop = threading.Event()

    def write(send: Callable[[bytes], None]) -> None:
        while not stop.wait(0.05):
            send(b"x")

    source = HttpSource(allow_private=True, retries=0, timeout_s=5, total_timeout_s=0.3)
    assert code_of(source, web.serve("/a.jpg", Answer(200, write=write))) == "timeout"
    stop.set()
    source.close()


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: "])
def test_headers_that_never_come(sent: bytes) -> None:
    """A server that accepts and then says nothing, or dribbles a header, is given up on in time."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop = threading.Event()

        def dribble() -> None:
            connection, _ = listener.accept()
            with connection:
                try:
                    connection.sendall(sent)
                    while sent and not stop.wait(0.05):
                        connection.sendall(b"x")
                    stop.wait(10)
                except OSError:
                    pass

        thread = threading.Thread(target=dribble, daemon=True)
        thread.start()
        source = HttpSource(allow_private=True, retries=0, timeout_s=0.4, total_timeout_s=0.4)
        assert code_of(source, f"http://127.0.0.1:{listener.getsockname()[1]}/") == "timeout"
        stop.set()
        thread.join()
        source.close()


def test_a_resolver_that_hangs() -> None:
    """A resolver that does not answer costs no more than the total time."""
    stop = threading.Event()

    def resolve(_host: str, _port: int) -> list[str]:
        stop.wait(10)
        return [PUBLIC]

    source = HttpSource(network=Network(resolve=resolve), retries=0, total_timeout_s=0.2)
    assert code_of(source, "http://shop.example/") == "timeout"
    stop.set()


@pytest.mark.parametrize(
    "body", [b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", b""]
)
def test_answers_that_are_no_http(body: bytes) -> None:
    """Another protocol, a body that ends too early, and a hang-up are told as what they are."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(body)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        source = HttpSource(allow_private=True, retries=0, timeout_s=5)
        assert code_of(source, f"http://127.0.0.1:{listener.getsockname()[1]}/") == "bad-answer"
        thread.join()
        source.close()


def test_nobody_listens(source: HttpSource) -> None:
    """A closed port is a failed connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert code_of(source, f"http://127.0.0.1:{port}/") == "connection"


def test_no_tls(web: Web, source: HttpSource) -> None:
    """A server that does not speak TLS under https is told so."""
    assert code_of(source, web.url("/").replace("http:", "https:")) == "tls"


def test_names_that_do_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name without an address is an error at once; a busy resolver is asked again."""
    for errno, code, tries in ((socket.EAI_NONAME, "dns", 1), (socket.EAI_AGAIN, "dns-busy", 3)):
        asked: list[str] = []

        def resolve(host: str, _port: int, errno: int = errno, asked: list[str] = asked) -> list[str]:
            asked.append(host)
            raise socket.gaierror(errno, "no")

        source = HttpSource(network=Network(resolve=resolve), retries=2)
        monkeypatch.setattr(source._closed, "wait", lambda _seconds: False)
        assert code_of(source, "http://shop.example/") == code
        assert len(asked) == tries


@pytest.mark.parametrize(("failure", "tries"), [(429, 3), (500, 3), (502, 3), (503, 3), (404, 1), (403, 1)])
def test_passing_failures_are_tried_again(web: Web, monkeypatch: pytest.MonkeyPatch, failure: int, tries: int) -> None:
    """What may pass is tried again as often as allowed; what will not is told at once."""
    source = HttpSource(allow_private=True, retries=2)
    monkeypatch.setattr(source._closed, "wait", lambda _seconds: False)
    with pytest.raises(FetchError):
        source.fetch(web.serve("/a.jpg", Answer(failure)))
    assert len(web.paths) == tries
    source.close()


def test_success_after_failures(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """The photo counts, not the tries; the server's Retry-After is obeyed, in seconds and as a date."""
    answers = iter(
        [
            Answer(503, headers={"Retry-After": "7"}),
            Answer(429, headers={"Retry-After": formatdate(time.time() + 20, usegmt=True)}),
            Answer(500, headers={"Retry-After": "soon"}),
            Answer(200, PHOTO),
        ]
    )
    web.routes["/a.jpg"] = lambda _headers: next(answers)
    waits: list[float] = []
    source = HttpSource(allow_private=True, retries=3)
    monkeypatch.setattr(source._closed, "wait", lambda seconds: bool(waits.append(seconds)))
    assert isinstance(source.fetch(web.url("/a.jpg")), Original)
    assert waits[0] == 7
    assert 10 < waits[1] <= 20
    assert waits[2] <= 2
    source.close()


@given(st.integers(1, 50), st.floats(0, 1e9), st.floats(0, 1))
def test_waits_are_bounded(tries: int, retry_after: float, spread: float) -> None:
    """No server and no number of tries makes us wait for longer than the cap, nor less than a server asks within it."""
    wait = wait_before_retry(tries, retry_after, spread)
    assert min(retry_after, MAX_WAIT_S) <= wait <= MAX_WAIT_S
    assert wait >= 0.25


def test_few_connections_to_one_host(web: Web) -> None:
    """However many threads fetch, one host sees only so many requests at once; other hosts do not wait for it."""
    gate = threading.Barrier(2, timeout=10)

    def write(send: Callable[[bytes], None]) -> None:
        gate.wait()  # holds each request until it has company: both slots are in use, never a third
        time.sleep(0.02)
        send(PHOTO)

    web.serve("/a.jpg", Answer(200, write=write))
    source = HttpSource(allow_private=True, per_host=2, retries=0)
    with ThreadPoolExecutor(8) as pool:
        assert all(isinstance(got, Original) for got in pool.map(source.fetch, [web.url("/a.jpg")] * 8))
    assert web.most_at_once == 2
    assert not source._slots._hosts
    source.close()


def test_closing_ends_the_waiting(web: Web) -> None:
    """A thread that waits before a retry is let go when the source is closed."""
    link = web.serve("/a.jpg", Answer(503, headers={"Retry-After": "30"}))
    source = HttpSource(allow_private=True, retries=1)
    threading.Timer(0.2, source.close).start()
    assert code_of(source, link) == "closed"


def test_no_proxy_from_the_environment(web: Web, source: HttpSource, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment would resolve names unchecked, so it is not asked."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert isinstance(source.fetch(web.serve("/a.jpg", Answer(200, PHOTO))), Original)


def test_asks_for_no_compression(web: Web, source: HttpSource) -> None:
    """The request asks for the bytes as they are; a gzip that comes all the same is undone, others are refused."""
    seen: dict[str, str] = {}

    def route(headers: Mapping[str, str]) -> Answer:
        seen.update(headers)
        return Answer(200, gzip.compress(PHOTO), {"Content-Encoding": "gzip"})

    web.routes["/a.jpg"] = route
    got = source.fetch(web.url("/a.jpg"))
    assert isinstance(got, Original)
    assert got.data == PHOTO
    assert seen["accept-encoding"] == "identity"
    assert "cookie" not in seen
    for encoding, body in (("br", b"x"), ("gzip", b"not gzip"), ("gzip", gzip.compress(PHOTO)[:-4])):
        link = web.serve("/b.jpg", Answer(200, body, {"Content-Encoding": encoding}))
        assert code_of(source, link) in ("bad-answer", "connection")
