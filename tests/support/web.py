"""A loopback web server for tests: it answers what a test tells it to, and counts who connected."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias


@dataclass
class Answer:
    """What the server says.

    Args:
        status: HTTP status.
        body: Sent as it is.
        headers: Beside ``Content-Length``, which is right unless it is among them.
        write: Called with a function that sends bytes, in place of ``body``; no ``Content-Length`` then.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    write: Callable[[Callable[[bytes], None]], None] | None = None


Route: TypeAlias = Callable[[Mapping[str, str]], Answer]


class Web:
    """A running server.

    Attributes:
        routes: By path: what answers, given the request's headers (lower case); change it at will.
        paths: Every request's path, in order.
        connections: How many connections were accepted.
        most_at_once: The largest number of requests that were being answered at the same time.
    """

    def __init__(self) -> None:
        self.routes: dict[str, Route] = {}
        self.paths: list[str] = []
        self.connections = 0
        self.most_at_once = 0
        self._now = 0
        self._lock = threading.Lock()
        web = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                with web._lock:
                    web.connections += 1
                super().setup()

            def do_GET(self) -> None:
                web._answer(self)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                """Clients that hang up are what some tests are about."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """The address of a path on this server."""
        return f"http://{host}:{self.port}{path}"

    def serve(self, path: str, answer: Answer) -> str:
        """Answer a path always alike; returns its address."""
        self.routes[path] = lambda _headers: answer
        return self.url(path)

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        with self._lock:
            self.paths.append(handler.path)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            route = self.routes.get(handler.path, lambda _headers: Answer(404))
            answer = route({name.lower(): value for name, value in handler.headers.items()})
            self._send(handler, answer)
        finally:
            with self._lock:
                self._now -= 1

    def _send(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        handler.send_response(answer.status)
        headers = dict(answer.headers)
        if answer.write is not None:
            handler.close_connection = True
            headers["Connection"] = "close"
        elif answer.status != 304:
            headers.setdefault("Content-Length", str(len(answer.body)))
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        if answer.write is not None:
            answer.write(handler.wfile.write)
        elif answer.status != 304:
            handler.wfile.write(answer.body)


@contextmanager
def running_web() -> Iterator[Web]:
    """A server for the time of the block."""
    web = Web()
    try:
        yield web
    finally:
        web.stop()
