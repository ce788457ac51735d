"""A query as a feed: read-only, named without secrets, failing with the right error."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import given

from nitari.catalog.feed import open_feed
from nitari.catalog.feeds.sql import SqlReader
from nitari.errors import ConfigurationError, DependencyError, FeedError, MissingExtraError, NitariError, UsageError
from nitari.types import Item
from support.feed_items import items
from support.feeds import WRITERS, read


@pytest.fixture
def shop(tmp_path: Path) -> str:
    """A small database; returns its URL."""
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("create table products (sku text, photo text, price real, labels text)")
        database.execute("insert into products values ('00123', 'https://x/a.jpg', 9.5, '[\"new\"]')")
    database.close()
    return f"sqlite:///{tmp_path / 'shop.db'}"


@given(items())
def test_items_survive(wanted: list[Item]) -> None:
    """What is written to a table reads back equal, but for booleans of unknown columns, which SQLite has not."""
    wanted = [
        Item(i.item_id, i.image_links, i.title, i.group_id, {k: v for k, v in i.attributes.items() if k != "organic"})
        for i in wanted
    ]
    with tempfile.TemporaryDirectory() as folder:
        source, query = WRITERS["sqlite"](wanted, Path(folder))
        assert read(open_feed(source, query=query)) == (wanted, [])


def test_any_query_will_do(shop: str) -> None:
    """Percent signs, colons and a final semicolon are the database's affair; JSON arrays are lists."""
    query = (
        "select sku as id, photo as image_link, price, labels, '50% :off' as note from products where sku like '0%';"
    )
    (item,), rejections = read(open_feed(shop, query=query))
    assert item == Item(
        "00123", ("https://x/a.jpg",), attributes={"price": 9.5, "labels": ("new",), "note": "50% :off"}
    )
    assert rejections == []


def test_the_name_tells_database_and_query(shop: str) -> None:
    """Two queries are two feeds, spacing does not matter, and a name given goes first."""
    names = {
        open_feed(shop, query=query).feed_id
        for query in ("select sku as id", "select  sku\n as id ;", "select photo as id")
    }
    assert len(names) == 2
    assert all(name.startswith(f"{shop}#query=") for name in names)
    assert open_feed(shop, query="select 1", feed_id="shop").feed_id == "shop"


@pytest.mark.parametrize(
    ("query", "says", "code"),
    [
        ("select sku as id from products", "no column 'image_link'", "header"),
        ("select nil from products", "no such column", "query"),
        ("select from", "syntax error", "query"),
        ("delete from products", "readonly", "query"),
        ("drop table products", "readonly", "query"),
        ("savepoint here", "no select", "query"),
    ],
)
def test_bad_queries_are_feed_errors(shop: str, query: str, says: str, code: str) -> None:
    """The database's own words, and nothing is ever written."""
    with pytest.raises(FeedError, match=says) as caught:
        read(open_feed(shop, query=query))
    assert caught.value.code == code
    assert len(read(open_feed(shop, query="select sku as id, photo as image_link from products"))[0]) == 1


def test_a_missing_file_is_not_made(tmp_path: Path) -> None:
    """SQLite would create it."""
    with pytest.raises(FeedError, match="does not exist"):
        open_feed(f"sqlite:///{tmp_path / 'none.db'}", query="select 1")
    assert not (tmp_path / "none.db").exists()


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    """It is said as the query's failure."""
    (tmp_path / "x.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(NitariError, match="not a database"):
        read(open_feed(f"sqlite:///{tmp_path / 'x.db'}", query="select * from products"))


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("postgresql://user:hunter2@127.0.0.1:1/shop?sslpassword=hunter3", (DependencyError, MissingExtraError)),
        ("postgresql://user:hunter2@127.0.0.1:port/shop", UsageError),
        ("mysql+nodriver://user:hunter2@127.0.0.1/shop", UsageError),
        ("mysql+pymysql://user:hunter2@127.0.0.1:1/shop", (ConfigurationError, DependencyError)),
        ("martian://user:hunter2@127.0.0.1/shop", UsageError),
        ("sqlite://", UsageError),
    ],
)
def test_databases_that_cannot_be_reached(url: str, error: type[Exception] | tuple[type[Exception], ...]) -> None:
    """Whose fault it is shows in the class; no secret shows anywhere."""
    with pytest.raises(error) as caught:
        read(open_feed(url, query="select 1"))
    said: BaseException | None = caught.value
    assert isinstance(said, NitariError)
    assert "hunter" not in said.message + said.remedy
    assert said.remedy


def test_an_empty_query_is_a_usage_error(shop: str) -> None:
    """Nothing but space and semicolons asks for nothing."""
    with pytest.raises(UsageError, match="empty"):
        open_feed(shop, query=" ; ")


def test_feed_ids_hold_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """User, password and driver options stay out of the name; host, port and database are in it."""
    monkeypatch.setattr(SqlReader, "_engine_or_raise", lambda _self: _Disposable())
    reader = SqlReader("postgresql://user:hunter2@db.example:5433/shop?sslpassword=hunter3&host=other", "select 1")
    assert reader.name.partition("#")[0] == "postgresql://db.example:5433/shop?host=other"


class _Disposable:
    """Stands for an engine whose driver is not installed here."""

    def dispose(self) -> None:
        """Nothing to close."""
