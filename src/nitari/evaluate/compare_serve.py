"""The page of a comparison on this machine alone, so that judgments are kept as they are made.

Everything lies below a path that nobody can guess, and requests must name this very server (``Host``) and come from
its own page (``Origin``, ``Sec-Fetch-Site``): a page elsewhere in the same browser can neither read nor judge.
"""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hmac import compare_digest
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from types import TracebackType
from typing import Any, ClassVar, Self

from nitari.errors import DependencyError, NitariError, UsageError
from nitari.evaluate.compare_marks import MarksFile
from nitari.types import is_printable_id

MAX_BODY = 8192
PATIENCE_S = 30.0
_HOST = "127.0.0.1"
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered."""

    status: HTTPStatus
    kind: str
    body: bytes


class CompareSite:
    """What is served, without a network: requests in, replies out. Safe for several threads.

    Args:
        render: Makes the page from the marks so far.
        picture: A photo of the page by its number, as a JPEG; raises ``NitariError`` where it cannot be had.
        marks: Where judgments go.
        queries: Ids of the queries that can be judged.
        token: The path that everything lies below.
    """

    def __init__(
        self,
        *,
        render: Callable[[Mapping[str, Mapping[str, int]]], str],
        picture: Callable[[int], bytes],
        marks: MarksFile,
        queries: frozenset[str],
        token: str | None = None,
    ) -> None:
        self._render = render
        self._picture = picture
        self._marks = marks
        self._queries = queries
        self.token = token or secrets.token_urlsafe(24)
        self._lock = Lock()
        self._page: tuple[Mapping[str, Mapping[str, int]], bytes] | None = None

    def get(self, path: str) -> Reply:
        """The page, or a photo of it."""
        parts = self._below(path)
        if parts == [""]:
            return Reply(HTTPStatus.OK, "text/html; charset=utf-8", self._current())
        if parts is not None and len(parts) == 2 and parts[0] == "photo" and parts[1].isdecimal():
            try:
                return Reply(HTTPStatus.OK, "image/jpeg", self._picture(int(parts[1])))
            except NitariError as exc:
                return _refusal(HTTPStatus.NOT_FOUND, exc.message)
        return _refusal(HTTPStatus.NOT_FOUND, "there is nothing here; open the address that nitari compare printed")

    def post(self, path: str, body: bytes) -> Reply:
        """Judge a hit, or take a judgment back: ``{"query": ..., "item": ..., "grade": 0 | 1 | null}``."""
        if self._below(path) != ["judgments"]:
            return _refusal(HTTPStatus.NOT_FOUND, "there is nothing here")
        try:
            query, item, grade = self._judgment(body)
            count = self._marks.set(query, item, grade)
        except UsageError as exc:
            return _refusal(HTTPStatus.BAD_REQUEST, exc.message)
        except DependencyError as exc:
            return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, exc.message)
        return Reply(HTTPStatus.OK, "application/json", json.dumps({"judgments": count}).encode())

    def _judgment(self, body: bytes) -> tuple[str, str, int | None]:
        try:
            told = json.loads(body)
            query, item, grade = told["query"], told["item"], told["grade"]
        except (ValueError, KeyError, TypeError) as exc:
            raise UsageError(f"expected JSON with query, item and grade: {exc}") from exc
        if not isinstance(query, str) or query not in self._queries:
            raise UsageError(f"query {str(query)[:80]!r} is not of this comparison")
        if not isinstance(item, str) or not item or not is_printable_id(item):
            raise UsageError("the item is not an id")
        if grade is not None and (not isinstance(grade, int) or isinstance(grade, bool) or grade not in (0, 1)):
            raise UsageError(f"the grade is {str(grade)[:80]!r}, expected 0, 1 or null")
        return query, item, grade

    def _below(self, path: str) -> list[str] | None:
        """The parts of a path below the secret one; ``None`` where it is another."""
        _, _, rest = path.partition("?")[0].partition("/")
        token, slash, below = rest.partition("/")
        # Compared as bytes: a path may hold any characters.
        return below.split("/") if slash and compare_digest(token.encode(), self.token.encode()) else None

    def _current(self) -> bytes:
        """The page with all marks counted in; made anew only where there are others."""
        with self._lock:
            marks = self._marks.marks
            if self._page is None or self._page[0] != marks:
                self._page = (marks, self._render(marks).encode())
            return self._page[1]


class CompareServer:
    """Serves a site on loopback. Use it in a ``with`` statement.

    Args:
        site: What is served.
        port: Port to bind to; 0 for any free one.

    Raises:
        UsageError: the port is taken.
    """

    def __init__(self, site: CompareSite, port: int = 0) -> None:
        try:
            self._server = _Server((_HOST, port), _Handler)
        except OSError as exc:
            raise UsageError(f"port {port} cannot be bound: {exc.strerror}", remedy="give another --port") from exc
        self._server.site = site
        self.origin = f"http://{_HOST}:{self._server.server_address[1]}"
        self.url = f"{self.origin}/{site.token}/"

    def run(self) -> None:
        """Serve until ``stop`` is called, or Ctrl-C."""
        self._server.serve_forever(poll_interval=0.2)

    def stop(self) -> None:
        """Have ``run`` return; to be called from another thread."""
        self._server.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    site: CompareSite

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that hangs up in the middle is nothing to tell; anything else is."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "nitari"
    sys_version = ""
    timeout = PATIENCE_S
    server: _Server
    _own: ClassVar[frozenset[str]] = frozenset({"same-origin", "none"})

    def do_GET(self) -> None:
        """Answer a GET."""
        self._answer(self._foreign() or self.server.site.get(self.path))

    def do_POST(self) -> None:
        """Answer a POST."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MAX_BODY:
            self.close_connection = True
            self._answer(_refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body of at most {MAX_BODY} bytes is taken"))
            return
        body = self.rfile.read(int(length))
        if self.headers.get("Content-Type", "").partition(";")[0].strip() != "application/json":
            self._answer(_refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "judgments are sent as application/json"))
            return
        self._answer(self._foreign() or self.server.site.post(self.path, body))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - of the base class
        """Say nothing: paths hold the token."""

    def _foreign(self) -> Reply | None:
        """A refusal where the request is addressed to another name, or comes from another page."""
        port = self.server.server_address[1]
        hosts = {f"{_HOST}:{port}", f"localhost:{port}"}
        origin = self.headers.get("Origin")
        site = self.headers.get("Sec-Fetch-Site")
        if self.headers.get("Host", "") not in hosts:
            return _refusal(HTTPStatus.MISDIRECTED_REQUEST, "this server is called 127.0.0.1 and localhost")
        if origin is not None and origin not in {f"http://{host}" for host in hosts}:
            return _refusal(HTTPStatus.FORBIDDEN, "requests come from the page itself")
        if site is not None and site not in self._own:
            return _refusal(HTTPStatus.FORBIDDEN, "requests come from the page itself")
        return None

    def _answer(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)


def _refusal(status: HTTPStatus, detail: str) -> Reply:
    return Reply(status, "application/json", json.dumps({"detail": detail}).encode())
