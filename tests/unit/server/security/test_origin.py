"""Requests of web pages: this server's own may change something, others may not."""

from __future__ import annotations

import pytest

from nitari.server.security.origin import check_origin


@pytest.mark.parametrize(
    ("scheme", "host", "origin", "site"),
    [
        ("http", b"localhost:8321", None, None),
        ("http", b"localhost:8321", b"http://localhost:8321", None),
        ("http", b"localhost:8321", b"http://localhost:8321", b"same-origin"),
        ("http", b"shop.example", b"http://shop.example", None),
        ("http", b"shop.example:80", b"http://shop.example", None),
        ("http", b"shop.example", b"https://shop.example", None),
        ("http", b"shop.example", b"https://shop.example:443", None),
        ("https", b"shop.example", b"https://shop.example", None),
        ("http", b"[::1]:8321", b"http://[::1]:8321", None),
        ("http", b"10.0.0.1", b"https://shop.example", b"same-origin"),
        ("http", b"localhost", None, b"none"),
    ],
)
def test_own(scheme: str, host: bytes, origin: bytes | None, site: bytes | None) -> None:
    """The own page, through proxies too, and what is no browser."""
    assert check_origin("POST", scheme=scheme, host=host, origin=origin, site=site) is None


@pytest.mark.parametrize(
    ("scheme", "host", "origin", "site"),
    [
        ("http", b"localhost:8321", b"http://evil.example", None),
        ("http", b"localhost:8321", b"http://localhost:9999", None),
        ("http", b"localhost:8321", b"http://localhost", None),
        ("http", b"localhost:8321", b"null", None),
        ("http", b"localhost:8321", b"", None),
        ("http", b"localhost:8321", b"file://", None),
        ("http", b"localhost:8321", b"chrome-extension://localhost:8321", None),
        ("http", b"localhost:8321", b"http://localhost:8321.evil.example", None),
        ("http", b"localhost:8321", b"http://localhost:99999999", None),
        ("http", b"localhost:8321", b"\xff", None),
        ("http", b"localhost:8321", b"http://a, http://localhost:8321", None),
        ("https", b"shop.example", b"http://shop.example", None),
        ("http", None, b"http://shop.example", None),
        ("http", b"localhost:8321", b"http://localhost:8321", b"cross-site"),
        ("http", b"localhost:8321", b"http://localhost:8321", b"same-site"),
        ("http", b"localhost:8321", None, b"cross-site"),
        ("http", b"localhost:8321", None, b"whatever"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "MADE-UP"])
def test_foreign(method: str, scheme: str, host: bytes | None, origin: bytes | None, site: bytes | None) -> None:
    """Others, and those that do not say, are refused whatever changes something."""
    refusal = check_origin(method, scheme=scheme, host=host, origin=origin, site=site)
    assert refusal is not None
    assert refusal.status == 403


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_reading_is_the_browsers_business(method: str) -> None:
    """What changes nothing is answered; without CORS headers, no foreign page can read the answer."""
    refusal = check_origin(method, scheme="http", host=b"localhost", origin=b"http://evil.example", site=b"cross-site")
    assert refusal is None
