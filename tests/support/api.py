"""A server to be sent anything, and what every answer to a mistake must be like."""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

import nitari
from support.rigged import Rigging
from support.server import FAST, PATIENCE_S, Server, serving

API = "/v1/collections/default"
MAX_BODY = 12_000_000
# A decoded 100-megapixel photo is 300 MB; a bomb that got past the caps would be several gigabytes.
MAX_RSS_MB = 1200
OURS = ("Traceback", "site-packages", str(Path(nitari.__file__).parent), "sqlite3", "sqlalchemy")
"""What no answer may hold: traces, folders and libraries of the server."""


@dataclass(frozen=True)
class Probed:
    """A small shop's server.

    Args:
        server: The server.
        client: A client of it.
        folder: Where everything of this test lies; no answer may name it.
    """

    server: Server
    client: httpx.Client
    folder: Path

    def check(self, response: httpx.Response, *statuses: int) -> dict[str, Any]:
        """A problem document of one of ``statuses`` (any 4xx by default) that tells what is wrong, and no more."""
        assert 400 <= response.status_code < 500, (response.request.url, response.status_code, response.text[:500])
        assert not statuses or response.status_code in statuses, response.text[:500]
        assert response.headers["content-type"] == "application/problem+json", response.text[:500]
        body: dict[str, Any] = response.json()
        assert body["status"] == response.status_code
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", body["code"]), body
        assert body["title"], body
        assert len(body["detail"]) > 8, body
        assert len(response.text) < 20_000, "an answer as long as the mistake"
        self.keeps_to_itself(response.text)
        return body

    def keeps_to_itself(self, text: str) -> None:
        """Nothing of the server's inside is in its answer."""
        for ours in (*OURS, str(self.folder)):
            assert ours not in text, text[:1000]

    def alive(self) -> None:
        """The server answers as before."""
        answer = self.client.post(f"{API}/search", json={"item_id": "i0001", "k": 3})
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["hits"]) == 3

    def raw(self, data: bytes, *, half: bool = False) -> tuple[int, str]:
        """Status and text of the answer to these bytes; status 0 where the server hangs up without one.

        Args:
            data: What is sent.
            half: Stop sending, and say so, so that the server need not wait for more.
        """
        parts = urlsplit(self.server.url)
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=PATIENCE_S) as connection:
            received = b""
            try:
                connection.sendall(data)
                if half:
                    connection.shutdown(socket.SHUT_WR)
                while piece := connection.recv(65536):
                    received += piece
            except ConnectionError:
                pass  # the server hung up before it had read all
            except OSError as exc:
                if exc.errno != errno.ENOTCONN:  # the same, seen by shutdown
                    raise
        head, _, body = received.partition(b"\r\n\r\n")
        found = re.match(rb"HTTP/1\.[01] (\d{3})", head)
        text = body.decode("utf-8", "replace")
        self.keeps_to_itself(text)
        return (int(found[1]) if found else 0), text

    def ask(self, target: str, *, method: str = "GET", head: str = "", host: str | None = None) -> tuple[int, str]:
        """A request for a target as it stands, unmended."""
        host = urlsplit(self.server.url).netloc if host is None else host
        return self.raw(f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{head}Connection: close\r\n\r\n".encode())

    def peak_mb(self) -> float:
        """The most memory that the server ever held, MB; 0 where the system does not say."""
        status = Path(f"/proc/{self.server.pid}/status")
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
        return int(found[1]) / 1024 if found else 0.0


@contextmanager
def probing(home: Path, *, env: dict[str, str] | None = None) -> Iterator[Probed]:
    """Serve a home folder on a network where no name but its own exists; it must connect to nothing."""
    rigging = Rigging(home.parent / "connections.jsonl")
    limits = {"NITARI__SERVER__MAX_BODY_BYTES": str(MAX_BODY), "NITARI__HTTP__RETRIES": "0"}
    with (
        serving(home, env={**FAST, **limits, **rigging.env(), **(env or {})}, module="support.rigged") as server,
        httpx.Client(base_url=server.url, timeout=PATIENCE_S) as client,
    ):
        yield Probed(server, client, home.parent)
    assert rigging.connections() == [], "the server connected to somewhere"
