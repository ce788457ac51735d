"""What changed when, for those who remember answers."""

from __future__ import annotations

from collections import deque

import numpy as np

from nitari.types import KeyArray

# Keys in the log: what an index remembers of filters is put right at 0.2 microseconds a key, so beyond this many it is
# as quick to ask anew.
_LOGGED = 2**16


class ChangeLog:
    """Which keys (or other numbers) changed at which version, as far back as a bounded number of them goes."""

    def __init__(self) -> None:
        self._entries: deque[tuple[int, KeyArray]] = deque()
        self._size = 0
        self._begin = 0
        self.version = 0

    def add(self, keys: KeyArray) -> None:
        """The next version, at which ``keys`` (int64 ``[n]``) changed."""
        self.version += 1
        self._entries.append((self.version, keys))
        self._size += keys.size
        while self._size > _LOGGED:
            self._begin, forgotten = self._entries.popleft()
            self._size -= forgotten.size

    def since(self, version: int) -> KeyArray | None:
        """The keys that changed after ``version``, ascending; ``None`` where that is not known any more."""
        if version < self._begin:
            return None
        parts: list[KeyArray] = []
        for number, keys in reversed(self._entries):
            if number <= version:
                break
            parts.append(keys)
        return np.unique(np.concatenate([np.empty(0, np.int64), *parts]))

    def copy(self) -> ChangeLog:
        """One that goes its own way from here."""
        log = ChangeLog()
        log._entries, log._size, log._begin, log.version = self._entries.copy(), self._size, self._begin, self.version
        return log
