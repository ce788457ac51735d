"""Sealed segments for tests: a small engine of inverted lists in numpy, and an index that seals what it is given."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nitari.index.calibrate import Effort, Measured, calibrate_searcher
from nitari.index.kernels import Lookup
from nitari.index.ranking import true_distances
from nitari.index.segments.engine import BitArray, Built, HalfArray, Near, Searcher, SegmentEngine, SlotArray
from nitari.index.segments.sealed import SealedSegment, write_segment
from nitari.index.segments.segmented import SegmentedIndex
from nitari.types import BoolArray, FloatArray, KeyArray

_CENTERS, _STARTS = "lists-centers.npy", "lists-starts.npy"
# What calibration said of each engine over each segment: a second or two, and always the same.
_measured: dict[tuple[str, int, bytes], Measured] = {}


class Lists:
    """Looks into the lists whose centers are nearest (``nitari.index.segments.engine.Searcher``).

    Args:
        telling: Whether it says where it found what it found.
    """

    def __init__(self, rows: HalfArray, centers: FloatArray, starts: SlotArray, *, telling: bool) -> None:
        self._rows, self._centers, self._starts, self._telling = rows, centers, starts, telling
        self.asked: list[tuple[int, int]] = []
        self.closed = False

    looks_up = False

    @property
    def lists(self) -> int:
        """The largest useful ``probes``."""
        return len(self._centers)

    def nearest(
        self,
        vector: FloatArray,
        k: int,
        *,
        probes: int,
        candidates: int,
        bits: BitArray | None = None,
        lookup: Lookup | None = None,
        before: Near | None = None,
        gap: float | None = None,
    ) -> Near:
        """As the port says; candidates are found by rounding vectors to a few values."""
        assert 1 <= probes <= self.lists
        assert candidates >= k >= 1
        assert not self.closed
        self.asked.append((probes, candidates))
        cosines = self._centers @ vector
        lists = np.argsort(-cosines, kind="stable")[:probes]
        spans = [np.arange(self._starts[one], self._starts[one + 1]) for one in lists]
        slots = np.concatenate(spans)
        far = np.concatenate([slots[:0], *spans[max(1, probes // 2) :]])
        looked = slots.size
        if bits is not None:
            slots = slots[np.unpackbits(bits, count=len(self._rows), bitorder="little")[slots] == 1]
        seen = slots.size
        rough = np.round(self._rows[slots].astype(np.float32) * 4) @ vector
        slots = slots[np.argsort(-rough, kind="stable")[:candidates]]
        distances = true_distances(vector, self._rows[slots])
        order = np.argsort(distances, kind="stable")[:k]
        late = int(np.isin(slots[order][:64], far).sum())
        told = (looked, seen, late) if self._telling else (-1, -1, -1)
        worth = -1
        if gap is not None and self._telling:
            enough = order.size == k
            worth = int(np.count_nonzero(cosines >= 1 - distances[order[-1]] - gap)) if enough else self.lists
        return Near(slots[order], distances[order], slots.size, *told, worth=worth)

    def list_cosines(self, vector: FloatArray, slots: SlotArray) -> FloatArray | None:
        """As the port says; none where it does not tell."""
        lists = np.searchsorted(self._starts, slots, "right") - 1
        return (self._centers @ vector)[lists] if self._telling else None

    def only(self, slots: SlotArray) -> None:
        """It has to be built."""

    def even(self, slots: SlotArray) -> bool:
        """It does not know."""
        return False

    def cost_ns(self, *, probes: int, candidates: int, share: float = 1.0, together: bool = False) -> float:
        """A nanosecond a row, a hundred a candidate."""
        return 1e3 + probes * len(self._rows) / self.lists + 100.0 * candidates

    def close(self) -> None:
        """Refuse to answer from now on."""
        self.closed = True


class ListEngine:
    """Rows by the nearest of a few centers (``nitari.index.segments.engine.SegmentEngine``)."""

    name = "lists"

    def __init__(self, *, telling: bool = True, lists: int = 16) -> None:
        self._telling, self._lists = telling, lists

    def build(self, rows: HalfArray, folder: Path, *, threads: int = 1, seed: int = 0) -> Built:
        """Some rows are the centers."""
        count = min(self._lists, len(rows))
        centers = rows[np.random.default_rng(seed).choice(len(rows), count, replace=False)].astype(np.float32)
        lists = np.argmax(rows.astype(np.float32) @ centers.T, axis=1)
        np.save(folder / _CENTERS, centers)
        np.save(folder / _STARTS, np.searchsorted(np.sort(lists), np.arange(count + 1)).astype(np.int64))
        return Built(np.argsort(lists, kind="stable"), {})

    def open(self, folder: Path, rows: HalfArray, parameters: Mapping[str, Any]) -> Lists:
        """Read both files."""
        return Lists(rows, np.load(folder / _CENTERS), np.load(folder / _STARTS), telling=self._telling)


def sealed(
    folder: Path,
    keys: KeyArray,
    vectors: FloatArray,
    *,
    engine: SegmentEngine | None = None,
    efforts: Sequence[Effort] | None = None,
) -> SealedSegment:
    """Write a segment into ``folder``, which is made, and open it.

    Args:
        folder: Where.
        keys: int64 ``[n]``.
        vectors: float32 ``[n, dim]``.
        engine: Of the segment.
        efforts: Taken for granted; ``None`` to calibrate.
    """
    folder.mkdir(parents=True)
    write_segment(
        folder,
        [(keys, vectors)],
        dim=vectors.shape[1],
        engine=engine,
        calibrate=_calibrated if efforts is None else lambda searcher, rows: Measured(tuple(efforts)),
    )
    return SealedSegment.open(folder, dim=vectors.shape[1], engines={engine.name: engine} if engine else {})


def _calibrated(searcher: Searcher, rows: HalfArray) -> Measured:
    """``calibrate_searcher``, once for each kind of engine and content."""
    key = type(searcher).__name__, searcher.lists, hashlib.sha256(np.ascontiguousarray(rows)).digest()
    if key not in _measured:
        _measured[key] = calibrate_searcher(searcher, rows)
    return _measured[key]


def everything(keys: KeyArray) -> BoolArray:
    """All keys are alive."""
    return np.ones(keys.size, np.bool_)


class SealingIndex(SegmentedIndex):
    """Seals its live segment after every ``add`` that leaves at least ``seal_at`` rows in it; merges beyond 3 segments.

    Args:
        dim: Width of a vector.
        seal_at: Rows.
        engine: Of the segments.
    """

    def __init__(self, dim: int, *, seal_at: int = 20, engine: SegmentEngine | None = None, **options: Any) -> None:
        super().__init__(dim, **options)
        self._folder = Path(tempfile.mkdtemp(prefix="nitari-test-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._seal_at, self._segment_engine, self._made = seal_at, engine, 0

    def add(self, keys: KeyArray, vectors: FloatArray) -> None:
        """Insert, and seal."""
        super().add(keys, vectors)
        if self.live >= self._seal_at:
            self.seal()

    def seal(self) -> None:
        """Seal what is live, together with everything sealed where that is in many segments."""
        many = len(self.segments) >= 3
        keys = self.keys() if many else np.sort(self._live.keys)
        self._made += 1
        segment = sealed(self._folder / str(self._made), keys, self.vectors(keys), engine=self._segment_engine)
        segment._lease.release()  # nobody else would remove the folder, and not every test closes its index
        known = set(self.keys().tolist())
        self.swap(
            self.prepare(
                [segment] if many else [*self.segments, segment],
                lambda keys: np.array([key in known for key in keys.tolist()], np.bool_),
            )
        )
