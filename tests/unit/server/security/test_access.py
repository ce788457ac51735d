"""Who may do what, with and without a token."""

from __future__ import annotations

import pytest

from nitari.server.security.access import Access
from nitari.server.security.attempts import BURST
from nitari.server.security.refusal import Refusal

TOKEN = "correct-horse-battery"  # noqa: S105 - a test's
CLIENT = "192.0.2.7"
C = "/v1/collections/default"

ALWAYS_OPEN = [
    ("GET", "/"),
    ("HEAD", "/"),
    ("GET", "/favicon.ico"),
    ("GET", "/assets/js/app.js"),
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/session"),
    ("POST", "/session"),
    ("DELETE", "/session"),
]
SEARCHING = [
    ("GET", "/v1/collections"),
    ("GET", C),
    ("GET", f"{C}/items"),
    ("GET", f"{C}/items/a/b c\n/d"),
    ("GET", f"{C}/photos/x"),
    ("GET", f"{C}/query-photos/x"),
    ("DELETE", f"{C}/query-photos/x"),
    ("POST", f"{C}/search"),
    ("POST", f"{C}/detect"),
    ("POST", f"{C}/recommend"),
    ("POST", f"{C}/facets"),
    ("POST", f"{C}/heatmap"),
    ("POST", f"{C}/query-photos"),
]
NEVER_OPEN = [
    ("PUT", f"{C}/items/x"),
    ("DELETE", f"{C}/items/x"),
    ("PUT", f"{C}/items/x/search"),
    ("POST", f"{C}/items/search"),
    ("POST", f"{C}/items:batch"),
    ("GET", "/metrics"),
    ("GET", "/v1/stats"),
    ("GET", "/v1/jobs"),
    ("GET", "/v1/aliases"),
    ("PUT", "/v1/aliases/default"),
    ("POST", "/v1/aliases/default:back"),
    ("GET", "/v1/snapshots"),
    ("POST", "/v1/snapshots"),
    ("POST", "/v1/jobs"),
    ("GET", "/openapi.json"),
    ("POST", "/"),
    ("POST", "/assets/x"),
    ("GET", "/livez/"),
    ("GET", "//livez"),
    ("GET", "/assets"),
    ("POST", f"{C}/search/"),
    ("POST", f"{C}/search\n"),
    ("POST", "/v1/collections/a/b/search"),
    ("DELETE", f"{C}/query-photos/x/y"),
    ("OPTIONS", f"{C}/search"),
    ("MADE-UP", "/"),
]


def bearer(token: str, scheme: str = "Bearer") -> dict[bytes, bytes]:
    """The header with a token."""
    return {b"authorization": f"{scheme} {token}".encode()}


def cookie(value: str) -> dict[bytes, bytes]:
    """The session's cookie among others."""
    return {b"cookie": f"theme=dark; nitari_session={value}; x=y".encode()}


@pytest.mark.parametrize(("method", "path"), ALWAYS_OPEN + SEARCHING + NEVER_OPEN)
def test_without_a_token_everything_is_open(method: str, path: str) -> None:
    """Loopback's default."""
    access = Access(token=None, open_search=False)
    assert access.check(method, path, {}, CLIENT) is None
    assert not access.needed
    assert access.granted({}, CLIENT)


@pytest.mark.parametrize("open_search", [False, True])
@pytest.mark.parametrize(("method", "path"), ALWAYS_OPEN + SEARCHING + NEVER_OPEN)
def test_with_a_token(method: str, path: str, open_search: bool) -> None:
    """What is not named open is closed, and opens to the token and to a session."""
    access = Access(token=TOKEN, open_search=open_search)
    assert access.needed == (not open_search)
    opens = (method, path) in ALWAYS_OPEN or (open_search and (method, path) in SEARCHING)
    refusal = access.check(method, path, {}, CLIENT)
    assert (refusal is None) == opens
    if refusal is not None:
        assert refusal.status == 401
        assert refusal.headers["WWW-Authenticate"].startswith("Bearer")
    assert access.check(method, path, bearer(TOKEN), CLIENT) is None
    session = access.sign_in(TOKEN, CLIENT)
    assert isinstance(session, str)
    assert access.check(method, path, cookie(session), CLIENT) is None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer("wrong"),
        bearer(""),
        bearer(TOKEN[:-1]),
        bearer(f"{TOKEN}x"),
        bearer(TOKEN, "Basic"),
        bearer(TOKEN, ""),
        {b"authorization": b"\xff\xfe"},
        {b"authorization": TOKEN.encode()},
        cookie("nonsense"),
        cookie(TOKEN),
        {b"cookie": b"\xff;;=;nitari_session"},
    ],
)
def test_wrong_ways(headers: dict[bytes, bytes]) -> None:
    """Nothing but the token will do, and the answer never says it."""
    access = Access(token=TOKEN, open_search=False)
    refusal = access.check("GET", "/metrics", headers, CLIENT)
    assert refusal is not None
    assert refusal.status == 401
    assert TOKEN not in refusal.detail + refusal.remedy
    assert not access.granted(headers, CLIENT)


@pytest.mark.parametrize("token", [TOKEN, "ひみつのことば・とてもながい"])
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_right_ways(token: str, scheme: str) -> None:
    """The scheme's case does not matter, and a token may be of any script."""
    access = Access(token=token, open_search=False)
    assert access.check("GET", "/metrics", bearer(token, scheme), CLIENT) is None


def test_guessing_is_slowed_down() -> None:
    """After a burst, an address is not listened to, not even with the right token; sessions and others are."""
    access = Access(token=TOKEN, open_search=False)
    session = access.sign_in(TOKEN, CLIENT)
    assert isinstance(session, str)
    for number in range(BURST):
        way = (
            access.sign_in(f"guess {number}", CLIENT) if number % 2 else access.check("GET", "/x", bearer("y"), CLIENT)
        )
        assert isinstance(way, Refusal)
        assert way.status == 401
    late = access.sign_in(TOKEN, CLIENT)
    assert isinstance(late, Refusal)
    assert late.status == 429
    assert int(late.headers["Retry-After"]) >= 1
    refusal = access.check("GET", "/x", bearer(TOKEN), CLIENT)
    assert refusal is not None
    assert refusal.status == 429
    assert access.check("GET", "/x", cookie(session), CLIENT) is None
    assert access.check("GET", "/x", bearer(TOKEN), "192.0.2.8") is None
    assert access.check("GET", "/x", {}, CLIENT) is not None  # no token: no guess, and no 429
    assert access.check("GET", "/livez", bearer("y"), CLIENT) is None


def test_signing_out() -> None:
    """The cookie is worth nothing afterwards."""
    access = Access(token=TOKEN, open_search=False)
    session = access.sign_in(TOKEN, CLIENT)
    assert isinstance(session, str)
    access.sign_out(cookie(session))
    assert access.check("GET", "/metrics", cookie(session), CLIENT) is not None
    access.sign_out({})
