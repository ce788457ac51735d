"""What indexes share that keep their rows in memory."""

from __future__ import annotations

import numpy as np

from nitari.index.base import Allowed
from nitari.index.checks import check_dim, check_keys, check_pairs, check_query, check_vectors
from nitari.index.masks import Mask, MaskCache
from nitari.index.rows import RowStore
from nitari.types import FloatArray, KeyArray


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
            self._masks.clear()
        return slots, replaced

    def _mask(self, vectors: FloatArray, k: int, allowed: Allowed | None, max_distance: float | None) -> Mask | None:
        """Check a query. Returns the rows that it may have, ``None`` for all."""
        check_vectors(vectors, self.dim)
        check_query(k, max_distance)
        return None if allowed is None else self._masks.get(allowed, self._store.keys, self._store.slots)
