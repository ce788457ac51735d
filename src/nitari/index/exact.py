"""Exact search: every allowed vector is looked at. The default up to some 50,000 vectors, and the judge of all others.

Answers depend on nothing but the vectors: a BLAS product in float32 picks candidates with a margin that covers its
rounding, and the candidates' distances are then computed in float64 and rounded to a grid. So equal vectors have equal
distances, ties are broken by key, and neither the number of threads nor the order of insertion shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from nitari.errors import NotFoundError, StateError
from nitari.index.base import Allowed
from nitari.index.checks import check_dim, check_keys, check_pairs, check_query, check_vectors
from nitari.index.keymap import ABSENT, KeyMap
from nitari.index.masks import MaskCache
from nitari.index.ranking import best, candidates, true_distances
from nitari.index.seal import check_seal, write_seal
from nitari.types import FloatArray, KeyArray, Matches

ENGINE = "exact"
FORMAT = 1
_KEYS_FILE = "keys.npy"
_VECTORS_FILE = "vectors.npy"

_BLOCK_BYTES = 16 * 2**20
# Scores of one group of queries: a bound on memory whatever the number of queries (one row is always allowed).
_SCORES_BYTES = 64 * 2**20
# Gathering a row costs about three times what scanning it does.
_GATHER_BELOW = 0.25


class ExactIndex:
    """Unit vectors in memory as float32 blocks, searched by brute force.

    Rows lie densely: the last row moves into the place of a removed one, so that nothing removed stays in memory and
    no scan pays for it. float32, not fp16: a query is then one read of memory (0.2 ms for 1,000 x 1280), while numpy
    takes eight times as long to widen fp16.

    Args:
        dim: Width of a vector.
    """

    def __init__(self, dim: int) -> None:
        check_dim(dim)
        self._dim = dim
        self._shift = max(4, (_BLOCK_BYTES // (4 * dim)).bit_length() - 1)  # rows of a block are 2**shift
        self._blocks: list[FloatArray] = []
        self._keys: KeyArray = np.empty(0, np.int64)
        self._count = 0
        self._map = KeyMap()
        self._masks = MaskCache()

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return self._dim

    def __len__(self) -> int:
        return self._count

    def add(self, keys: KeyArray, vectors: FloatArray) -> None:
        """Insert vectors (int64 ``[n]``, float32 unit rows ``[n, dim]``), replacing those whose key is there.

        Raises:
            UsageError: where shapes, dtypes or norms are wrong, or a key is given twice. Nothing is changed then.
        """
        check_keys(keys, unique=True)
        check_vectors(vectors, self._dim)
        check_pairs(keys, vectors)
        slots = self._map.find(keys)
        new = slots == ABSENT
        slots[new] = np.arange(self._count, self._count + int(new.sum()))
        self._reserve(self._count + int(new.sum()))
        self._write(slots, vectors)
        self._keys[slots] = keys
        self._map.put(keys[new], slots[new])
        self._count += int(new.sum())
        if new.any():
            self._masks.clear()

    def remove(self, keys: KeyArray) -> int:
        """Delete keys; unknown ones are ignored. Returns how many were there."""
        check_keys(keys)
        slots = self._map.find(np.unique(keys))
        holes = np.sort(slots[slots != ABSENT])
        if not holes.size:
            return 0
        self._map.drop(self._keys[holes])
        count = self._count - holes.size
        movers = np.setdiff1d(np.arange(count, self._count), holes, assume_unique=True)
        targets = holes[holes < count]
        self._write(targets, self._rows(movers))
        self._keys[targets] = self._keys[movers]
        self._map.put(self._keys[targets], targets)
        self._count = count
        del self._blocks[self._block_of(count + (1 << self._shift) - 1) :]
        self._masks.clear()
        return int(holes.size)

    def query(
        self, vectors: FloatArray, k: int, *, allowed: Allowed | None = None, max_distance: float | None = None
    ) -> Sequence[Matches]:
        """The ``k`` nearest allowed keys of each query (float32 unit rows ``[q, dim]``), ties by smaller key.

        Raises:
            UsageError: where shapes, dtypes, norms, ``k`` or the radius are wrong.
        """
        check_vectors(vectors, self._dim)
        check_query(k, max_distance)
        mask = None if allowed is None else self._masks.get(allowed, self._keys[: self._count])
        few = mask is not None and mask.count <= self._count * _GATHER_BELOW
        slots = np.flatnonzero(mask.bits) if mask is not None and few else None
        banned = ~mask.bits if mask is not None and not few else None
        scanned = self._count if slots is None else slots.size
        group = max(1, _SCORES_BYTES // (4 * max(1, scanned)))
        answers: list[Matches] = []
        for start in range(0, len(vectors), group):
            part = vectors[start : start + group]
            scores = self._scores(part, slots)
            if banned is not None:
                np.copyto(scores, -np.inf, where=banned)
            for vector, row in zip(part, scores, strict=True):
                near = candidates(row, k, self._dim, max_distance)
                answers.append(self._refine(vector, near if slots is None else slots[near], k, max_distance))
        return answers

    def vectors(self, keys: KeyArray) -> FloatArray:
        """The vectors of ``keys`` as they were added: float32 ``[n, dim]``.

        Raises:
            NotFoundError: where a key is not there.
        """
        check_keys(keys)
        slots = self._map.find(keys)
        if (slots == ABSENT).any():
            raise NotFoundError(f"key {int(keys[np.argmax(slots == ABSENT)])} is not in the index")
        return self._rows(slots)

    def keys(self) -> KeyArray:
        """All keys, ascending: int64 ``[n]``."""
        return np.sort(self._keys[: self._count])

    def save(self, folder: Path) -> None:
        """Write everything into ``folder`` (which exists and is empty); the caller publishes it atomically."""
        np.save(folder / _KEYS_FILE, self._keys[: self._count])
        with (folder / _VECTORS_FILE).open("wb") as file:
            header = {"descr": "<f4", "fortran_order": False, "shape": (self._count, self._dim)}
            np.lib.format.write_array_header_1_0(file, header)
            for _, block in self._scan():
                block.tofile(file)
        write_seal(folder, engine=ENGINE, version=FORMAT, dim=self._dim, count=self._count)

    def load(self, folder: Path) -> None:
        """Replace the content by what ``save`` wrote.

        Raises:
            StateError: where the files are damaged, of another dimension, or of an unknown version. The index is then
                as it was.
        """
        check_seal(folder, engine=ENGINE, version=FORMAT, dim=self._dim)
        try:
            keys = np.load(folder / _KEYS_FILE, allow_pickle=False)
            rows = np.load(folder / _VECTORS_FILE, mmap_mode="r" if keys.size else None, allow_pickle=False)
        except (OSError, ValueError) as exc:
            raise StateError(f"index in {folder} cannot be read: {exc}", remedy="delete the folder") from exc
        if keys.dtype != np.int64 or rows.dtype != np.float32 or rows.shape != (keys.size, self._dim):
            raise StateError(f"index in {folder} holds arrays of unexpected shapes", remedy="delete the folder")
        self._clear()
        step = 1 << self._shift
        for start in range(0, keys.size, step):
            self.add(keys[start : start + step], np.array(rows[start : start + step]))

    def close(self) -> None:
        """Let go of memory; the index is empty afterwards."""
        self._clear()

    def _clear(self) -> None:
        """Become empty."""
        self._blocks, self._keys, self._count, self._map = [], np.empty(0, np.int64), 0, KeyMap()
        self._masks.clear()

    def _block_of(self, slot: int) -> int:
        """Which block a slot lies in."""
        return slot >> self._shift

    def _reserve(self, count: int) -> None:
        """Make room for ``count`` rows; memory is only touched once rows are written."""
        while len(self._blocks) << self._shift < count:
            self._blocks.append(np.empty((1 << self._shift, self._dim), np.float32))
        if self._keys.size < count:
            keys = np.empty(max(count, self._keys.size * 3 // 2), np.int64)
            keys[: self._count] = self._keys[: self._count]
            self._keys = keys

    def _by_block(self, slots: KeyArray) -> Iterator[tuple[FloatArray, KeyArray, KeyArray]]:
        """For each block that ``slots`` touch: the block, the rows in it, and their positions in ``slots``."""
        if not slots.size:
            return
        blocks = slots >> self._shift
        order = np.argsort(blocks, kind="stable")
        names, starts = np.unique(blocks[order], return_index=True)
        for name, positions in zip(names.tolist(), np.split(order, starts[1:]), strict=True):
            yield self._blocks[name], slots[positions] & ((1 << self._shift) - 1), positions

    def _write(self, slots: KeyArray, vectors: FloatArray) -> None:
        """Put ``vectors`` into ``slots``."""
        for block, rows, positions in self._by_block(slots):
            block[rows] = vectors[positions]

    def _rows(self, slots: KeyArray) -> FloatArray:
        """The rows at ``slots``, copied: float32 ``[n, dim]``."""
        result = np.empty((slots.size, self._dim), np.float32)
        for block, rows, positions in self._by_block(slots):
            result[positions] = block[rows]
        return result

    def _scan(self) -> Iterator[tuple[int, FloatArray]]:
        """Filled blocks with the slot of their first row; the last one is cut to what is filled."""
        for number, block in enumerate(self._blocks):
            start = number << self._shift
            yield start, block[: max(0, self._count - start)]

    def _scores(self, vectors: FloatArray, slots: KeyArray | None) -> FloatArray:
        """Cosines in float32, ``[q, count]``, or ``[q, len(slots)]`` where only those are asked for."""
        scores = np.empty((len(vectors), self._count if slots is None else slots.size), np.float32)
        if slots is None:
            for start, block in self._scan():
                np.matmul(vectors, block.T, out=scores[:, start : start + len(block)])
            return scores
        step = 1 << self._shift
        for start in range(0, slots.size, step):
            part = slots[start : start + step]
            np.matmul(vectors, self._rows(part).T, out=scores[:, start : start + part.size])
        return scores

    def _refine(self, vector: FloatArray, slots: KeyArray, k: int, max_distance: float | None) -> Matches:
        """The best ``k`` of candidate ``slots`` by their true distances."""
        distances = np.empty(slots.size, np.float32)
        step = 1 << self._shift
        for start in range(0, slots.size, step):
            distances[start : start + step] = true_distances(vector, self._rows(slots[start : start + step]))
        return best(self._keys[slots], distances, k, max_distance)
