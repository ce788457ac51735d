"""Unit vectors and filters for tests of indexes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from nitari.index.base import PlaceArray
from nitari.types import BoolArray, FloatArray, KeyArray


def normalized(rows: np.ndarray[tuple[int, ...], np.dtype[np.floating]]) -> FloatArray:
    """Rows scaled to unit length, float32."""
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def random_units(count: int, dim: int, *, seed: int = 0) -> FloatArray:
    """Directions without structure: the hardest case for approximate search."""
    return normalized(np.random.default_rng(seed).standard_normal((count, dim)))


def clustered_units(count: int, dim: int, *, clusters: int, seed: int = 0) -> tuple[FloatArray, KeyArray]:
    """Vectors around random centers, with variances that fall off as those of embeddings do; and their clusters.

    The centers depend on ``clusters`` and ``dim`` only, so that calls with different seeds share them.
    """
    centers = np.random.default_rng(12345).standard_normal((clusters, dim))
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, clusters, count)
    spread = np.linspace(0.9, 0.03, dim)
    return normalized(centers[labels] + rng.standard_normal((count, dim)) * spread), labels


def manifold_units(count: int, dim: int, *, intrinsic: int = 12, seed: int = 0) -> FloatArray:
    """Vectors on one curved surface of few dimensions, with a little noise: how embeddings lie."""
    fixed = np.random.default_rng(54321)
    bend, turn = fixed.standard_normal((intrinsic, 64)), fixed.standard_normal((64, dim))
    rng = np.random.default_rng(seed)
    rows = np.tanh(rng.standard_normal((count, intrinsic)) @ bend / np.sqrt(intrinsic)) @ turn
    return normalized(rows + 0.1 * rng.standard_normal((count, dim)))


def lattice_units(count: int, dim: int, *, seed: int) -> FloatArray:
    """Vectors with few distinct coordinates, so that duplicates and equal distances are common."""
    rows = np.random.default_rng(seed).integers(-1, 2, (count, dim)).astype(np.float64)
    rows[~rows.any(axis=1), 0] = 1.0
    return normalized(rows)


class KeyFilter:
    """Allows the given keys; where some are let go of or taken in by ``change``, it tells which."""

    layout = None

    def __init__(self, keys: Iterable[int], *, name: str | None = None) -> None:
        self._keys = np.array(sorted(keys), np.int64)
        self._name = name
        self._log: list[KeyArray] = []
        self.asked = 0

    @property
    def token(self) -> str:
        """Equal for equal sets of keys."""
        return self._name if self._name is not None else self._keys.tobytes().hex()

    @property
    def version(self) -> int:
        """How often ``change`` was called."""
        return len(self._log)

    def mask(self, keys: KeyArray) -> BoolArray:
        """Which of ``keys`` are among the given ones."""
        self.asked += 1
        return np.isin(keys, self._keys)

    def places(self, keys: KeyArray) -> PlaceArray:
        """There are none."""
        raise NotImplementedError

    def passing(self) -> BoolArray:
        """There are none."""
        raise NotImplementedError

    def few(self, limit: int) -> PlaceArray | None:
        """Only ``mask`` is to be asked."""
        return None

    def change(self, keys: Iterable[int]) -> None:
        """Allow those of ``keys`` that were not allowed, and the other way round. Give such a filter a ``name``."""
        changed = np.array(sorted(keys), np.int64)
        self._keys = np.setxor1d(self._keys, changed)
        self._log.append(changed)

    def changed(self, since: int) -> KeyArray | None:
        """The keys that were changed since."""
        return np.unique(np.concatenate([np.empty(0, np.int64), *self._log[since:]]))


class PlacedFilter(KeyFilter):
    """A filter that is asked about places, which are keys divided by ten: so several keys may have one.

    Args:
        places: Those that pass.
        top: How many places there are.
        name: The token.
        listed: Whether it lists them where they are few.
    """

    layout = 1  # type: ignore[assignment]  # a filter without places has none

    def __init__(self, places: Iterable[int], *, top: int, name: str, listed: bool) -> None:
        super().__init__([], name=name)
        self._passing = np.zeros(top, np.bool_)
        self._passing[list(places)] = True
        self._listed = listed

    def mask(self, keys: KeyArray) -> BoolArray:
        """By place."""
        return self._passing[self.places(keys)]

    def places(self, keys: KeyArray) -> PlaceArray:
        """Ten keys each."""
        return (keys // 10).astype(np.int32)

    def passing(self) -> BoolArray:
        """Which of them pass."""
        return self._passing

    def few(self, limit: int) -> PlaceArray | None:
        """All of them, if that is wanted."""
        found = np.flatnonzero(self._passing).astype(np.int32)
        return found if self._listed and found.size <= limit else None


def brute_force(
    keys: KeyArray, rows: FloatArray, query: FloatArray, k: int, max_distance: float | None = None
) -> tuple[KeyArray, FloatArray]:
    """Keys and distances of the ``k`` nearest rows by the definition, on the documented grid of 2**-23."""
    cosines = (rows.astype(np.float64) * query.astype(np.float64)).sum(axis=1)
    distances = np.clip(np.rint((1.0 - cosines) * 2**23) / 2**23, 0.0, 2.0).astype(np.float32)
    order = np.lexsort((keys, distances))
    if max_distance is not None:
        order = order[distances[order].astype(np.float64) <= max_distance]
    return keys[order[:k]], distances[order[:k]]
