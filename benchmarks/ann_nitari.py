"""Nitari's own index under test.

``segments`` (the default), ``ivf`` (its engine alone), ``ngt`` (segments of graphs; needs the extra), ``faiss`` and
``exact``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import ann_protocol as ann
from nitari.index.base import PlaceArray, VectorIndex
from nitari.index.calibrate import LEVELS, calibrate_searcher
from nitari.index.exact import ExactIndex
from nitari.index.segments.engine import Searcher
from nitari.index.segments.policy import Policy
from nitari.index.segments.sealed import SealedSegment, write_segment
from nitari.index.segments.segmented import RECALL_TARGET, SegmentedIndex
from nitari.indexes import segment_engines
from nitari.types import BoolArray, KeyArray

_TOKENS = count()
# From so many times as many rows on, whoever asks for few is told that there are too many, unlooked at.
_RARE = 2


class Tags:
    """What search keeps of attributes, as ``nitari.search`` does: a column a tag, and the rows of each tag.

    Args:
        data: Whose.
    """

    def __init__(self, data: ann.DataSet) -> None:
        self.columns: dict[str, BoolArray] = {tag: data.column(tag) for tag in data.tags}
        self.rows: dict[str, PlaceArray] = {
            tag: np.flatnonzero(column).astype(np.int32) for tag, column in self.columns.items()
        }


class HasTags:
    """A filter as search makes it (``nitari.index.base.Allowed``). Each one made is a new filter; places are keys.

    Args:
        tags: What is known.
        wanted: Tags that a row must have.
    """

    layout = 0
    version = 0

    def __init__(self, tags: Tags, wanted: Sequence[str]) -> None:
        self._tags, self._wanted = tags, wanted
        self.token = f"filter-{next(_TOKENS)}"

    def places(self, keys: KeyArray) -> PlaceArray:
        """Inserted rows have no tags."""
        count = len(self._tags.columns[self._wanted[0]])
        return np.where(keys < count, keys, -1).astype(np.int32)

    def passing(self) -> BoolArray:
        """Evaluated over columns."""
        passing = self._tags.columns[self._wanted[0]]
        for tag in self._wanted[1:]:
            passing = passing & self._tags.columns[tag]
        return passing

    def mask(self, keys: KeyArray) -> BoolArray:
        """Which of ``keys`` pass."""
        places = self.places(keys)
        return self.passing()[places] & (places >= 0)

    def few(self, limit: int) -> PlaceArray | None:
        """By the rows of the rarest tag."""
        rarest = min((self._tags.rows[tag] for tag in self._wanted), key=len)
        if rarest.size > _RARE * limit:
            return None
        for tag in self._wanted if len(self._wanted) > 1 else ():
            rarest = rarest[self._tags.columns[tag][rarest]]
        return rarest if rarest.size <= limit else None

    def changed(self, since: int) -> KeyArray | None:
        """Nothing ever does."""
        return np.empty(0, np.int64)


class Segments(ann.System):
    """What searches a collection: one sealed segment as the maintainer writes it, a live one, and the planner.

    Args:
        engine: Name of the segment's engine.
    """

    filters = "inside"

    def __init__(self, engine: str) -> None:
        self._engine = engine

    def build(self, data: ann.DataSet, state: Path) -> None:
        """Write a segment: rows, lists, codes, checksums, and the effort that each recall needs."""
        folder = state / "segment"
        folder.mkdir()
        engine = segment_engines()[self._engine] if data.count >= Policy().rows_for_engine(data.dim) else None
        write_segment(folder, data.blocks(), dim=data.dim, engine=engine, calibrate=calibrate_searcher)

    def open(self, data: ann.DataSet, state: Path) -> None:
        """Map the segment; one index a promise of recall, each opened at its first use."""
        self._dim, self._folder = data.dim, state / "segment"
        self._indexes: dict[float, SegmentedIndex] = {}
        self._current = self._index(RECALL_TARGET)
        self._data = data

    def ladders(self, data: ann.DataSet, filter_name: str | None) -> list[list[ann.Setting]]:
        """By promised recall: one for each level that a segment is measured for, see ``calibrate.level_for``."""
        return [[{"recall_target": round(1 - 4 * (1 - level), 4)} for level in LEVELS]]

    def searcher(self, setting: ann.Setting, k: int, wanted: Sequence[str]) -> ann.Ask:
        """With a filter that was never asked before."""
        index = self._current = self._index(setting["recall_target"])
        allowed: Any = HasTags(self._tags, wanted) if wanted else None

        def ask(vector: ann.Array) -> NDArray[Any]:
            return index.query(vector[np.newaxis], k, allowed=allowed)[0].keys

        return ask

    @cached_property
    def _tags(self) -> Tags:
        """Not before the first filter: they are no part of the index."""
        return Tags(self._data)

    def insert(self, keys: NDArray[Any], vectors: ann.Array) -> None:
        """Searchable when it returns."""
        self._current.add(keys, np.ascontiguousarray(vectors))

    def delete(self, keys: NDArray[Any]) -> None:
        """Gone when it returns."""
        self._current.remove(keys)

    def close(self) -> None:
        """Let go of files and memory."""
        for index in getattr(self, "_indexes", {}).values():
            index.close()

    def _index(self, recall_target: float) -> SegmentedIndex:
        if recall_target not in self._indexes:
            index = SegmentedIndex(self._dim, recall_target=recall_target)
            segment = SealedSegment.open(self._folder, dim=self._dim, engines=segment_engines())
            index.swap(index.prepare([segment], lambda keys: np.ones(keys.size, np.bool_)))
            self._indexes[recall_target] = index
        return self._indexes[recall_target]


class Engine(Segments):
    """The sealed segment's engine alone, without live segment, planner and promise: what it can do at any effort."""

    filters = "bitmap given"
    edits = False

    def open(self, data: ann.DataSet, state: Path) -> None:
        """Map the segment."""
        self._segment = SealedSegment.open(state / "segment", dim=data.dim, engines=segment_engines())
        self._data = data
        if self._segment.searcher is None:
            raise ValueError(f"a segment of {data.count} rows has no engine")
        self._searcher: Searcher = self._segment.searcher

    def ladders(self, data: ann.DataSet, filter_name: str | None) -> list[list[ann.Setting]]:
        """By lists, at several numbers of candidates."""
        lists = self._searcher.lists
        return [
            [{"probes": probes, "candidates": candidates} for probes in ann.steps(1, lists, 1.2)]
            for candidates in (20, 40, 80, 160, 320)
        ]

    def searcher(self, setting: ann.Setting, k: int, wanted: Sequence[str]) -> ann.Ask:
        """The bitmap is made here."""
        nearest, keys, bits = self._searcher.nearest, self._segment.keys, None
        if wanted:
            mask = self._columns[wanted[0]]
            for tag in wanted[1:]:
                mask = mask & self._columns[tag]
            bits = np.packbits(mask, bitorder="little")

        def ask(vector: ann.Array) -> NDArray[Any]:
            return keys[nearest(vector, k, probes=setting["probes"], candidates=setting["candidates"], bits=bits).slots]

        return ask

    @cached_property
    def _columns(self) -> dict[str, BoolArray]:
        """By slot, as whoever keeps a bitmap for it would."""
        return {tag: self._data.column(tag)[self._segment.keys] for tag in self._data.tags}

    def close(self) -> None:
        """Let go of the segment."""
        if hasattr(self, "_segment"):
            self._segment.close()


class Resident(Segments):
    """An index that is held in memory: ``exact``, ``faiss``.

    Args:
        make: From the width of a vector to the empty index.
    """

    def __init__(self, make: Callable[[int], VectorIndex]) -> None:
        self._make = make

    def build(self, data: ann.DataSet, state: Path) -> None:
        """Insert all rows, write a folder."""
        index = self._make(data.dim)
        for keys, rows in data.blocks():
            index.add(keys, rows)
        index.save(state)
        index.close()

    def open(self, data: ann.DataSet, state: Path) -> None:
        """Read the folder."""
        self._kept = self._make(data.dim)
        self._kept.load(state)
        self._data = data

    def ladders(self, data: ann.DataSet, filter_name: str | None) -> list[list[ann.Setting]]:
        """These engines hold one recall."""
        return [[{"recall_target": RECALL_TARGET}]]

    def close(self) -> None:
        """Let go of memory."""
        if hasattr(self, "_kept"):
            self._kept.close()

    def _index(self, recall_target: float) -> VectorIndex:  # type: ignore[override]  # the same port
        return self._kept


def _faiss() -> ann.System:
    from nitari.index.faiss import FaissIndex

    return Resident(FaissIndex)


SYSTEMS: dict[str, Callable[[], ann.System]] = {
    "segments": lambda: Segments("ivf"),
    "ivf": lambda: Engine("ivf"),
    "ngt": lambda: Segments("ngt"),
    "faiss": _faiss,
    "exact": lambda: Resident(ExactIndex),
}

if __name__ == "__main__":
    ann.serve(SYSTEMS[sys.argv.pop()]())
