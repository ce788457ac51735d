"""A catalog as the maintainer of an index sees it: keys and rows in a dictionary, and a table that is a text file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from nitari.errors import StateError
from nitari.index.segments.manifest import Origin
from nitari.types import FloatArray, KeyArray

DIM = 8
ORIGIN = Origin("card", DIM, "fingerprint", "catalog")


@cache
def row_of(key: int, dim: int = DIM) -> FloatArray:
    """The unit row of a key, as fp16 holds it."""
    row = np.random.default_rng(key).standard_normal(dim).astype(np.float32)
    rounded: FloatArray = (row / np.linalg.norm(row)).astype(np.float16).astype(np.float32)
    return rounded


class Truth:
    """Keys and their rows (``nitari.index.segments.survey.Truth``); each key of a ``put`` or ``delete`` is a change.

    Attributes:
        rows: By key.
        at: The last change.
        read: Keys whose rows were asked for.
        looked: How often all keys were.
    """

    def __init__(self, keys: Sequence[int] = ()) -> None:
        self.rows: dict[int, FloatArray] = {}
        self.at = 0
        self.read: list[int] = []
        self.looked = 0
        self._log: list[int] = []
        self.put(*keys)

    def put(self, *keys: int) -> None:
        """Add keys."""
        self.rows.update({key: row_of(key) for key in keys})
        self._changed(keys)

    def delete(self, *keys: int) -> None:
        """Take keys out."""
        for key in keys:
            del self.rows[key]
        self._changed(keys)

    def forget(self) -> None:
        """Let nobody be told any more what changed."""
        self._log.clear()

    def _changed(self, keys: Sequence[int]) -> None:
        self.at += len(keys)
        self._log.extend(keys)

    def seq(self) -> int:
        """The last change."""
        return self.at

    def keys(self, *, collection: str) -> tuple[int, KeyArray]:
        """All keys, ascending."""
        assert collection == ORIGIN.collection
        self.looked += 1
        return self.at, np.asarray(sorted(self.rows), np.int64)

    def key_changes(self, after: int, *, collection: str) -> tuple[int, KeyArray, KeyArray] | None:
        """Keys that were put or deleted since, each of which is an item."""
        assert collection == ORIGIN.collection
        if not 0 <= self.at - after <= len(self._log):
            return None
        changed = sorted(set(self._log[len(self._log) - (self.at - after) :]))
        there = [key for key in changed if key in self.rows]
        gone = [key for key in changed if key not in self.rows]
        return self.at, np.asarray(there, np.int64), np.asarray(gone, np.int64)

    def vectors(self, *, collection: str, keys: KeyArray | None = None) -> Iterator[tuple[KeyArray, FloatArray]]:
        """Rows in batches of a hundred, by ascending key."""
        assert collection == ORIGIN.collection
        wanted = sorted(self.rows) if keys is None else [key for key in keys.tolist() if key in self.rows]
        self.read.extend(wanted)
        for start in range(0, len(wanted), 100):
            some = wanted[start : start + 100]
            yield np.asarray(some, np.int64), np.stack([self.rows[key] for key in some])

    def check(self, saved: Path, seq: int) -> None:
        """A table is of use while it says ``#`` of nothing."""
        if "#" in (saved / "keys.txt").read_text() or seq > self.at:
            raise StateError(f"{saved} is no table")

    def save(self, last: tuple[Path, int] | None, folder: Path) -> int:
        """A table that says which keys there are."""
        if last is not None:
            self.check(*last)
        (folder / "keys.txt").write_text(" ".join(map(str, sorted(self.rows))))
        return self.at
