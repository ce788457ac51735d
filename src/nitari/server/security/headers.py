"""What every answer says about itself."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from starlette.types import Message, Send

PAGE_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""For the page: its own files, the photos that it shows from memory (``blob:``), and nothing inline or foreign."""

_API_CSP = b"default-src 'none'; frame-ancestors 'none'"
_ALWAYS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"permissions-policy", b"camera=(self), microphone=(), geolocation=()"),
)
# Where the route says nothing else.
_UNLESS_SET: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", _API_CSP),
    (b"cache-control", b"no-store"),
)


class Outgoing:
    """The answer on its way out: gets its headers, and remembers its status.

    Args:
        send: Of ASGI.
    """

    __slots__ = ("_send", "status")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0

    async def send(self, message: Message) -> None:
        """Of ASGI."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            _complete(message)
        await self._send(message)


def _complete(start: MutableMapping[str, Any]) -> None:
    given = start.get("headers", ())
    names = {name for name, _value in given}
    start["headers"] = [*given, *_ALWAYS, *(pair for pair in _UNLESS_SET if pair[0] not in names)]
