"""The table of items: replacing, looking up, showing, compacting."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitari.catalog.base import IndexedItem
from nitari.errors import StateError
from nitari.search import columns as columns_module
from nitari.search import columns_sealed as sealed_module
from nitari.search import items as items_module
from nitari.search.columns import Row
from nitari.search.filters import parse_filter
from nitari.search.items import ItemTable
from nitari.types import Attributes, Box, Hit
from support.filters import filters, passes, rows

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


Edits = dict[str, IndexedItem | None]


def _reopened(table: ItemTable) -> ItemTable:
    """The table, saved and opened."""
    with tempfile.TemporaryDirectory() as folder:
        table.save(Path(folder))
        return ItemTable.open(Path(folder))


@st.composite
def _edits(draw: st.DrawFn, first_key: int) -> Edits:
    """Items that come, change or go. Some keep keys that only they may have; others get new ones."""
    edits: Edits = {}
    for item_id in draw(st.lists(st.sampled_from(["a", "b", "c", "red", "1", "ß"]), unique=True, max_size=4)):
        row = draw(st.none() | rows())
        if row is None:
            edits[item_id] = None
            continue
        kept = [1000 + 10 * ord(item_id[0]) + at for at in range(draw(st.integers(0, 2)))]
        new = [first_key + 10 * len(edits) + at for at in range(draw(st.integers(0 if kept else 1, 2)))]
        item = _item(item_id, *new, *kept, attributes=row.attributes)
        edits[item_id] = IndexedItem(
            item_id, row.group_id, row.title, row.attributes, item.keys, item.images, item.boxes
        )
    return edits


@st.composite
def _histories(draw: st.DrawFn) -> list[Edits]:
    """A few rounds of edits; keys are never used twice."""
    return [draw(_edits(100 * number)) for number in range(draw(st.integers(1, 4)))]


@contextmanager
def _sparse(often: bool) -> Iterator[None]:
    """Have few rows looked at one by one ``often``, as it is in a large table."""
    with pytest.MonkeyPatch.context() as patch:
        if often:
            patch.setattr(columns_module, "_SPARSE", 0.5)
            patch.setattr(sealed_module, "_FEW", 1)
        yield


def _same(table: ItemTable, items: dict[str, IndexedItem], documents: list[dict[str, Any]]) -> None:
    """All that a table can be asked says that it holds ``items``."""
    assert len(table) == len(items)
    keys = [key for item in items.values() for key in item.keys.tolist()]
    assert sorted(table.keys().tolist()) == sorted(keys)
    asked = np.asarray([*keys, -7, 99_999], np.int64)
    assert table.known(asked).tolist() == [True] * len(keys) + [False] * 2
    hits = table.hits(table.views(asked[:-2]), [0.5] * len(keys))
    wanted = []
    for item in items.values():
        ordinal = table.ordinal(item.item_id)
        assert ordinal is not None
        assert table.item_id(ordinal) == item.item_id
        assert table.keys_of(ordinal).tolist() == item.keys.tolist()
        for image, box in zip(item.images, item.boxes, strict=True):
            wanted.append(Hit(item.item_id, item.group_id, 0.5, image, box, item.title, item.attributes))
    assert hits == tuple(wanted)
    assert table.ordinal("never there") is None
    living = np.flatnonzero(table.alive).astype(np.int32)
    ids = [table.item_id(ordinal) for ordinal in living.tolist()]
    assert sorted(ids) == sorted(items)
    assert table.keys_of_all(living).tolist() == [key for one in ids for key in items[one].keys.tolist()]
    groups = table.columns.groups(living).tolist()
    assert len({*zip(groups, (items[one].group_id for one in ids), strict=True)}) == len({*groups})
    assert table.columns.group_count(table.alive) == len({item.group_id for item in items.values()})
    for document in documents:
        wanted_filter = parse_filter(document)
        passing = {
            item.item_id
            for item in items.values()
            if passes(document, Row(item.item_id, item.group_id, item.title, item.attributes))
        }
        matching = table.columns.matching(wanted_filter)
        assert matching.size <= table.columns.estimate(wanted_filter)
        assert (np.diff(matching) > 0).all()
        assert {table.item_id(row) for row in matching.tolist() if table.alive[row]} == passing
        mask = table.columns.mask(wanted_filter)
        assert np.flatnonzero(mask).tolist() == matching.tolist()


@settings(max_examples=50)  # each saves and opens five tables
@given(_histories(), _histories(), st.lists(filters(), max_size=3), st.booleans())
def test_a_saved_table_is_the_same(
    before: list[Edits], after: list[Edits], documents: list[dict[str, Any]], often: bool
) -> None:
    """In memory, saved and opened, changed, compacted, saved again: a table answers as a dictionary of its items."""
    items: dict[str, IndexedItem] = {}
    table = ItemTable()
    with _sparse(often):
        for number, edits in enumerate([*before, *after]):
            if number == len(before):
                table = _reopened(table)
                _same(table, items, documents)
            shifted = _shifted(edits, 10_000 * (number >= len(before)))
            before_keys = {key for one in edits if one in items for key in items[one].keys.tolist()}
            gone = table.replace(shifted)
            for item_id, item in shifted.items():
                items.pop(item_id, None)
                if item is not None:
                    items[item_id] = item
            kept = {key for item in items.values() for key in item.keys.tolist()}
            assert gone.tolist() == sorted(before_keys - kept)
            _same(table, items, documents)
        fresh = ItemTable()
        fresh.replace(items)
        for other in (table.compacted(), _reopened(table), _reopened(table.compacted())):
            _same(other, items, documents)
            assert other.columns.summaries(other.alive) == fresh.columns.summaries(fresh.alive)
            for name in ("color", "price", "tags", "title"):
                assert other.columns.facet(name, other.alive, 3) == fresh.columns.facet(name, fresh.alive, 3)
        small = table.compacted()
        gone_in_both = (small.replace(dict.fromkeys(items)), table.replace(dict.fromkeys(items)))
        assert gone_in_both[0].tolist() == gone_in_both[1].tolist()
        assert len(small) == len(table) == len(_reopened(small)) == 0


def _shifted(edits: Edits, by: int) -> Edits:
    """The edits with other keys for what is new, so that none is used twice."""
    return {
        item_id: None
        if item is None
        else IndexedItem(
            item_id,
            item.group_id,
            item.title,
            item.attributes,
            np.where(item.keys < 1000, item.keys + by, item.keys),
            item.images,
            item.boxes,
        )
        for item_id, item in edits.items()
    }


def test_the_same_items_give_the_same_file(tmp_path: Path) -> None:
    """What is written depends on the items and their order, not on what they were before."""
    first, second = _item("a", 1, 2, attributes={"x": "1", "y": ("q", "q")}), _item("b", 3, attributes={"x": 2.0})
    straight, detour = _table(first, second), _table(_item("b", 9, attributes={"z": "old"}), first)
    detour.replace({"b": second})
    for name, table in (("straight", straight), ("detour", detour), ("again", _reopened(detour))):
        (tmp_path / name).mkdir()
        table.save(tmp_path / name)
    contents = {(tmp_path / name / "items.table").read_bytes() for name in ("straight", "detour", "again")}
    assert len(contents) == 1


def test_compaction_leaves_what_was_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows in the file stay where they are, dead or not, and with them what was remembered of filters."""
    monkeypatch.setattr(items_module, "_DEAD_AT_LEAST", 2)
    table = _reopened(_table(*(_item(str(key), key, attributes={"n": float(key)}) for key in range(64))))
    red = parse_filter({"n": {"gte": 60}})
    assert table.columns.mask(red).sum() == 4
    for key in (100, 101, 102, 103, 104):
        assert not table.mostly_dead
        table.replace({"63": _item("63", key, attributes={"n": float(key)})})
    assert table.mostly_dead
    small = table.compacted()
    assert not small.mostly_dead
    assert small.alive.tolist() == [True] * 63 + [False, True]
    assert small.columns._masks[red.token].size == 64
    assert small.columns.mask(red).tolist() == [False] * 60 + [True] * 5
    assert small.ordinal("63") == 64
    assert small.views(np.asarray([63, 104])).tolist() == [-1, 64]


def test_tables_that_cannot_be_opened(tmp_path: Path) -> None:
    """A missing, foreign, older or cut off file is named, and what to do about it."""
    _table(_item("a", 1)).save(tmp_path)
    path = tmp_path / "items.table"
    whole = path.read_bytes()
    for content, message in (
        (None, "items.table is damaged"),
        (b"", "is damaged"),
        (whole[:40], "it has 40 bytes"),
        (b"FOREIGN." + whole[8:], "it begins with b'FOREIGN.'"),
        (whole[:8] + b"\x02" + whole[9:], "is of version 2, expected 1"),
        (whole[:-1], "directory's checksum"),
        (whole[:-1] + b"?", "directory's checksum"),
    ):
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(StateError, match=message) as caught:
            ItemTable.open(tmp_path)
        assert "rebuilt from the catalog" in caught.value.remedy


def test_texts_of_every_kind_survive() -> None:
    """Ids, titles and links with any character, half a surrogate pair included, and texts that begin alike."""
    strange = ("\ud800", "e\u0301", "é", "\U0001f457", "\uffff", "a" * 2048, "a" * 2047, "A\x00B", "A")
    table = _table(
        *(_item(f"{text}{at}", at, attributes={"t": text, "l": (text, text)}) for at, text in enumerate(strange))
    )
    saved = _reopened(table)
    keys = np.arange(len(strange))
    scores = [0.0] * len(strange)
    assert saved.hits(saved.views(keys), scores) == table.hits(table.views(keys), scores)
    for text in strange:
        for test in ({"t": text}, {"l": text}, {"t": {"gte": text}}, {"t": {"lt": text}}, {"t": {"prefix": text[:9]}}):
            wanted = parse_filter(test)
            assert saved.columns.mask(wanted).tolist() == table.columns.mask(wanted).tolist()
        contains = parse_filter({"t": {"contains": text[:40]}})
        assert saved.columns.mask(contains).tolist() == table.columns.mask(contains).tolist()
