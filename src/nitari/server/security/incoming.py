"""The request on its way in: tells when its sender has hung up, and how much memory all bodies take together."""

from __future__ import annotations

import asyncio

from starlette.types import Message, Receive

from nitari.errors import BusyError


class Load:
    """Bytes of bodies that requests hold now, all together. For one event loop.

    Args:
        most: How many there may be: a body is bounded, and so is what waits for a thread, but not what is on its way.
    """

    __slots__ = ("held", "most")

    def __init__(self, *, most: int) -> None:
        self.most = most
        self.held = 0


class Incoming:
    """Wraps ASGI's ``receive``, so that somebody who waits for a thread can learn that nobody waits for him.

    How long one body may take and be is for whoever reads it (``server/body.py``).

    Args:
        receive: Of ASGI.
        load: What this body adds to, until ``close``.
    """

    __slots__ = ("_complete", "_held", "_kept", "_load", "_receive")

    def __init__(self, receive: Receive, load: Load) -> None:
        self._receive = receive
        self._load = load
        self._held = 0
        self._complete = False
        self._kept: Message | None = None

    async def receive(self) -> Message:
        """Of ASGI.

        Raises:
            BusyError: all bodies together are more than this process holds.
        """
        if self._kept is not None:
            message, self._kept = self._kept, None
        else:
            message = self._noted(await self._receive())
        size = len(message.get("body", b""))
        if size:
            self._held += size
            self._load.held += size
            if self._load.held > self._load.most:
                raise BusyError(
                    f"the bodies of all requests are more than the {self._load.most} bytes that this server holds",
                    remedy="send the same request again in a second",
                )
        return message

    def close(self) -> None:
        """The request is over, and its body let go."""
        self._load.held -= self._held
        self._held = 0

    async def gone(self) -> None:
        """Return when the caller has hung up. Cancel it before anybody else receives.

        Where the body is still coming it never returns: the body is not its to pile up, and whoever reads it will be
        told.
        """
        while self._kept is None or self._complete:
            message = self._noted(await self._receive())
            if message["type"] == "http.disconnect":
                return
            self._kept = self._kept or message
        await asyncio.get_running_loop().create_future()

    def _noted(self, message: Message) -> Message:
        if not message.get("more_body", False):
            self._complete = True
        return message
