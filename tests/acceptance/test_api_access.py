"""Who may ask, from where, and for what: requests as no well-behaved client writes them, byte by byte."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from support.api import API, MAX_RSS_MB, Probed, probing
from support.server import run_cli
from support.shop import make_shop

TOKEN = "a token of more than sixteen characters"  # noqa: S105  # for this test's server alone
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory, model_store: object) -> Iterator[Probed]:
    """A small shop, served to everybody on this machine."""
    folder = tmp_path_factory.mktemp("probed")
    run_cli(folder / "home", "import", str(make_shop(folder / "shop", 6).folder))
    with probing(folder / "home") as server:
        yield server


@pytest.mark.parametrize("prefix", ["/assets/", f"{API}/photos/", f"{API}/items/", f"{API}/query-photos/", "/", "//"])
def test_paths_lead_to_no_file(probed: Probed, prefix: str) -> None:
    """Dots, slashes and drives in paths, encoded in any way, reach no file of the server."""
    up = ("../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%5c", "..\\", "....//", "%252e%252e%252f", "..%c0%af", ".%00./")
    targets = [prefix + step * 12 + "etc/passwd" for step in up]
    targets += [
        prefix + name for name in ("/etc/passwd", "%2fetc%2fpasswd", "C:%5cwindows%5cwin.ini", "file:///etc/passwd")
    ]
    targets += [prefix + "../" * depth + "__init__.py" for depth in (1, 2, 3)]
    for target in targets:
        status, text = probed.ask(target)
        assert status == 0 or 400 <= status < 500, (target, status, text[:200])
        assert "root:" not in text, target
        assert "import" not in text, target


def test_wrong_methods(probed: Probed) -> None:
    """A method that a path does not take is a 405 that names those it takes."""
    for method, path in (
        ("GET", f"{API}/search"), ("PUT", f"{API}/search"), ("DELETE", f"{API}/facets"), ("POST", f"{API}/items/i0001"),
        ("PATCH", f"{API}/items/i0001"), ("PUT", "/v1/jobs"), ("DELETE", "/v1/stats"), ("POST", "/livez"),
        ("BREW", "/livez"), ("TRACE", "/livez"), ("PROPFIND", "/"),
    ):  # fmt: skip
        status, text = probed.ask(path, method=method)
        assert status in (400, 405), (method, path, status, text)
        if status == 405:
            response = probed.client.request(method, path)
            probed.check(response, 405)
            assert response.headers["allow"], (method, path)
    probed.check(probed.client.get("/v1/nothing"), 404)
    probed.check(probed.client.get("/v1/collections/another"), 404)
    probed.check(probed.client.post("/v1/collections/another/search", json={"item_id": "i0001"}), 404)
    probed.check(probed.client.get("/v1/jobs/nothing"), 404)
    probed.check(probed.client.post("/v1/jobs/nothing:retry"), 404)
    probed.check(probed.client.post("/v1/jobs/nothing:cancel"), 404)


def test_odd_requests(probed: Probed) -> None:
    """Requests that are no HTTP, or far too much of it, end in a 4xx or a hang-up."""
    host = urlsplit(probed.server.url).netloc
    head = f"Host: {host}\r\n"
    requests = [
        b"\r\n\r\n\r\n", b"hello\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100,
        b"SSH-2.0-OpenSSH_9.6\r\n", b"GET / HTTP/9.9\r\n\r\n",
        f"GET / HTTP/1.1\r\n{head}Content-Length: -1\r\n\r\n".encode(),
        f"POST {API}/search HTTP/1.1\r\n{head}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!".encode(),
        f"POST {API}/search HTTP/1.1\r\n{head}Content-Type: image/jpeg\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        + b"zz\r\n",
        f"GET / HTTP/1.1\r\n{head}A B: c\r\n\r\n".encode(),
        f"GET /livez HTTP/1.1\r\n{head}X: ".encode() + b"y" * 10_000_000 + b"\r\n\r\n",
        f"GET /livez HTTP/1.1\r\n{head}".encode() + b"X: y\r\n" * 200_000 + b"\r\n",
        f"GET /{'a' * 2_000_000} HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode(),
    ]  # fmt: skip
    for request in requests:
        status, text = probed.raw(request, half=True)
        assert status == 0 or 400 <= status < 500, (request[:80], status, text[:200])
    assert probed.peak_mb() < MAX_RSS_MB
    probed.alive()


def test_hosts(probed: Probed) -> None:
    """Requests must be addressed to this server: no web page can reach it under a name of its own."""
    port = urlsplit(probed.server.url).port
    for host in ("evil.example", f"evil.example:{port}", "localhost.evil.example", "127.0.0.1.evil.example", "",
                 "127.0.0.1@evil.example", "evil.example/127.0.0.1", "xn--nxasmq6b", "[::1", "2130706433"):  # fmt: skip
        status, text = probed.ask("/v1/stats", host=host)
        assert status in (400, 421), (host, status, text)
        assert "items" not in text
    for host in (f"127.0.0.1:{port}", "localhost", f"localhost:{port}", "[::1]", "192.168.1.7"):
        assert probed.ask("/v1/stats", host=host)[0] == 200, host
    twice = "GET /v1/stats HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    assert probed.raw(twice.encode())[0] in (400, 421)
    assert probed.raw(b"GET /v1/stats HTTP/1.1\r\nConnection: close\r\n\r\n")[0] in (400, 421)


def test_origins(probed: Probed) -> None:
    """A web page of another origin can change nothing, and gets no permission to read."""
    for headers in (
        {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://localhost.evil.example"},
        {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": probed.server.url},
    ):  # fmt: skip
        for method, path in (("DELETE", f"{API}/items/i0001"), ("POST", f"{API}/search"), ("PUT", f"{API}/items/x"),
                             ("POST", "/v1/jobs"), ("POST", "/session")):  # fmt: skip
            response = probed.client.request(method, path, headers=headers)
            probed.check(response, 403)
            assert "access-control-allow-origin" not in response.headers
    preflight = {"Origin": "https://evil.example", "Access-Control-Request-Method": "DELETE"}
    response = probed.client.options(f"{API}/items/i0001", headers=preflight)
    assert "access-control-allow-origin" not in response.headers
    own = probed.client.post(f"{API}/search", json={"item_id": "i0001"}, headers={"Origin": probed.server.url})
    assert own.status_code == 200
    assert probed.client.get(f"{API}/items/i0001").status_code == 200


def test_without_the_token(probed: Probed) -> None:
    """Where there is a token, nothing of the catalog is shown or changed without it, and nothing guesses it."""
    env, home = {"NITARI__SERVER__TOKEN": TOKEN}, probed.server.home
    with probing(home, env=env) as closed:
        client = closed.client
        requests: list[tuple[str, str, dict[str, Any]]] = [
            ("GET", "/v1/collections", {}), ("GET", "/v1/stats", {}), ("GET", "/metrics", {}), ("GET", "/v1/jobs", {}),
            ("GET", f"{API}/items/i0001", {}), ("GET", f"{API}/photos/i0001", {}), ("GET", API, {}),
            ("POST", f"{API}/search", {"json": {"item_id": "i0001"}}), ("DELETE", f"{API}/items/i0001", {}),
            ("POST", f"{API}/items:batch", {"json": {"operations": [{"op": "delete", "item_id": "i0001"}]}}),
            ("POST", "/v1/jobs", {"json": {"feed": "https://shop.example/f.csv"}}), ("GET", "/v1/nothing", {}),
        ]  # fmt: skip
        wrong: list[dict[str, str]] = [
            {}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}, {"Authorization": TOKEN},
            {"Authorization": "Bearer"}, {"Authorization": f"Bearer {TOKEN}x"},
            {"Authorization": f"Bearer {TOKEN[:-1]}"},
            {"Cookie": f"nitari_session={TOKEN}"}, {"Cookie": "nitari_session=x.y.z"},
        ]  # fmt: skip
        for method, path, options in requests:
            for headers in wrong[:2]:
                response = client.request(method, path, headers=headers, **options)
                closed.check(response, 401, 429)
                assert response.status_code == 429 or "bearer" in response.headers["www-authenticate"].lower()
        for headers in wrong:
            closed.check(client.get("/v1/stats", headers=headers), 401, 429)
        closed.check(client.get("/v1/stats", params={"token": TOKEN, "access_token": TOKEN}), 401, 429)
        closed.check(client.post("/session", json={"token": "wrong"}), 401, 429)
        for body in (b"", b"{", b"[]", b'{"token": 1}', b'{"token": "' + b"x" * 100_000 + b'"}'):
            closed.check(client.post("/session", content=body, headers=JSON))
        assert client.get("/livez").status_code == 200
    with probing(home, env=env) as closed:
        right = {"Authorization": f"Bearer {TOKEN}"}
        assert closed.client.get("/v1/stats", headers=right).json()["items"] >= 6
        assert closed.client.get(f"{API}/items/i0001", headers=right).status_code == 200
