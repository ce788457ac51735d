"""Many calls in flight: their order, their number, and how they end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from nitari.snapshots.flow import THREADS, in_order


def test_results_come_in_order() -> None:
    """Results come in the order of the inputs, whichever is done first."""

    def work(number: int) -> int:
        time.sleep(0.002 * (number % 3))
        return number * 2

    assert list(in_order(work, range(50))) == [number * 2 for number in range(50)]
    assert list(in_order(work, [])) == []


def test_a_bounded_window_is_in_flight() -> None:
    """Inputs are read as results are taken, a window ahead at most."""
    read: list[int] = []

    def inputs() -> Iterator[int]:
        for number in range(1000):
            read.append(number)
            yield number

    found = in_order(lambda number: number, inputs())
    for expected in range(10):
        assert next(found) == expected
        assert len(read) <= expected + 1 + 2 * THREADS
    found.close()  # type: ignore[attr-defined]


def test_the_first_exception_ends_it() -> None:
    """An exception comes out, and what has not begun never does."""
    begun = threading.Semaphore(0)

    def work(number: int) -> int:
        begun.release()
        if number == 3:
            raise ValueError("three")
        time.sleep(0.01)
        return number

    with pytest.raises(ValueError, match="three"):
        list(in_order(work, range(10_000)))
    taken = 0
    while begun.acquire(blocking=False):
        taken += 1
    assert taken < 100


def test_an_exception_of_the_inputs() -> None:
    """An exception of the inputs comes out, too."""

    def inputs() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(in_order(lambda number: number, inputs()))
