"""Databases are created once, migrated forward, and refused where they are not ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select, text, update

from nitari.catalog import schema
from nitari.catalog.database import Database
from nitari.catalog.sql import SqlCatalog
from nitari.catalog.sqlite import SQLite
from nitari.errors import StateError


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A new database, still empty."""
    found = Database(SQLite(tmp_path / "c.sqlite"), patience_s=5)
    yield found
    found.close()


def prepare(database: Database) -> None:
    """Create or migrate."""
    database.write(lambda connection: schema.prepare(connection, where=database.name))


def set_version(database: Database, value: str) -> None:
    """Pretend that another version wrote it."""
    meta = schema.meta
    database.write(
        lambda connection: connection.execute(update(meta).where(meta.c.name == "schema").values(value=value))
    )


def test_create_once(database: Database) -> None:
    """Tables are made in an empty database; preparing it again changes nothing."""
    with database.read() as connection:
        assert not schema.is_current(connection)
    prepare(database)
    with database.read() as connection:
        assert schema.is_current(connection)
        before = connection.execute(select(schema.meta)).all()
    prepare(database)
    with database.read() as connection:
        assert connection.execute(select(schema.meta)).all() == before
        assert set(connection.scalars(select(schema.counters.c.name))) == set(schema.COUNTERS)


def test_numbers_are_row_numbers(database: Database) -> None:
    """Number columns are SQLite's own row numbers: a second index over every table would double its writes."""
    prepare(database)
    with database.read() as connection:
        for table in ("items", "images", "views", "vectors", "changes", "rejections"):
            sql = connection.execute(text("SELECT sql FROM sqlite_master WHERE name = :name"), {"name": table}).scalar()
            number = schema.metadata.tables[table].primary_key.columns.values()[0].name
            assert f"{number} INTEGER NOT NULL".replace("key", '"key"') in str(sql)


def test_newer_version(tmp_path: Path, database: Database) -> None:
    """A catalog of a newer Nitari is refused, with what to do."""
    prepare(database)
    set_version(database, str(schema.VERSION + 1))
    with pytest.raises(StateError, match=f"version {schema.VERSION + 1}.*up to {schema.VERSION}") as caught:
        SqlCatalog.open(tmp_path / "c.sqlite")
    assert caught.value.code == "catalog-newer"
    assert "upgrade" in caught.value.remedy


def test_older_version(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older catalog passes through every migration in between, in one transaction."""
    prepare(database)
    done: list[int] = []

    def migration(version: int) -> object:
        def migrate(connection: Connection) -> None:
            connection.execute(insert(schema.meta), {"name": f"migrated-{version}", "value": "yes"})
            done.append(version)

        return migrate

    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 2)
    monkeypatch.setattr(schema, "MIGRATIONS", {n: migration(n) for n in (schema.VERSION - 2, schema.VERSION - 1)})
    prepare(database)
    assert done == [schema.VERSION - 2, schema.VERSION - 1]
    with database.read() as connection:
        assert schema.is_current(connection)
    prepare(database)
    assert len(done) == 2


def test_foreign_tables(database: Database) -> None:
    """A database with other tables is not taken over."""
    database.write(lambda connection: connection.execute(text("CREATE TABLE customers (name TEXT)")))
    with pytest.raises(StateError, match=r"not a Nitari catalog.*customers"):
        prepare(database)


def test_no_version(database: Database) -> None:
    """A catalog whose version is gone is not guessed at."""
    prepare(database)
    set_version(database, "one")
    with pytest.raises(StateError, match="not a Nitari catalog"):
        prepare(database)
