"""From 64-bit keys to slots (row numbers), for millions of keys."""

from __future__ import annotations

import numpy as np

from nitari.types import BoolArray, KeyArray

ABSENT = -1
_RECENT_AT_LEAST = 1024
# Below this many keys a look-up in the dict beats sorting the recent changes into arrays.
_FEW = 256


class KeyMap:
    """Maps int64 keys to non-negative int64 slots: a sorted array, and a dict of what changed since it was sorted.

    16 bytes a key, where a dict of ints takes about 110; a look-up of many keys is one ``searchsorted``. The dict is
    folded into the array once it is larger than a sixteenth of it, so a write costs amortized O(16 log n).
    Look-ups change nothing and may run in several threads while nobody writes.
    """

    def __init__(self) -> None:
        self._keys: KeyArray = np.empty(0, np.int64)
        self._slots: KeyArray = np.empty(0, np.int64)
        self._recent: dict[int, int] = {}

    def find(self, keys: KeyArray) -> KeyArray:
        """The slot of each of ``keys``, ``ABSENT`` where there is none (int64 ``[n]`` to int64 ``[n]``)."""
        recent = self._recent
        if not self._keys.size and keys.size <= _FEW:  # a small collection: nothing was sorted yet
            return np.asarray([recent.get(key, ABSENT) for key in keys.tolist()], np.int64)
        slots = _look_up(keys, self._keys, self._slots)
        if not recent:
            return slots
        if keys.size <= _FEW:
            for number, key in enumerate(keys.tolist()):
                if key in recent:
                    slots[number] = recent[key]
            return slots
        names, values = self._sorted_recent()
        at, found = _positions(keys, names)
        slots[found] = values[at[found]]
        return slots

    def put(self, keys: KeyArray, slots: KeyArray) -> None:
        """Set the slots of ``keys`` (no repeats; both int64 ``[n]``)."""
        self._recent.update(zip(keys.tolist(), slots.tolist(), strict=True))
        self._fold_if_large()

    def drop(self, keys: KeyArray) -> None:
        """Forget ``keys``."""
        self._recent.update(dict.fromkeys(keys.tolist(), ABSENT))
        self._fold_if_large()

    def _fold_if_large(self) -> None:
        """Sort the recent changes into the array, where there are many."""
        if len(self._recent) <= max(_RECENT_AT_LEAST, self._keys.size // 16):
            return
        names, values = self._sorted_recent()
        _, overridden = _positions(self._keys, names)
        live = values != ABSENT
        keys = np.concatenate([self._keys[~overridden], names[live]])
        slots = np.concatenate([self._slots[~overridden], values[live]])
        order = np.argsort(keys, kind="stable")  # two sorted runs: timsort and radix sort are linear in them
        self._keys, self._slots, self._recent = keys[order], slots[order], {}

    def _sorted_recent(self) -> tuple[KeyArray, KeyArray]:
        """The recent changes as arrays, ascending by key."""
        count = len(self._recent)
        keys = np.fromiter(self._recent.keys(), np.int64, count)
        slots = np.fromiter(self._recent.values(), np.int64, count)
        order = np.argsort(keys)
        return keys[order], slots[order]


def _positions(keys: KeyArray, ordered: KeyArray) -> tuple[KeyArray, BoolArray]:
    """Where each of ``keys`` stands in ``ordered``, and whether it does (positions are valid where it does)."""
    at = np.searchsorted(ordered, keys).astype(np.int64)
    found = np.zeros(keys.shape, np.bool_)
    inside = at < ordered.size
    found[inside] = ordered[at[inside]] == keys[inside]
    return at, found


def _look_up(keys: KeyArray, ordered: KeyArray, values: KeyArray) -> KeyArray:
    """``values`` at ``keys`` in ``ordered``, ``ABSENT`` where a key is not there."""
    at, found = _positions(keys, ordered)
    result = np.full(keys.shape, ABSENT, np.int64)
    result[found] = values[at[found]]
    return result
