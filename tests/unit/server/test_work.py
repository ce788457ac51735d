"""Bounded work: what runs, what waits, what is refused, and what nobody waits for any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from threading import Event, current_thread, main_thread
from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from nitari.errors import BusyError
from nitari.server.work import WorkQueue, caller_gone

PATIENCE_S = 30


@pytest.fixture
def gate() -> Iterator[Event]:
    """What a worker waits for; opened at the end, whatever the test did."""
    event = Event()
    yield event
    event.set()


@pytest.fixture
def queue() -> Iterator[WorkQueue]:
    """One thread, and room for two to wait."""
    with_room = WorkQueue(threads=1, waiting=2)
    yield with_room
    with_room.close()


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run an asynchronous test."""
    asyncio.run(asyncio.wait_for(work, PATIENCE_S))


async def until(condition: Callable[[], bool]) -> None:
    """Let others go on until something holds."""
    while not condition():
        await asyncio.sleep(0.001)


def test_runs_on_a_thread(queue: WorkQueue) -> None:
    """Arguments go in, the result comes out, and the event loop's thread has nothing to do with it."""

    def work(left: int, *, right: int) -> tuple[int, bool]:
        return left + right, current_thread() is main_thread()

    async def test() -> None:
        assert await queue.run(work, 1, right=2) == (3, False)
        await until(lambda: (queue.waiting, queue.running) == (0, 0))

    run(test())


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("y"), SystemExit(3)])
def test_errors_come_out(queue: WorkQueue, error: BaseException) -> None:
    """What the function raises, the caller gets, and the thread lives on."""

    def fail() -> None:
        raise error

    async def test() -> None:
        with pytest.raises(type(error)) as caught:
            await queue.run(fail)
        assert caught.value is error
        assert await queue.run(int, "5") == 5

    run(test())


def test_stop_iteration_comes_out_as_another_error(queue: WorkQueue) -> None:
    """No future carries StopIteration; the caller must not wait for ever."""

    async def test() -> None:
        with pytest.raises(RuntimeError, match="StopIteration"):
            await queue.run(next, iter(()))

    run(test())


def test_refuses_what_is_too_much(queue: WorkQueue, gate: Event) -> None:
    """One runs, two wait, the fourth is refused at once; later there is room again."""

    async def test() -> None:
        tasks = [asyncio.ensure_future(queue.run(gate.wait)) for _ in range(3)]
        await until(lambda: queue.running == 1)
        assert queue.waiting == 2
        with pytest.raises(BusyError) as caught:
            await queue.run(int)
        assert "3 requests" in caught.value.message
        assert caught.value.remedy
        gate.set()
        assert await asyncio.gather(*tasks) == [True] * 3
        assert await queue.run(int) == 0

    run(test())


def test_a_canceled_caller_gives_its_place_back(queue: WorkQueue, gate: Event) -> None:
    """What is canceled before its turn is never called, and another may wait in its place."""
    called: list[str] = []

    async def test() -> None:
        first = asyncio.ensure_future(queue.run(gate.wait))
        await until(lambda: queue.running == 1)
        second = asyncio.ensure_future(queue.run(called.append, "second"))
        third = asyncio.ensure_future(queue.run(called.append, "third"))
        await until(lambda: queue.waiting == 2)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        assert queue.waiting == 1
        fourth = asyncio.ensure_future(queue.run(called.append, "fourth"))
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(first, third, fourth)
        assert called == ["third", "fourth"]

    run(test())


def test_canceling_what_runs_frees_the_thread_when_it_is_done(queue: WorkQueue, gate: Event) -> None:
    """A thread cannot be stopped: it counts as busy until it is not."""

    async def test() -> None:
        task = asyncio.ensure_future(queue.run(gate.wait))
        await until(lambda: queue.running == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert queue.running == 1
        gate.set()
        assert await queue.run(int) == 0

    run(test())


def test_a_caller_that_hangs_up_is_dropped(queue: WorkQueue, gate: Event) -> None:
    """While it waits, its connection is watched; its place is free as soon as it is gone."""
    called: list[str] = []

    async def test() -> None:
        gone = asyncio.Event()

        async def watch() -> None:
            await gone.wait()

        first = asyncio.ensure_future(queue.run(gate.wait))
        await until(lambda: queue.running == 1)
        caller_gone.set(watch)
        second = asyncio.ensure_future(queue.run(called.append, "second"))
        await until(lambda: queue.waiting == 1)
        gone.set()
        with pytest.raises(ClientDisconnect):
            await second
        assert queue.waiting == 0
        gate.set()
        await first
        caller_gone.set(None)  # another caller, who stays
        await queue.run(int)
        assert called == []

    run(test())


def test_a_caller_that_stays_is_served(queue: WorkQueue, gate: Event) -> None:
    """Watching the connection ends when the turn has come."""

    async def test() -> None:
        watched: list[str] = []

        async def watch() -> None:
            watched.append("began")
            try:
                await asyncio.Event().wait()
            finally:
                watched.append("ended")

        first = asyncio.ensure_future(queue.run(gate.wait))
        await until(lambda: queue.running == 1)
        caller_gone.set(watch)
        second = asyncio.ensure_future(queue.run(int, "7"))
        await until(lambda: watched == ["began"])
        gate.set()
        assert await second == 7
        await until(lambda: watched == ["began", "ended"])
        await first

    run(test())


def test_closed(gate: Event) -> None:
    """A closed queue refuses what comes and what waited, and can be closed again."""
    queue = WorkQueue(threads=1, waiting=5)

    async def test() -> None:
        running = asyncio.ensure_future(queue.run(gate.wait))
        await until(lambda: queue.running == 1)
        waiting = asyncio.ensure_future(queue.run(int))
        await until(lambda: queue.waiting == 1)
        closing = asyncio.get_running_loop().run_in_executor(None, queue.close)
        await until(lambda: queue._closed)  # it goes on to wait for the thread, so nothing else tells
        with pytest.raises(BusyError, match="shutting down"):
            await queue.run(int)
        gate.set()
        assert await running
        with pytest.raises(BusyError, match="shutting down"):
            await waiting
        await closing
        queue.close()

    run(test())
