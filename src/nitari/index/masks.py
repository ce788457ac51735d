"""Filters as an index sees them: which of its rows are allowed, remembered under the filter's token."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nitari.changes import ChangeLog
from nitari.index import kernels
from nitari.index.base import Allowed, PlaceArray
from nitari.index.checks import check_mask
from nitari.index.kernels import Lookup
from nitari.index.places import Places
from nitari.types import BoolArray, ByteArray, KeyArray

SlotArray: TypeAlias = NDArray[np.int64]
Find: TypeAlias = Callable[[KeyArray], SlotArray]
"""The slot of each key, -1 where a key is not in the index: int64 ``[n]`` to int64 ``[n]``."""

_REMEMBERED = 64
_REMEMBERED_BYTES = 64 * 2**20
# Where a filter allows fewer than one row in so many, their slots are looked up one by one: that costs some 10
# nanoseconds a row, and to pass over all rows 1 or 2 nanoseconds each.
_SPARSE = 40
# From so many rows on, those of a filter that allows many of them are looked up as they are met.
_LATER_FROM = 2**15
_NONE: SlotArray = np.empty(0, np.int64)


class Mask:
    """What a filter allows of an index's rows, in whichever form is asked for: made once, and not to be written to.

    Make it by ``of``, ``from_bits``, ``from_slots`` or ``later``. One made by ``later`` asks about
    rows one by one (``lookup``) until a form is asked for that takes all of them.
    """

    __slots__ = ("_bits", "_count", "_lookup", "_packed", "_slots", "about", "rows")

    def __init__(
        self,
        rows: int,
        count: int | None,
        *,
        bits: BoolArray | None = None,
        packed: ByteArray | None = None,
        slots: SlotArray | None = None,
        lookup: Lookup | None = None,
        about: int = 0,
    ) -> None:
        self.rows = rows
        """How many rows the index has."""
        self.about = about if count is None else count
        """About how many of them are allowed."""
        self._count = count
        self._bits = bits
        self._packed = packed
        self._slots = slots
        self._lookup = lookup

    @classmethod
    def of(cls, allowed: Allowed, keys: KeyArray) -> Mask:
        """Ask ``allowed`` about the keys of all rows (int64 ``[n]``, in row order)."""
        bits = allowed.mask(keys)
        check_mask(bits, keys.size)
        return cls.from_bits(bits)

    @classmethod
    def from_bits(cls, bits: BoolArray) -> Mask:
        """Of bool ``[n]``: for each row, whether it is allowed."""
        return cls(bits.size, int(np.count_nonzero(bits)), bits=bits)

    @classmethod
    def from_slots(cls, slots: SlotArray, rows: int) -> Mask:
        """Of the allowed ones of ``rows`` rows, ascending, no repeats: int64 ``[count]``."""
        return cls(rows, slots.size, slots=slots)

    @classmethod
    def later(cls, lookup: Lookup, about: int) -> Mask:
        """Of what says of each row whether it is allowed, about so many of them."""
        return cls(lookup.places.size, None, lookup=lookup, about=about)

    @property
    def lookup(self) -> Lookup | None:
        """What says of each row whether it is allowed; ``None`` where all were asked about."""
        return self._lookup

    @property
    def count(self) -> int:
        """How many rows are allowed."""
        if self._count is None:
            self.settle()
        return self.about

    def settle(self) -> None:
        """Ask about all rows, if that was not done yet."""
        lookup = self._lookup
        if lookup is not None:
            self._packed, self.about = kernels.look_up(lookup)
            self._count = self.about
            self._lookup = None

    @property
    def share(self) -> float:
        """How many of the rows are allowed, 0-1."""
        return self.count / self.rows if self.rows else 0.0

    @property
    def bits(self) -> BoolArray:
        """For each row, whether it is allowed: bool ``[rows]``."""
        if self._bits is None:
            if self._slots is not None:
                bits = np.zeros(self.rows, np.bool_)
                bits[self._slots] = True
                self._bits = bits
            else:
                self._bits = np.unpackbits(self.packed, count=self.rows, bitorder="little").view(np.bool_)
        return self._bits

    @property
    def packed(self) -> ByteArray:
        """``bits``, eight to a byte, the first one lowest: uint8 ``[ceil(rows / 8)]``."""
        self.settle()
        if self._packed is None:
            self._packed = np.packbits(self.bits, bitorder="little")
        return self._packed

    @property
    def slots(self) -> SlotArray:
        """The allowed rows, ascending: int64 ``[count]``."""
        self.settle()
        if self._slots is None:
            if self._packed is not None:
                self._slots = kernels.slots_of(self._packed, self.rows, self.count)
            else:
                self._slots = np.flatnonzero(self.bits)
        return self._slots

    @property
    def nbytes(self) -> int:
        """What it takes in memory by now."""
        taken = 0 if self._slots is None else self._slots.nbytes
        if self._bits is not None:
            taken += self._bits.nbytes
        if self._packed is not None:
            taken += self._packed.nbytes
        return taken if self._lookup is None else taken + self._lookup.passing.nbytes

    def among(self, alive: Mask) -> Mask:
        """The rows that another mask of as many rows allows, too."""
        if self._lookup is not None:
            return Mask.later(replace(self._lookup, bits=alive.packed), self.about)
        if self._bits is None and self.count < self.rows // _SPARSE:
            return Mask.from_slots(self.slots[alive.bits[self.slots]], self.rows)
        return Mask.from_bits(self.bits & alive.bits)

    def resized(self, rows: int) -> Mask:
        """The mask of the first ``rows`` rows; where there are more than before, these are not allowed."""
        if rows == self.rows:
            return self
        if self._bits is None and self.count < self.rows // _SPARSE:
            return Mask.from_slots(self.slots[: int(self.slots.searchsorted(rows))], rows)
        bits = np.zeros(rows, np.bool_)
        bits[: self.rows] = self.bits[:rows]
        return Mask.from_bits(bits)

    def patched(self, slots: SlotArray, allowed: BoolArray) -> Mask:
        """A mask that says ``allowed`` (bool ``[n]``) of the rows ``slots`` (no repeats), and what this one says else.

        This very mask where nothing is new; otherwise it costs a copy of what there is.
        """
        if self._bits is None and self.count < self.rows // _SPARSE:
            present = np.isin(slots, self.slots)
            if np.array_equal(present, allowed):
                return self
            rest = self.slots[~np.isin(self.slots, slots)]
            return Mask.from_slots(np.sort(np.concatenate([rest, slots[allowed]])), self.rows)
        before = self.bits[slots]
        if np.array_equal(before, allowed):
            return self
        bits = self.bits.copy()
        bits[slots] = allowed
        count = self.count - int(np.count_nonzero(before)) + int(np.count_nonzero(allowed))
        return Mask(self.rows, count, bits=bits)


_State: TypeAlias = tuple[int, int]
"""Versions of the catalog and of the rows."""


@dataclass(slots=True, eq=False)
class _Remembered:
    """A mask, the state that it is right for, and what it took when it was made."""

    mask: Mask
    state: _State
    nbytes: int


@dataclass(slots=True, eq=False)
class _Known:
    """Where the key of each row stands in what filters are asked about, at a state."""

    layout: int
    state: _State
    places: Places


@dataclass(frozen=True, slots=True, eq=False)
class _Changes:
    """The rows whose answers may have changed between two states, with their keys, and places where there are such."""

    layout: int | None
    since: _State
    until: _State
    slots: SlotArray
    keys: KeyArray
    places: PlaceArray | None

    def mask(self, allowed: Allowed) -> BoolArray:
        """Which of them are allowed: bool ``[n]``."""
        if self.places is None:
            bits = allowed.mask(self.keys)
            check_mask(bits, self.keys.size)
            return bits
        passing = allowed.passing()
        return passing[self.places] & (self.places >= 0) if passing.size else np.zeros(self.places.size, np.bool_)


class MaskCache:
    """The masks of the last filters, by token, over the rows of an index, which says where rows ``moved``.

    Edits of the catalog cost little: a mask is put right where keys changed and rows moved, and a new filter is asked
    about the places of the rows, which are remembered and put right in the same way.

    Safe for several reading threads, all of which see the same state of the catalog, as its reader's lock sees to; two
    that ask for the same new filter at once may both compute it.

    Args:
        remembered: How many masks at most.
        remembered_bytes: How much memory they may take; the last one is kept whatever its size.
        later: Whether whoever asks knows what to do with ``Mask.lookup``.
    """

    def __init__(
        self, remembered: int = _REMEMBERED, remembered_bytes: int = _REMEMBERED_BYTES, *, later: bool = False
    ) -> None:
        self._later = later
        self._remembered = remembered
        self._remembered_bytes = remembered_bytes
        self._masks: OrderedDict[str, _Remembered] = OrderedDict()
        self._taken = 0
        self._places: _Known | None = None
        self._changes: _Changes | None = None
        self._moves = ChangeLog()
        self._lock = Lock()

    def get(self, allowed: Allowed, keys: KeyArray, find: Find) -> Mask:
        """The mask of ``allowed``.

        Args:
            allowed: The filter.
            keys: The keys of the index's rows, in order: int64 ``[n]``.
            find: Tells the row of each key, -1 where a key is not in the index.
        """
        token, state = allowed.token, self._state(allowed)
        with self._lock:
            known = self._masks.get(token)
            if known is not None and known.state == state:
                self._masks.move_to_end(token)
                return known.mask
        mask = None if known is None else self._updated(known, allowed, keys, find)
        if mask is None:
            mask = self._new(allowed, keys, find, state)
        with self._lock:
            self._keep(token, _Remembered(mask, state, mask.nbytes))
        return mask

    def moved(self, slots: SlotArray) -> None:
        """Rows came to ``slots`` (int64, no repeats), or others are there now. Nobody may be reading.

        Where rows at the end went, nothing needs to be said: ``get`` sees how many there are.
        """
        self._moves.add(slots)

    def clear(self) -> None:
        """Forget everything: all rows may be others."""
        with self._lock:
            self._masks.clear()
            self._taken = 0
            self._places = self._changes = None

    def _state(self, allowed: Allowed) -> _State:
        """What answers belong to."""
        return allowed.version, self._moves.version

    def _keep(self, token: str, one: _Remembered) -> None:
        """Remember one, and let go of what was not asked for the longest, where there is too much."""
        known = self._masks.pop(token, None)
        self._masks[token] = one
        self._taken += one.nbytes - (0 if known is None else known.nbytes)
        while len(self._masks) > 1 and (len(self._masks) > self._remembered or self._taken > self._remembered_bytes):
            _, gone = self._masks.popitem(last=False)
            self._taken -= gone.nbytes

    def _new(self, allowed: Allowed, keys: KeyArray, find: Find, state: _State) -> Mask:
        """The mask of a filter that is not remembered."""
        layout = allowed.layout
        if layout is None or not keys.size:
            return Mask.of(allowed, keys)
        few = allowed.few(keys.size // _SPARSE)
        places = self._places_of(allowed, layout, keys, find, state)
        if few is not None:
            slots, bits, count = places.at(few)
            return Mask(keys.size, count, packed=bits, slots=slots)
        passing = allowed.passing()
        if places.top > passing.size:
            check_mask(passing, places.top)
        if not passing.size:
            return Mask.from_slots(_NONE, keys.size)
        lookup = Lookup.of(places.array, passing)
        share = places.share(passing) if self._later and keys.size >= _LATER_FROM else 0.0
        mask = Mask.later(lookup, round(share * keys.size))
        if not share:
            mask.settle()
        return mask

    def _places_of(self, allowed: Allowed, layout: int, keys: KeyArray, find: Find, state: _State) -> Places:
        """Where the keys of all rows stand. Put right in place: nobody reads them for an earlier version any more."""
        with self._lock:
            known = self._places
            changes = None
            if known is not None and known.layout == layout:
                if known.state == state and known.places.array.size == keys.size:  # as mostly
                    return known.places
                changes = self._changed(allowed, known.state, keys, find)
            if known is None or changes is None or changes.places is None:
                known = self._places = _Known(layout, state, Places(allowed.places(keys)))
            elif changes.slots.size or known.places.array.size != keys.size:
                known.places.put(keys.size, changes.slots, changes.places)
            known.state = state
            return known.places

    def _updated(self, known: _Remembered, allowed: Allowed, keys: KeyArray, find: Find) -> Mask | None:
        """A remembered mask as it is by now; ``None`` where it is not known what changed."""
        changes = self._changed(allowed, known.state, keys, find)
        if changes is None or known.mask.lookup is not None:  # that was of the places as they were
            return None
        mask = known.mask.resized(keys.size)
        return mask.patched(changes.slots, changes.mask(allowed)) if changes.slots.size else mask

    def _changed(self, allowed: Allowed, since: _State, keys: KeyArray, find: Find) -> _Changes | None:
        """The rows that may be answered otherwise since a state; for the last state asked for, they are remembered."""
        layout, until, last = allowed.layout, self._state(allowed), self._changes
        if last is not None and layout is not None and (last.layout, last.since, last.until) == (layout, since, until):
            return last
        asked, moved = allowed.changed(since[0]), self._moves.since(since[1])
        if asked is None or moved is None:
            return None
        slots = find(asked) if asked.size else _NONE
        here = slots >= 0
        slots, asked = slots[here], asked[here]
        if moved.size:
            slots = np.union1d(slots, moved[moved < keys.size])
            asked = keys[slots]
        places = None if layout is None else allowed.places(asked)
        changes = self._changes = _Changes(layout, since, until, slots, asked, places)
        return changes
