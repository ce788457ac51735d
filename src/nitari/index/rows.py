"""Rows of vectors in memory, by key: what exact search scans and what approximate search refines with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nitari.errors import NotFoundError, StateError
from nitari.keymap import ABSENT, KeyMap
from nitari.types import FloatArray, KeyArray

_KEYS_FILE = "keys.npy"
_VECTORS_FILE = "vectors.npy"
_BLOCK_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True, eq=False)
class Removal:
    """What a removal did to slots.

    Args:
        vacated: Slots whose former row is no longer there (removed, or moved away), ascending.
        filled: Slots that now hold a row moved from elsewhere, a subset of ``vacated`` below the new count.
        movers: Where the rows at ``filled`` stood before, in their order.
        count: How many rows were removed.
    """

    vacated: KeyArray
    filled: KeyArray
    movers: KeyArray
    count: int


class RowStore:
    """Vectors in growable blocks, one dense slot a key.

    The last rows move into the slots of removed ones, so that nothing removed stays in memory and no scan pays for it.
    Reading is safe from several threads while nobody writes.

    Args:
        dim: Width of a vector.
        dtype: How rows are kept: float32, or float16 for half the memory and slower scans.
    """

    def __init__(self, dim: int, dtype: type[np.float32 | np.float16] = np.float32) -> None:
        self.dim = dim
        self.dtype = np.dtype(dtype)
        # Rows of a block are 2**shift, so that a slot is found by shifting.
        self._shift = max(4, (_BLOCK_BYTES // (self.dtype.itemsize * dim)).bit_length() - 1)
        self._blocks: list[NDArray[Any]] = []
        self._keys: KeyArray = np.empty(0, np.int64)
        self._count = 0
        self._map = KeyMap()

    def __len__(self) -> int:
        return self._count

    @property
    def keys(self) -> KeyArray:
        """The key of each slot: int64 ``[n]``, a view."""
        return self._keys[: self._count]

    @property
    def step(self) -> int:
        """Rows of a block: how many to handle at a time so that memory stays bounded."""
        return 1 << self._shift

    def slots(self, keys: KeyArray) -> KeyArray:
        """The slots of ``keys``, ``ABSENT`` where a key is not there."""
        return self._map.find(keys)

    def find(self, keys: KeyArray) -> KeyArray:
        """The slots of ``keys``.

        Raises:
            NotFoundError: where a key is not there.
        """
        slots = self._map.find(keys)
        absent = slots == ABSENT
        if absent.any():
            raise NotFoundError(f"key {int(keys[np.argmax(absent)])} is not in the index")
        return slots

    def put(self, keys: KeyArray, vectors: FloatArray) -> tuple[KeyArray, KeyArray]:
        """Insert or replace. Returns the slots of ``keys``, and those of them that held a row before."""
        slots = self._map.find(keys)
        new = slots == ABSENT
        replaced = slots[~new]
        count = self._count + int(new.sum())
        slots[new] = np.arange(self._count, count)
        self._reserve(count)
        self._write(slots, vectors)
        self._keys[slots] = keys
        self._map.put(keys[new], slots[new])
        self._count = count
        return slots, replaced

    def remove(self, keys: KeyArray) -> Removal:
        """Delete keys; unknown ones are ignored."""
        slots = self._map.find(np.unique(keys))
        holes = np.sort(slots[slots != ABSENT])
        count = self._count - holes.size
        if not holes.size:
            return Removal(holes, holes, holes, 0)
        self._map.drop(self._keys[holes])
        movers = np.setdiff1d(np.arange(count, self._count), holes, assume_unique=True)
        targets = holes[holes < count]
        self._write(targets, self._raw(movers))
        self._keys[targets] = self._keys[movers]
        self._map.put(self._keys[targets], targets)
        self._count = count
        del self._blocks[(count + self.step - 1) >> self._shift :]
        return Removal(np.union1d(holes, movers), targets, movers, int(holes.size))

    def rows(self, slots: KeyArray) -> FloatArray:
        """The rows at ``slots``, copied: float32 ``[n, dim]``."""
        return self._raw(slots).astype(np.float32, copy=False)

    def scan(self) -> Iterator[tuple[int, FloatArray]]:
        """All rows in order, a block at a time: the slot of the first row, float32 ``[n, dim]``."""
        for number, block in enumerate(self._blocks):
            start = number << self._shift
            yield start, block[: self._count - start].astype(np.float32, copy=False)

    def copied(self, dtype: type[np.float32 | np.float16]) -> RowStore:
        """The same rows kept as another type."""
        copy = RowStore(self.dim, dtype)
        for start, block in self.scan():
            copy.put(self.keys[start : start + len(block)], block)
        return copy

    def save(self, folder: Path) -> None:
        """Write keys and rows as ``.npy`` files."""
        np.save(folder / _KEYS_FILE, self.keys)
        with (folder / _VECTORS_FILE).open("wb") as file:
            header = {"descr": self.dtype.str, "fortran_order": False, "shape": (self._count, self.dim)}
            np.lib.format.write_array_header_1_0(file, header)
            for number, block in enumerate(self._blocks):
                block[: self._count - (number << self._shift)].tofile(file)

    @classmethod
    def load(cls, folder: Path, dim: int, dtype: type[np.float32 | np.float16]) -> RowStore:
        """Read what ``save`` wrote; whoever calls has checked that the files are undamaged.

        Raises:
            StateError: where they hold something else than unique keys with rows of this width and type.
        """
        store = cls(dim, dtype)
        try:
            keys = np.load(folder / _KEYS_FILE, allow_pickle=False)
            rows = np.load(folder / _VECTORS_FILE, mmap_mode="r" if keys.size else None, allow_pickle=False)
        except (OSError, ValueError, EOFError) as exc:
            raise StateError(f"index in {folder} cannot be read: {exc}", remedy="delete it to have it rebuilt") from exc
        fits = keys.dtype == np.int64 and rows.dtype == store.dtype and rows.shape == (keys.size, dim)
        if not fits or np.unique(keys).size != keys.size:
            raise StateError(f"index in {folder} holds unexpected arrays", remedy="delete it to have it rebuilt")
        store._reserve(keys.size)
        for start in range(0, keys.size, store.step):
            part = slice(start, start + store.step)
            store._blocks[start >> store._shift][: keys[part].size] = rows[part]
        store._keys[: keys.size] = keys
        store._count = keys.size
        store._map.put(keys, np.arange(keys.size))
        return store

    def _reserve(self, count: int) -> None:
        """Make room for ``count`` rows; a block's memory is only touched once rows are written."""
        while len(self._blocks) << self._shift < count:
            self._blocks.append(np.empty((self.step, self.dim), self.dtype))
        if self._keys.size < count:
            keys = np.empty(max(count, self._keys.size * 3 // 2), np.int64)
            keys[: self._count] = self.keys
            self._keys = keys

    def _raw(self, slots: KeyArray) -> NDArray[Any]:
        """The rows at ``slots``, copied, as they are kept."""
        if len(self._blocks) == 1:  # the common small collection: one copy
            return self._blocks[0][slots]
        result = np.empty((slots.size, self.dim), self.dtype)
        for block, rows, positions in self._by_block(slots):
            result[positions] = block[rows]
        return result

    def _write(self, slots: KeyArray, vectors: NDArray[Any]) -> None:
        """Put ``vectors`` into ``slots``."""
        for block, rows, positions in self._by_block(slots):
            block[rows] = vectors[positions]

    def _by_block(self, slots: KeyArray) -> Iterator[tuple[NDArray[Any], KeyArray, KeyArray | slice]]:
        """For each block that ``slots`` touch: the block, the rows in it, and their positions in ``slots``."""
        if len(self._blocks) == 1:  # the common small collection: no sorting
            yield self._blocks[0], slots, slice(None)
            return
        if not slots.size:
            return
        blocks = slots >> self._shift
        order = np.argsort(blocks, kind="stable")
        names, starts = np.unique(blocks[order], return_index=True)
        for name, positions in zip(names.tolist(), np.split(order, starts[1:]), strict=True):
            yield self._blocks[name], slots[positions] & (self.step - 1), positions
