"""Filters as an index sees them: answers about keys, and which of them an edit may have changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nitari import changes as changes_module
from nitari.catalog.base import IndexedItem
from nitari.index.masks import MaskCache, SlotArray
from nitari.search.allowed import AllowedKeys
from nitari.search.filters import parse_filter
from nitari.search.items import ItemTable
from nitari.types import WHOLE, KeyArray

RED = parse_filter({"color": "red"})


def _item(item_id: str, *keys: int, color: str) -> IndexedItem:
    count = len(keys)
    return IndexedItem(item_id, "", "", {"color": color}, np.asarray(keys, np.int64), ("x",) * count, (WHOLE,) * count)


def _table() -> ItemTable:
    table = ItemTable()
    table.replace({"a": _item("a", 1, 2, color="red"), "b": _item("b", 3, color="blue")})
    return table


def test_answers_about_keys() -> None:
    """A key is allowed where its item passes; keys that stand for nothing are not."""
    allowed, keys = AllowedKeys(_table(), RED), np.array([3, 1, 9, 2])
    assert allowed.mask(keys).tolist() == [False, True, False, True]
    places = allowed.places(keys)
    assert places.tolist() == [1, 0, -1, 0]
    assert allowed.passing().tolist() == [True, False]
    assert AllowedKeys(ItemTable(), RED).mask(keys).tolist() == [False] * 4


def test_edits_change_the_version_and_name_the_keys() -> None:
    """The token stays; what an item had and what it has now are the keys that changed."""
    table = _table()
    allowed = AllowedKeys(table, RED)
    token, version = allowed.token, allowed.version
    assert allowed.changed(version) is not None
    table.replace({"a": _item("a", 2, 5, color="blue"), "new": None})
    table.replace({"c": _item("c", 7, color="red")})
    assert (allowed.token, allowed.version) == (token, version + 2)
    changed = allowed.changed(version)
    assert changed is not None
    assert changed.tolist() == [1, 2, 5, 7]
    later = allowed.changed(version + 1)
    assert later is not None
    assert later.tolist() == [7]
    none = allowed.changed(version + 2)
    assert none is not None
    assert none.size == 0


def test_the_log_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of versions too long ago it is not known what changed."""
    monkeypatch.setattr(changes_module, "_LOGGED", 3)
    table = _table()
    since = table.version
    for key in range(10, 14):
        assert table.changed(since) is not None
        table.replace({str(key): _item(str(key), key, color="red")})
    assert table.changed(since) is None
    changed = table.changed(since + 1)
    assert changed is not None
    assert changed.tolist() == [11, 12, 13]


def test_a_compacted_table_goes_on() -> None:
    """Compaction keeps token, version and log, as the answers stay; only places are new."""
    table = _table()
    since = table.version
    table.replace({"a": _item("a", 1, color="blue")})
    small = table.compacted()
    old, new = AllowedKeys(table, RED), AllowedKeys(small, RED)
    assert (old.token, old.version) == (new.token, new.version)
    assert old.layout != new.layout
    changed = new.changed(since)
    assert changed is not None
    assert changed.tolist() == [1, 2]
    assert AllowedKeys(_table(), RED).token != old.token


def test_a_cache_follows_random_edits() -> None:
    """What a cache says of any filter after any edit is what a new one says."""
    rng = np.random.default_rng(0)
    keys = rng.permutation(400).astype(np.int64)

    def find(asked: KeyArray) -> SlotArray:
        order = np.argsort(keys)
        at = np.searchsorted(keys, asked, sorter=order)
        return np.where(asked < 400, order[np.minimum(at, 399)], -1)

    table, cache = ItemTable(), MaskCache()
    filters = [parse_filter({"color": color}) for color in ("red", "blue", "rare")]
    for round_number in range(60):
        edits: dict[str, IndexedItem | None] = {}
        for number in rng.integers(0, 200, 8 if round_number else 200).tolist():
            color = "rare" if rng.random() < 0.01 else rng.choice(["red", "blue"])
            own = (2 * number, 2 * number + 1, 1000 + number)[: rng.integers(1, 4)]
            edits[str(number)] = None if rng.random() < 0.2 else _item(str(number), *own, color=color)
        table.replace(edits)
        if round_number % 20 == 10:
            table = table.compacted()
        for wanted in filters:
            if rng.random() < 0.7:
                mask = cache.get(AllowedKeys(table, wanted), keys, find)
                assert mask.bits.tolist() == AllowedKeys(table, wanted).mask(keys).tolist()
                assert mask.count == np.count_nonzero(mask.bits)


def test_lists_the_places_where_few_items_pass() -> None:
    """Those of living items that pass, ascending, where these are at most as many as wanted."""
    table = _table()
    table.replace({str(number): _item(str(number), 10 + number, color="blue") for number in range(9)})
    table.replace({"c": _item("c", 50, 51, color="red"), "d": _item("d", 60, color="red")})
    table.replace({"d": None, "e": _item("e", 51, color="blue")})  # two items claim the key 51
    allowed = AllowedKeys(table, RED)
    expected = np.unique(allowed.places(np.array([1, 50]))).tolist()
    for limit in (0, 1, 2, 3, 9):
        few = allowed.few(limit)
        assert few is None or (few.tolist() == expected and few.dtype == np.int32)
        assert (few is None) == (limit < 2)
    nothing = AllowedKeys(table, parse_filter({"color": "none"})).few(0)
    assert nothing is not None
    assert nothing.size == 0
    everything = np.sort(table.keys())
    assert everything[allowed.mask(everything)].tolist() == [1, 2, 50]


def test_a_saved_table_allows_the_same(tmp_path: Path) -> None:
    """Filters over an opened table, and over what changed since, answer as over one in memory."""
    table = _table()
    table.save(tmp_path)
    saved = ItemTable.open(tmp_path)
    keys = np.arange(12)
    for edits in ({}, {"a": _item("a", 1, 7, color="blue")}, {"c": _item("c", 8, color="red"), "b": None}):
        table.replace(edits)
        saved.replace(edits)
        ours, theirs = AllowedKeys(saved, RED), AllowedKeys(table, RED)
        assert ours.mask(keys).tolist() == theirs.mask(keys).tolist()
        few = ours.few(9)
        assert few is not None
        assert np.isin(ours.places(keys), few).tolist() == theirs.mask(keys).tolist()
