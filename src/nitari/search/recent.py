"""What was worked out lately, by what it was worked out from."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

_Value = TypeVar("_Value")


class Recent(Generic[_Value]):
    """The last few values by key, all of one version.

    Safe for several threads; two that ask for the same new one may both make it.

    Args:
        most: How many are kept; those that were not asked for the longest go first.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._version = 0
        self._values: OrderedDict[Hashable, _Value] = OrderedDict()
        self._lock = Lock()

    def get(self, version: int, key: Hashable, make: Callable[[], _Value]) -> _Value:
        """The value of ``key``, made where it is not known; what belongs to another version than this one is let go of.

        A catalog that is edited all the time would otherwise fill the memory with what nobody will ask for again.
        """
        with self._lock:
            if version != self._version:
                self._values.clear()
                self._version = version
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        with self._lock:
            if version != self._version:
                return value
            self._values[key] = value
            while len(self._values) > self._most:
                self._values.popitem(last=False)
        return value
