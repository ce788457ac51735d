"""A small HTTP/1.1 client that loads a server from one process, cheaply enough not to be what is measured.

Standard library only. It keeps connections open, sends one request at a time on each, and writes down how each ended.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

_LONGEST_WAIT_S = 120.0


@dataclass(frozen=True, slots=True)
class Call:
    """A request, ready to be sent.

    Args:
        kind: What it is counted under.
        data: Head and body.
    """

    kind: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back.

    Args:
        status: HTTP status; 0 where the connection broke, -1 where no answer came in time.
        headers: By lower-case name.
        body: As it came.
        ms: From the first byte sent to the last byte received, milliseconds.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    ms: float

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Tally:
    """How requests ended: statuses and latencies by kind of request, and what must not happen."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    ms: dict[str, list[float]] = field(default_factory=dict)
    busy_without_retry_after: int = 0

    def add(self, kind: str, reply: Reply) -> None:
        """Count an answer."""
        self.statuses[kind, reply.status] += 1
        if reply.status == 503 and not reply.headers.get("retry-after", "").isdigit():
            self.busy_without_retry_after += 1
        elif 200 <= reply.status < 400:
            self.ms.setdefault(kind, []).append(reply.ms)

    @property
    def sent(self) -> int:
        """How many requests there were."""
        return self.statuses.total()

    def by_status(self, kind: str | None = None) -> dict[str, int]:
        """Counts by status, of one kind or all."""
        found: Counter[str] = Counter()
        for (of, status), count in self.statuses.items():
            if kind in (None, of):
                found[{0: "connection lost", -1: "no answer"}.get(status, str(status))] += count
        return dict(sorted(found.items()))


class Requests:
    """Makes requests to one server.

    Args:
        root: ``http://host:port``.
    """

    def __init__(self, root: str) -> None:
        parts = urlsplit(root)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 80
        self._authority = parts.netloc
        self._api = "/v1/collections/default"

    def get(self, kind: str, path: str) -> Call:
        """A GET of a path on the server."""
        return self._call(kind, "GET", path, b"", "")

    def json(self, kind: str, path: str, body: Mapping[str, Any], method: str = "POST") -> Call:
        """JSON to a path below the collection."""
        return self._call(kind, method, self._api + path, json.dumps(body).encode(), "application/json")

    def item(self, item_id: str, *, k: int, **options: Any) -> Call:
        """A search by item id."""
        return self.json("item", "/search", {"item_id": item_id, "k": k, **options})

    def photo(self, data: bytes, *, k: int, **options: Any) -> Call:
        """A search by photo, the photo being the body."""
        query = urlencode({"options": json.dumps({"k": k, **options})})
        return self._call("photo", "POST", f"{self._api}/search?{query}", data, "image/jpeg")

    def put(self, item_id: str, item: Mapping[str, Any], *photos: bytes) -> Call:
        """An item with its photos, in a form."""
        boundary = uuid.uuid4().hex
        parts = [_part(boundary, 'name="item"', "application/json", json.dumps(item).encode())]
        parts += [_part(boundary, 'name="photo"; filename="a.jpg"', "image/jpeg", photo) for photo in photos]
        body = b"".join([*parts, f"--{boundary}--\r\n".encode()])
        return self._call("put", "PUT", self._item(item_id), body, f"multipart/form-data; boundary={boundary}")

    def delete(self, item_id: str) -> Call:
        """The deletion of an item."""
        return self._call("delete", "DELETE", self._item(item_id), b"", "")

    def _item(self, item_id: str) -> str:
        return f"{self._api}/items/{quote(item_id, safe='')}"

    def _call(self, kind: str, method: str, path: str, body: bytes, content_type: str) -> Call:
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._authority}\r\nAccept: */*\r\n"
        if content_type:
            head += f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        return Call(kind, head.encode() + b"\r\n" + body)


def _part(boundary: str, disposition: str, content_type: str, data: bytes) -> bytes:
    head = f"--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\nContent-Type: {content_type}\r\n\r\n"
    return head.encode() + data + b"\r\n"


class Connection:
    """One connection, opened when it is first used and again after it was lost."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, call: Call) -> Reply:
        """Send a request and wait for its answer; one that never comes is an answer, too."""
        started = time.perf_counter()
        try:
            async with asyncio.timeout(_LONGEST_WAIT_S):
                status, headers, body = await self._exchange(call.data)
        except TimeoutError:
            self.close()
            return Reply(-1, {}, b"", (time.perf_counter() - started) * 1e3)
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
            self.close()
            return Reply(0, {}, b"", (time.perf_counter() - started) * 1e3)
        return Reply(status, headers, body, (time.perf_counter() - started) * 1e3)

    def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _exchange(self, data: bytes) -> tuple[int, dict[str, str], bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._requests.host, self._requests.port)
        reader, writer = self._streams
        writer.write(data)
        await writer.drain()
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        if headers.get("connection", "").lower() == "close":
            self.close()
        return int(first.split(" ", 2)[1]), headers, body


async def one_by_one(requests: Requests, calls: Iterable[Call]) -> list[Reply]:
    """Send requests one after the other on one connection."""
    connection = Connection(requests)
    try:
        return [await connection.send(call) for call in calls]
    finally:
        connection.close()


async def keep_busy(
    requests: Requests,
    calls: Iterator[Call],
    *,
    connections: int,
    seconds: float,
    pause_s: float = 0.0,
    then: Callable[[Call, Reply], Awaitable[None]] | None = None,
) -> Tally:
    """Load a server: so many connections, each of which sends the next of ``calls`` as soon as it has its answer.

    Every request that was begun is waited for. After a 503, a connection waits as long as the server asks for.

    Args:
        requests: Where to.
        calls: Requests; used by all connections, until they end or time is up.
        connections: How many at a time.
        seconds: How long requests are begun for.
        pause_s: Rest of each connection between two requests.
        then: Called with each answer.
    """
    tally = Tally()
    end = time.monotonic() + seconds

    async def work() -> None:
        connection = Connection(requests)
        for call in calls:
            if time.monotonic() >= end:
                break
            reply = await connection.send(call)
            tally.add(call.kind, reply)
            if then is not None:
                await then(call, reply)
            wait = float(reply.headers.get("retry-after", "1")) if reply.status == 503 else pause_s
            if wait:
                await asyncio.sleep(min(wait, max(0.0, end - time.monotonic())))
        connection.close()

    await asyncio.gather(*(work() for _ in range(connections)))
    return tally
