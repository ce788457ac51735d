"""The map from keys to slots agrees with a dictionary."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nitari.keymap import ABSENT, KeyMap

_KEYS = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 30)


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


def test_many_changes_are_folded_and_still_right() -> None:
    """Beyond what is kept in the dict, with look-ups of few and of many keys."""
    rng = np.random.default_rng(0)
    keymap, wanted = KeyMap(), dict[int, int]()
    for _ in range(30):
        keys = rng.choice(20_000, 700, replace=False).astype(np.int64)
        slots = rng.integers(0, 10**6, 700)
        keymap.put(keys, slots)
        wanted.update(zip(keys.tolist(), slots.tolist(), strict=True))
        gone = rng.choice(20_000, 300, replace=False).astype(np.int64)
        keymap.drop(gone)
        for key in gone.tolist():
            wanted.pop(key, None)
        for count in (5, 20_000):
            asked = rng.choice(20_000, count, replace=False).astype(np.int64)
            assert keymap.find(asked).tolist() == [wanted.get(key, ABSENT) for key in asked.tolist()]
