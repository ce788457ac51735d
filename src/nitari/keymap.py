"""From 64-bit keys to slots (row numbers), for millions of keys."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nitari.types import BoolArray, KeyArray

ABSENT = -1
_RECENT_AT_LEAST = 1024
# Below this many keys a look-up in the dict beats sorting the recent changes into arrays.
_FEW = 256
# From this many keys on they are sorted first: a million in random order then take a third of the time, as neighbors
# are found in the same cache lines.
_MANY = 2**12


class Base(Protocol):
    """Keys and slots that never change, perhaps memory-mapped and shared between processes."""

    def find(self, keys: KeyArray) -> KeyArray:
        """The slot of each of ``keys``, ``ABSENT`` where there is none (int64 ``[n]`` to int64 ``[n]``)."""
        ...


class OrderedBase:
    """Any keys.

    Args:
        keys: int64 ``[n]``, ascending, no repeats.
        slots: The slot of each, of any integer type.
    """

    def __init__(self, keys: KeyArray, slots: NDArray[np.integer[Any]]) -> None:
        self._keys, self._slots = keys, slots

    def find(self, keys: KeyArray) -> KeyArray:
        """The slot of each of ``keys``, ``ABSENT`` where there is none (int64 ``[n]`` to int64 ``[n]``)."""
        slots = np.full(keys.shape, ABSENT, np.int64)
        _override(slots, keys, self._keys, self._slots)
        return slots


class DenseBase:
    """Keys that were counted up, so that most numbers between the first and the last are one: found in one step.

    Args:
        first: The smallest key.
        slots: The slot of ``first``, ``first + 1`` and so on, ``ABSENT`` for numbers that are no key; of any integer
            type.
    """

    def __init__(self, first: int, slots: NDArray[np.integer[Any]]) -> None:
        self._first, self._slots = first, slots

    def find(self, keys: KeyArray) -> KeyArray:
        """The slot of each of ``keys``, ``ABSENT`` where there is none (int64 ``[n]`` to int64 ``[n]``)."""
        slots = np.full(keys.shape, ABSENT, np.int64)
        inside = (keys >= self._first) & (keys <= self._first + (self._slots.size - 1))
        slots[inside] = self._slots[keys[inside] - self._first]
        return slots


class KeyMap:
    """Maps int64 keys to non-negative int64 slots: sorted arrays, and a dict of what changed since they were sorted.

    16 bytes a key, where a dict of ints takes about 110; a look-up of many keys is one ``searchsorted``. The dict is
    folded into the array once it is larger than a sixteenth of it, so a write costs amortized O(16 log n).
    Look-ups change nothing and may run in several threads while nobody writes.

    Args:
        base: What to start from; changes are kept beside it. ``None`` for nothing.
    """

    def __init__(self, base: Base | None = None) -> None:
        self._base = base
        # What is not as in the base; ABSENT is kept for keys that the base has.
        self._keys: KeyArray = np.empty(0, np.int64)
        self._slots: KeyArray = np.empty(0, np.int64)
        self._recent: dict[int, int] = {}

    def find(self, keys: KeyArray) -> KeyArray:
        """The slot of each of ``keys``, ``ABSENT`` where there is none (int64 ``[n]`` to int64 ``[n]``)."""
        recent = self._recent
        if self._base is None and not self._keys.size and keys.size <= _FEW:
            # A small collection: nothing was sorted yet.
            return np.asarray([recent.get(key, ABSENT) for key in keys.tolist()], np.int64)
        slots = np.full(keys.shape, ABSENT, np.int64) if self._base is None else self._base.find(keys)
        if self._keys.size:
            _override(slots, keys, self._keys, self._slots)
        if not recent:
            return slots
        if keys.size <= _FEW:
            for number, key in enumerate(keys.tolist()):
                if key in recent:
                    slots[number] = recent[key]
            return slots
        _override(slots, keys, *self._sorted_recent())
        return slots

    def put(self, keys: KeyArray, slots: KeyArray) -> None:
        """Set the slots of ``keys`` (no repeats; both int64 ``[n]``)."""
        self._recent.update(zip(keys.tolist(), slots.tolist(), strict=True))
        self._fold_if_large()

    def drop(self, keys: KeyArray) -> None:
        """Forget ``keys``."""
        self._recent.update(dict.fromkeys(keys.tolist(), ABSENT))
        self._fold_if_large()

    def mapped(self, moved: KeyArray) -> KeyMap:
        """A map of the same keys to ``moved[slot]``; that must be ``slot`` itself where a key is in the base.

        Args:
            moved: int64 ``[slots]``, ``ABSENT`` for slots that no key has.
        """
        made = KeyMap(self._base)
        made._keys, slots = self._folded()
        made._slots = np.where(slots == ABSENT, ABSENT, moved[slots])
        return made

    def _fold_if_large(self) -> None:
        """Sort the recent changes into the array, where there are many."""
        if len(self._recent) > max(_RECENT_AT_LEAST, self._keys.size // 16):
            self._keys, self._slots = self._folded()
            self._recent = {}

    def _folded(self) -> tuple[KeyArray, KeyArray]:
        """All that is not as in the base, recent or not: keys, ascending, and slots."""
        names, values = self._sorted_recent()
        _, overridden = _positions(self._keys, names)
        live = values != ABSENT
        if self._base is not None:
            live |= self._base.find(names) != ABSENT
        keys = np.concatenate([self._keys[~overridden], names[live]])
        slots = np.concatenate([self._slots[~overridden], values[live]])
        order = np.argsort(keys, kind="stable")  # two sorted runs: timsort and radix sort are linear in them
        return keys[order], slots[order]

    def _sorted_recent(self) -> tuple[KeyArray, KeyArray]:
        """The recent changes as arrays, ascending by key."""
        count = len(self._recent)
        keys = np.fromiter(self._recent.keys(), np.int64, count)
        slots = np.fromiter(self._recent.values(), np.int64, count)
        order = np.argsort(keys)
        return keys[order], slots[order]


def _override(slots: KeyArray, keys: KeyArray, ordered: KeyArray, values: NDArray[np.integer[Any]]) -> None:
    """Set ``slots`` to ``values`` where ``keys`` are in ``ordered``."""
    if keys.size < _MANY:
        at, found = _positions(keys, ordered)
        slots[found] = values[at[found]]
        return
    order = np.argsort(keys)
    at, found = _positions(keys[order], ordered)
    slots[order[found]] = values[at[found]]


def _positions(keys: KeyArray, ordered: KeyArray) -> tuple[KeyArray, BoolArray]:
    """Where each of ``keys`` stands in ``ordered``, and whether it does (positions are valid where it does)."""
    at = np.searchsorted(ordered, keys).astype(np.int64, copy=False)
    found = np.zeros(keys.shape, np.bool_)
    inside = at < ordered.size
    found[inside] = ordered[at[inside]] == keys[inside]
    return at, found
