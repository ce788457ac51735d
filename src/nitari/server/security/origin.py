"""Which web pages may send requests that change something: this server's own, and no other.

CORS stays closed (no answer carries a permission), but a browser sends simple requests all the same and only hides the
answer. So the request itself is judged, as in Go's ``http.CrossOriginProtection``: by ``Sec-Fetch-Site``, which
browsers set and scripts cannot; where it is missing (plain http beyond localhost), by ``Origin`` against ``Host``.
What has neither comes from no browser, and cross-site requests are a weakness of browsers only.
"""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlsplit

from nitari.server.security.hosts import split_host
from nitari.server.security.refusal import Refusal

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITES = frozenset({b"same-origin", b"none"})  # none: typed, bookmarked, not led to by any page
_PORTS = {"http": 80, "https": 443}
_SHOWN = 100


def check_origin(
    method: str, *, scheme: str, host: bytes | None, origin: bytes | None, site: bytes | None
) -> Refusal | None:
    """Whether a request may come from where it comes from.

    Args:
        method: Of HTTP.
        scheme: How this server was reached, ``http`` or ``https``, as far as it knows.
        host: The ``Host`` header.
        origin: The ``Origin`` header.
        site: The ``Sec-Fetch-Site`` header.
    """
    if method in SAFE_METHODS or (origin is None and site is None):
        return None
    own = site in _OWN_SITES if site is not None else _is_own(origin or b"", scheme, host)
    if own:
        return None
    whence = f"origin {origin[:_SHOWN].decode('latin-1')!r}" if origin else "another site"
    return Refusal(
        HTTPStatus.FORBIDDEN,
        "origin",
        f"a web page of {whence} sent {method}; only this server's own page may send more than GET",
        "call the API from a server, or put the page and this server behind one host name, with a proxy that passes "
        "the Host header on",
    )


def _is_own(origin: bytes, scheme: str, host: bytes | None) -> bool:
    """Whether an origin is this server's own address.

    A proxy may have taken TLS off, so that an ``https`` page is of one origin with what looks like ``http`` from here;
    never the other way round.
    """
    try:
        split = urlsplit(origin.decode("ascii"))
        port = split.port
    except ValueError:
        return False
    default = _PORTS.get(split.scheme)
    here = split_host(host)
    if default is None or here is None or not split.hostname or (scheme == "https" and split.scheme == "http"):
        return False
    return (split.hostname, port or default) == (here[0], here[1] or default)
