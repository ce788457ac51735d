"""What the SQL catalog promises beyond the port: streams let go, and the file keeps its identity."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nitari.catalog import sql
from nitari.catalog.sql import SqlCatalog
from nitari.errors import StateError
from support.catalogs import COLLECTION, photo, put, query_plan, ready


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqlCatalog]:
    """A catalog with a few items."""
    with SqlCatalog.open(tmp_path / "new" / "folder" / "catalog.sqlite") as catalog:
        ready(catalog)
        catalog.apply([put(f"i{n}", photo("1", f"d{n}", views=2)) for n in range(30)], collection=COLLECTION.name)
        yield catalog


def test_changes_are_not_sorted(catalog: SqlCatalog) -> None:
    """The change log is read from its index."""
    steps = query_plan(catalog, sql._CHANGES)
    assert not [step for step in steps if "TEMP B-TREE" in step], steps


def test_identity(catalog: SqlCatalog, tmp_path: Path) -> None:
    """A catalog has an identity that stays, and that no other has."""
    with SqlCatalog.open(tmp_path / "new" / "folder" / "catalog.sqlite") as again:
        assert again.identity == catalog.identity
    with SqlCatalog.open(tmp_path / "other.sqlite") as other:
        assert other.identity != catalog.identity


def test_abandoned_generators_let_go(catalog: SqlCatalog) -> None:
    """A stream that is not read to its end returns its connection."""
    for _ in range(40):
        next(catalog.indexed_items(collection=COLLECTION.name))
    assert catalog._database._engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_counters_gone(catalog: SqlCatalog) -> None:
    """A catalog whose counters are gone is damaged; its numbers must not start again."""
    catalog._database.write(lambda connection: connection.exec_driver_sql("DELETE FROM counters"))
    with pytest.raises(StateError, match="counters"):
        catalog.ping()
