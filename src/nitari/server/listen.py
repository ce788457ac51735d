"""Sockets to the application, by uvicorn: bounded heads and connections, and an end that is clean and soon."""

from __future__ import annotations

import gc
import json
import signal
import socket
import sys
from asyncio import TimerHandle, Transport
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import HANDLED_SIGNALS

from nitari.server.problems import MEDIA_TYPE, RETRY_AFTER_S

MAX_HEAD_BYTES = 64 * 2**10
"""Longest request line with headers, not counting the piece that the head begins in and the one it ends in."""
HEAD_S = 10.0
"""Longest time for a head to arrive, from the connection or the head's first byte on."""
MAX_CONNECTIONS = 800
"""Below the 1,024 open files that a process often may have."""
KEEP_ALIVE_S = 10
SHUTDOWN_S = 15
"""Longest wait for answers under way when the server is told to stop."""
SWITCH_S = 0.0005
"""How long a thread may keep the interpreter while another wants it. With Python's own 5 ms, a query that comes while
the change log is followed waits that long each time it comes back from a kernel: dozens of milliseconds in all."""


def serve(app: FastAPI, *, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM comes. To be called by the main thread, once: SIGTERM is ignored afterwards.

    Args:
        app: What is served.
        host: Address to bind to.
        port: Port to bind to; 0 for any free one.
        announce: Called once with the address, such as ``http://127.0.0.1:8321``, when connections are accepted.

    Raises:
        SystemExit: the port cannot be bound, or the application did not start; uvicorn has logged why.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=BoundedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
    calm_interpreter()
    _Server(config, announce).run()


def calm_interpreter() -> None:
    """Have Python itself hold queries up as little as can be; to be called once what is served is open.

    What is there by then stays. To look through all of it for garbage over and over holds every query up, for 30 ms
    with a hundred thousand objects, a few times a minute.
    """
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol over httptools, which by itself takes heads of any length, for any time."""

    _head_timer: TimerHandle | None = None
    _head_bytes = 0
    _in_head = False

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """A client has come."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            self._turn_away(HTTPStatus.SERVICE_UNAVAILABLE, "busy", f"{MAX_CONNECTIONS} connections are open already")
        else:
            self._begin_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._end_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes have come."""
        if self.transport.is_closing():  # turned away: what still comes is nobody's
            return
        began_before = self._in_head
        super().data_received(data)
        if began_before and self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
                detail = f"the request's head is longer than {MAX_HEAD_BYTES} bytes"
                self._turn_away(status, "head-too-large", detail)

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = 0
        if self._head_timer is None:
            self._begin_head()

    def on_headers_complete(self) -> None:
        """The last byte of a request's head."""
        self._end_head()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """A request that httptools cannot read."""
        detail = f"the request is not HTTP/1.1 (RFC 9112), or its target is longer than {MAX_HEAD_BYTES - 1} bytes"
        self._turn_away(HTTPStatus.BAD_REQUEST, "not-http", detail)

    def _begin_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_S, self._too_slow)

    def _end_head(self) -> None:
        self._in_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        if self._in_head:
            detail = f"the request's head did not arrive within {HEAD_S:g} s"
            self._turn_away(HTTPStatus.REQUEST_TIMEOUT, "head-too-slow", detail)
        else:  # a connection without a request: there is nothing to answer
            self._end_head()
            self.transport.close()

    def _turn_away(self, status: HTTPStatus, code: str, detail: str) -> None:
        """Answer below the application, and hang up."""
        self._end_head()
        if not self.transport.is_closing():
            self.transport.write(_canned(status, code, detail))
            self.transport.close()


class _Server(uvicorn.Server):
    """A server that says where it is once it is bound (with port 0 nobody knows before), and ends with 0."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[str], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for bound in self.servers[:1]:
            host, port = bound.sockets[0].getsockname()[:2]
            self._announce(f"http://{f'[{host}]' if ':' in host else host}:{port}")

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are ours; SIGTERM to the end of the process, whatever is closed on the way there.

        Not uvicorn's own, which gives it back: who says it twice then ends the process amid its closing, with -15.
        """
        before = {number: signal.signal(number, self.handle_exit) for number in HANDLED_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, signal.SIG_IGN if number == signal.SIGTERM else handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop. Not uvicorn's own, which raises the signal again at the end: stopping when told to is no failure."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


def _canned(status: HTTPStatus, code: str, detail: str) -> bytes:
    """A whole response, for where there is no application to ask."""
    shown: dict[str, Any] = {"type": "about:blank", "title": status.phrase, "status": status, "detail": detail}
    body = json.dumps({**shown, "code": code, "remedy": "", "errors": []}).encode()
    head = (
        f"HTTP/1.1 {status:d} {status.phrase}\r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\n"
        f"retry-after: {RETRY_AFTER_S}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body
