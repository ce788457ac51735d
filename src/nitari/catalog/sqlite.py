"""SQLite, the default: one file, several processes, WAL so that readers never wait for the writer."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from nitari.catalog.database import BUSY, PAUSE_S, damaged
from nitari.catalog.sqlite_copy import copy_database
from nitari.errors import DependencyError, NitariError, StateError

# A row with its vector is 2.6 KB (1280-d) or 5.1 KB (2560-d): six or three fill such a page, with 4 KB pages a third
# of the file would be empty.
PAGE_BYTES = 16384
CACHE_KIB = 16384
WAIT_MS = 5000
POOLED = 8
MAGIC = 0x4E495452  # "NITR", shown by file(1)

_SETUP = (
    f"PRAGMA page_size = {PAGE_BYTES}",  # heeded by a new file only
    "PRAGMA synchronous = FULL",
    "PRAGMA fullfsync = ON",  # macOS: its fsync alone does not reach the disk
    "PRAGMA checkpoint_fullfsync = ON",
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
    f"PRAGMA cache_size = -{CACHE_KIB}",
    f"PRAGMA journal_size_limit = {64 * 2**20}",
)

_PASSING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_REMEDIES = {
    sqlite3.SQLITE_FULL: "free some space on its disk, then run the command again; nothing acknowledged was lost",
    sqlite3.SQLITE_READONLY: "make the file and its folder writable for this user, or choose another home folder",
    sqlite3.SQLITE_PERM: "make the file and its folder writable for this user, or choose another home folder",
    sqlite3.SQLITE_CANTOPEN: "check that its folder exists and is writable, or choose another home folder",
    # Which is also what comes of a disk that is full where memory is to be shared between processes.
    sqlite3.SQLITE_IOERR: "free some space where its disk is full, else check the disk; a network share cannot hold a "
    "catalog, choose a home folder on a local disk",
    sqlite3.SQLITE_NOMEM: "give the process more memory",
}


class SQLite:
    """A database file.

    Args:
        path: The file; created by the first connection, its folder must be there.
        wait_ms: How long SQLite itself waits for a lock, each time.
    """

    begin_read = "BEGIN"
    begin_write = "BEGIN IMMEDIATE"
    driver_error = sqlite3.Error

    def __init__(self, path: Path, *, wait_ms: int = WAIT_MS) -> None:
        self._path = path
        self._wait_ms = wait_ms
        self.name = f"catalog {path}"

    def engine(self) -> Engine:
        """An engine over the file; connections beyond the pool are opened when needed and closed after use."""
        engine = create_engine(
            URL.create("sqlite", database=str(self._path)),
            poolclass=QueuePool,
            pool_size=POOLED,
            max_overflow=-1,
            connect_args={"check_same_thread": False},  # the pool gives a connection to one thread at a time
        )
        event.listen(engine, "connect", self._set_up)
        return engine

    def copy(self, connection: sqlite3.Connection, path: Path, progress: Callable[[int, int], None] | None) -> None:
        """Copy the one state that a connection is reading to a new file; see ``Recoverable.backup``."""
        copy_database(connection, path, progress)

    def translate(self, error: BaseException) -> NitariError:
        """Ours for SQLite's error, by its primary result code."""
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in _DAMAGED:
            return damaged(self.name, str(error))
        if code in _PASSING:
            return DependencyError(
                f"{self.name} is locked by another process",
                remedy="try again when the other process (an import?) is done",
                code=BUSY,
            )
        if code in _REMEDIES:
            return DependencyError(f"{self.name} failed: {error}", remedy=_REMEDIES[code], code="catalog-failed")
        return StateError(
            f"{self.name} failed: {error}",
            remedy="if the file was not edited by hand, please report this as a bug",
            code="catalog-failed",
        )

    def _set_up(self, connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        # The driver would begin transactions late and without IMMEDIATE; Database begins them itself.
        connection.isolation_level = None
        cursor = connection.cursor()
        try:
            for pragma in (f"PRAGMA busy_timeout = {self._wait_ms}", *_SETUP):
                cursor.execute(pragma)
            self._check_ours(cursor)
            self._use_wal(cursor)
        except BaseException:
            connection.close()
            raise

    def _check_ours(self, cursor: DBAPICursor) -> None:
        """Refuse another program's database before anything is written into it; mark a new one as ours."""
        (found,) = _one(cursor, "PRAGMA application_id")
        (tables,) = _one(cursor, "SELECT count(*) FROM sqlite_master")
        if found == MAGIC:
            return
        if tables:
            raise StateError(
                f"{self._path} is a SQLite database, but not a Nitari catalog",
                remedy="choose another home folder, or move that file away",
                code="catalog-foreign",
            )
        cursor.execute(f"PRAGMA application_id = {MAGIC}")

    def _use_wal(self, cursor: DBAPICursor) -> None:
        """Switch the file to WAL; SQLite does not wait here by itself where two processes create one file."""
        deadline = time.monotonic() + self._wait_ms / 1000
        while True:
            try:
                (mode,) = _one(cursor, "PRAGMA journal_mode = WAL")
                break
            except sqlite3.OperationalError as exc:
                if exc.sqlite_errorcode & 0xFF not in _PASSING or time.monotonic() >= deadline:
                    raise
                time.sleep(PAUSE_S)
        if mode != "wal":
            raise StateError(
                f"{self.name} cannot use write-ahead logging (journal mode {mode!r})",
                remedy="choose a home folder on a local disk; a network share cannot hold a catalog",
                code="catalog-journal",
            )


def _one(cursor: DBAPICursor, statement: str) -> tuple[Any, ...]:
    cursor.execute(statement)
    row: Any = cursor.fetchone()
    return tuple(row)
