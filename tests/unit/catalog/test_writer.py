"""Numbers are given out once, and a batch costs a handful of statements."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, event

from nitari.catalog.database import Database
from nitari.catalog.sql import SqlCatalog
from nitari.catalog.sqlite import SQLite
from nitari.catalog.writer import Numbers
from support.catalogs import COLLECTION, keys_of, photo, put, ready


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """The database of an empty catalog."""
    database = Database(SQLite(tmp_path / "c.sqlite"), patience_s=5)
    SqlCatalog(database)
    yield database
    database.close()


def test_numbers(database: Database) -> None:
    """Numbers count from one, each kind by itself, and go on where the last transaction stopped."""

    def take(connection: Connection) -> list[int]:
        numbers = Numbers(connection)
        taken = [numbers.take("key"), numbers.take("key"), numbers.take("seq")]
        assert numbers.last("item") == 0
        numbers.store()
        return taken

    assert database.write(take) == [1, 2, 1]
    assert database.write(take) == [3, 4, 2]


def test_a_batch_is_a_handful_of_statements(database: Database) -> None:
    """However many items a batch has, the statements that reach the database stay about as many."""
    catalog = ready(SqlCatalog(database))
    counts: list[int] = []
    for batch in (10, 400):
        seen: list[str] = []
        event.listen(database._engine, "before_cursor_execute", lambda *args, seen=seen: seen.append(args[2]))
        edits = [put(f"{batch}-{n}", photo("1", f"{batch}-{n}"), photo("2", f"d{n}")) for n in range(batch)]
        catalog.apply(edits, collection=COLLECTION.name)
        counts.append(len(seen))
    assert max(counts) <= 15
    assert len(keys_of(catalog, "400-399")) == 2
