"""The lock: readers together, a writer alone, nobody starves."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Thread

import pytest

from nitari.search.lock import ReadWriteLock

PATIENCE_S = 30.0


def _until(true: Callable[[], bool]) -> None:
    """Wait until something is true, which it will be; the limit only ends a test that is broken."""
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, "never happened"
        time.sleep(0.001)


def test_readers_share() -> None:
    """Readers are in at the same time: they meet at a barrier inside."""
    lock, barrier = ReadWriteLock(), Barrier(3)

    def read() -> int:
        with lock.read():
            return barrier.wait(PATIENCE_S)

    with ThreadPoolExecutor(3) as pool:
        assert sorted(future.result() for future in [pool.submit(read) for _ in range(3)]) == [0, 1, 2]


def test_writers_are_alone() -> None:
    """Writers never overlap, neither with each other nor with readers."""
    lock, inside, seen = ReadWriteLock(), [0], []

    def write() -> None:
        for _ in range(200):
            with lock.write():
                inside[0] += 1
                seen.append(inside[0])
                inside[0] -= 1

    def read() -> None:
        for _ in range(200):
            with lock.read():
                seen.append(inside[0] + 1)

    threads = [Thread(target=work) for work in (write, read, write, read, read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert len(seen) == 1000
    assert set(seen) == {1}


def test_writer_waits_for_no_newcomer_and_waiting_readers_go_next() -> None:
    """A waiting writer keeps new readers out; they then go before the next writer."""
    lock, leave, order = ReadWriteLock(), Event(), []

    def first() -> None:
        with lock.read():
            leave.wait(PATIENCE_S)

    def write(name: str) -> None:
        with lock.write():
            order.append(name)

    def late() -> None:
        with lock.read():
            order.append("reader")

    threads = [Thread(target=first)]
    threads[0].start()
    _until(lambda: lock._readers == 1)
    for count, (work, arguments) in enumerate([(write, ("writer 1",)), (late, ()), (write, ("writer 2",))], start=1):
        threads.append(Thread(target=work, args=arguments))  # type: ignore[arg-type]
        threads[-1].start()
        _until(lambda wanted=count: lock._waiting_readers + lock._waiting_writers == wanted)  # type: ignore[misc]
    leave.set()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert order[1] == "reader"
    assert sorted(order) == ["reader", "writer 1", "writer 2"]


@pytest.mark.parametrize("way", ["read", "write"])
def test_errors_let_go(way: str) -> None:
    """An exception inside lets go of the lock."""
    lock = ReadWriteLock()
    with pytest.raises(KeyError), getattr(lock, way)():
        raise KeyError
    with lock.write():
        pass
