"""Connections that go to the very address that was checked, and end when their time is up; the only user of httpcore.

The name is resolved once, every address it stands for is checked, and the socket is opened to one of those addresses,
so that a name that changes its mind between check and use (DNS rebinding) gains nothing. Redirects and retries open
their connections here too. No proxy is asked, and nothing is read from the environment.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from time import monotonic
from typing import Any, TypeAlias

import httpcore

from nitari.errors import BlockedError, FetchError
from nitari.images.addresses import Address, why_blocked, why_port_blocked

Resolve: TypeAlias = Callable[[str, int], Sequence[str]]
"""A host name and a port to addresses as text; raises ``OSError`` where there are none."""

_MAX_ADDRESSES = 4  # tried in turn; a name with more dead addresses is the server's problem
_CHUNK = 65536
_KEEP_ALIVE_S = 15.0


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes, taken apart and normalized by whoever parsed the URL.

    Args:
        scheme: ``http`` or ``https``.
        host: ASCII name or literal address, without brackets.
        port: Explicit or the scheme's own.
        path: Path and query, percent-encoded.
        authority: The ``Host`` header's value.
    """

    scheme: str
    host: str
    port: int
    path: str
    authority: str


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer whose body has not been read yet.

    Args:
        status: HTTP status.
        headers: By lower-case name; the last of several.
        body: The body as it comes, undecoded; reading it raises as ``Network.get`` does.
    """

    status: int
    headers: Mapping[str, str]
    body: Iterator[bytes]


def system_resolve(host: str, port: int) -> Sequence[str]:
    """All addresses that the operating system knows for a name, odd notations of IPv4 (``0x7f.1``) included."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Network:
    """Sends GET requests over pooled connections. Safe to call from several threads at once.

    Args:
        allow_private: Whether private, loopback and other special addresses, and any port, may be connected to.
        timeout_s: Longest wait for a connection and between two pieces of an answer, seconds.
        resolve: How names become addresses.
        backend: What opens sockets to addresses (tests put a recorder here).
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        timeout_s: float = 20.0,
        resolve: Resolve = system_resolve,
        backend: httpcore.NetworkBackend | None = None,
    ) -> None:
        self._timeout_s = timeout_s
        self._deadline = _Deadline()
        self._backend = _CheckedBackend(backend or httpcore.SyncBackend(), resolve, self._deadline, allow_private)
        self._lock = threading.Lock()
        self._pool: httpcore.ConnectionPool | None = None

    @contextmanager
    def get(self, target: Target, headers: Mapping[str, str], *, within_s: float) -> Iterator[Reply]:
        """Send a request; the connection is given back, or closed if the body was not read, at the end of the block.

        Args:
            target: Where to.
            headers: Beside ``Host``.
            within_s: Seconds for all of it: resolving, connecting, and every byte of the answer.

        Raises:
            BlockedError: ``blocked-address`` or ``blocked-port``.
            FetchError: ``dns``, ``dns-busy``, ``timeout``, ``tls``, ``connection`` or ``bad-answer``.
        """
        url = httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
        fields: dict[bytes | str, bytes | str] = {"Host": target.authority}
        fields.update(headers.items())
        limits = dict.fromkeys(("connect", "read", "write", "pool"), self._timeout_s)
        with (
            self._deadline.set(within_s),
            _translated(target),
            self._connections().stream("GET", url, headers=fields, extensions={"timeout": limits}) as response,
        ):
            answered = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            yield Reply(response.status, answered, response.iter_stream())

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            if self._pool is not None:
                self._pool.close()

    def _connections(self) -> httpcore.ConnectionPool:
        """The pool, made on first use."""
        with self._lock:
            if self._pool is None:
                self._pool = httpcore.ConnectionPool(
                    ssl_context=_certificates(),
                    max_connections=None,
                    max_keepalive_connections=20,
                    keepalive_expiry=_KEEP_ALIVE_S,
                    network_backend=self._backend,
                )
            return self._pool


@cache
def _certificates() -> ssl.SSLContext:
    """The authorities that are trusted; reading them takes tens of milliseconds, so once."""
    return httpcore.default_ssl_context()


class _Deadline(threading.local):
    """When the calling thread's request must be done: connections are shared in turn, deadlines are not."""

    at: float = float("inf")

    @contextmanager
    def set(self, seconds: float) -> Iterator[None]:
        self.at = monotonic() + seconds
        try:
            yield
        finally:
            self.at = float("inf")

    def limit(self, timeout: float | None) -> float:
        """A timeout cut to what is left of the deadline."""
        left = self.at - monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the time for the whole download is used up")
        return left if timeout is None else min(timeout, left)


class _CheckedBackend(httpcore.NetworkBackend):
    """Opens connections to addresses that were checked, never to names."""

    def __init__(
        self, inner: httpcore.NetworkBackend, resolve: Resolve, deadline: _Deadline, allow_private: bool
    ) -> None:
        self._inner = inner
        self._resolve = resolve
        self._deadline = deadline
        self._allow_private = allow_private

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = self._checked(host, port)
        for last, address in ((i == len(addresses) - 1, address) for i, address in enumerate(addresses)):
            try:
                stream = self._inner.connect_tcp(
                    address, port, self._deadline.limit(timeout), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if last:
                    raise
                continue
            return _TimedStream(stream, self._deadline)
        raise httpcore.ConnectError(f"no address for {host}")

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        raise httpcore.UnsupportedProtocol("image links never lead to a socket of this machine")

    def _checked(self, host: str, port: int) -> list[str]:
        """The addresses of ``host``, each of them allowed; one bad address among them spoils the name."""
        reason = None if self._allow_private else why_port_blocked(port)
        if reason is not None:
            raise BlockedError(
                f"port {port} of {host} is refused: {reason}",
                remedy="serve the photo on port 80, 443 or one above 1023",
                code="blocked-port",
            )
        try:
            found = _within(self._deadline.limit(None), lambda: self._resolve(host, port))
        except (OSError, UnicodeError) as exc:
            busy = (
                isinstance(exc, OSError) and exc.errno == socket.EAI_AGAIN
            )  # else the name will not exist later either
            raise FetchError(
                f"host {host!r} has no address: {exc}",
                remedy="check the host's name and your DNS",
                code="dns-busy" if busy else "dns",
            ) from exc
        addresses = [_parse(text, host) for text in found]
        if not addresses:
            raise FetchError(f"host {host!r} has no address", remedy="check the host's name", code="dns")
        for address in addresses:
            kind = None if self._allow_private else why_blocked(address)
            if kind is not None:
                raise BlockedError(
                    f"host {host!r} leads to {address}, which is {kind}, not on the public internet",
                    remedy="link to a public address, or set http.allow_private if you trust every link",
                    code="blocked-address",
                )
        return [str(address) for address in addresses[:_MAX_ADDRESSES]]


class _TimedStream(httpcore.NetworkStream):
    """A connection on which no single wait goes past the deadline, so that a server cannot drip a byte at a time."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(min(max_bytes, _CHUNK), self._deadline.limit(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._deadline.limit(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        try:
            inner = self._inner.start_tls(ssl_context, server_hostname, self._deadline.limit(timeout))
        except httpcore.ConnectError as exc:
            if not isinstance(exc.__cause__, ssl.SSLError):
                raise
            raise FetchError(
                f"no secure connection to {server_hostname}: {exc}",
                remedy="the server needs a valid certificate for this name (or this machine its authority)",
                code="tls",
            ) from exc
        return _TimedStream(inner, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _parse(text: str, host: str) -> Address:
    try:
        address = ipaddress.ip_address(text)
    except ValueError as exc:
        raise FetchError(f"host {host!r} has the odd address {text!r}", remedy="check your DNS", code="dns") from exc
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        return ipaddress.IPv6Address(int(address))  # a scope belongs to link-local addresses, which are judged as such
    return address


def _within(seconds: float, call: Callable[[], Sequence[str]]) -> Sequence[str]:
    """The result of a call that knows no timeout (the system's resolver), waited for so long and no longer."""
    box: queue.SimpleQueue[Sequence[str] | Exception] = queue.SimpleQueue()

    def run() -> None:
        try:
            box.put(call())
        except Exception as exc:  # noqa: BLE001 - handed to the waiting thread
            box.put(exc)

    threading.Thread(target=run, name="nitari-resolve", daemon=True).start()
    try:
        result = box.get(timeout=seconds)
    except queue.Empty:
        raise httpcore.ConnectTimeout("the resolver did not answer") from None
    if isinstance(result, Exception):
        raise result
    return result


@contextmanager
def _translated(target: Target) -> Iterator[None]:
    """Errors of httpcore become ours."""
    try:
        yield
    except httpcore.TimeoutException as exc:
        raise FetchError(
            f"{target.host} did not answer in time ({str(exc) or type(exc).__name__})",
            remedy="try again later, or raise http.timeout_s and http.total_timeout_s",
            code="timeout",
        ) from exc
    except httpcore.ConnectError as exc:
        raise FetchError(
            f"no connection to {target.host} on port {target.port}: {exc}",
            remedy="check that the server runs and can be reached from here",
            code="connection",
        ) from exc
    except httpcore.NetworkError as exc:
        raise FetchError(
            f"the connection to {target.host} broke: {exc}", remedy="try again later", code="connection"
        ) from exc
    except httpcore.RemoteProtocolError as exc:
        raise FetchError(
            f"{target.host} broke off or does not speak HTTP: {exc}",
            remedy="check what the link leads to, and try again",
            code="bad-answer",
        ) from exc
    except (httpcore.ProtocolError, httpcore.UnsupportedProtocol) as exc:
        raise FetchError(
            f"no request can be made of this link: {exc}", remedy="correct the link", code="bad-url"
        ) from exc
