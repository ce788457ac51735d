"""Requests and answers over HTTP: one connection pool, retries that do no harm, errors that say what to do."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeAlias

import httpx

from nitari.client.errors import UnreachableError, error_of
from nitari.errors import UsageError

Transport: TypeAlias = httpx.BaseTransport
"""How requests reach the server: ``httpx.HTTPTransport`` unless another is given."""
Files: TypeAlias = list[tuple[str, tuple[str | None, Any, str]]]
"""Parts of a form: field name, then file name, content (bytes or an open file), content type."""

JSON = {"Content-Type": "application/json"}
_FIRST_WAIT_S = 0.25
_LONGEST_WAIT_S = 30.0
# Below the 5 seconds after which uvicorn closes idle connections, so that none is used just as it goes away.
_KEEPALIVE_S = 3.0


class Connection:
    """A server. Safe for several threads.

    Args:
        base_url: Where it is, such as ``http://127.0.0.1:8321``; a path in it comes before every request's own.
        token: Sent as ``Authorization: Bearer``.
        timeout: Longest wait for a connection, and for each piece of an answer, seconds.
        retries: Further tries after a passing failure.
        transport: In place of the network.
        pause: Sleeps; tests do not wait.

    Raises:
        UsageError: where the arguments are not as above.
    """

    def __init__(
        self,
        base_url: str,
        *,
        token: str | None,
        timeout: float,
        retries: int,
        transport: Transport | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        if not base_url.startswith(("http://", "https://")):
            raise UsageError(f"base_url is {base_url!r}", remedy="give a URL such as http://127.0.0.1:8321")
        if token and not (token.isascii() and token.isprintable() and token == token.strip()):
            raise UsageError(
                "the token has a character that no header can carry", remedy="strip line ends and spaces from it"
            )
        if retries < 0:
            raise UsageError(f"retries is {retries}; it must be 0 or more")
        self._base_url = base_url.rstrip("/")
        self._retries = retries
        self._pause = pause
        self._timeout = timeout
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=timeout,
            transport=transport,
            limits=httpx.Limits(keepalive_expiry=_KEEPALIVE_S),
        )

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: bytes | None = None,
        files: Files | None = None,
        repeatable: bool = True,
        timeout: float | None = None,
    ) -> bytes:
        """Send a request and return the answer's body.

        A request that was not begun (no connection, 503 with ``Retry-After``) is always sent again; one whose answer
        was lost, only if ``repeatable``. One that timed out is not: the server may be at work on it still.

        Args:
            method: HTTP method.
            path: With a slash first, percent-encoded.
            params: The query, not encoded.
            json: A JSON body.
            files: A form instead.
            repeatable: Whether carrying it out twice does no more than once.
            timeout: Longest wait for each piece of the answer, seconds; the connection's own if not given.

        Raises:
            ApiError: the server answered with a problem.
            UnreachableError: it did not answer.
        """
        tries = 0
        patience = self._timeout if timeout is None else timeout
        while True:
            tries += 1
            last = tries > self._retries
            try:
                response = self._http.request(
                    method,
                    self._base_url + path,
                    params=params,
                    content=json,
                    files=files,
                    headers=JSON if json is not None else None,
                    timeout=httpx.Timeout(self._timeout, read=patience),
                )
            except httpx.ConnectError as exc:
                if last:
                    raise self._unreachable(f"no connection to {self._base_url}: {exc}") from exc
                wait = 0.0
            except httpx.TimeoutException as exc:
                raise UnreachableError(
                    f"no answer to {method} {path} within {patience:g} s",
                    remedy="give the client a longer timeout, or ask for less at a time",
                    code="timeout",
                ) from exc
            except httpx.TransportError as exc:
                if last or not repeatable:
                    raise self._unreachable(f"the connection broke during {method} {path}: {exc}") from exc
                wait = 0.0
            except httpx.InvalidURL as exc:
                raise UsageError(f"base_url is {self._base_url!r}: {exc}") from exc
            else:
                if response.is_success:
                    return response.content
                after = _retry_after(response)
                if last or after is None:
                    raise error_of(response.status_code, response.content)
                wait = after
            self._pause(max(wait, _backoff(tries)))

    def _unreachable(self, message: str) -> UnreachableError:
        return UnreachableError(message, remedy=f"see whether a Nitari server runs at {self._base_url}: nitari serve")


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds after which the server wants the request again; ``None`` where it does not say so."""
    if response.status_code not in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        return None
    said = response.headers.get("Retry-After", "")
    return min(float(said), _LONGEST_WAIT_S) if said.isascii() and said.isdigit() else None


def _backoff(tries: int) -> float:
    """Longer from try to try, and not the same for all clients that were turned away together."""
    return min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0 ** (tries - 1)) * random.uniform(0.5, 1.0)
