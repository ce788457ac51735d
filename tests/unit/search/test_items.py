"""The table of items: replacing, looking up, showing, compacting."""

from __future__ import annotations

import numpy as np
import pytest

from nitari.catalog.base import IndexedItem
from nitari.search import items as items_module
from nitari.search.items import ItemTable
from nitari.types import Attributes, Box, Hit

BOX = Box(0.1, 0.2, 0.3, 0.4)


def _item(item_id: str, *keys: int, attributes: Attributes | None = None) -> IndexedItem:
    return IndexedItem(
        item_id=item_id,
        group_id=f"group of {item_id}",
        title=f"title of {item_id}",
        attributes=attributes or {},
        keys=np.asarray(keys, np.int64),
        images=tuple(f"{key}.jpg" for key in keys),
        boxes=tuple(Box(0.0, 0.0, 1 / (key + 1), 1.0) for key in keys),
    )


def _table(*items: IndexedItem) -> ItemTable:
    table = ItemTable()
    table.replace({item.item_id: item for item in items})
    return table


def test_shows_what_a_key_stands_for() -> None:
    """From key to hit: the item, and the image and box of that very key."""
    table = _table(_item("a", 5, 3, attributes={"color": "red"}), _item("b", 4))
    views = table.views(np.asarray([3, 4]))
    assert table.hits(views, [0.5, 0.25]) == (
        Hit("a", "group of a", 0.5, "3.jpg", Box(0.0, 0.0, 0.25, 1.0), "title of a", {"color": "red"}),
        Hit("b", "group of b", 0.25, "4.jpg", Box(0.0, 0.0, 0.2, 1.0), "title of b", {}),
    )


def test_shows_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was shown before is shown the same again, also when too much was shown to keep all of it."""
    monkeypatch.setattr(items_module, "_SHOWN", 3)
    table = _table(*(_item(f"i{key}", key) for key in range(8)))
    fresh = _table(*(_item(f"i{key}", key) for key in range(8)))
    for keys in ([0, 1], [1, 0, 2], [2, 3, 0], [4, 5, 6, 7], [7, 0]):
        views = table.views(np.asarray(keys))
        assert table.hits(views, [0.5] * len(keys)) == fresh.hits(views, [0.5] * len(keys))
        assert [hit.item_id for hit in table.hits(views, [0.5] * len(keys))] == [f"i{key}" for key in keys]
        fresh._shown.clear()
    table.replace({"i7": _item("i7", 9, attributes={"new": True})})
    (hit,) = table.hits(table.views(np.asarray([9])), [0.5])
    assert (hit.image, hit.attributes) == ("9.jpg", {"new": True})
    assert len(table._shown) <= 4


def test_unknown_keys_and_items() -> None:
    """What is not there is said to be not there."""
    table = _table(_item("a", 5))
    assert table.views(np.asarray([4, 5, 6])).tolist() == [-1, 0, -1]
    assert table.known(np.asarray([4, 5])).tolist() == [False, True]
    assert table.ordinal("b") is None


def test_replacing_tells_which_keys_are_gone() -> None:
    """Keys that an item keeps, or that another item of the same batch took over, are not gone."""
    table = _table(_item("a", 1, 2), _item("b", 3), _item("c", 4))
    gone = table.replace({"a": _item("a", 2, 5), "b": None, "d": _item("d", 6), "never there": None})
    assert gone.tolist() == [1, 3]
    assert sorted(table.keys().tolist()) == [2, 4, 5, 6]
    assert len(table) == 3
    ordinal = table.ordinal("a")
    assert ordinal is not None
    assert table.keys_of(ordinal).tolist() == [2, 5]
    assert table.item_id(ordinal) == "a"
    assert table.alive.tolist() == [False, False, True, True, True]


def test_compacted_is_the_same_without_the_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """After many changes most rows are dead; a compacted table answers as the old one did."""
    monkeypatch.setattr(items_module, "_DEAD_AT_LEAST", 4)
    table = _table(_item("a", 1, 2), _item("b", 3))
    for key in range(10, 20):
        assert table.mostly_dead == (key >= 14)
        table.replace({"a": _item("a", 2, key, attributes={"key": float(key)})})
    small = table.compacted()
    assert not small.mostly_dead
    assert len(small) == len(table) == 2
    assert small.alive.tolist() == [True, True]
    keys = np.sort(table.keys())
    assert np.sort(small.keys()).tolist() == keys.tolist() == [2, 3, 19]
    scores = [0.0] * keys.size
    assert small.hits(small.views(keys), scores) == table.hits(table.views(keys), scores)
    assert small.views(np.asarray([1, 10])).tolist() == [-1, -1]
    gone = small.replace({"a": None})
    assert gone.tolist() == [2, 19]


def test_empty() -> None:
    """A table without items is no special case."""
    table = ItemTable()
    assert table.replace({}).size == 0
    assert len(table.compacted()) == len(table) == table.keys().size == 0
    assert table.hits(np.empty(0, np.int64), []) == ()
