"""Bodies are of a kind, bounded, and forms are read without a disk."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest
from fastapi import Request

from nitari.errors import BusyError
from nitari.server import body
from nitari.server.body import BINARY, FORM, IMAGES, JSON, MAX_JSON_BYTES, Body, Room, parse_form, read_body
from nitari.server.problems import RequestError

FIELD = b'--b\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n'


def receive(*parts: bytes, kind: str, room: Room | None = None, most: int = 10**8, **headers: str) -> Body:
    """The body of a request that comes in these parts."""
    waiting = list(parts)

    async def take() -> dict[str, Any]:
        if not waiting:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting) or "slow" in headers}

    fields = [(b"content-type", kind.encode())] if kind else []
    fields += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    request = Request({"type": "http", "headers": fields}, take)
    return asyncio.run(read_body(request, accepts=(IMAGES, BINARY, FORM, JSON), most=most, room=room))


def test_kinds() -> None:
    """Parameters and case do not matter; other kinds and compression are refused."""
    got = receive(b"a", b"b", kind="Image/JPEG; q=1")
    assert (got.kind, got.data) == ("image/jpeg", b"ab")
    for kind, headers in (("text/plain", {}), ("", {}), (JSON, {"content_encoding": "gzip"})):
        with pytest.raises(RequestError) as caught:
            receive(b"x", kind=kind, **headers)
        assert caught.value.status == 415


def test_lengths() -> None:
    """A declared length, what really comes, and JSON's own bound."""
    for parts, kind, headers in (
        ([b""], "image/png", {"content_length": "11"}),
        ([b"x" * 6, b"x" * 6], "image/png", {}),
    ):
        with pytest.raises(RequestError) as caught:
            receive(*parts, kind=kind, most=10, **headers)
        assert caught.value.status == 413
    with pytest.raises(RequestError, match=str(MAX_JSON_BYTES)):
        receive(b"", kind=JSON, content_length=str(MAX_JSON_BYTES + 1))


def test_slow_bodies_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that does not come is not waited for without end."""
    monkeypatch.setattr(body, "PATIENCE_S", 0.01)
    with pytest.raises(RequestError) as caught:
        receive(b"x", kind="image/png", slow="1")
    assert caught.value.status == 408


def test_room_is_taken_and_given_back() -> None:
    """Large bodies are counted until they are let go of, refused ones are not; small ones never are."""
    room = Room(300_000)
    held = receive(b"x" * 200_000, kind="image/png", room=room)
    assert room.free == 100_000
    with pytest.raises(BusyError):
        receive(b"x" * 90_000, b"x" * 90_000, kind="image/png", room=room)
    gc.collect()
    assert room.free == 100_000
    assert receive(b"x" * 1000, kind="image/png", room=room).data
    assert room.free == 100_000
    del held
    gc.collect()
    assert room.free == 300_000


def form(data: bytes, boundary: str = "b") -> Body:
    """A form."""
    return Body(FORM, {"boundary": boundary}, data)


def test_forms() -> None:
    """Files and texts, with whatever stands in them."""
    data = FIELD % (b"photo", b'; filename="\xe6\x9c\x8d.jpg"', b"\r\n--x\0") + FIELD % (b"options", b"", b"{}")
    photo, options = parse_form(form(data + b"--b--\r\n"))
    assert (photo.name, photo.file_name, photo.data) == ("photo", "服.jpg", b"\r\n--x\0")
    assert (options.name, options.file_name, options.data) == ("options", None, b"{}")


@pytest.mark.parametrize(
    ("data", "boundary"),
    [
        (b"", "b"),
        (b"nonsense", "b"),
        (FIELD % (b"photo", b"", b"x"), "b"),
        (b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--\r\n", "b"),
        (FIELD % (b"photo", b"", b"x") * 65 + b"--b--\r\n", "b"),
        (FIELD % (b"x" * 20_000, b"", b"x") + b"--b--\r\n", "b"),
        (b"--b--\r\n", ""),
        (b"--b--\r\n", "b" * 300),
    ],
)
def test_what_is_no_form(data: bytes, boundary: str) -> None:
    """Cut off, nameless, endless: each is a 400."""
    with pytest.raises(RequestError) as caught:
        parse_form(form(data, boundary))
    assert caught.value.status == 400
