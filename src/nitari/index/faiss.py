"""Approximate search for larger collections, by Faiss: inverted lists of 4-bit codes, then true distances.

Few rows are searched exactly. From ``train_at`` rows on, vectors are rotated onto at most 256 principal components, cut
into inverted lists and coded with 4 bits for every two dimensions (``IVF,PQ..x4fs``: Andre et al., Cache locality is
not enough, VLDB 2015; Johnson et al., Billion-scale similarity search with GPUs); candidates are compared by their
stored fp16 rows. How many lists and candidates a query needs is measured whenever the codes are built
(``calibrate.py``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from nitari.errors import MissingExtraError, StateError
from nitari.index.base import Allowed, Step
from nitari.index.calibrate import Effort, effort_for
from nitari.index.checks import check_keys
from nitari.index.masks import Mask
from nitari.index.ranking import best, candidates
from nitari.index.resident import ResidentIndex
from nitari.index.rows import RowStore
from nitari.index.sampling import calibrate_store
from nitari.index.scan import refine, scores_of
from nitari.index.seal import check_seal, write_seal
from nitari.types import FloatArray, KeyArray, Matches

try:
    import faiss as _faiss
except ImportError as exc:
    raise MissingExtraError("the index engine faiss", "faiss") from exc

faiss: Any = _faiss  # its type stubs know SWIG's constructors only, not those that it puts on top in Python

ENGINE = "faiss"
FORMAT = 1
TRAIN_AT = 10_000
# Comparing this many fp16 numbers takes about 5 ms, and is exact.
SCAN_NUMBERS = 2**22
_CODES_FILE = "codes.faiss"

_MOST_COMPONENTS = 256
# 16 centroids of 39 points each, the fewest that Faiss trains on without a warning; also more than the components.
_TRAIN_AT_LEAST = 640
_SAMPLE_PER_LIST = 40
_CLUSTERING_ROUNDS = 10
# Build anew once the collection is this many times what it was, or this many times its size has been written.
_GROWTH = 2.0
_WRITES = 3.0
# Nanoseconds, one thread: a 64-nibble code in a list, a dimension of a true distance. Only their ratio matters.
_CODE_COST = 1.0
_DIMENSION_COST = 3.0


class FaissIndex(ResidentIndex):
    """Unit vectors as fp16 rows with a Faiss index of codes beside them.

    Below ``train_at`` rows it is exact (float32). From there on recall@10 is measured at each build and kept at .98 or
    better on data like its own; a filter that allows at least ``k`` rows gives ``k`` matches; distances are true ones
    (of fp16 rows). The codes are built anew, inside ``add``, when the collection has doubled or has been overwritten
    three times: that takes seconds at 100,000 rows and about a minute at a million, during which the writer holds the
    index. Removed rows are taken out of codes and rows at once.

    Queries and builds use one thread each: more wait for each other on a busy machine (a build took ten times as long
    with two). Faiss's OpenMP setting is changed for the calling thread only, and put back.

    Args:
        dim: Width of a vector.
        train_at: From how many rows on to search approximately; at least 640.
        scan_numbers: Up to this many numbers (allowed rows times width), all allowed rows are compared instead.
    """

    def __init__(self, dim: int, *, train_at: int = TRAIN_AT, scan_numbers: int = SCAN_NUMBERS) -> None:
        super().__init__(dim)
        self._scan_numbers = scan_numbers
        self._train_at = max(train_at, _TRAIN_AT_LEAST)
        self._codes: Any = None
        self._efforts: tuple[Effort, ...] = ()
        self._trained_rows = 0
        self._written = 0

    @property
    def engine(self) -> str:
        """The engine's name."""
        return ENGINE

    @property
    def efforts(self) -> tuple[Effort, ...]:
        """What the last build measured, by depth; empty while search is exact."""
        return self._efforts

    def add(self, keys: KeyArray, vectors: FloatArray) -> None:
        """Insert vectors (int64 ``[n]``, float32 unit rows ``[n, dim]``), replacing those whose key is there.

        Builds the codes anew where it is time to (see the class).

        Raises:
            UsageError: where shapes, dtypes or norms are wrong, or a key is given twice. Nothing is changed then.
        """
        slots, replaced = self._put(keys, vectors)
        self._written += keys.size
        with _one_thread():
            if self._due():
                self._build()
            elif self._codes is not None:
                self._forget_codes(replaced)
                self._add_codes(slots)

    def remove(self, keys: KeyArray) -> int:
        """Delete keys; unknown ones are ignored. Returns how many were there."""
        check_keys(keys)
        removal = self._store.remove(keys)
        if not removal.count:
            return 0
        self._masks.clear()
        if self._codes is not None:
            if len(self._store) < self._train_at // 2:
                self._store = self._store.copied(np.float32)
                self._drop_codes()
            else:
                with _one_thread():
                    self._forget_codes(removal.vacated)
                    self._add_codes(removal.filled)
        return removal.count

    def query(
        self,
        vectors: FloatArray,
        k: int,
        *,
        allowed: Allowed | None = None,
        max_distance: float | None = None,
        trace: list[Step] | None = None,
    ) -> Sequence[Matches]:
        """About the ``k`` nearest allowed keys of each query (float32 unit rows ``[q, dim]``), ties by smaller key.

        Fewer than ``k`` only where fewer are allowed, or where fewer of those found lie within ``max_distance``.

        Raises:
            UsageError: where shapes, dtypes, norms, ``k`` or the radius are wrong.
        """
        mask = self._mask(vectors, k, allowed, max_distance)
        effort = self._effort(k, mask)
        if effort is None:
            return self._scan(vectors, k, mask, max_distance, trace, "so few rows are allowed that all are compared")
        selector = None if mask is None else faiss.IDSelectorBitmap(mask.packed)
        with _one_thread():
            found = [self._search(vector, k, effort, mask, selector, trace) for vector in vectors]
        return [best(one.keys, one.distances, k, max_distance) for one in found]

    def save(self, folder: Path) -> None:
        """Write everything into ``folder`` (which exists and is empty); the caller publishes it atomically."""
        self._store.save(folder)
        if self._codes is not None:
            faiss.serialize_index(self._codes).tofile(folder / _CODES_FILE)
        parameters = {
            "trained": self._codes is not None,
            "trained_rows": self._trained_rows,
            "written": self._written,
            "efforts": [effort.as_json() for effort in self._efforts],
        }
        write_seal(folder, engine=ENGINE, version=FORMAT, dim=self.dim, count=len(self), parameters=parameters)

    def load(self, folder: Path) -> None:
        """Replace the content by what ``save`` wrote. Checksums are compared before Faiss sees a byte.

        Raises:
            StateError: where the files are damaged, of another dimension, or of an unknown version. The index is then
                as it was.
        """
        parameters = check_seal(folder, engine=ENGINE, version=FORMAT, dim=self.dim)["parameters"]
        trained = bool(parameters["trained"])
        store = RowStore.load(folder, self.dim, np.float16 if trained else np.float32)
        codes = _read_codes(folder / _CODES_FILE, len(store)) if trained else None
        self._masks.clear()
        self._store, self._codes = store, codes
        self._efforts = tuple(Effort.from_json(values) for values in parameters["efforts"])
        self._trained_rows, self._written = int(parameters["trained_rows"]), int(parameters["written"])

    def close(self) -> None:
        """Let go of memory; the index is empty afterwards."""
        self._masks.clear()
        self._store = RowStore(self.dim)
        self._drop_codes()

    def _drop_codes(self) -> None:
        """Become exact."""
        self._codes, self._efforts, self._trained_rows, self._written = None, (), 0, 0

    def _due(self) -> bool:
        """Whether it is time to build the codes."""
        if self._codes is None:
            return len(self._store) >= self._train_at
        return len(self._store) >= _GROWTH * self._trained_rows or self._written >= _WRITES * self._trained_rows

    def _lists(self) -> int:
        """How many inverted lists the codes have."""
        return int(faiss.extract_index_ivf(self._codes).nlist)

    def _build(self) -> None:
        """Train on a sample, code all rows, measure the effort."""
        if self._store.dtype != np.float16:
            self._store = self._store.copied(np.float16)
        count = len(self._store)
        lists = max(1, min(round(4 * math.sqrt(count)), count // 40))
        components = min(self.dim, _MOST_COMPONENTS)
        parts = components // 2 if components % 2 == 0 else components
        codes = faiss.index_factory(self.dim, f"PCAR{components},IVF{lists},PQ{parts}x4fs")
        faiss.extract_index_ivf(codes).cp.niter = _CLUSTERING_ROUNDS
        sample = np.random.default_rng(0).permutation(count)[: max(_SAMPLE_PER_LIST * lists, 4 * components, 10_000)]
        codes.train(self._store.rows(np.sort(sample)))
        self._codes = codes
        self._trained_rows = self._written = count
        self._add_codes(np.arange(count))
        self._efforts = calibrate_store(
            self._store,
            self._candidates,
            lists=lists,
            probe_cost=_CODE_COST * count / lists * min(self.dim, _MOST_COMPONENTS) / 128,
            row_cost=_DIMENSION_COST * self.dim,
        )

    def _candidates(self, vectors: FloatArray, count: int, probes: int, selector: Any = None) -> KeyArray:
        """Slots by coded distance, best first, -1 where there are no more: int64 ``[q, count]``."""
        inner = faiss.SearchParametersIVF(nprobe=probes, sel=selector)
        parameters = faiss.SearchParametersPreTransform(index_params=inner)
        slots: KeyArray = self._codes.search(vectors, count, params=parameters)[1]
        return slots

    def _effort(self, k: int, mask: Mask | None) -> Effort | None:
        """How hard to look; ``None`` to compare all allowed rows."""
        count = len(self._store)
        permitted = count if mask is None else mask.count
        if self._codes is None or permitted * self.dim <= self._scan_numbers:
            return None
        share = permitted / count
        effort = effort_for(self._efforts, k / share, lists=self._lists())
        shallow = effort_for(self._efforts, k, lists=self._lists())
        # Of the candidates at this depth the filter lets its share through; never fewer than without a filter.
        candidates = max(math.ceil(effort.candidates * share), shallow.candidates)
        return None if candidates > permitted // 2 else Effort(effort.depth, effort.probes, candidates, effort.recall)

    def _search(
        self, vector: FloatArray, k: int, effort: Effort, mask: Mask | None, selector: Any, trace: list[Step] | None
    ) -> Matches:
        """One query: candidates by code, then true distances.

        What a filter allows may lie far from the query, where no calibration was done: so with a filter the search
        goes on, four times as many lists and twice as many candidates at a time, until that changes nothing.
        """
        began = perf_counter()
        lists, permitted = self._lists(), len(self._store) if mask is None else mask.count
        probes, count = effort.probes, effort.candidates
        found = self._look(vector, k, count, probes, selector)
        settled = mask is None and len(found) == min(k, permitted)
        while not settled:
            probes, count = min(lists, probes * 4), count * 2
            if count > permitted // 2:
                reason = "too few of the rows near the query are allowed for the codes"
                return self._scan(vector[np.newaxis], k, mask, None, trace, reason)[0]
            further = self._look(vector, k, count, probes, selector)
            settled = len(further) == min(k, permitted) and np.array_equal(further.keys, found.keys)
            found = further
        if trace is not None:
            reason = f"{permitted} rows are allowed, too many to compare them all"
            ms = (perf_counter() - began) * 1e3
            trace.append(self._step(mask, "codes", reason, probes, count, ms))
        return found

    def _look(self, vector: FloatArray, k: int, count: int, probes: int, selector: Any) -> Matches:
        """The best ``k`` of ``count`` candidates from ``probes`` lists."""
        slots = self._candidates(vector[np.newaxis], count, probes, selector)[0]
        slots = slots[slots >= 0]
        # float32 first: most candidates are ruled out at half the cost of a true distance.
        near = candidates(scores_of(self._store, vector[np.newaxis], slots)[0], k, self.dim, None)
        return refine(self._store, vector, slots[near], k, None)

    def _forget_codes(self, slots: KeyArray) -> None:
        """Take the codes of ``slots`` out, and clear the places that are left empty.

        Faiss ORs a new code into its place and leaves the old one there when it is removed: without this, rows that
        are added later are coded as a mixture, and nineteen in twenty of them are never found (Faiss 1.15).
        """
        if not slots.size:
            return
        lists = faiss.downcast_InvertedLists(faiss.extract_index_ivf(self._codes).invlists)
        before = _sizes(lists)
        self._codes.remove_ids(np.ascontiguousarray(slots))
        after = _sizes(lists)
        nothing = np.zeros(lists.packer.code_size, np.uint8)
        for number in np.flatnonzero(after < before).tolist():
            block, place = divmod(int(after[number]), lists.n_per_block)
            if place:
                codes = faiss.rev_swig_ptr(lists.get_codes(number), (block + 1) * lists.block_size)
                last = codes.reshape(-1, lists.block_size)[block:]
                for empty in range(place, lists.n_per_block):
                    lists.packer.pack_1(nothing, empty, last)

    def _add_codes(self, slots: KeyArray) -> None:
        """Code the rows at ``slots``, a bounded number at a time."""
        for start in range(0, slots.size, self._store.step):
            part = np.ascontiguousarray(slots[start : start + self._store.step])
            self._codes.add_with_ids(self._store.rows(part), part)


def _sizes(lists: Any) -> KeyArray:
    """How many codes each inverted list has: int64 ``[lists]``."""
    return np.fromiter((lists.list_size(number) for number in range(lists.nlist)), np.int64, lists.nlist)


def _read_codes(path: Path, count: int) -> Any:
    """The Faiss index of a file whose checksum was found right.

    Raises:
        StateError: where Faiss cannot read it (another version of Faiss), or it holds another number of codes.
    """
    remedy = "nothing is lost: delete the folder and it is rebuilt from the catalog"
    try:
        codes = faiss.deserialize_index(np.fromfile(path, np.uint8))
    except (OSError, RuntimeError) as exc:
        raise StateError(f"{path} cannot be read by Faiss {faiss.__version__}: {exc}", remedy=remedy) from exc
    if codes.ntotal != count:
        raise StateError(f"{path} holds {codes.ntotal} codes for {count} rows", remedy=remedy)
    return codes


@contextmanager
def _one_thread() -> Iterator[None]:
    """One OpenMP thread for what the calling thread does inside; OpenMP keeps this number by thread."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
