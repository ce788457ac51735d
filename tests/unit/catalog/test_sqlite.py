"""Every connection is durable, and what SQLite says goes wrong is said in our words."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from sqlalchemy import event, text

from nitari.catalog.base import ItemDelete
from nitari.catalog.database import BUSY, Database
from nitari.catalog.sql import SqlCatalog
from nitari.catalog.sqlite import MAGIC, PAGE_BYTES, POOLED, SQLite
from nitari.errors import DependencyError, NitariError, StateError
from support.catalogs import COLLECTION, photo, put, ready


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of a catalog with some items, closed."""
    path = tmp_path / "home" / "catalog.sqlite"
    with SqlCatalog.open(path) as catalog:
        ready(catalog)
        catalog.apply([put(f"i{n}", photo("1", f"d{n}", views=2)) for n in range(200)], collection=COLLECTION.name)
    return path


def test_every_connection_is_set_up(path: Path) -> None:
    """All connections, those beyond the pool too, are durable and check foreign keys."""
    database = Database(SQLite(path), patience_s=5)
    expected = {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "page_size": PAGE_BYTES,
        "busy_timeout": 5000,
        "application_id": MAGIC,
    }
    with ExitStack() as stack:
        for connection in [stack.enter_context(database.read()) for _ in range(POOLED + 3)]:
            found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in expected}
            assert found == expected
    database.close()


def test_closed_means_one_file(path: Path) -> None:
    """A closed catalog is one file, which can be copied."""
    assert list(path.parent.iterdir()) == [path]


def test_another_programs_database(tmp_path: Path) -> None:
    """Another program's SQLite file is refused and stays as it was, byte for byte."""
    path = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE customers (name TEXT)")
        other.commit()
    before = path.read_bytes()
    with pytest.raises(StateError, match="not a Nitari catalog") as caught:
        SqlCatalog.open(path)
    assert caught.value.code == "catalog-foreign"
    assert caught.value.remedy
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"id,title\n1,shoe\n" * 100, b"SQLite format 3\0" + b"\1" * 500])
def test_not_a_database(tmp_path: Path, content: bytes) -> None:
    """A file that is no database is refused and stays as it was."""
    path = tmp_path / "catalog.sqlite"
    path.write_bytes(content)
    with pytest.raises(StateError, match=r"catalog\.sqlite is damaged") as caught:
        SqlCatalog.open(path)
    assert caught.value.remedy
    assert isinstance(caught.value.__cause__, Exception)
    assert path.read_bytes() == content


def test_damaged(path: Path) -> None:
    """Pages overwritten in the middle are reported as damage, not as a crash."""
    with path.open("r+b") as file:
        file.seek(PAGE_BYTES)
        file.write(b"\xee" * (path.stat().st_size - PAGE_BYTES))
    with pytest.raises(StateError, match="damaged") as caught, SqlCatalog.open(path) as catalog:
        list(catalog.indexed_items(collection=COLLECTION.name))
    assert "import the feeds again" in caught.value.remedy


def test_a_vector_cut_short(path: Path) -> None:
    """A vector of another width than its collection's is damage."""
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("UPDATE vectors SET vector = X'00' WHERE key = 3")
        raw.commit()
    with SqlCatalog.open(path) as catalog, pytest.raises(StateError, match="damaged"):
        list(catalog.vectors(collection=COLLECTION.name))


def test_folder_in_the_way(tmp_path: Path) -> None:
    """A folder where the file should be, and a file where the folder should be."""
    (tmp_path / "catalog.sqlite").mkdir()
    with pytest.raises(DependencyError, match="unable to open") as caught:
        SqlCatalog.open(tmp_path / "catalog.sqlite")
    assert caught.value.remedy
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DependencyError, match="cannot be made") as caught:
        SqlCatalog.open(tmp_path / "file" / "home" / "catalog.sqlite")
    assert "--home" in caught.value.remedy


def test_disk_full(path: Path) -> None:
    """A full disk stops the write with nothing of it done; with space again, the same write succeeds."""
    full = True

    def cap(connection: sqlite3.Connection, _entry: object) -> None:
        if full:
            connection.execute("PRAGMA max_page_count = 1")  # no page beyond those in use

    database = Database(SQLite(path), patience_s=5)
    event.listen(database._engine, "connect", cap)
    catalog = SqlCatalog(database)
    edits = [put(f"new{n}", photo("1", f"n{n}", views=2)) for n in range(500)]
    with pytest.raises(DependencyError, match="full") as caught:
        catalog.apply(edits, collection=COLLECTION.name)
    assert "space" in caught.value.remedy
    assert catalog.seq() == 200
    assert catalog.get("new0") is None
    catalog.close()
    full = False
    with SqlCatalog.open(path) as catalog:
        assert catalog.apply(edits, collection=COLLECTION.name) == 700


def test_read_only(path: Path) -> None:
    """Where nothing may be written, reading works as far as it can and writing says what to do."""
    database = Database(SQLite(path), patience_s=5)
    event.listen(database._engine, "connect", lambda connection, _entry: connection.execute("PRAGMA query_only = ON"))
    with SqlCatalog(database) as catalog:
        assert catalog.get("i1") is not None
        with pytest.raises(DependencyError, match="readonly") as caught:
            catalog.apply([put("new", photo("1", "n"))], collection=COLLECTION.name)
    assert "writable" in caught.value.remedy


def test_copied_after_a_crash(path: Path, tmp_path: Path) -> None:
    """A copy of all three files, taken while the catalog is in use, is the catalog."""
    with SqlCatalog.open(path) as catalog:
        catalog.apply([put("last", photo("1", "last"))], collection=COLLECTION.name)
        copy = tmp_path / "copy"
        shutil.copytree(path.parent, copy)
    assert len(list(copy.iterdir())) == 3
    with SqlCatalog.open(copy / path.name) as restored:
        assert restored.get("last") is not None


@pytest.mark.parametrize(
    ("code", "error", "our_code"),
    [
        (sqlite3.SQLITE_BUSY, DependencyError, BUSY),
        (sqlite3.SQLITE_BUSY_RECOVERY, DependencyError, BUSY),
        (sqlite3.SQLITE_CORRUPT_INDEX, StateError, "catalog-damaged"),
        (sqlite3.SQLITE_IOERR_FSYNC, DependencyError, "catalog-failed"),
        (sqlite3.SQLITE_ERROR, StateError, "catalog-failed"),
    ],
)
def test_translate(tmp_path: Path, code: int, error: type[NitariError], our_code: str) -> None:
    """Extended result codes mean what their primary code means."""
    raw = sqlite3.OperationalError("it says")
    raw.sqlite_errorcode = code
    found = SQLite(tmp_path / "c.sqlite").translate(raw)
    assert (type(found), found.code) == (error, our_code)
    assert found.remedy


def test_deletes_leave_no_orphans(path: Path) -> None:
    """What hangs on a deleted item goes with it, in every table."""
    with SqlCatalog.open(path) as catalog:
        everything = list(catalog.feed_item_ids("feed.csv"))
        catalog.apply([ItemDelete(item_id) for item_id in everything], collection=COLLECTION.name)
        with catalog._database.read() as connection:
            for table in ("items", "images", "features", "regions", "views", "vectors"):
                assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar() == 0  # noqa: S608
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
