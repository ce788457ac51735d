"""Rows that are equal: a graph holds each vector once, however many keys have it.

Catalogs repeat photos (the sizes of a style, a seller's listings). Equal vectors are all at distance 0 from each other,
so that the edges of each lead to the others and none leads away: of 500 equal vectors a graph found 41.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nitari.keymap import ABSENT, KeyMap
from nitari.types import BoolArray, KeyArray

Rows: TypeAlias = Callable[[KeyArray], NDArray[np.floating[Any]]]
"""The rows at slots (int64 ``[n]``): ``[n, dim]``, exactly representable as fp16."""
Insert: TypeAlias = Callable[[NDArray[np.floating[Any]]], KeyArray]
"""Gives each of some rows (``[n, dim]``) a place: int64 ``[n]``, 0 and up, none that is taken."""

_NUMBERS_AT_ONCE = 2**20
_MIX = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)


def fingerprints(rows: NDArray[np.floating[Any]]) -> KeyArray:
    """64 bits of each row as fp16 (``[n, dim]``): int64 ``[n]``. Rows that differ have equal ones about never."""
    constants = np.random.default_rng(20261123).integers(0, 2**63, rows.shape[1], np.uint64) * np.uint64(2) + np.uint64(
        1
    )
    prints = np.empty(len(rows), np.int64)
    step = max(1, _NUMBERS_AT_ONCE // rows.shape[1])
    for start in range(0, len(rows), step):
        words = np.ascontiguousarray(rows[start : start + step], np.float16).view(np.uint16)
        # Multilinear hashing, modulo 2**64 by overflow (Lemire and Kaser, arXiv 1202.4961); the low bits are the worst.
        sums = (words * constants).sum(axis=1, dtype=np.uint64)
        prints[start : start + len(words)] = ((sums ^ (sums >> _HALF)) * _MIX).view(np.int64)
    return prints


def firsts_of(rows: Rows, count: int) -> KeyArray:
    """For each of ``count`` rows the first one that equals it, mostly itself: int64 ``[count]``."""
    step = 2**14
    prints = np.concatenate(
        [np.empty(0, np.int64)]
        + [fingerprints(rows(np.arange(start, min(start + step, count)))) for start in range(0, count, step)]
    )
    _, first, inverse = np.unique(prints, return_index=True, return_inverse=True)
    firsts = first[inverse].astype(np.int64)
    slots = np.flatnonzero(firsts != np.arange(count))
    for start in range(0, slots.size, step):
        part = slots[start : start + step]
        # Of rows that only look alike, each is on its own.
        firsts[part] = np.where(_equal(rows(part), rows(firsts[part])), firsts[part], part)
    return firsts


class Twins:
    """Which place (a graph's id) stands for the row at each slot, and which slots a place stands for."""

    def __init__(self) -> None:
        self._ids: KeyArray = np.empty(0, np.int64)  # by slot
        self._slots: KeyArray = np.empty(0, np.int64)  # by id: one of its slots
        self._prints: KeyArray = np.empty(0, np.int64)  # by id
        self._others: dict[int, set[int]] = {}  # by id: its other slots
        self._known = KeyMap()  # from fingerprint to id

    def __len__(self) -> int:
        """How many places there are."""
        return int(np.count_nonzero(self._slots != ABSENT))

    def ids(self, count: int) -> KeyArray:
        """The place of each of the first ``count`` slots: int64 ``[count]``."""
        return self._ids[:count].copy()

    def put(self, slots: KeyArray, rows: Rows, insert: Insert) -> None:
        """Find or make places for the rows at ``slots`` (no repeats; without a place so far)."""
        if not slots.size:
            return
        prints = fingerprints(rows(slots))
        ids = self._known.find(prints)
        absent = np.flatnonzero(ids == ABSENT)
        first = absent[np.sort(np.unique(prints[absent], return_index=True)[1])]
        new = prints[first]
        made = insert(rows(slots[first]))
        self._reserve(int(slots.max()), int(made.max(initial=0)))
        self._slots[made], self._prints[made], self._ids[slots[first]] = slots[first], new, made
        self._known.put(new, made)
        rest = np.ones(slots.size, np.bool_)
        rest[first] = False
        self._join(slots[rest], prints[rest], rows, insert)

    def same(self, slots: KeyArray, rows: Rows) -> BoolArray:
        """For each of ``slots``, all with a place, whether that still fits the row that is there now: bool ``[n]``."""
        if not slots.size:
            return np.zeros(0, np.bool_)
        fits: BoolArray = self._prints[self._ids[slots]] == fingerprints(rows(slots))
        return fits

    def drop(self, slots: KeyArray) -> KeyArray:
        """Let the rows at ``slots`` have no place any more. Returns the places that stand for nothing now."""
        gone: list[int] = []
        for slot in slots.tolist():
            number = int(self._ids[slot])
            self._ids[slot] = ABSENT
            others = self._others.get(number)
            if others is None:
                gone.append(number)
            elif int(self._slots[number]) == slot:
                self._slots[number] = others.pop()
            else:
                others.discard(slot)
            if others is not None and not others:
                del self._others[number]
        free = np.asarray(gone, np.int64)
        registered = self._known.find(self._prints[free]) == free
        self._known.drop(self._prints[free[registered]])
        self._slots[free] = ABSENT
        return free

    def move(self, sources: KeyArray, targets: KeyArray) -> None:
        """Rows were moved from slots to others, whose own rows had been dropped."""
        ids = self._ids[sources]
        self._ids[targets], self._ids[sources] = ids, ABSENT
        main = self._slots[ids] == sources
        self._slots[ids[main]] = targets[main]
        for source, target, number in zip(
            sources[~main].tolist(), targets[~main].tolist(), ids[~main].tolist(), strict=True
        ):
            self._others[number].discard(source)
            self._others[number].add(target)

    def slots(self, ids: KeyArray) -> KeyArray:
        """All slots that places stand for, in the order of ``ids``: int64 ``[n]``."""
        main = self._slots[ids]
        if not self._others:
            return main
        found: list[int] = []
        for number, slot in zip(ids.tolist(), main.tolist(), strict=True):
            found.append(slot)
            found.extend(sorted(self._others.get(number, ())))
        return np.asarray(found, np.int64)

    @classmethod
    def restore(cls, ids: KeyArray, rows: Rows) -> Twins:
        """What ``ids`` gave, with the rows by slot."""
        twins = cls()
        if not ids.size:
            return twins
        twins._reserve(ids.size - 1, int(ids.max()))
        twins._ids[: ids.size] = ids
        numbers, first = np.unique(ids, return_index=True)
        twins._slots[numbers] = first
        step = 2**14
        for start in range(0, numbers.size, step):
            part = numbers[start : start + step]
            twins._prints[part] = fingerprints(rows(twins._slots[part]))
        prints, which = np.unique(twins._prints[numbers], return_index=True)
        twins._known.put(prints, numbers[which])
        more = np.ones(ids.size, np.bool_)
        more[first] = False
        for slot in np.flatnonzero(more).tolist():
            twins._others.setdefault(int(ids[slot]), set()).add(slot)
        return twins

    def _join(self, slots: KeyArray, prints: KeyArray, rows: Rows, insert: Insert) -> None:
        """Give ``slots``, whose fingerprints are known, the places of those."""
        if not slots.size:
            return
        ids = self._known.find(prints)
        equal = _equal(rows(slots), rows(self._slots[ids]))
        for slot, number in zip(slots[equal].tolist(), ids[equal].tolist(), strict=True):
            self._ids[slot] = number
            self._others.setdefault(number, set()).add(slot)
        alone = slots[~equal]
        if alone.size:  # two rows that only look alike: the second has a place that nothing else will share
            made = insert(rows(alone))
            self._reserve(0, int(made.max()))
            self._ids[alone], self._slots[made], self._prints[made] = made, alone, prints[~equal]

    def _reserve(self, slot: int, number: int) -> None:
        """Make room for a slot and a place."""
        self._ids = _grown(self._ids, slot + 1)
        self._slots = _grown(self._slots, number + 1)
        self._prints = _grown(self._prints, number + 1)


def _equal(ones: NDArray[np.floating[Any]], others: NDArray[np.floating[Any]]) -> BoolArray:
    """Row by row, whether two arrays are equal."""
    equal: BoolArray = (ones == others).all(axis=1)
    return equal


def _grown(array: KeyArray, count: int) -> KeyArray:
    """``array`` with room for ``count``."""
    if count <= array.size:
        return array
    grown = np.full(max(count, array.size * 3 // 2), ABSENT, np.int64)
    grown[: array.size] = array
    return grown
