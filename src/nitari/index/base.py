"""The port of nearest-neighbor indexes: keys and unit vectors in, keys and cosine distances out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from nitari.types import BoolArray, FloatArray, KeyArray, Matches

PlaceArray: TypeAlias = NDArray[np.int32]
"""Where keys stand in what a filter is asked about, -1 where they do not: numbers that all filters of it share."""


class Allowed(Protocol):
    """Which keys a query may return: a compiled filter, asked in bulk so that an index can cache its answers.

    ``token`` says what is asked, ``version`` of which state: two filters of one token and version allow the same keys.
    An index (or each of its segments) keeps what it derived from a filter under the token, with the version; where the
    version is another one later, it asks anew about the ``changed`` keys alone.
    """

    @property
    def token(self) -> str:
        """Identity of this filter, and of what it is asked about; edits of the catalog do not change it."""
        ...

    @property
    def version(self) -> int:
        """The state of the catalog that the answers are for; grows with every edit."""
        ...

    @property
    def layout(self) -> int | None:
        """Says for how long places are good: those of one layout are, for keys that did not change since.

        ``None`` where there are no places, so that ``mask`` alone can be asked.
        """
        ...

    def mask(self, keys: KeyArray) -> BoolArray:
        """For each of ``keys`` (int64 ``[n]``), whether a query may return it (bool ``[n]``)."""
        ...

    def places(self, keys: KeyArray) -> PlaceArray:
        """Where each of ``keys`` stands, whatever the filter: int32 ``[n]``, -1 where it stands for nothing.

        Whoever asks about the same million keys for many filters remembers this and reads ``passing``.
        """
        ...

    def passing(self) -> BoolArray:
        """For each place, whether a query may return what stands there: bool ``[places]``, not to be written to.

        Of places where nothing stands any more it says nothing.
        """
        ...

    def few(self, limit: int) -> PlaceArray | None:
        """The places of all that a query may return, where these are known quickly and at most ``limit``.

        int32, ascending, no repeats.
        """
        ...

    def changed(self, since: int) -> KeyArray | None:
        """The keys whose answer or place may differ from that at the version ``since``, each once: int64 ``[n]``.

        ``None`` where that is too long ago to be known: then everything is asked anew.
        """
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


@dataclass(frozen=True, slots=True)
class Recall:
    """What an index measured of its own answers.

    Args:
        value: Share of the true nearest that were found, 0-1; 1 where nothing was compared.
        low: Lower end of its 95 % interval (Wilson, 1927).
        queries: How many queries were compared.
    """

    value: float
    low: float
    queries: int


@runtime_checkable
class PromisesRecall(Protocol):
    """What an approximate index has beside ``VectorIndex`` if it watches over its own recall."""

    def check_recall(self) -> bool:
        """Compare a recent query with the exact answer, and look harder from now on where too little was found.

        Called now and then off the query path, beside readers and writers. Returns whether there was something to
        compare.
        """
        ...

    def recall(self) -> Recall:
        """What was measured so far."""
        ...


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


class Sealed(Protocol):
    """An opened sealed segment, as far as a searcher's gallery cares: immutable, safe for any number of threads."""

    @property
    def name(self) -> str:
        """Never used twice in an index."""
        ...

    @property
    def keys(self) -> KeyArray:
        """Its keys: int64 ``[n]``, in no order."""
        ...

    def find(self, keys: KeyArray) -> KeyArray:
        """Where each of ``keys`` is in it, -1 where it is not: int64 ``[n]``."""
        ...

    def close(self) -> None:
        """Let go of its files."""
        ...


class SavedTable(Protocol):
    """A saved table of items whose folder is kept from being removed."""

    @property
    def path(self) -> Path:
        """Its folder."""
        ...

    @property
    def seq(self) -> int:
        """The catalog change that it is up to date with."""
        ...

    def close(self) -> None:
        """It is open or not wanted: the folder may be removed."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Edition:
    """What is published of a collection's index, opened. What of it was damaged is left out.

    Args:
        number: Grows with each one.
        seq: The catalog change that it was made at.
        segments: Sealed segments; no key is in two of them. Keys that the catalog does not have any more are dead.
        table: The saved table of items; ``None`` where there is none.
    """

    number: int
    seq: int
    segments: tuple[Sealed, ...]
    table: SavedTable | None


class Editions(Protocol):
    """Where a maintainer, mostly in another process, publishes editions of a collection's index."""

    def newest(self) -> object:
        """Compares unequal to what it was before once another edition is there; costs one look at a file."""
        ...

    def rejected(self) -> Sequence[str]:
        """What was found damaged and set aside, and not forgotten yet."""
        ...

    def open(self, held: Sequence[Sealed] = ()) -> Edition | None:
        """Open what is published, ``None`` where nothing is that can be used (the log says why).

        Args:
            held: Segments that are open already; the edition has the same objects where it names them.
        """
        ...


class Segmented(VectorIndex, Protocol):
    """An index that takes over sealed segments beside what was added to it."""

    @property
    def segments(self) -> Sequence[Any]:
        """The sealed segments that are searched."""
        ...

    def prepare(self, segments: Sequence[Any], alive: Callable[[KeyArray], BoolArray]) -> Any:
        """Do what is slow about taking over ``segments`` in place of the present ones; changes nothing.

        Args:
            segments: Opened sealed segments.
            alive: Which keys stand for something; nobody edits the index between this and ``swap``.
        """
        ...

    def swap(self, prepared: Any) -> Any:
        """Take over what was prepared. Keys that are sealed now leave what is in memory.

        Segments that are left out are closed as soon as nothing of the index looks at them any more.
        """
        ...
