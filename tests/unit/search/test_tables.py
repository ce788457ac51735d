"""Saved tables spare a start the reading of the catalog, and are passed over where they are of no use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nitari.catalog.base import Catalog, ItemDelete
from nitari.errors import StateError
from nitari.search.items import ItemTable
from nitari.search.tables import TableKeeper, open_table
from support.catalogs import COLLECTION, photo, put
from support.galleries import Interrupted, open_catalog

NAME = COLLECTION.name


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """A catalog of five items."""
    opened = open_catalog(tmp_path)
    opened.apply([put(name, photo(f"{name}.jpg", name), title=name) for name in "abcde"], collection=NAME)
    yield opened
    opened.close()


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A folder for a table."""
    folder = tmp_path / "table"
    folder.mkdir()
    return folder


def _ids(table: ItemTable) -> list[str]:
    return sorted(table.item_id(ordinal) for ordinal in range(len(table.alive)) if table.alive[ordinal])


def test_a_saved_table_is_brought_up_to_date(catalog: Catalog, saved: Path, tmp_path: Path) -> None:
    """Only what changed since is read, no vector ever; so is the table that is saved next."""
    keeper = TableKeeper(catalog, NAME)
    at = keeper.save(None, saved)
    assert at == catalog.seq()
    catalog.apply([ItemDelete("a"), put("f", photo("f.jpg", "f"))], collection=NAME)
    watched = Interrupted(catalog)
    watched.vectors = lambda **_: 1 // 0  # type: ignore[method-assign, return-value, assignment]
    read: list[object] = []
    items = watched.indexed_items

    def noting(*, collection: str, item_ids: list[str] | None = None) -> Iterator[object]:
        read.append(item_ids)
        return items(collection=collection, item_ids=item_ids)

    watched.indexed_items = noting  # type: ignore[method-assign, assignment]
    table, seq = open_table(watched, NAME, (saved, at))
    assert (_ids(table), seq) == (list("bcdef"), catalog.seq())
    assert read == [["a", "f"]]
    again = tmp_path / "again"
    again.mkdir()
    assert TableKeeper(watched, NAME).save((saved, at), again) == catalog.seq()
    assert _ids(ItemTable.open(again)) == list("bcdef")


def test_a_table_of_no_use_is_passed_over(
    catalog: Catalog, saved: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Damaged, from after the catalog, or from before the change log begins: the catalog is read."""
    keeper = TableKeeper(catalog, NAME)
    at = keeper.save(None, saved)
    keeper.check(saved, at)
    with pytest.raises(StateError, match="does not lead from change 99"):
        keeper.check(saved, 99)
    changes = catalog.changes
    with monkeypatch.context() as patch:
        patch.setattr(catalog, "changes", lambda after, limit=1000: changes(max(after, 3), limit=limit))
        keeper.check(saved, 3)
        with pytest.raises(StateError, match="does not lead from change 2"):
            keeper.check(saved, 2)
    (file,) = saved.iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(StateError):
        keeper.check(saved, at)
    table, seq = open_table(catalog, NAME, (saved, at))
    assert (_ids(table), seq) == (list("abcde"), at)
    assert "of no use" in caplog.text
