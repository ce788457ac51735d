"""Where the rows of an index stand in what filters are asked about, and the other way round."""

from __future__ import annotations

from threading import Lock
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nitari.index import kernels
from nitari.index.base import PlaceArray
from nitari.types import BoolArray, ByteArray

SlotArray: TypeAlias = NDArray[np.int64]

# Up to so many rows, all are looked up, which takes 50 microseconds; beyond, it is remembered which rows stand where.
_INVERTED_FROM = 2**15
# That is made anew once more rows than these, and this share of all, stand elsewhere by now.
_ELSEWHERE = 1024
_ELSEWHERE_SHARE = 1 / 64
# By so many rows it is judged how many pass, as soon as so many of them do.
_SAMPLES = (1024, 8192)
_HITS = 32
# Up to so many places, rows are listed and sorted rather than marked in a bitmap of all.
_LISTED = 16_384


class Places:
    """The place of each row's item; several rows may have one place.

    Whoever writes (``put``) is alone; readers may be several.

    Args:
        places: int32 ``[n]``, -1 for rows that stand for nothing; kept.
    """

    def __init__(self, places: PlaceArray) -> None:
        self._places = places
        self._top = int(places.max(initial=-1)) + 1
        self._samples: list[tuple[PlaceArray, int]] | None = None
        self._heads: PlaceArray | None = None
        self._slots: PlaceArray = np.empty(0, np.int32)
        self._elsewhere = np.empty(0, np.int64)
        self._lock = Lock()

    @property
    def array(self) -> PlaceArray:
        """int32 ``[n]``."""
        return self._places

    @property
    def top(self) -> int:
        """All places are less than this."""
        return self._top

    def put(self, rows: int, slots: SlotArray, places: PlaceArray) -> None:
        """There are so many rows by now, and those at ``slots`` (no repeats, all new ones among them) stand there."""
        if rows != self._places.size:
            self._places = np.resize(self._places, rows)
            self._heads = self._samples = None
        self._places[slots] = places
        self._top = max(self._top, int(places.max(initial=-1)) + 1)
        if self._heads is not None:
            self._elsewhere = np.union1d(self._elsewhere, slots)
            if self._elsewhere.size > max(_ELSEWHERE, _ELSEWHERE_SHARE * rows):
                self._heads = None

    def share(self, passing: BoolArray) -> float:
        """About which share of the rows pass, by a sample; 0 for so few that this does not tell.

        Places that have changed since may be in the sample.
        """
        samples = self._samples
        if samples is None:
            order = np.random.default_rng(0).permutation(self._places.size)[: _SAMPLES[-1]]
            drawn = [self._places[order[:size]] for size in _SAMPLES]
            samples = self._samples = [(some[some >= 0], max(1, some.size)) for some in drawn]
        for known, size in samples:
            hits = int(np.count_nonzero(passing[known]))
            if hits >= _HITS:
                return hits / size
        return 0.0

    def at(self, few: PlaceArray) -> tuple[SlotArray | None, ByteArray | None, int]:
        """The rows at some places (int32, ascending, no repeats).

        Returns:
            They themselves, ascending, or a bitmap of them, whichever is made more quickly; and how many there are.
        """
        rows = self._places.size
        if rows < _INVERTED_FROM:
            passing = np.zeros(max(self._top, 1), np.bool_)
            passing[few[: int(few.searchsorted(np.int32(self._top)))]] = True
            return None, *kernels.look_up(kernels.Lookup.of(self._places, passing))
        heads, slots, elsewhere = self._inverse()
        top = len(heads) - 1
        here = few if few.size and few[-1] < top else few[: int(few.searchsorted(np.int32(top)))]
        if here.size <= _LISTED:
            found = kernels.slots_at(heads, slots, here)
            if elsewhere.size:
                found = found[~np.isin(found, elsewhere)]
                moved = elsewhere[_among(few, self._places[elsewhere])]
                found = np.concatenate([found, moved.astype(np.int32)])
            found.sort()
            return found.astype(np.int64), None, found.size
        words = np.zeros((rows + 63) // 64, np.uint64)
        bits = words.view(np.uint8)
        kernels.mark(heads, slots, here, bits)
        if elsewhere.size:
            masks = (1 << (elsewhere & 7)).astype(np.uint8)
            np.bitwise_and.at(bits, elsewhere >> 3, ~masks)
            inside = _among(few, self._places[elsewhere])
            np.bitwise_or.at(bits, elsewhere[inside] >> 3, masks[inside])
        return None, bits[: (rows + 7) // 8], int(np.bitwise_count(words).sum(dtype=np.int64))

    def _inverse(self) -> tuple[PlaceArray, PlaceArray, SlotArray]:
        """Which rows stood where, and which stand elsewhere since."""
        with self._lock:
            if self._heads is None:
                self._heads, self._slots = kernels.invert(self._places, self._top)
                self._elsewhere = np.empty(0, np.int64)
            return self._heads, self._slots, self._elsewhere


def _among(few: PlaceArray, places: PlaceArray) -> BoolArray:
    """Which of ``places`` are among ``few``, which ascend: bool ``[n]``."""
    if not few.size:
        return np.zeros(places.size, np.bool_)
    found: BoolArray = few[np.minimum(np.searchsorted(few, places), few.size - 1)] == places
    return found
