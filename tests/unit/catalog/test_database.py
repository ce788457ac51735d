"""Writers take turns and give up in time; readers wait for nobody; a fork starts afresh."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from nitari.catalog.database import BUSY, Database
from nitari.catalog.sqlite import SQLite
from nitari.errors import DependencyError, StateError, UsageError


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A database with one empty table of numbers; writes wait 0.3 s."""
    found = Database(SQLite(tmp_path / "c.sqlite", wait_ms=50), patience_s=0.3)
    found.write(lambda connection: connection.execute(text("CREATE TABLE numbers (n INTEGER)")))
    yield found
    found.close()


def add(connection: Connection) -> None:
    """Add a row."""
    connection.execute(text("INSERT INTO numbers VALUES (1)"))


def count(database: Database) -> int:
    """How many rows there are."""
    with database.read() as connection:
        return int(connection.execute(text("SELECT count(*) FROM numbers")).scalar_one())


def test_read_during_write(database: Database) -> None:
    """A reader sees the last committed state while a write is under way, without waiting."""

    def work(connection: Connection) -> int:
        add(connection)
        return count(database)

    assert database.write(work) == 0
    assert count(database) == 1


def test_failure_undoes(database: Database) -> None:
    """Whatever goes wrong inside a write, nothing of it is there, and the next write is well."""

    def work(connection: Connection) -> None:
        add(connection)
        raise KeyError("not ours")

    with pytest.raises(KeyError):
        database.write(work)
    assert count(database) == 0
    database.write(add)
    assert count(database) == 1


def test_driver_errors_are_translated(database: Database) -> None:
    """A statement that fails is our error, with the driver's as its cause."""
    with pytest.raises(StateError, match="no such table") as caught, database.read() as connection:
        connection.execute(text("SELECT * FROM nowhere"))
    assert caught.value.__cause__ is not None


def test_another_process_holds_the_lock(database: Database, tmp_path: Path) -> None:
    """A lock that is not let go in time is a DependencyError; once it is let go, the write succeeds by itself."""
    with closing(sqlite3.connect(tmp_path / "c.sqlite", isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DependencyError, match="locked by another process") as caught:
            database.write(add)
        assert caught.value.code == BUSY
        assert count(database) == 0
        timer = threading.Timer(0.1, other.execute, ["COMMIT"])
        timer.start()
        database.write(add)
        timer.join()
    assert count(database) == 1


def test_another_thread_holds_the_turn(database: Database) -> None:
    """A thread that writes for too long lets the others fail in time, with a reason."""
    begun, done = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        add(connection)
        begun.set()
        done.wait(10)

    thread = threading.Thread(target=database.write, args=[slow])
    thread.start()
    begun.wait(10)
    with pytest.raises(DependencyError, match=r"busy for 0\.3 s"):
        database.write(add)
    done.set()
    thread.join()
    assert count(database) == 1


def test_closed(database: Database) -> None:
    """A closed database opens no connection behind its owner's back."""
    database.close()
    with pytest.raises(UsageError, match="is closed"):
        count(database)
    with pytest.raises(UsageError, match="is closed"):
        database.write(add)


FORK = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from support.catalogs import ADAPTERS, COLLECTION, photo, put, ready

catalog = ready(ADAPTERS["sqlite"](Path(sys.argv[2])))
catalog.apply([put(f"i{n}", photo("1", f"d{n}")) for n in range(3000)], collection=COLLECTION.name)
rows = catalog.indexed_items(collection=COLLECTION.name)
next(rows)
with catalog._database.read() as connection:
    parents = connection.connection.driver_connection
child = os.fork()
if child == 0:
    with catalog._database.read() as connection:
        if connection.connection.driver_connection is parents:
            os._exit(1)
    catalog.apply([put("child", photo("1", "child"))], collection=COLLECTION.name)
    catalog.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert len(list(rows)) == 2999
assert catalog.get("child") is not None
assert catalog.apply([put("parent", photo("1", "parent"))], collection=COLLECTION.name) == 3002
catalog.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_fork(tmp_path: Path) -> None:
    """Parent and child both go on after a fork, in the middle of a read, without sharing a connection."""
    tests = Path(__file__).parents[2]
    command = [sys.executable, "-W", "error", "-c", FORK, str(tests), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
