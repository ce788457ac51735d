"""A catalog as a file: copies that agree with what they say, uploads, and branches."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from nitari.catalog.base import ItemDelete
from nitari.catalog.sql import SqlCatalog
from nitari.errors import NotFoundError, StateError
from support.catalogs import photo, put
from support.snapshots import catalog_file, content_at, content_of, edit_to, upload


def test_copy(tmp_path: Path) -> None:
    """A copy holds what the catalog holds, and its facts are the copy's."""
    home = edit_to(tmp_path / "home", 25)
    ticks: list[None] = []
    facts = catalog_file(home).copy(tmp_path / "copy" / "catalog.sqlite", tick=lambda: ticks.append(None))
    assert (facts.seq, facts.oldest, facts.schema) == (25, 0, catalog_file(home).schema)
    assert facts == catalog_file(home).facts(home / "catalog.sqlite")
    assert facts.items == len(content_of(home))
    assert content_of(tmp_path / "copy") == content_of(home)
    assert ticks


def test_copy_of_nothing(tmp_path: Path) -> None:
    """A home without a catalog is not made one by looking."""
    with pytest.raises(NotFoundError, match="holds no catalog"):
        catalog_file(tmp_path).copy(tmp_path / "copy", tick=lambda: None)
    assert list(tmp_path.iterdir()) == []


def test_looking_changes_nothing(tmp_path: Path) -> None:
    """A copy stays the same bytes when it is looked into, so that it travels once."""
    home = edit_to(tmp_path / "home", 25)
    copy = tmp_path / "copy.sqlite"
    catalog_file(home).copy(copy, tick=lambda: None)
    before = copy.read_bytes()
    catalog_file(home).facts(copy)
    catalog_file(home).uploads(copy)
    assert copy.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.sqlite", "home"]


def test_uploads(tmp_path: Path) -> None:
    """Uploads are found by the links of items, now and before; links that name no digest are none."""
    home = edit_to(tmp_path, 3)
    digest, past = upload(home, "shoe", b"photo"), upload(home, "gone", b"another")
    with SqlCatalog.open(home / "catalog.sqlite") as catalog:
        catalog.apply([put("bad", photo("upload:../../etc/passwd", "ab"))], collection="card")
        catalog.apply([ItemDelete("gone")], collection="card")
    path = home / "catalog.sqlite"
    assert catalog_file(home).uploads(path) == {digest}
    assert catalog_file(home).past_uploads(path) == {past}


def test_branch(tmp_path: Path) -> None:
    """A branch is another catalog; taken back to a point, it holds what was there then."""
    home = edit_to(tmp_path / "home", 30)
    path = home / "catalog.sqlite"
    before = catalog_file(home).facts(path)
    after = catalog_file(home).branch(path)
    assert after.identity != before.identity
    assert (after.seq, content_of(home)) == (30, content_at(tmp_path / "other", 30))
    back = catalog_file(home).branch(path, 12)
    assert back.identity not in {before.identity, after.identity}
    assert content_of(home) == content_at(tmp_path / "then", 12)


def test_a_point_that_is_forgotten(tmp_path: Path) -> None:
    """Where the history was cut, going back further is refused."""
    home = edit_to(tmp_path, 20)
    with sqlite3.connect(home / "catalog.sqlite") as connection:
        connection.execute("DELETE FROM history WHERE seq <= 10")
    connection.close()
    assert catalog_file(home).facts(home / "catalog.sqlite").oldest == 10
    with pytest.raises(StateError) as error:
        catalog_file(home).branch(home / "catalog.sqlite", 9)
    assert error.value.code == "history-gone"
