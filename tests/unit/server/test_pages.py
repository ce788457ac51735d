"""The page's files, from memory."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from nitari.server import pages
from nitari.server.security.headers import PAGE_CSP

PAGE = b"<!doctype html><title>x</title>" + b"<p>hello</p>" * 50


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small page, beside a secret."""
    (tmp_path / "secret.txt").write_text("secret")
    web = tmp_path / "web"
    (web / "js").mkdir(parents=True)
    (web / "index.html").write_bytes(PAGE)
    (web / "js" / "app.js").write_bytes(b"1")
    (web / "app.webmanifest").write_bytes(b"{}")
    (web / "odd.bin").write_bytes(b"\0")
    (web / ".hidden").write_bytes(b"x")
    (web / "__init__.py").write_bytes(b"")
    return web


def get(folder: Path, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    """A request of an application that has only the page."""
    app = FastAPI()
    app.include_router(pages.router(folder))

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(
                method, path, headers={name.replace("_", "-"): value for name, value in headers.items()}
            )

    return asyncio.run(ask())


def test_the_page(folder: Path) -> None:
    """HTML with its policy; packed for those who unpack."""
    response = get(folder, "/", accept_encoding="gzip")
    assert response.status_code == 200
    assert response.content == PAGE
    assert response.headers["content-encoding"] == "gzip"
    assert response.headers["vary"] == "Accept-Encoding"
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["content-security-policy"] == PAGE_CSP
    plain = get(folder, "/", accept_encoding="identity")
    assert plain.content == PAGE
    assert "content-encoding" not in plain.headers
    assert plain.headers["etag"] != response.headers["etag"]
    assert get(folder, "/", "HEAD").content == b""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/assets/js/app.js", "text/javascript; charset=utf-8"),
        ("/assets/app.webmanifest", "application/manifest+json"),
        ("/assets/odd.bin", "application/octet-stream"),
        ("/assets/index.html", "text/html; charset=utf-8"),
    ],
)
def test_files(folder: Path, path: str, kind: str) -> None:
    """Each has its type, and is asked for again each time."""
    response = get(folder, path)
    assert response.status_code == 200
    assert response.headers["content-type"] == kind
    assert response.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_known_already(folder: Path, encoding: str) -> None:
    """Who has it already gets 304 without it."""
    tag = get(folder, "/", accept_encoding=encoding).headers["etag"]
    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        response = get(folder, "/", accept_encoding=encoding, if_none_match=known)
        assert response.status_code == 304
        assert response.content == b""
        assert response.headers["etag"] == tag
    assert get(folder, "/", accept_encoding=encoding, if_none_match='"other"').status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../secret.txt",
        "/assets/%2e%2e/secret.txt",
        "/assets/..%2fsecret.txt",
        "/assets/js/../../secret.txt",
        "/assets//etc/passwd",
        "/assets/%2fetc%2fpasswd",
        "/assets/.hidden",
        "/assets/__init__.py",
        "/assets/js",
        "/assets/js/app.js%00",
        "/assets/JS/app.js",
    ],
)
def test_nothing_else(folder: Path, path: str) -> None:
    """What is not among the files is not there, wherever a path would lead."""
    response = get(folder, path)
    assert response.status_code == 404
    assert b"secret\n" not in response.content


def test_without_files(tmp_path: Path) -> None:
    """A package without its page says so; the icon is then nothing."""
    assert get(tmp_path, "/").status_code == 404
    assert get(tmp_path, "/favicon.ico").status_code == 204
    icons = tmp_path / "icons"
    icons.mkdir()
    (icons / "icon.svg").write_text("<svg/>")
    assert get(tmp_path, "/favicon.ico").headers["content-type"] == "image/svg+xml"


def test_packing_is_reproducible(folder: Path) -> None:
    """The same file has the same bytes and tag in every process."""
    first, second = (pages.read_assets(folder)["index.html"] for _ in range(2))
    assert first == second
    assert first.packed is not None
    assert gzip.decompress(first.packed) == PAGE


def test_own_files() -> None:
    """Every file of the package's own page has a type that browsers know."""
    for name, asset in pages.read_assets(pages.WEB).items():
        assert asset.kind != "application/octet-stream", name
