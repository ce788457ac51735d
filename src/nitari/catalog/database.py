"""Connections and transactions: who may write when, what is retried, and how a driver's error becomes one of ours."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import Pool

from nitari.errors import DependencyError, NitariError, StateError, UsageError

T = TypeVar("T")

BUSY = "catalog-busy"
PAUSE_S = 0.01
_WRITE = "nitari_write"


class Dialect(Protocol):
    """What differs between databases."""

    @property
    def name(self) -> str:
        """The database's name for people."""
        ...

    @property
    def begin_read(self) -> str:
        """Statement that starts a transaction whose reads all see one state."""
        ...

    @property
    def begin_write(self) -> str:
        """Statement that starts a transaction that no other writer overlaps."""
        ...

    @property
    def driver_error(self) -> type[Exception]:
        """Base of the driver's errors."""
        ...

    def engine(self) -> Engine:
        """An engine whose driver leaves transactions to us, every connection set up for durability."""
        ...

    def copy(self, connection: Any, path: Path, progress: Callable[[int, int], None] | None) -> None:
        """Copy the one state that a driver's connection is reading to a new file; see ``Recoverable.backup``."""
        ...

    def translate(self, error: BaseException) -> NitariError:
        """Ours for the driver's error; code ``BUSY`` where the same transaction may succeed if tried again."""
        ...


class Database:
    """Hands out connections inside transactions. Safe to use from several threads, and after a fork.

    Args:
        dialect: Which database.
        patience_s: How long a write waits for other writers before it gives up.
    """

    def __init__(self, dialect: Dialect, *, patience_s: float) -> None:
        self._dialect = dialect
        self._patience_s = patience_s
        self._closed = False
        self._inherited: list[Pool] = []
        # Threads of one process take turns here, in order; polling the database's own lock would be slow and unfair.
        self._turn = threading.Lock()
        self._engine = dialect.engine()
        event.listen(self._engine, "begin", self._begin)
        _databases.add(self)

    @property
    def name(self) -> str:
        """The database's name for people."""
        return self._dialect.name

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection whose reads all see the state at the first of them; never waits for a writer."""
        with self._translated(), self._connect() as connection:
            yield connection

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a transaction that no other writer overlaps, and commit it durably.

        ``work`` is run again from the start where another process was in the way, so it must not keep state.

        Raises:
            DependencyError: other writers did not let go in time, or the database failed; nothing was written.
        """
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                with (
                    self._my_turn(deadline),
                    self._translated(),
                    self._connect() as connection,
                    connection.execution_options(**{_WRITE: True}).begin(),
                ):
                    return work(connection)
            except DependencyError as exc:
                if exc.code != BUSY or time.monotonic() >= deadline:
                    raise
            time.sleep(PAUSE_S)

    def copy(self, connection: Connection, path: Path, progress: Callable[[int, int], None] | None) -> None:
        """Write the state that ``connection`` has begun to read to a new file; see ``Recoverable.backup``."""
        self._dialect.copy(connection.connection.driver_connection, path, progress)

    def close(self) -> None:
        """Close all connections; using the database afterwards is an error, closing it again is not."""
        self._closed = True
        self._engine.dispose()

    def _connect(self) -> Connection:
        if self._closed:
            raise UsageError(f"{self.name} is closed", remedy="open the catalog again", code="catalog-closed")
        return self._engine.connect()

    def _begin(self, connection: Connection) -> None:
        write = connection.get_execution_options().get(_WRITE, False)
        # Straight to the driver: one more round through SQLAlchemy would double what a small read costs.
        cursor = connection.connection.cursor()
        try:
            cursor.execute(self._dialect.begin_write if write else self._dialect.begin_read)
        finally:
            cursor.close()

    @contextmanager
    def _my_turn(self, deadline: float) -> Iterator[None]:
        if not self._turn.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise DependencyError(
                f"{self.name} was busy for {self._patience_s:g} s with other writes of this process",
                remedy="try again; if it stays so, write in smaller batches",
                code=BUSY,
            )
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """The one place where a driver's exception becomes ours."""
        try:
            yield
        except DBAPIError as exc:
            raise self._dialect.translate(exc.orig or exc) from exc
        except self._dialect.driver_error as exc:
            raise self._dialect.translate(exc) from exc
        except UnicodeEncodeError as exc:
            raise UsageError(
                f"text {exc.object[max(0, exc.start - 20) : exc.end + 20]!r} is not valid Unicode",
                remedy="correct the encoding of the feed's text",
                code="text",
            ) from exc

    def _after_fork(self) -> None:
        """In a forked child: leave the parent's connections alone, open as well as unclosed, and start afresh.

        SQLite forbids to use a connection across a fork, and even to close it; so the old pool is kept, untouched.
        """
        self._inherited.append(self._engine.pool)
        self._engine.dispose(close=False)
        self._turn = threading.Lock()


_databases: weakref.WeakSet[Database] = weakref.WeakSet()


def _renew_after_fork() -> None:
    for database in list(_databases):
        database._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_after_fork)


def damaged(name: str, found: str) -> StateError:
    """The error for a database whose content cannot be trusted."""
    return StateError(
        f"{name} is damaged: {found}",
        remedy="restore it from a backup, or move it away and import the feeds again",
        code="catalog-damaged",
    )
