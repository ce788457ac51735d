"""The map from keys to slots agrees with a dictionary."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nitari.keymap import ABSENT, Base, DenseBase, KeyMap, OrderedBase

_KEYS = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 30)


def _base(known: dict[int, int], *, dense: bool) -> Base:
    """The pairs as what a map starts from."""
    keys = np.array(sorted(known), np.int64)
    slots = np.array([known[key] for key in keys.tolist()], np.int32)
    if not dense:
        return OrderedBase(keys, slots)
    first = int(keys[0]) if keys.size else 0
    table = np.full(int(keys[-1]) - first + 1 if keys.size else 1, ABSENT, np.int32)
    table[keys - first] = slots
    return DenseBase(first, table)


@given(st.lists(st.tuples(st.booleans(), st.lists(_KEYS, unique=True, max_size=8)), max_size=12))
def test_any_sequence_of_changes_gives_what_a_dictionary_gives(steps: list[tuple[bool, list[int]]]) -> None:
    """Put and drop in any order, over the whole range of int64."""
    keymap, wanted = KeyMap(), dict[int, int]()
    asked = sorted({key for _, keys in steps for key in keys} | {0, 7})
    for number, (put, keys) in enumerate(steps):
        array = np.array(keys, np.int64)
        if put:
            slots = np.arange(array.size) + 100 * number
            keymap.put(array, slots)
            wanted.update(zip(keys, slots.tolist(), strict=True))
        else:
            keymap.drop(array)
            for key in keys:
                wanted.pop(key, None)
        found = keymap.find(np.array(asked, np.int64))
        assert found.tolist() == [wanted.get(key, ABSENT) for key in asked]


def _churn(keymap: KeyMap, wanted: dict[int, int], rng: np.random.Generator, *, least: int = 0) -> None:
    """Put and drop many keys in both, with slots from ``least`` on; both then say the same of few and of many."""
    keys = rng.choice(20_000, 700, replace=False).astype(np.int64)
    slots = rng.integers(least, 10**6, 700)
    keymap.put(keys, slots)
    wanted.update(zip(keys.tolist(), slots.tolist(), strict=True))
    gone = rng.choice(20_000, 300, replace=False).astype(np.int64)
    keymap.drop(gone)
    for key in gone.tolist():
        wanted.pop(key, None)
    for count in (5, 20_000):
        asked = rng.choice(20_000, count, replace=False).astype(np.int64)
        assert keymap.find(asked).tolist() == [wanted.get(key, ABSENT) for key in asked.tolist()]


def test_many_changes_are_folded_and_still_right() -> None:
    """Beyond what is kept in the dict, with look-ups of few and of many keys."""
    rng = np.random.default_rng(0)
    keymap, wanted = KeyMap(), dict[int, int]()
    for _ in range(30):
        _churn(keymap, wanted, rng)


@given(
    st.lists(st.integers(0, 30), unique=True),
    st.booleans(),
    st.lists(st.tuples(st.booleans(), st.lists(_KEYS, unique=True, max_size=8)), max_size=8),
)
def test_changes_beside_a_base(known: list[int], dense: bool, steps: list[tuple[bool, list[int]]]) -> None:
    """A map that starts from keys that never change says the same; it moves slots to where they are told to be."""
    wanted = {key: number for number, key in enumerate(known)}
    keymap = KeyMap(_base(wanted, dense=dense))
    first, slot = len(known), len(known)
    asked = np.array(sorted({key for _, keys in steps for key in keys} | {*range(-2, 33)}), np.int64)
    for put, keys in steps:
        array = np.array(keys, np.int64)
        if put:
            keymap.put(array, slot + np.arange(array.size))
            wanted.update(zip(keys, range(slot, slot + len(keys)), strict=True))
            slot += len(keys)
        else:
            keymap.drop(array)
            for key in keys:
                wanted.pop(key, None)
        assert keymap.find(asked).tolist() == [wanted.get(key, ABSENT) for key in asked.tolist()]
    moved = np.arange(slot)
    moved[first:] = moved[first:][::-1] + 5
    found = keymap.mapped(moved).find(asked).tolist()
    assert found == [moved[wanted[key]] if key in wanted else ABSENT for key in asked.tolist()]
    assert keymap.find(asked).tolist() == [wanted.get(key, ABSENT) for key in asked.tolist()]


def test_many_changes_beside_a_base() -> None:
    """Beyond what is kept in the dict, for bases of both kinds, with look-ups of few and of many keys."""
    rng = np.random.default_rng(1)
    base = {int(key): number for number, key in enumerate(rng.choice(20_000, 9_000, replace=False))}
    for dense in (False, True):
        keymap, wanted = KeyMap(_base(base, dense=dense)), dict(base)
        for _ in range(12):
            _churn(keymap, wanted, rng, least=9_000)
