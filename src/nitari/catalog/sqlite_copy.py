"""A copy of one state of a SQLite database, page by page, while other connections write to it."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

from nitari.disk import TEMPORARY, sync_file, sync_folder
from nitari.errors import DependencyError

PAGES_AT_ONCE = 256
"""Pages copied between two calls of ``progress``: 4 MB."""

# Written by one process, once, and flushed in the end: nothing that protects a database in use is of any use here.
_SETUP = ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "PRAGMA locking_mode = EXCLUSIVE")
# What the file that is read can be at fault for. Everything else is the copy's.
_SOURCE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def copy_database(source: sqlite3.Connection, path: Path, progress: Callable[[int, int], None] | None) -> None:
    """Write the state that ``source`` is reading to ``path``: whole, flushed and renamed into place, or not at all.

    SQLite's online backup starts over whenever the database changes, unless its connection is in a read transaction
    already: then it stays in that one to its end, and in WAL mode that is one state (sqlite.org/c3ref/backup_finish).
    Pages stay where they are in the file.

    Args:
        source: In a transaction that has read something.
        path: The file; missing folders are made, a file that is there is replaced.
        progress: Called after every ``PAGES_AT_ONCE`` pages with the bytes done and in all.

    Raises:
        DependencyError: the copy cannot be written; nothing of it is left.
        sqlite3.Error: the source cannot be read.
    """
    if not source.in_transaction:
        raise RuntimeError("a copy of one state needs a connection that is reading one")
    (page_bytes,) = source.execute("PRAGMA page_size").fetchone()

    def report(_status: int, remaining: int, total: int) -> None:
        if progress is not None:
            progress((total - remaining) * page_bytes, total * page_bytes)

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=TEMPORARY, dir=path.parent)
        os.close(handle)
    except OSError as exc:
        raise _failed(path, exc.strerror or str(exc)) from exc
    temporary = Path(name)
    try:
        _copy_pages(source, temporary, report)
        sync_file(temporary)
        temporary.replace(path)
        sync_folder(path.parent)
    except sqlite3.Error as exc:
        if getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF in _SOURCE:
            raise
        raise _failed(path, str(exc)) from exc
    except OSError as exc:
        raise _failed(path, exc.strerror or str(exc)) from exc
    finally:
        temporary.unlink(missing_ok=True)


def _copy_pages(source: sqlite3.Connection, path: Path, report: Callable[[int, int, int], None]) -> None:
    target = sqlite3.connect(path, isolation_level=None)
    try:
        for pragma in _SETUP:
            target.execute(pragma)
        source.backup(target, pages=PAGES_AT_ONCE, progress=report)
    finally:
        target.close()


def _failed(path: Path, found: str) -> DependencyError:
    return DependencyError(
        f"a copy of the catalog could not be written to {path}: {found}",
        remedy="free some space on that disk, or choose a folder that this user can write to; nothing is left of it",
        code="catalog-copy",
    )
