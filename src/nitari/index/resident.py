"""What indexes share that keep their rows in memory."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

import numpy as np

from nitari.index.base import Allowed, How, Step
from nitari.index.checks import check_dim, check_keys, check_pairs, check_query, check_vectors
from nitari.index.masks import Mask, MaskCache
from nitari.index.rows import RowStore
from nitari.index.scan import scan
from nitari.types import FloatArray, KeyArray, Matches

PART = "all"
"""What an index without segments calls its one part in a trace."""


class ResidentIndex:
    """Rows by key and the masks of filters over them, with the checks of what comes in.

    Args:
        dim: Width of a vector.
    """

    def __init__(self, dim: int) -> None:
        check_dim(dim)
        self._store = RowStore(dim)
        self._masks = MaskCache()

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return self._store.dim

    def __len__(self) -> int:
        return len(self._store)

    def vectors(self, keys: KeyArray) -> FloatArray:
        """The vectors of ``keys`` as they are kept: float32 ``[n, dim]``, of fp16 precision where rows are fp16.

        Raises:
            NotFoundError: where a key is not there.
        """
        check_keys(keys)
        return self._store.rows(self._store.find(keys))

    def keys(self) -> KeyArray:
        """All keys, ascending: int64 ``[n]``."""
        return np.sort(self._store.keys)

    def _put(self, keys: KeyArray, vectors: FloatArray) -> tuple[KeyArray, KeyArray]:
        """Check and keep rows. Returns the slots of ``keys``, and those of them that held a row before."""
        check_keys(keys, unique=True)
        check_vectors(vectors, self.dim)
        check_pairs(keys, vectors)
        slots, replaced = self._store.put(keys, vectors)
        if replaced.size < keys.size:
            self._masks.moved(np.setdiff1d(slots, replaced))
        return slots, replaced

    def _mask(self, vectors: FloatArray, k: int, allowed: Allowed | None, max_distance: float | None) -> Mask | None:
        """Check a query. Returns the rows that it may have, ``None`` for all."""
        check_vectors(vectors, self.dim)
        check_query(k, max_distance)
        return None if allowed is None else self._masks.get(allowed, self._store.keys, self._store.slots)

    def _scan(
        self,
        vectors: FloatArray,
        k: int,
        mask: Mask | None,
        max_distance: float | None,
        trace: list[Step] | None,
        reason: str,
    ) -> Sequence[Matches]:
        """Compare every allowed row, and say so and why."""
        began = perf_counter()
        answers = scan(self._store, vectors, k, mask=mask, max_distance=max_distance)
        if trace is not None:
            how: How = "scan" if mask is None else "gather"
            ms = (perf_counter() - began) * 1e3 / max(1, len(vectors))
            compared = len(self._store) if mask is None else mask.count
            trace += [self._step(mask, how, reason, 0, compared, ms) for _ in answers]
        return answers

    def _step(self, mask: Mask | None, how: How, reason: str, probes: int, compared: int, ms: float) -> Step:
        """What was done for one query."""
        permitted = len(self._store) if mask is None else mask.count
        if not permitted:
            how, reason = "empty", "nothing is allowed" if len(self._store) else "there are no rows"
        return Step(PART, len(self._store), permitted, how, reason, probes, compared, ms)
