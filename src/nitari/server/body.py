"""Bodies of requests, bounded: their kind, their length, the time they take, and the parts of a form.

A body is held in memory and never touches a disk: a shopper's photo is nobody else's, not even for a moment in a
temporary file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from threading import Lock
from weakref import finalize

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from nitari.errors import BusyError
from nitari.server.problems import RequestError

JSON = "application/json"
FORM = "multipart/form-data"
BINARY = "application/octet-stream"
IMAGES = "image/*"

MAX_JSON_BYTES = 4 * 2**20
"""Longest JSON: a thousand edits, or a vector of the widest model, with room to spare."""
SMALL_BYTES = 65_536
MAX_PARTS = 64
PATIENCE_S = 60.0
"""Longest time for a body to arrive; slower ones only hold memory."""
_MAX_HEADERS = 16_384


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Body:
    """What a request brought.

    Args:
        kind: Media type in lower case, without parameters.
        parameters: The media type's parameters.
        data: All of it.
    """

    kind: str
    parameters: Mapping[str, str]
    data: bytes


@dataclass(frozen=True, slots=True)
class Part:
    """A field of a form.

    Args:
        name: The field's.
        file_name: As the client calls it: not to be trusted; ``None`` where the field is no file.
        data: Its content.
    """

    name: str
    file_name: str | None
    data: bytes


class Room:
    """Bytes of bodies that may be in memory at a time: what is being received, and what waits or is worked on.

    A queue bounds how many requests wait, but a body is received before its request can wait.

    Args:
        most: Bytes.
    """

    def __init__(self, most: int) -> None:
        self._free = most
        self._lock = Lock()

    @property
    def free(self) -> int:
        """Bytes that are left."""
        return self._free

    def take(self, size: int) -> None:
        """Take some.

        Raises:
            BusyError: there are not that many left.
        """
        with self._lock:
            if size > self._free:
                raise BusyError(
                    "the server holds as many bytes of requests as it may",
                    remedy="send the same request again in a second",
                )
            self._free -= size

    def give(self, size: int) -> None:
        """Give back."""
        with self._lock:
            self._free += size


async def read_body(request: Request, *, accepts: Collection[str], most: int, room: Room | None = None) -> Body:
    """The body, refused as soon as it is known not to do.

    Args:
        request: Whose body.
        accepts: Media types, with ``image/*`` for any image.
        most: Longest body, bytes; JSON is held to ``MAX_JSON_BYTES`` as well.
        room: What a body takes of it is given back when the ``Body`` is let go of.

    Raises:
        RequestError: 415 of another kind, 413 too long, 408 too slow.
        BusyError: there is no room for it at present.
    """
    kind, parameters = _kind(request)
    if kind not in accepts and not (IMAGES in accepts and kind.startswith("image/")):
        raise RequestError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"the content type is {kind or '(none)'}; expected {' or '.join(accepts)}",
            remedy="say what the body is in the header Content-Type",
            code="content-type",
        )
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise RequestError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "the body is compressed; expected it as it is",
            remedy="leave out the header Content-Encoding, and the compression with it",
            code="content-encoding",
        )
    most = min(most, MAX_JSON_BYTES) if kind == JSON else most
    claim = _Claim(room)
    try:
        body = Body(kind, parameters, await _read(request, most, claim))
    except BaseException:
        claim.end()
        raise
    if claim.size:
        finalize(body, claim.end)
    return body


class _Claim:
    """What one body takes of the room. Small bodies are not counted: it would cost more than they do."""

    def __init__(self, room: Room | None) -> None:
        self._room = room
        self.size = 0

    def grow(self, size: int) -> None:
        """The body has grown to ``size``."""
        if self._room is not None and size > SMALL_BYTES:
            self._room.take(size - self.size)
            self.size = size

    def end(self) -> None:
        """The body is gone."""
        if self._room is not None and self.size:
            self._room.give(self.size)
            self.size = 0


async def _read(request: Request, most: int, claim: _Claim) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise _too_large(most)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(PATIENCE_S):
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise _too_large(most)
                claim.grow(size)
                parts.append(part)
    except TimeoutError as exc:
        raise RequestError(
            HTTPStatus.REQUEST_TIMEOUT,
            f"the body did not arrive within {PATIENCE_S:.0f} s; {size} bytes of it did",
            code="slow-body",
            headers={"Connection": "close"},
        ) from exc
    return parts[0] if len(parts) == 1 else b"".join(parts)


def parse_form(body: Body) -> tuple[Part, ...]:
    """The fields of a ``multipart/form-data`` body (RFC 7578), in order.

    Raises:
        RequestError: 400 a body that is not such a form, or has more than ``MAX_PARTS`` fields.
    """
    boundary = body.parameters.get("boundary", "")
    if not boundary:
        raise _bad_form("the content type multipart/form-data names no boundary")
    collector = _Collector()
    try:
        # The library names a type of its own for the callbacks, which is there for type checkers only.
        parser = MultipartParser(boundary.encode("latin-1", "replace"), collector.callbacks())  # type: ignore[arg-type]
        parser.write(body.data)
        parser.finalize()
    except FormParserError as exc:
        raise _bad_form(f"the body is not multipart/form-data: {exc}") from exc
    if not collector.ended:
        raise _bad_form("the form has no end: its closing boundary is missing")
    return tuple(collector.parts)


class _Collector:
    """Builds parts from what the parser meets."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.ended = False
        self._headers: dict[str, bytes] = {}
        self._name, self._value = b"", b""
        self._data: list[bytes] = []

    def callbacks(self) -> Mapping[str, object]:
        """What the parser calls."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_part_data": self._part_data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        if len(self.parts) >= MAX_PARTS:
            raise _bad_form(f"the form has more than {MAX_PARTS} fields")
        self._headers, self._name, self._value, self._data = {}, b"", b"", []

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]
        self._limit(self._name)

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._limit(self._value)

    def _header_end(self) -> None:
        self._headers[self._name.decode("latin-1").lower()] = self._value
        self._name, self._value = b"", b""

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        self._data.append(data[start:end])

    def _part_end(self) -> None:
        disposition, options = parse_options_header(self._headers.get("content-disposition"))
        if disposition != b"form-data" or b"name" not in options:
            raise _bad_form("a part of the form has no Content-Disposition: form-data with a name")
        name = options[b"name"].decode("utf-8", "replace")
        file_name = options.get(b"filename")
        self.parts.append(
            Part(name, None if file_name is None else file_name.decode("utf-8", "replace")[:255], b"".join(self._data))
        )

    def _end(self) -> None:
        self.ended = True

    def _limit(self, header: bytes) -> None:
        if len(header) > _MAX_HEADERS:
            raise _bad_form(f"a part of the form has a header of more than {_MAX_HEADERS} bytes")


def _kind(request: Request) -> tuple[str, dict[str, str]]:
    """Media type and its parameters."""
    given = request.headers.get("content-type", "")
    if given == JSON:  # the most frequent, and quickly told
        return JSON, {}
    kind, options = parse_options_header(given)
    parameters = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in options.items()}
    return kind.decode("latin-1").strip().lower(), parameters


def _too_large(most: int) -> RequestError:
    return RequestError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the body is longer than the {most} bytes that are taken here",
        remedy="send a smaller photo or fewer edits at a time",
        code="too-large",
        headers={"Connection": "close"},
    )


def _bad_form(detail: str) -> RequestError:
    return RequestError(
        HTTPStatus.BAD_REQUEST,
        detail,
        remedy="let an HTTP library make the form, such as curl -F photo=@photo.jpg",
        code="form",
    )
