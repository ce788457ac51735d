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
    """Keys and their rows (``nitari.index.segments.maintain.Truth``); each ``put`` and ``delete`` is a change."""

    def __init__(self, keys: Sequence[int] = ()) -> None:
        self.rows: dict[int, FloatArray] = {}
        self.at = 0
        self.read: list[int] = []
        self.put(*keys)

    def put(self, *keys: int) -> None:
        """Add keys."""
        self.rows.update({key: row_of(key) for key in keys})
        self.at += len(keys)

    def delete(self, *keys: int) -> None:
        """Take keys out."""
        for key in keys:
            del self.rows[key]
        self.at += len(keys)

    def seq(self) -> int:
        """The last change."""
        return self.at

    def keys(self, *, collection: str) -> tuple[int, KeyArray]:
        """All keys, ascending."""
        assert collection == ORIGIN.collection
        return self.at, np.asarray(sorted(self.rows), np.int64)

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
