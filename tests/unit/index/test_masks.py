"""Masks are remembered by token, a few of them, and put right where the catalog was edited."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.errors import UsageError
from nitari.index import masks as masks_module
from nitari.index.base import PlaceArray
from nitari.index.masks import Mask, MaskCache, SlotArray
from nitari.index.rows import RowStore
from nitari.types import BoolArray, KeyArray
from support.vectors import KeyFilter

KEYS = np.array([4, 0, 3, 1, 2], np.int64)
PLACES = 100


def find(keys: KeyArray) -> SlotArray:
    """The row of each key in ``KEYS``."""
    return np.array([KEYS.tolist().index(key) if key in KEYS else -1 for key in keys.tolist()], np.int64)


class Tabled(KeyFilter):
    """A filter with places (the keys themselves), which lists its keys where they are few."""

    layout = 1  # type: ignore[assignment]  # a filter without places has none

    def __init__(self, keys: list[int], *, name: str, listed: bool = False) -> None:
        super().__init__(keys, name=name)
        self.placed = 0
        self.listed = listed

    def places(self, keys: KeyArray) -> PlaceArray:
        """A key is its own place."""
        self.placed += keys.size
        return keys.astype(np.int32)

    def passing(self) -> BoolArray:
        """Which of them are allowed."""
        return np.isin(np.arange(PLACES), self._keys)

    def few(self, limit: int) -> PlaceArray | None:
        """All of them, if that is wanted."""
        return np.sort(self._keys).astype(np.int32) if self.listed else None


def test_the_least_recently_used_mask_is_forgotten() -> None:
    """A filter is asked once while it is among the last few, and again after ``clear``."""
    cache, keys = MaskCache(remembered=2), np.arange(5, dtype=np.int64)
    filters = [KeyFilter([number]) for number in range(3)]
    for number in (0, 1, 0, 2, 0, 1):
        assert cache.get(filters[number], keys, find).count == 1
    assert [one.asked for one in filters] == [1, 2, 1]
    cache.clear()
    assert cache.get(filters[0], keys, find).bits.tolist() == [True, False, False, False, False]
    assert filters[0].asked == 2


def test_memory_is_bounded() -> None:
    """Masks that take too much are forgotten, but never the last one."""
    cache = MaskCache(remembered_bytes=12)
    filters = [KeyFilter([number]) for number in range(3)]
    for number in (0, 1, 0, 2, 0, 1):
        cache.get(filters[number], KEYS, find)
    assert [one.asked for one in filters] == [1, 2, 1]
    tight = MaskCache(remembered_bytes=1)
    for number in (0, 0, 1, 0):
        tight.get(filters[number], KEYS, find)
    assert [one.asked for one in filters] == [3, 3, 1]


@given(st.lists(st.booleans(), max_size=20))
def test_every_form_says_the_same(bits: list[bool]) -> None:
    """Bits, packed bits and slots agree, whichever of them was there first."""
    array = np.array(bits, np.bool_)
    for mask in (Mask.from_bits(array), Mask.from_slots(np.flatnonzero(array), array.size)):
        assert (mask.rows, mask.count) == (len(bits), sum(bits))
        assert mask.share == (sum(bits) / len(bits) if bits else 0.0)
        assert mask.packed.tolist() == np.packbits(array, bitorder="little").tolist()
        assert mask.slots.tolist() == [slot for slot, bit in enumerate(bits) if bit]
        assert mask.bits.tolist() == bits
        assert mask.slots is mask.slots
        assert mask.packed is mask.packed
        assert mask.nbytes == array.size + (array.size + 7) // 8 + 8 * sum(bits)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([None, False, True])), max_size=20))
def test_patched(rows: list[tuple[bool, bool | None]]) -> None:
    """A patched mask says what is new of some rows and the rest as before; the one it was made of stays as it is."""
    before = np.array([bit for bit, _ in rows], np.bool_)
    slots = np.array([slot for slot, (_, new) in enumerate(rows) if new is not None], np.int64)
    allowed = np.array([new for _, new in rows if new is not None], np.bool_)
    wanted = [bit if new is None else new for bit, new in rows]
    for mask in (Mask.from_bits(before.copy()), Mask.from_slots(np.flatnonzero(before), before.size)):
        patched = mask.patched(slots, allowed)
        assert (patched.count, patched.bits.tolist()) == (sum(wanted), wanted)
        assert patched.slots.tolist() == np.flatnonzero(np.array(wanted, np.bool_)).tolist()
        assert mask.bits.tolist() == before.tolist()


def test_edits_are_asked_about_alone() -> None:
    """After an edit, only keys that changed are asked about, and only where the index has them."""
    cache, one = MaskCache(), KeyFilter([0, 4], name="one")
    first = cache.get(one, KEYS, find)
    assert first.slots.tolist() == [0, 1]
    one.change([4, 3, 99])
    second = cache.get(one, KEYS, find)
    assert second.slots.tolist() == [1, 2]
    assert first.slots.tolist() == [0, 1]
    assert cache.get(one, KEYS, find) is second
    assert one.asked == 2
    one.change([99])
    assert cache.get(one, KEYS, find) is second
    assert one.asked == 2


@given(
    st.lists(
        st.tuples(st.sampled_from(["put", "remove", "edit"]), st.lists(st.integers(0, 12), unique=True, max_size=5)),
        max_size=10,
    ),
    st.booleans(),
    st.booleans(),
)
def test_rows_that_come_go_and_move(steps: list[tuple[str, list[int]]], tabled: bool, listed: bool) -> None:
    """Whatever happens to rows and to what a filter allows, a mask is what a new cache would make of it."""
    store, cache = RowStore(2), MaskCache()
    one: KeyFilter = Tabled([1, 3, 5], name="one", listed=listed) if tabled else KeyFilter([1, 3, 5], name="one")
    other: KeyFilter = Tabled([2, 3], name="other") if tabled else KeyFilter([2, 3], name="other")
    for number, (what, keys) in enumerate(steps):
        array = np.array(keys, np.int64)
        if what == "put":
            slots, replaced = store.put(array, np.ones((array.size, 2), np.float32))
            cache.moved(np.setdiff1d(slots, replaced))
        elif what == "remove":
            cache.moved(store.remove(array).filled)
        else:
            for each in (one, other):
                each.change(keys)
        for each in (one, other) if number % 3 else (one,):
            mask = cache.get(each, store.keys, store.slots)
            assert mask.bits.tolist() == Mask.of(each, store.keys).bits.tolist()
            assert (mask.rows, mask.count) == (len(store), np.count_nonzero(mask.bits))
            assert mask.slots.tolist() == np.flatnonzero(mask.bits).tolist()


def test_a_change_too_long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is not known any more what changed, everything is asked anew."""
    cache, one = MaskCache(), KeyFilter([0, 4], name="one")
    cache.get(one, KEYS, find)
    one.change([3])
    monkeypatch.setattr(one, "changed", lambda since: None)
    assert cache.get(one, KEYS, find).slots.tolist() == [0, 1, 2]
    assert one.asked == 2


def test_places_are_remembered_for_other_filters() -> None:
    """Keys are placed once for all filters; after an edit, only those that changed; all of them in a new layout."""
    cache = MaskCache()
    one, two, three = (Tabled([number, 3], name=str(number)) for number in range(3))
    assert cache.get(one, KEYS, find).slots.tolist() == [1, 2]
    assert cache.get(two, KEYS, find).slots.tolist() == [2, 3]
    assert (one.placed, two.placed) == (5, 0)
    for each in (one, two, three):
        each.change([4, 77])
    assert cache.get(three, KEYS, find).slots.tolist() == [0, 2, 4]
    assert three.placed == 1
    moved = Tabled([0], name="moved")
    moved.change([4, 77])
    moved.layout = 2  # type: ignore[assignment]
    assert cache.get(moved, KEYS, find).slots.tolist() == [0, 1]
    assert moved.placed == 5


def test_a_filter_that_lists_its_keys() -> None:
    """Where a filter allows so few that it can name them, nothing else is asked; edits are followed as ever."""
    cache, one = MaskCache(), Tabled([4, 99, 1], name="few", listed=True)
    assert cache.get(one, KEYS, find).slots.tolist() == [0, 3]
    one.change([2, 4])
    assert cache.get(one, KEYS, find).slots.tolist() == [3, 4]
    assert one.placed == 7


def test_a_mask_that_asks_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says about how many are allowed, and which ones as soon as that is asked; an edit makes another one."""
    monkeypatch.setattr(masks_module, "_LATER_FROM", 2)
    cache, keys = MaskCache(later=True), np.arange(4000, dtype=np.int64) % PLACES + 0
    one, rare = Tabled(list(range(0, 100, 3)), name="many"), Tabled([], name="none")
    mask = cache.get(one, keys, lambda asked: asked)
    assert mask.lookup is not None
    assert mask.about == pytest.approx(1360, rel=0.2)
    alive = np.arange(4000) % 2 == 0
    fewer = mask.among(Mask.from_bits(alive))
    assert fewer.lookup is not None
    assert fewer.bits.tolist() == (one.mask(keys) & alive).tolist()
    assert cache.get(one, keys, lambda asked: asked) is mask
    one.change([0, 1])
    rare.change([])
    again = cache.get(one, keys, lambda asked: asked)
    assert again.lookup is not None, "nothing was asked of the first one, so there is nothing to put right"
    assert again is not mask
    assert (again.count, again.about, again.lookup) == (1360, 1360, None)
    assert again.slots.tolist() == np.flatnonzero(one.mask(keys)).tolist()
    assert cache.get(rare, keys, lambda asked: asked).lookup is None, "so few that a sample says nothing"


def test_masks_of_the_wrong_length_are_refused() -> None:
    """A filter that answers for another number of keys is at fault."""

    class Wrong(KeyFilter):
        def mask(self, keys: KeyArray) -> BoolArray:
            """One too few."""
            return super().mask(keys)[1:]

    with pytest.raises(UsageError, match="mask"):
        MaskCache().get(Wrong([1]), KEYS, find)
