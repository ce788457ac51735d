"""A collection's index: sealed segments, mapped from disk, and a live one in memory, searched as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nitari.errors import NotFoundError
from nitari.index.base import Allowed, Recall, Step
from nitari.index.calibrate import level_for
from nitari.index.checks import check_dim, check_keys, check_pairs, check_query, check_vectors
from nitari.index.ranking import best
from nitari.index.seal import check_seal, write_seal
from nitari.index.segments.costs import Costs, default_costs
from nitari.index.segments.engine import SegmentEngine
from nitari.index.segments.live import LiveSegment
from nitari.index.segments.materialized import COPIES_BYTES, Copies
from nitari.index.segments.part import SealedPart
from nitari.index.segments.recall import RecallWatch
from nitari.index.segments.sealed import SealedSegment
from nitari.types import BoolArray, FloatArray, KeyArray, Matches

ENGINE = "segments"
FORMAT = 1
RECALL_TARGET = 0.98
_ROWS_AT_ONCE = 2**14
_NOTHING = Matches(np.empty(0, np.int64), np.empty(0, np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class Adoption:
    """Segments that are ready to be searched in place of those that are, see ``SegmentedIndex.prepare``.

    Args:
        parts: All that are to be searched.
        fresh: Those of them that were not searched before.
    """

    parts: tuple[SealedPart, ...]
    fresh: tuple[SealedPart, ...]


class SegmentedIndex:
    """Unit vectors in sealed segments (fp16, on disk) and a live one (float32, in memory).

    What is added goes to the live segment. Somebody else seals and merges segments; ``prepare`` and ``swap`` take in
    what they made. Without sealed segments, answers and speed are those of ``ExactIndex``. A sealed row that is removed
    or replaced stays on disk and is not found any more.

    One writer at a time and no reader beside it, as for every index; ``prepare`` may run beside readers.

    Args:
        dim: Width of a vector.
        costs: Of this machine; ``None`` for the usual ones.
        recall_target: Share of the true nearest that is promised, 0-1.
        copies_bytes: How much memory the rows of filters that return may take, side by side; 0 for none.
        copy_engine: Builds an index of large ones of those; ``None`` to scan them.
    """

    def __init__(
        self,
        dim: int,
        *,
        costs: Costs | None = None,
        recall_target: float = RECALL_TARGET,
        copies_bytes: int = COPIES_BYTES,
        copy_engine: SegmentEngine | None = None,
    ) -> None:
        check_dim(dim)
        self._dim = dim
        self._costs = costs or default_costs()
        self._level = level_for(recall_target)
        self._watch = RecallWatch(recall_target)
        self._copies = Copies(costs=self._costs, limit=copies_bytes, engine=copy_engine)
        self._live = LiveSegment(dim)
        self._parts: tuple[SealedPart, ...] = ()
        self._removed: list[KeyArray] | None = None

    @property
    def engine(self) -> str:
        """The engine's name."""
        return ENGINE

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return self._dim

    @property
    def segments(self) -> tuple[SealedSegment, ...]:
        """The sealed segments that are searched."""
        return tuple(part.segment for part in self._parts)

    @property
    def live(self) -> int:
        """How many keys the live segment holds."""
        return len(self._live)

    def __len__(self) -> int:
        return len(self._live) + sum(len(part) for part in self._parts)

    def prepare(self, segments: Sequence[SealedSegment], alive: Callable[[KeyArray], BoolArray]) -> Adoption:
        """Make ready to search these segments and no others. Changes nothing; may run beside readers.

        What is removed from here on is taken account of by ``swap``. Of several that are prepared, only the last one
        may be swapped in.

        Args:
            segments: All that are to be searched from then on. No two may hold the same living key. Those that are
                searched already (the same objects) stay as they are; the index closes the others when it is done with
                them.
            alive: Which of the keys of a new segment (int64 ``[n]``) are to be found.

        Raises:
            UsageError: a segment of another width.
        """
        self._removed = []
        known = {id(part.segment): part for part in self._parts}
        parts = []
        for segment in segments:
            part = known.get(id(segment))
            if part is None:
                part = SealedPart(
                    segment,
                    np.array(alive(segment.keys)),
                    costs=self._costs,
                    level=self._level,
                    copies=self._copies,
                )
            parts.append(part)
        return Adoption(tuple(parts), tuple(part for part in parts if id(part.segment) not in known))

    def swap(self, prepared: Adoption) -> int:
        """Search what was prepared, from now on; like a write, with no reader beside it.

        Keys that are sealed now leave the live segment. A key whose live row is another one than the sealed one was
        replaced since it was sealed: then the live row stays, and the sealed one is not found.

        Returns:
            How many keys left the live segment.
        """
        removed, self._removed = self._removed, None
        gone = np.unique(np.concatenate([np.empty(0, np.int64), *(removed or [])]))
        left = 0
        for part in prepared.fresh:
            slots = part.find(gone)
            part.kill(slots[slots >= 0])
            left += self._hand_over(part)
        before, self._parts = self._parts, prepared.parts
        kept = {id(part) for part in prepared.parts}
        for part in before:
            if id(part) not in kept:
                part.retire()
        return left

    def add(self, keys: KeyArray, vectors: FloatArray) -> None:
        """Insert vectors (int64 ``[n]``, float32 unit rows ``[n, dim]``), replacing those whose key is there.

        Raises:
            UsageError: where shapes, dtypes or norms are wrong, or a key is given twice. Nothing is changed then.
        """
        check_keys(keys, unique=True)
        check_vectors(vectors, self._dim)
        check_pairs(keys, vectors)
        self._kill(keys)
        self._live.put(keys, vectors)

    def remove(self, keys: KeyArray) -> int:
        """Delete keys; unknown ones are ignored. Returns how many were there."""
        check_keys(keys)
        if self._removed is not None:
            self._removed.append(keys)
        return self._live.remove(keys) + self._kill(keys)

    def query(
        self,
        vectors: FloatArray,
        k: int,
        *,
        allowed: Allowed | None = None,
        max_distance: float | None = None,
        trace: list[Step] | None = None,
    ) -> Sequence[Matches]:
        """The ``k`` nearest allowed keys of each query (float32 unit rows ``[q, dim]``), ties by smaller key.

        Of what is live, of what is in small segments and of what few rows a filter leaves, exactly; otherwise about
        the nearest, as well as ``recall_target`` promises. Fewer than ``k`` only where fewer are allowed or near
        enough.

        Raises:
            UsageError: where shapes, dtypes, norms, ``k`` or the radius are wrong.
        """
        check_vectors(vectors, self._dim)
        check_query(k, max_distance)
        vectors = np.ascontiguousarray(vectors)
        if self._parts:
            self._watch.note(vectors)
        searched = [part for part in self._all() if len(part)]
        answers = [
            part.search(vectors, k, allowed=allowed, max_distance=max_distance, trace=trace) for part in searched
        ]
        if len(answers) == 1:
            return answers[0]
        return [_merged(found, k) for found in zip(*answers, strict=True)] if answers else [_NOTHING] * len(vectors)

    def check_recall(self) -> bool:
        """Compare one recent query in one segment with the exact answer; look harder there where recall is too low.

        To be called now and then, off the query path and without a lock: it takes as long as an exact scan of one
        segment. Returns whether there was something to compare.
        """
        return self._watch.check(self._parts)

    def recall(self) -> Recall:
        """What ``check_recall`` found so far of the segments that are searched."""
        return self._watch.recall()

    def settle(self, timeout_s: float | None = None) -> bool:
        """Wait until nothing is under way in the background; ``False`` where that takes longer."""
        return self._copies.settle(timeout_s)

    def vectors(self, keys: KeyArray) -> FloatArray:
        """The vectors of ``keys``: float32 ``[n, dim]``, of fp16 precision where they are sealed.

        Raises:
            NotFoundError: where a key is not there.
        """
        check_keys(keys)
        rows = np.empty((keys.size, self._dim), np.float32)
        missing = np.ones(keys.size, np.bool_)
        for part in self._all():
            slots = part.find(keys)
            here = slots >= 0
            if here.any():
                rows[here] = part.rows(slots[here])
                missing &= ~here
        if missing.any():
            raise NotFoundError(f"key {int(keys[np.argmax(missing)])} is not in the index")
        return rows

    def keys(self) -> KeyArray:
        """All keys, ascending: int64 ``[n]``."""
        sealed = (part.segment.keys[part.alive_slots()] for part in self._parts)
        return np.sort(np.concatenate([self._live.keys, *sealed]))

    def save(self, folder: Path) -> None:
        """Write all keys and vectors into ``folder`` (which exists and is empty), sealed and live alike.

        For an index that is to be carried elsewhere as it is: a collection's own segments are published by whoever
        seals them. Loaded, everything is live.
        """
        store = self._live
        if self._parts:
            store = LiveSegment(self._dim)
            keys = self.keys()
            for start in range(0, keys.size, _ROWS_AT_ONCE):
                part = keys[start : start + _ROWS_AT_ONCE]
                store.put(part, self.vectors(part))
        store.save(folder)
        write_seal(folder, engine=ENGINE, version=FORMAT, dim=self._dim, count=len(self))

    def load(self, folder: Path) -> None:
        """Replace the content by what ``save`` wrote.

        Raises:
            StateError: where the files are damaged, of another dimension, or of an unknown version. The index is then
                as it was.
        """
        check_seal(folder, engine=ENGINE, version=FORMAT, dim=self._dim)
        self._live.load(folder)
        self._retire_all()

    def close(self) -> None:
        """Let go of files and memory; the index is empty afterwards."""
        self._live.clear()
        self._retire_all()
        self._copies.close()

    def _all(self) -> tuple[LiveSegment | SealedPart, ...]:
        """Everything that is searched."""
        return (self._live, *self._parts)

    def _retire_all(self) -> None:
        parts, self._parts, self._removed = self._parts, (), None
        for part in parts:
            part.retire()

    def _kill(self, keys: KeyArray) -> int:
        """Let sealed rows of ``keys`` not be found any more. Returns how many were."""
        if not self._parts:
            return 0
        keys, count = np.unique(keys), 0
        for part in self._parts:
            slots = part.find(keys)
            slots = slots[slots >= 0]
            part.kill(slots)
            count += slots.size
        return count

    def _hand_over(self, part: SealedPart) -> int:
        """Take keys out of the live segment that a new segment holds. Returns how many."""
        keys = self._live.keys.copy()
        slots = part.find(keys)
        here = slots >= 0
        keys, slots = keys[here], slots[here]
        if not keys.size:
            return 0
        same = np.empty(keys.size, np.bool_)
        for start in range(0, keys.size, _ROWS_AT_ONCE):
            some = slice(start, start + _ROWS_AT_ONCE)
            live = self._live.rows(self._live.find(keys[some])).astype(np.float16)
            same[some] = (live == part.segment.rows[slots[some]]).all(axis=1)
        part.kill(slots[~same])
        self._live.remove(keys[same])
        return int(np.count_nonzero(same))


def _merged(found: Sequence[Matches], k: int) -> Matches:
    """The best ``k`` of what several segments found."""
    some = [matches for matches in found if len(matches)]
    if len(some) < 2:
        return some[0] if some else _NOTHING
    keys = np.concatenate([matches.keys for matches in some])
    return best(keys, np.concatenate([matches.distances for matches in some]), k, None)
