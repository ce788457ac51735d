"""The port of what makes a sealed segment quick to search: built once over its rows, opened by many processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nitari.index.kernels import Lookup
from nitari.types import FloatArray

HalfArray = NDArray[np.float16]
SlotArray = NDArray[np.int64]
BitArray = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Near:
    """Rows of a segment, nearest first.

    Args:
        slots: int64 ``[n]``: row numbers.
        distances: float32 ``[n]``: true cosine distances (``ranking.true_distances`` of the fp16 rows), ascending.
        compared: Of how many rows the true distance was computed.
        looked: How many rows, allowed or not, were in what was looked at (all rows of the lists that were probed);
            -1 where the engine does not know.
        seen: How many of those were allowed; -1 where the engine does not know.
        late: How many of the 64 nearest come from the farther half of what was looked at; -1 where the engine does not
            know. Many of them say that there will be more beyond: what a filter allows lies far from the query, and
            the planner looks wider. An engine that does not tell is asked a second time to find out.
        probes: How many lists were looked into; 0 where the engine cannot go on from here.
        worth: How many lists, nearest first, may have nearer rows than the last of these, by the ``gap`` that was
            given; -1 where the engine does not know.
    """

    slots: SlotArray
    distances: FloatArray
    compared: int
    looked: int = -1
    seen: int = -1
    late: int = -1
    probes: int = 0
    worth: int = -1


@dataclass(frozen=True, slots=True, eq=False)
class Built:
    """What ``SegmentEngine.build`` made beside its files.

    Args:
        order: int64 ``[n]``: the row that shall stand at each slot; ``None`` to leave rows where they are. An engine
            that groups rows (by inverted list) has them laid down in that order, so that what is compared together
            lies together.
        parameters: JSON values, given back to ``open``.
    """

    order: SlotArray | None
    parameters: Mapping[str, Any]


class Searcher(Protocol):
    """An opened engine over the rows of one segment. Safe to use from several threads at once; memory-mapped."""

    @property
    def lists(self) -> int:
        """The largest useful ``probes``."""
        ...

    @property
    def looks_up(self) -> bool:
        """Whether ``lookup`` may be given, and ``only`` be asked for."""
        ...

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
        """About the ``k`` nearest allowed rows.

        Args:
            vector: float32 ``[dim]``, a unit vector.
            k: At least 1.
            probes: How many inverted lists to look at (or how far to walk a graph), 1 to ``lists``.
            candidates: Of how many of the best rows, by their codes, to compute the true distance; at least ``k``.
            bits: uint8 ``[ceil(n / 8)]``, little-endian bitmap of the allowed slots (``np.packbits(...,
                bitorder="little")``); ``None`` for all.
            lookup: In place of ``bits``, where the engine ``looks_up``: says of each row that is met whether it is
                allowed. Quicker than to make a bitmap of all rows for one query.
            before: What was found for the same question with fewer probes: an engine may go on from there, with
                ``candidates`` of the lists that were not looked into yet.
            gap: How much less than a row's cosine with the query that of its list's center may be, see
                ``calibrate.Measured``; ``None`` where that was not measured.
        """
        ...

    def list_cosines(self, vector: FloatArray, slots: SlotArray) -> FloatArray | None:
        """Cosines of the query (float32 ``[dim]``) with the center of the list that each row is in: float32 ``[m]``.

        ``None`` where the engine has no lists.
        """
        ...

    def only(self, slots: SlotArray) -> Searcher | None:
        """A searcher over some of the rows, which numbers them as they stand in ``slots`` (int64 ``[m]``, ascending).

        Made in much less time than it takes to build one, some 100 nanoseconds a row. ``None`` where the engine cannot.
        """
        ...

    def even(self, slots: SlotArray) -> bool:
        """Whether some rows (int64 ``[m]``, ascending) lie among all as if they had been drawn from them.

        ``False`` where the engine does not know.
        """
        ...

    def cost_ns(self, *, probes: int, candidates: int, share: float = 1.0, together: bool = False) -> float:
        """About how long ``nearest`` takes on an idle core of an ordinary machine, nanoseconds, without Python's.

        Args:
            probes: As for ``nearest``.
            candidates: As for ``nearest``.
            share: Of the rows that are looked at, how many are allowed.
            together: Whether those lie together, rather than anywhere among the others.
        """
        ...

    def close(self) -> None:
        """Let go of files and memory."""
        ...


class SegmentEngine(Protocol):
    """Builds and opens what finds candidates in a sealed segment."""

    @property
    def name(self) -> str:
        """Written into the segment: ``ivf``, ``ngt``."""
        ...

    def build(self, rows: HalfArray, folder: Path, *, threads: int = 1, seed: int = 0) -> Built:
        """Write the engine's files into ``folder`` (which exists; names begin with the engine's own).

        Runs in a process of its own, off the query path. The same rows and seed give the same files,
        unless the engine says otherwise.

        Args:
            rows: fp16 ``[n, dim]``, unit rows, perhaps a memory map of more than fits into memory.
            folder: Where.
            threads: How many may be used.
            seed: Of whatever is drawn.
        """
        ...

    def open(self, folder: Path, rows: HalfArray, parameters: Mapping[str, Any]) -> Searcher:
        """Open what ``build`` wrote, by memory map, in milliseconds.

        Args:
            folder: Where.
            rows: The segment's rows, laid down in the order that ``build`` gave.
            parameters: What ``build`` gave.

        Raises:
            StateError: files that are not what ``build`` writes.
        """
        ...
