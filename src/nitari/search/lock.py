"""A lock for many readers or one writer, in which neither side starves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Lock


class ReadWriteLock:
    """Any number of readers at once, or one writer alone. Not reentrant: a reader that asks again may deadlock.

    Phase-fair (Brandenburg and Anderson, "Spin-based reader-writer synchronization for multiprocessor real-time
    systems", 2010): a waiting writer keeps new readers out, and the readers that waited for it go before the next
    writer. So a query waits for at most one batch of changes, and a batch for the queries that are under way.
    """

    def __init__(self) -> None:
        self._changed = Condition(Lock())
        self._readers = 0
        self._writing = False
        self._waiting_readers = 0
        self._waiting_writers = 0
        self._owed = 0  # readers that waited for the last writer and now go first

    @contextmanager
    def read(self) -> Iterator[None]:
        """Hold the lock together with other readers."""
        with self._changed:
            if self._writing or self._waiting_writers:
                self._waiting_readers += 1
                try:
                    while self._writing or (self._waiting_writers and not self._owed):
                        self._changed.wait()
                finally:  # also where Ctrl-C ends the wait
                    self._waiting_readers -= 1
                    self._owed = max(0, self._owed - 1)
            self._readers += 1
        try:
            yield
        finally:
            with self._changed:
                self._readers -= 1
                if not self._readers:
                    self._changed.notify_all()

    @contextmanager
    def write(self) -> Iterator[None]:
        """Hold the lock alone."""
        with self._changed:
            self._waiting_writers += 1
            try:
                while self._writing or self._readers or self._owed:
                    self._changed.wait()
            finally:
                self._waiting_writers -= 1
                self._changed.notify_all()
            self._writing = True
        try:
            yield
        finally:
            with self._changed:
                self._writing = False
                self._owed = self._waiting_readers
                self._changed.notify_all()
