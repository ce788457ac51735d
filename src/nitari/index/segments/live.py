"""The live segment: rows in memory, compared one by one. A small collection has no other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import numpy as np

from nitari.index.base import Allowed, How, Step
from nitari.index.masks import Mask, MaskCache
from nitari.index.rows import RowStore
from nitari.index.scan import scan
from nitari.keymap import ABSENT
from nitari.types import FloatArray, KeyArray, Matches

NAME = "live"


class LiveSegment:
    """Float32 rows by key, as ``ExactIndex`` has them, with the same answers. What comes in is checked by the caller.

    Args:
        dim: Width of a row.
    """

    def __init__(self, dim: int) -> None:
        self._store = RowStore(dim)
        self._masks = MaskCache()

    def __len__(self) -> int:
        return len(self._store)

    @property
    def keys(self) -> KeyArray:
        """The keys, by slot: int64 ``[n]``, a view."""
        return self._store.keys

    def put(self, keys: KeyArray, vectors: FloatArray) -> None:
        """Insert or replace rows (int64 ``[n]`` without repeats, float32 unit rows ``[n, dim]``)."""
        slots, replaced = self._store.put(keys, vectors)
        if replaced.size < keys.size:
            self._masks.moved(np.setdiff1d(slots, replaced))

    def remove(self, keys: KeyArray) -> int:
        """Delete keys; unknown ones are ignored. Returns how many were there."""
        removal = self._store.remove(keys)
        if removal.count:
            self._masks.moved(removal.filled)
        return removal.count

    def find(self, keys: KeyArray) -> KeyArray:
        """The slot of each of ``keys``, -1 where it is not in here: int64 ``[n]``."""
        return self._store.slots(keys) if len(self._store) else np.full(keys.shape, ABSENT, np.int64)

    def rows(self, slots: KeyArray) -> FloatArray:
        """The rows at ``slots``, copied: float32 ``[n, dim]``."""
        return self._store.rows(slots)

    def search(
        self,
        vectors: FloatArray,
        k: int,
        *,
        allowed: Allowed | None = None,
        max_distance: float | None = None,
        trace: list[Step] | None = None,
    ) -> Sequence[Matches]:
        """The ``k`` nearest allowed keys of each query, as ``VectorIndex.query`` says, exactly."""
        if trace is None:
            return scan(self._store, vectors, k, mask=self._mask(allowed), max_distance=max_distance)
        began = perf_counter()
        mask = self._mask(allowed)
        answers = scan(self._store, vectors, k, mask=mask, max_distance=max_distance)
        took = (perf_counter() - began) * 1e3 / max(1, len(vectors))
        trace += [self._step(mask, len(answer), took) for answer in answers]
        return answers

    def save(self, folder: Path) -> None:
        """Write keys and rows into ``folder``."""
        self._store.save(folder)

    def load(self, folder: Path) -> None:
        """Replace the content by what ``save`` wrote.

        Raises:
            StateError: where the files hold something else. The content is then as it was.
        """
        self._store = RowStore.load(folder, self._store.dim, np.float32)
        self._masks.clear()

    def clear(self) -> None:
        """Let go of everything."""
        self._store = RowStore(self._store.dim)
        self._masks.clear()

    def _mask(self, allowed: Allowed | None) -> Mask | None:
        return None if allowed is None else self._masks.get(allowed, self._store.keys, self._store.slots)

    def _step(self, mask: Mask | None, found: int, ms: float) -> Step:
        """What was done for one query."""
        permitted = len(self._store) if mask is None else mask.count
        how: How = "empty" if not permitted else "scan" if mask is None else "gather"
        reason = "in memory: every allowed row is compared" if permitted else "nothing is allowed"
        return Step(NAME, len(self._store), permitted, how, reason, 0, found, ms)
