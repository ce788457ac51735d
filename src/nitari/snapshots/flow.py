"""Many requests in flight at a time: a store far away answers late, but to many at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

THREADS = 8
"""Requests in flight."""
_WINDOW = 2 * THREADS

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def in_order(work: Callable[[_In], _Out], inputs: Iterable[_In]) -> Iterator[_Out]:
    """``work`` of each input, in several threads, in the order of the inputs; a bounded window is in flight.

    The first exception ends it, of ``work`` or of ``inputs``; what has not begun then never does. Read it to its end,
    or close it.
    """
    flying: deque[Future[_Out]] = deque()
    with ThreadPoolExecutor(THREADS, thread_name_prefix="snapshot") as pool:
        try:
            for value in inputs:
                flying.append(pool.submit(work, value))
                if len(flying) >= _WINDOW:
                    yield flying.popleft().result()
            while flying:
                yield flying.popleft().result()
        finally:
            for future in flying:
                future.cancel()
