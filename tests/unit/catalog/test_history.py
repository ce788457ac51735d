"""What is kept before a change is what the change may touch, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nitari.catalog.base import FeaturesPut, ItemDelete
from nitari.catalog.sql import FILE_NAME, SqlCatalog
from nitari.catalog.undo import Undo, decode_undo
from support.catalogs import COLLECTION, features_of, photo, put
from support.past import OTHER, ready_twice

CARD = COLLECTION.name


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqlCatalog]:
    """A catalog with one item that has features in both collections."""
    with SqlCatalog.open(tmp_path / FILE_NAME) as opened:
        ready_twice(opened)
        opened.apply([put("a", photo("1", "d"))], collection=CARD)
        opened.add_features([FeaturesPut("a", "1", "d", features_of("d"))], collection=OTHER.name)
        yield opened


def records(catalog: SqlCatalog) -> list[Undo | None]:
    """The history, oldest first."""
    with catalog._database.read() as connection:
        rows = connection.exec_driver_sql("SELECT row FROM history ORDER BY seq").scalars().all()
    return [None if row is None else decode_undo(row) for row in rows]


def test_new_item(catalog: SqlCatalog) -> None:
    """Of an item that was not there, nothing is kept."""
    assert records(catalog)[0] is None


def test_features_added(catalog: SqlCatalog) -> None:
    """Of a photo that gets features in one more collection, no vector is kept, and that it had none there."""
    undo = records(catalog)[1]
    assert undo is not None
    assert (undo.collections, undo.state.features) == ({2}, {})


def test_attributes(catalog: SqlCatalog) -> None:
    """A change of attributes keeps the item's columns and those of its photos."""
    catalog.apply([put("a", photo("1", "d"), title="new")], collection=CARD)
    undo = records(catalog)[2]
    assert undo is not None
    assert (undo.collections, undo.state.features) == (set(), {})
    assert (undo.state.item_id, undo.state.seq, undo.state.columns[2]) == ("a", 2, "")
    assert [image[2:4] for image in undo.state.images] == [("1", "d")]


def test_photo_added(catalog: SqlCatalog) -> None:
    """A further photo has what its collection held kept, not the other's: no photo goes."""
    catalog.apply([put("a", photo("1", "d"), photo("2", "e"))], collection=CARD)
    undo = records(catalog)[2]
    assert undo is not None
    assert undo.collections == {1}
    assert {collection for _, collection in undo.state.features} == {1}


@pytest.mark.parametrize("edit", [put("a", photo("1", "new")), ItemDelete("a")])
def test_photo_gone(catalog: SqlCatalog, edit: ItemDelete) -> None:
    """Where a photo goes, its features in all collections are kept, with keys and vectors."""
    catalog.apply([edit], collection=CARD)
    undo = records(catalog)[2]
    assert undo is not None
    assert undo.collections is None
    found = {collection: state for (_, collection), state in undo.state.features.items()}
    assert sorted(found) == [1, 2]
    assert all(len(view.vector) == 2 * COLLECTION.dim for state in found.values() for view in state.views)
    assert [view.key for collection in (1, 2) for view in found[collection].views] == [1, 2]


def test_several_rounds(catalog: SqlCatalog) -> None:
    """An item changed twice in one batch is kept as it was before each."""
    catalog.apply([put("a", photo("1", "d"), title="x"), put("a", photo("1", "d"), title="y")], collection=CARD)
    assert [undo.state.columns[2] for undo in records(catalog)[2:] if undo] == ["", "x"]
