"""The request on its way in: tells when its sender has hung up."""

from __future__ import annotations

import asyncio

from starlette.types import Message, Receive


class Incoming:
    """Wraps ASGI's ``receive``, so that somebody who waits for a thread can learn that nobody waits for him.

    How long a body may take and be is for whoever reads it (``server/body.py``).

    Args:
        receive: Of ASGI.
    """

    __slots__ = ("_complete", "_kept", "_receive")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._complete = False
        self._kept: Message | None = None

    async def receive(self) -> Message:
        """Of ASGI."""
        if self._kept is not None:
            message, self._kept = self._kept, None
            return message
        return self._noted(await self._receive())

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
