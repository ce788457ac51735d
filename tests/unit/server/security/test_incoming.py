"""The request on its way in: nothing of the body is lost while somebody watches for its sender to hang up."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from nitari.errors import BusyError
from nitari.server.security.incoming import Incoming, Load

PART = {"type": "http.request", "body": b"abc", "more_body": True}
LAST = {"type": "http.request", "body": b"de", "more_body": False}
EMPTY = {"type": "http.request", "body": b"", "more_body": False}
GONE = {"type": "http.disconnect"}


class Sender:
    """A client that sends some messages, and then nothing until told to hang up."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.messages = list(messages)
        self.hung_up = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        """Of ASGI."""
        await asyncio.sleep(0)
        if self.messages:
            return self.messages.pop(0)
        await self.hung_up.wait()
        return GONE


async def is_gone(incoming: Incoming) -> bool:
    """Whether the sender is seen to have hung up, for a moment's look."""
    watch = asyncio.ensure_future(incoming.gone())
    done, _ = await asyncio.wait([watch], timeout=0.02)
    watch.cancel()
    return bool(done)


@pytest.mark.parametrize("messages", [[LAST], [PART, LAST], [EMPTY], [PART, PART, LAST]])
@pytest.mark.parametrize("looks", [0, 1, 3])
def test_nothing_is_lost(messages: list[dict[str, Any]], looks: int) -> None:
    """Looks in between, before any of the body was read, change nothing of it."""

    async def test() -> None:
        sender = Sender(*messages)
        incoming = Incoming(sender.receive, Load(most=100))
        for expected in messages:
            for _ in range(looks):
                assert not await is_gone(incoming)
            assert await incoming.receive() == expected
        assert not await is_gone(incoming)
        sender.hung_up.set()
        assert await is_gone(incoming)
        assert await incoming.receive() == GONE

    asyncio.run(test())


def test_seen_before_the_body_is_read() -> None:
    """A request without a body, whose route never reads one, is watched too."""

    async def test() -> None:
        sender = Sender(EMPTY)
        sender.hung_up.set()
        incoming = Incoming(sender.receive, Load(most=100))
        assert await is_gone(incoming)
        assert await incoming.receive() == EMPTY
        assert await incoming.receive() == GONE

    asyncio.run(test())


def test_all_bodies_together_are_bounded() -> None:
    """The body that is too much is refused; when others are let go, there is room again."""

    async def test() -> None:
        load = Load(most=6)
        first, second = (Incoming(Sender(PART, LAST).receive, load) for _ in range(2))
        await first.receive()
        await second.receive()
        with pytest.raises(BusyError, match="6 bytes"):
            await first.receive()
        first.close()
        assert load.held == 3
        await second.receive()
        second.close()
        second.close()
        assert load.held == 0

    asyncio.run(test())
