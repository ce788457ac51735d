"""Who may do what: everybody where there is no token, else whoever shows the token or a session that it opened."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from hmac import compare_digest
from http import HTTPStatus

from nitari.server.security.attempts import Attempts
from nitari.server.security.refusal import Refusal
from nitari.server.security.sessions import COOKIE, Sessions

_COLLECTION = r"/v1/collections/[^/]+"
# The page and its files, the probes of whoever runs the process, and the way in.
_OPEN = {
    "GET": re.compile(r"/|/favicon\.ico|/assets/.+|/livez|/readyz|/session"),
    "POST": re.compile(r"/session"),
    "DELETE": re.compile(r"/session"),
}
# What a shop's public page needs. An id may hold slashes; nothing but reading lies behind GET.
_OPEN_SEARCH = {
    "GET": re.compile(
        rf"/v1/collections|{_COLLECTION}|{_COLLECTION}/items|{_COLLECTION}/(?:items|photos|query-photos)/.+", re.DOTALL
    ),
    "POST": re.compile(rf"{_COLLECTION}/(?:search|detect|heatmap|recommend|facets|query-photos)"),
    "DELETE": re.compile(rf"{_COLLECTION}/query-photos/[^/]+"),  # whoever has the link may end it
}


class Access:
    """Decides whether a request may go on.

    Wrong tokens are counted by address, and an address with too many is not listened to for a while: before its token
    is looked at, or the limit would not slow down guessing. Sessions are not subject to it (nobody guesses 256 bits),
    so whoever is signed in stays so while somebody else behind the same proxy guesses.

    Args:
        token: What callers must know; ``None`` where everybody may do everything.
        open_search: Whether searching and reading need no token.
    """

    def __init__(self, *, token: str | None, open_search: bool) -> None:
        self._digest = None if token is None else _digest(token.encode())
        self._open_search = open_search
        self._sessions = Sessions()
        self._attempts = Attempts()

    @property
    def needed(self) -> bool:
        """Whether the page needs a token before it can search."""
        return self._digest is not None and not self._open_search

    def check(self, method: str, path: str, headers: Mapping[bytes, bytes], client: str) -> Refusal | None:
        """Whether a request may go on.

        Args:
            method: Of HTTP.
            path: Decoded, as routes see it.
            headers: ``authorization`` and ``cookie``, where they were sent.
            client: The address of the caller.
        """
        if self._digest is None or self._is_open(method, path) or self._has_session(headers):
            return None
        authorization = headers.get(b"authorization")
        if authorization is None:
            return _unauthorized("the request brings no token", "send `Authorization: Bearer <token>`, or sign in")
        scheme, _, token = authorization.partition(b" ")
        if scheme.lower() != b"bearer":
            return _unauthorized(
                f"the Authorization header has the scheme {scheme[:20].decode('latin-1')!r}; expected Bearer",
                "send `Authorization: Bearer <token>`",
            )
        return self._judge(token.strip(), client)

    def granted(self, headers: Mapping[bytes, bytes], client: str) -> bool:
        """Whether a caller may do everything."""
        return self._digest is None or self.check("PUT", "", headers, client) is None

    def sign_in(self, token: str, client: str) -> str | Refusal:
        """A new session's cookie for whoever knows the token."""
        return self._judge(token.encode("utf-8", "surrogatepass"), client) or self._sessions.open()

    def sign_out(self, headers: Mapping[bytes, bytes]) -> None:
        """End a session, also for others who have its cookie."""
        self._sessions.end(_cookie(headers))

    def _is_open(self, method: str, path: str) -> bool:
        method = "GET" if method == "HEAD" else method
        found = _OPEN.get(method)
        if found is not None and found.fullmatch(path):
            return True
        searching = _OPEN_SEARCH.get(method) if self._open_search else None
        return searching is not None and searching.fullmatch(path) is not None

    def _has_session(self, headers: Mapping[bytes, bytes]) -> bool:
        return b"cookie" in headers and self._sessions.holds(_cookie(headers))

    def _judge(self, token: bytes, client: str) -> Refusal | None:
        """Compare a token, unless this address has had its share of wrong ones."""
        wait = self._attempts.wait_s(client)
        if wait:
            return Refusal(
                HTTPStatus.TOO_MANY_REQUESTS,
                "too-many-attempts",
                f"too many wrong tokens came from {client}",
                f"wait {wait} s, and send the right one",
                {"Retry-After": str(wait)},
            )
        # Digests are of one length, so that the comparison tells nothing about the token's.
        if self._digest is None or compare_digest(_digest(token), self._digest):
            return None
        self._attempts.failed(client)
        return _unauthorized("the token is not this server's", "look up the token that the server was started with")


def _digest(token: bytes) -> bytes:
    return sha256(token).digest()


def _cookie(headers: Mapping[bytes, bytes]) -> str:
    """The session's value among all cookies; empty where there is none."""
    for pair in headers.get(b"cookie", b"").decode("latin-1").split(";"):
        name, _, value = pair.strip().partition("=")
        if name == COOKIE:
            return value
    return ""


def _unauthorized(detail: str, remedy: str) -> Refusal:
    return Refusal(
        HTTPStatus.UNAUTHORIZED, "unauthorized", detail, remedy, {"WWW-Authenticate": 'Bearer realm="nitari"'}
    )
