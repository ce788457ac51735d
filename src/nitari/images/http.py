"""Image links that are URLs: fetched politely, within limits, and only from where they may be (see ``network``)."""

from __future__ import annotations

import hashlib
import random
import re
import threading
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import monotonic

import httpx

from nitari.errors import BlockedError, FetchError
from nitari.images.base import NotModified, Original, Validators, shown
from nitari.images.network import Network, Reply, Target

MAX_REDIRECTS = 5
MAX_WAIT_S = 30.0
_FIRST_WAIT_S = 0.5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PASSING_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
_PASSING_CODES = frozenset({"timeout", "connection", "bad-answer", "dns-busy"})
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
_MAX_VALIDATOR = 1024
_PIECE = 2**20
# Formats in the order we like them: a server that negotiates then sends the same bytes each time.
_ACCEPT = "image/jpeg,image/png,image/webp,image/*;q=0.8,*/*;q=0.5"


@dataclass(frozen=True, slots=True)
class _Failure:
    """What went wrong with one try, and how long the server asks to be left alone, seconds (0: it does not say)."""

    error: FetchError
    passing: bool
    retry_after_s: float = 0.0


def wait_before_retry(tries: int, retry_after_s: float, spread: float) -> float:
    """Seconds to wait after the ``tries``-th failed try: doubling from half a second, with jitter, capped.

    Args:
        tries: How many tries have failed, from 1.
        retry_after_s: What the server asked for; obeyed up to ``MAX_WAIT_S``.
        spread: Random number 0-1: clients that failed together must not come back together.
    """
    backoff = min(_FIRST_WAIT_S * 2.0 ** (tries - 1), MAX_WAIT_S) * (0.5 + 0.5 * spread)
    return min(max(backoff, retry_after_s), MAX_WAIT_S)


class HttpSource:
    """Fetches ``http:`` and ``https:`` links. What a server says about the content's type is not believed.

    Args:
        timeout_s: Longest wait for a connection and between two pieces of an answer, seconds.
        total_timeout_s: Longest time for one try, redirects included, waiting for a free slot excluded, seconds.
        retries: Further tries after a passing failure.
        per_host: Most connections to one host at a time.
        allow_private: Whether links may lead to addresses off the public internet.
        user_agent: Sent as is.
        max_bytes: Largest file, bytes.
        network: What sends requests; made from the above by default.
    """

    def __init__(
        self,
        *,
        timeout_s: float = 20.0,
        total_timeout_s: float = 60.0,
        retries: int = 3,
        per_host: int = 4,
        allow_private: bool = False,
        user_agent: str = "nitari",
        max_bytes: int = 32 * 2**20,
        network: Network | None = None,
    ) -> None:
        self._total_timeout_s = total_timeout_s
        self._tries = retries + 1
        self._max_bytes = max_bytes
        self._headers = {"User-Agent": user_agent, "Accept": _ACCEPT, "Accept-Encoding": "identity"}
        self._network = network or Network(allow_private=allow_private, timeout_s=timeout_s)
        self._slots = _Slots(per_host)
        self._closed = threading.Event()

    def fetch(self, link: str, *, known: Validators | None = None) -> Original | NotModified:
        """The bytes behind a URL.

        Raises:
            BlockedError: ``blocked-scheme``, ``blocked-credentials``, ``blocked-address`` or ``blocked-port``.
            FetchError: ``bad-url``, ``dns``, ``dns-busy``, ``timeout``, ``tls``, ``connection``, ``bad-answer``,
                ``http-403``, ``http-404``, ``http-429``, ``http-server``, ``http-status``, ``too-many-redirects``,
                ``too-large`` or ``closed``.
        """
        url = _parse(link)
        for tries in range(1, self._tries + 1):
            outcome = self._try(link, url, known)
            if not isinstance(outcome, _Failure):
                return outcome
            if not outcome.passing or tries == self._tries:
                raise outcome.error
            if self._closed.wait(wait_before_retry(tries, outcome.retry_after_s, random.random())):
                break
        raise FetchError(
            f"{shown(link)} was not fetched: the program is stopping", remedy="import again", code="closed"
        )

    def close(self) -> None:
        """Close connections, and end the waiting between tries."""
        self._closed.set()
        self._network.close()

    def _try(self, link: str, url: httpx.URL, known: Validators | None) -> Original | NotModified | _Failure:
        """One try, redirects followed. Each hop is checked and connected like a first request."""
        left = self._total_timeout_s
        for _ in range(MAX_REDIRECTS + 1):
            target = _target(url, link)
            try:
                with self._slots.hold(target.host):
                    started = monotonic()
                    with self._network.get(target, self._headers | _conditions(known), within_s=left) as reply:
                        outcome = self._take(link, url, reply, known)
                    left = max(left - (monotonic() - started), 0.001)
            except FetchError as exc:
                named = type(exc)(f"image link {shown(link)}: {exc.message}", remedy=exc.remedy, code=exc.code)
                named.__cause__ = exc
                return _Failure(named, passing=exc.code in _PASSING_CODES)
            if not isinstance(outcome, httpx.URL):
                return outcome
            url = outcome
        error = FetchError(
            f"image link {shown(link)} was redirected more than {MAX_REDIRECTS} times, last to {shown(str(url))}",
            remedy="link to the photo itself",
            code="too-many-redirects",
        )
        return _Failure(error, passing=False)

    def _take(
        self, link: str, url: httpx.URL, reply: Reply, known: Validators | None
    ) -> Original | NotModified | _Failure | httpx.URL:
        """What an answer means: the photo, nothing new, somewhere else, or a failure."""
        if reply.status in _REDIRECTS and "location" in reply.headers:
            return _join(url, reply.headers["location"])
        if reply.status == 304 and known is not None:
            return NotModified()
        if reply.status != 200:
            return _Failure(
                _refused(link, reply.status),
                passing=reply.status in _PASSING_STATUS,
                retry_after_s=_retry_after(reply.headers.get("retry-after", "")),
            )
        data = self._read(reply)
        validators = Validators(_kept(reply.headers.get("etag")), _kept(reply.headers.get("last-modified")))
        return Original(data=data, digest=hashlib.sha256(data).hexdigest(), validators=validators)

    def _read(self, reply: Reply) -> bytes:
        """The body, never more than ``max_bytes`` of it in memory, whatever the headers promise."""
        length = reply.headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._max_bytes:
            raise self._too_large(f"{int(length):,}")
        parts, size = [], 0
        for part in _decoded(reply.body, reply.headers.get("content-encoding", "")):
            size += len(part)
            if size > self._max_bytes:
                raise self._too_large(f"more than {self._max_bytes:,}")
            parts.append(part)
        return b"".join(parts)

    def _too_large(self, size: str) -> FetchError:
        return FetchError(
            f"the file has {size} bytes, at most {self._max_bytes:,} are allowed",
            remedy="link to a smaller version, or raise images.max_bytes",
            code="too-large",
        )


class _Slots:
    """A number of slots for each host; hosts that nobody uses or waits for are forgotten."""

    def __init__(self, per_host: int) -> None:
        self._per_host = per_host
        self._lock = threading.Lock()
        self._hosts: dict[str, tuple[threading.Semaphore, int]] = {}

    @contextmanager
    def hold(self, host: str) -> Iterator[None]:
        semaphore = self._enter(host)
        try:
            with semaphore:
                yield
        finally:
            self._leave(host)

    def _enter(self, host: str) -> threading.Semaphore:
        with self._lock:
            semaphore, users = self._hosts.get(host) or (threading.Semaphore(self._per_host), 0)
            self._hosts[host] = (semaphore, users + 1)
            return semaphore

    def _leave(self, host: str) -> None:
        with self._lock:
            semaphore, users = self._hosts[host]
            if users == 1:
                del self._hosts[host]
            else:
                self._hosts[host] = (semaphore, users - 1)


def _parse(link: str) -> httpx.URL:
    try:
        return httpx.URL(link.strip())
    except (httpx.InvalidURL, ValueError, TypeError) as exc:
        raise FetchError(
            f"image link {shown(link)} is not a URL: {exc}", remedy="correct the link", code="bad-url"
        ) from exc


def _join(url: httpx.URL, location: str) -> httpx.URL:
    try:
        return url.join(location)
    except (httpx.InvalidURL, ValueError, TypeError) as exc:
        raise FetchError(
            f"redirected to {shown(location)}, which is not a URL", remedy="link to the photo itself", code="bad-url"
        ) from exc


def _target(url: httpx.URL, link: str) -> Target:
    """Where to connect for a URL that may be followed."""
    if url.scheme not in ("http", "https"):
        raise BlockedError(
            f"image link {shown(link)} leads to {shown(str(url))}: scheme {url.scheme!r}, expected http or https",
            remedy="link to the photo with http or https",
            code="blocked-scheme",
        )
    if url.userinfo:
        raise BlockedError(
            f"image link to {url.host!r} holds a user name or password, which would be sent and kept",
            remedy="serve the photo without a password, or put it in the feed's folder",
            code="blocked-credentials",
        )
    host = url.raw_host.decode("ascii")
    if not _HOST.fullmatch(host):
        raise FetchError(f"image link {shown(link)} names no valid host", remedy="correct the link", code="bad-url")
    port = url.port if url.port is not None else 443 if url.scheme == "https" else 80
    if not 0 < port < 65536:
        raise FetchError(f"image link {shown(link)} has the port {port}", remedy="correct the link", code="bad-url")
    return Target(url.scheme, host, port, url.raw_path.decode("ascii"), url.netloc.decode("ascii"))


def _conditions(known: Validators | None) -> dict[str, str]:
    headers = {}
    if known is not None and known.etag:
        headers["If-None-Match"] = known.etag
    if known is not None and known.last_modified:
        headers["If-Modified-Since"] = known.last_modified
    return headers


def _kept(validator: str | None) -> str | None:
    """A validator that can be sent back as it is."""
    usable = validator and len(validator) <= _MAX_VALIDATOR and validator.isascii() and validator.isprintable()
    return validator if usable else None


def _decoded(body: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Undo a compression that was not asked for, in pieces, so that a bomb is noticed before it is in memory."""
    if encoding.lower() in ("", "identity"):
        yield from body
        return
    if encoding.lower() not in ("gzip", "x-gzip", "deflate"):
        raise FetchError(
            f"the server compressed the photo with {encoding[:40]!r}, which was not asked for",
            remedy="switch that off for photos at the server",
            code="bad-answer",
        )
    inflater = zlib.decompressobj(wbits=47)  # gzip or zlib, by its header
    try:
        for piece in body:
            yield inflater.decompress(piece, _PIECE)
            while inflater.unconsumed_tail:
                yield inflater.decompress(inflater.unconsumed_tail, _PIECE)
    except zlib.error as exc:
        raise FetchError(
            f"the body is not the {encoding!r} that its header says", remedy="check the server", code="bad-answer"
        ) from exc
    if not inflater.eof:
        raise FetchError("the compressed body is cut off", remedy="try again later", code="connection")


def _refused(link: str, status: int) -> FetchError:
    """The error for a status that is neither the photo nor a redirect."""
    phrase = httpx.codes.get_reason_phrase(status)
    found = f"image link {shown(link)}: the server answered {status} {phrase}".rstrip()
    if status in (404, 410):
        return FetchError(f"{found}: the photo is not there", remedy="correct the link", code="http-404")
    if status in (401, 403):
        return FetchError(
            f"{found}: the photo is not open to us",
            remedy="let the server serve it without a login to this user agent",
            code="http-403",
        )
    if status == 429:
        return FetchError(f"{found}: too many requests", remedy="lower http.per_host, import again", code="http-429")
    if status >= 500:
        return FetchError(f"{found}: the server failed", remedy="import again later", code="http-server")
    return FetchError(f"{found}, expected 200", remedy="check what the link leads to", code="http-status")


def _retry_after(value: str) -> float:
    """Seconds that a ``Retry-After`` header asks for (RFC 9110, section 10.2.3); 0 where it asks for nothing."""
    if value.strip().isdecimal():
        return float(value[:10])
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return 0.0
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())
