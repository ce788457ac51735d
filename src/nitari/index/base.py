"""The port of nearest-neighbor indexes: keys and unit vectors in, keys and cosine distances out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from nitari.types import BoolArray, FloatArray, KeyArray, Matches


class Allowed(Protocol):
    """Which keys a query may return: a compiled filter, asked in bulk so that an index can cache its answers.

    ``token`` is equal for two filters exactly when they allow the same keys at the same state of the catalog; an
    index (or each of its segments) may keep what it derived from a filter under that token.
    """

    @property
    def token(self) -> str:
        """Identity of this filter at this state of the catalog."""
        ...

    def mask(self, keys: KeyArray) -> BoolArray:
        """For each of ``keys`` (int64 ``[n]``), whether a query may return it (bool ``[n]``)."""
        ...


How: TypeAlias = Literal["scan", "gather", "materialized", "codes", "graph", "empty"]
"""How a part of an index was searched.

``scan``: all its rows were compared; ``gather``: the rows that the filter allows; ``materialized``: a copy of those
rows, kept for filters that return; ``codes``: compressed rows, then true distances of the best; ``graph``: a neighbor
graph; ``empty``: nothing in it was allowed.
"""


@dataclass(frozen=True, slots=True)
class Step:
    """What one part of an index did for one query vector, and why: the answer to ``explain``.

    Args:
        part: The segment's name; ``live`` for the live one, ``all`` for an index without segments.
        rows: Rows in it that are searchable.
        allowed: Rows of those that the filter allows.
        how: What was done.
        reason: Why, in a few words, with the costs that were compared.
        probes: Inverted lists, or steps of the graph, that were looked at; 0 where that means nothing.
        candidates: Rows whose true distance was computed.
        ms: Milliseconds.
    """

    part: str
    rows: int
    allowed: int
    how: How
    reason: str
    probes: int
    candidates: int
    ms: float


class VectorIndex(Protocol):
    """Searches unit vectors by cosine distance (``1 - cos``; smaller is closer).

    One writer at a time; any number of concurrent readers while nobody writes (the searcher holds a lock).
    Vectors come in as float32 unit rows; how they are stored is the adapter's affair.
    """

    @property
    def engine(self) -> str:
        """The engine's name: a snapshot is loaded by the engine that wrote it."""
        ...

    @property
    def dim(self) -> int:
        """Width of a vector."""
        ...

    def __len__(self) -> int:
        """How many keys are searchable."""
        ...

    def add(self, keys: KeyArray, vectors: FloatArray) -> None:
        """Insert vectors, replacing those whose key is already there.

        Args:
            keys: int64 ``[n]``, no repeats.
            vectors: float32 ``[n, dim]``, unit rows.

        Raises:
            UsageError: where shapes, dtypes or norms are not as above.
        """
        ...

    def remove(self, keys: KeyArray) -> int:
        """Delete keys; unknown ones are ignored. Returns how many were there."""
        ...

    def query(
        self,
        vectors: FloatArray,
        k: int,
        *,
        allowed: Allowed | None = None,
        max_distance: float | None = None,
        trace: list[Step] | None = None,
    ) -> Sequence[Matches]:
        """The ``k`` nearest allowed keys of each query, closest first, ties by smaller key.

        Args:
            vectors: float32 ``[q, dim]``, unit rows.
            k: At least 1. Fewer are returned only where fewer are allowed or near enough.
            allowed: Filter; ``None`` allows every key.
            max_distance: Radius: nothing farther is returned; ``None`` for no radius.
            trace: Where to note what was done; ``None`` not to.
        """
        ...

    def vectors(self, keys: KeyArray) -> FloatArray:
        """The stored vectors of ``keys``: float32 ``[n, dim]``, within the adapter's precision.

        Raises:
            NotFoundError: where a key is not there.
        """
        ...

    def keys(self) -> KeyArray:
        """All searchable keys, ascending: int64 ``[n]``."""
        ...

    def save(self, folder: Path) -> None:
        """Write everything into ``folder`` (which exists and is empty); the caller publishes it atomically."""
        ...

    def load(self, folder: Path) -> None:
        """Replace the content by what ``save`` wrote.

        Raises:
            StateError: where the files are damaged, of another dimension, or of an unknown version.
        """
        ...

    def close(self) -> None:
        """Let go of files and memory."""
        ...
