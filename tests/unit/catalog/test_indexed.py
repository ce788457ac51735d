"""What indexes are made of is read in the order in which it lies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nitari.catalog import indexed
from nitari.catalog.sql import SqlCatalog
from support.catalogs import COLLECTION, photo, put, query_plan, ready


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqlCatalog]:
    """A catalog with a few items."""
    with SqlCatalog.open(tmp_path / "catalog.sqlite") as catalog:
        ready(catalog)
        catalog.apply([put(f"i{n}", photo("1", f"d{n}", views=2)) for n in range(30)], collection=COLLECTION.name)
        yield catalog


@pytest.mark.parametrize("statement", ["_INDEXED", "_INDEXED_SOME", "_VECTORS", "_VECTORS_SOME"])
def test_streams_are_not_sorted(catalog: SqlCatalog, statement: str) -> None:
    """What is streamed comes from the indexes in order: a sort would hold the whole catalog before the first row."""
    steps = query_plan(catalog, getattr(indexed, statement))
    assert not [step for step in steps if "TEMP B-TREE" in step], steps


def test_changed_keys_are_looked_up(catalog: SqlCatalog) -> None:
    """The keys of items that changed are found by their ids: nothing that did not change is read."""
    for statement in (indexed._CHANGED, indexed._KEYS_OF_ITEMS):
        steps = query_plan(catalog, statement)
        assert not [step for step in steps if step.startswith("SCAN")], steps
