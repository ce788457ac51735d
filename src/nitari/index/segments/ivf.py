"""The default engine of large sealed segments: inverted lists of 4-bit codes, then true distances of fp16 rows.

As Faiss's ``IVF,PQ..x4fs`` with refinement, and laid down to be memory-mapped: many processes share one copy, rows lie
in the order of their lists, and a filter is one bit a row. The whole of a query is one call of a compiled kernel
(``kernels.search_lists``): that is what makes it quicker than the same steps as library calls, see docs/benchmarks.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from nitari.disk import reserve
from nitari.errors import StateError
from nitari.index import kernels
from nitari.index.segments import quantizer
from nitari.index.segments.clustering import assign, k_means
from nitari.index.segments.engine import BitArray, Built, HalfArray, Near, SlotArray
from nitari.types import FloatArray

NAME = "ivf"
FORMAT = 1

_FILES = ("rotation", "centroids", "offsets", "codebooks", "codes")
_SCRATCH = "ivf-unpacked.tmp"
_ROWS_AT_ONCE = 2**15
_LANES = 16  # centroids that lie side by side
_SAMPLE_PER_LIST = 40
_SAMPLE_AT_LEAST = 20_000
_CODEBOOK_SAMPLE = 20_000
_ROUNDS = 8
# From this index of dispersion on, rows are taken to lie together. Of a draw it is 1, over 4,000 lists within a tenth.
_DISPERSED = 2.0

# Nanoseconds, one core of the machine in docs/benchmarks.md; only ratios matter to a planner.
_CALL_NS = 8_000.0
_MULTIPLY_NS = 0.06
_LIST_NS = 2.5
_CODE_NS = 0.05
_LOOK_NS = 0.7
_CANDIDATE_NS = 120.0
_NUMBER_NS = 0.8


class IvfEngine:
    """Builds and opens inverted lists of codes."""

    @property
    def name(self) -> str:
        """Written into the segment."""
        return NAME

    def build(self, rows: HalfArray, folder: Path, *, threads: int = 1, seed: int = 0) -> Built:
        """Write the lists' files into ``folder``. Memory: about 100 bytes a row, whatever its width.

        Args:
            rows: fp16 ``[n, dim]``, unit rows; some hundreds at least, as fewer are not worth lists.
            folder: Where.
            threads: BLAS takes the number that its environment gives; this is not looked at.
            seed: Of samples and of the random turn.
        """
        count = len(rows)
        lists = number_of_lists(count)
        random = np.random.default_rng(seed)
        sample = _rows_of(rows, random.permutation(count)[: max(_SAMPLE_PER_LIST * lists, _SAMPLE_AT_LEAST)])
        rotation, shape = quantizer.train_rotation(sample, seed=seed)
        turned = sample @ rotation.T
        del sample
        centroids = k_means(turned, lists, rounds=_ROUNDS, seed=seed)
        few = turned[:_CODEBOOK_SAMPLE]
        codebooks = quantizer.train_codebooks(few - centroids[assign(few, centroids)], shape, seed=seed)
        scratch = folder / _SCRATCH
        codes = open_memmap(scratch, "w+", np.uint8, (count, shape.parts))
        try:
            reserve(scratch)
            chosen = _encode_all(rows, rotation, centroids, codebooks, codes)
            order = np.argsort(chosen, kind="stable").astype(np.int64)
            _write_codes(folder, codes, order, shape)
        finally:
            del codes
            scratch.unlink(missing_ok=True)
        offsets = np.searchsorted(chosen[order], np.arange(lists + 1)).astype(np.int64)
        for name, array in (
            ("rotation", rotation),
            ("centroids", _side_by_side(centroids)),
            ("offsets", offsets),
            ("codebooks", codebooks),
        ):
            np.save(_file(folder, name), array)
        return Built(order, {"format": FORMAT, "lists": lists, "reduced": shape.reduced, "width": shape.width})

    def open(self, folder: Path, rows: HalfArray, parameters: Mapping[str, Any]) -> IvfSearcher:
        """Map the files.

        Raises:
            StateError: files that are not what ``build`` writes for these rows.
        """
        try:
            arrays = {name: np.load(_file(folder, name), mmap_mode="r", allow_pickle=False) for name in _FILES}
            expected = _expected(rows, parameters)
        except (OSError, ValueError, KeyError, TypeError, EOFError) as exc:
            raise _damaged(folder, str(exc)) from exc
        for name, (dtype, wanted) in expected.items():
            found = arrays[name]
            if found.dtype != dtype or found.shape != wanted or not found.flags.c_contiguous:
                raise _damaged(folder, f"{name} is {found.dtype} {found.shape}, expected {np.dtype(dtype)} {wanted}")
        # A copy of our own: compiled code follows it, so what was checked must be what is followed, whatever becomes of
        # the file.
        offsets = arrays["offsets"] = np.array(arrays["offsets"])
        if offsets[0] != 0 or offsets[-1] != len(rows) or (np.diff(offsets) < 0).any():
            raise _damaged(folder, "its lists do not cover its rows")  # the compiled kernel would read beyond them
        return IvfSearcher(kernels.Lists(**arrays, rows=rows))


class IvfSearcher:
    """Opened lists over the rows of one segment. Safe for any number of threads."""

    def __init__(self, lists: kernels.Lists) -> None:
        self._lists = lists
        self._rows_per_list = lists.count / lists.lists

    @property
    def lists(self) -> int:
        """How many lists there are."""
        return self._lists.lists

    @property
    def looks_up(self) -> bool:
        """It does."""
        return True

    def nearest(
        self,
        vector: FloatArray,
        k: int,
        *,
        probes: int,
        candidates: int,
        bits: BitArray | None = None,
        lookup: kernels.Lookup | None = None,
        before: Near | None = None,
        gap: float | None = None,
    ) -> Near:
        """About the ``k`` nearest allowed rows, see ``engine.Searcher.nearest``."""
        if before is None:
            found = kernels.search_lists(
                self._lists, vector, k, probes=probes, candidates=max(k, candidates), bits=bits, lookup=lookup, gap=gap
            )
            return Near(*found[:6], probes, found[6])
        slots, distances, compared, looked, seen, late, worth = kernels.search_lists(
            self._lists, vector, k, probes=probes, candidates=max(k, candidates, before.slots.size), bits=bits,
            lookup=lookup, skipped=before.probes, seeds=before.slots, gap=gap,
        )  # fmt: skip
        compared, looked, seen = compared + before.compared, looked + before.looked, seen + before.seen
        return Near(slots, distances, compared, looked, seen, late, probes, worth)

    def list_cosines(self, vector: FloatArray, slots: SlotArray) -> FloatArray:
        """Of the centers in the fewer dimensions in which they are kept."""
        lists = self._lists
        cosines = np.einsum("grc,r->gc", lists.centroids, lists.rotation @ vector).ravel()
        within: FloatArray = cosines[np.searchsorted(lists.offsets, slots, "right") - 1].astype(np.float32)
        return within

    def only(self, slots: SlotArray) -> IvfSearcher | None:
        """The same lists with some of the rows, but for lists that have none of them; rows stay where they are."""
        lists = self._lists
        if lists.at is not None:
            return None
        begins = np.searchsorted(slots, lists.offsets)
        used = np.flatnonzero(np.diff(begins))
        centroids = lists.centroids.transpose(0, 2, 1).reshape(-1, lists.centroids.shape[1])[used]
        return IvfSearcher(
            kernels.Lists(
                rotation=lists.rotation,
                centroids=_side_by_side(centroids),
                offsets=np.append(begins[used], slots.size).astype(np.int64),
                codebooks=lists.codebooks,
                codes=kernels.pick(lists.codes, slots),
                rows=lists.rows,
                at=slots.astype(np.int32),
            )
        )

    def even(self, slots: SlotArray) -> bool:
        """By how many rows of each list are among them: Fisher's index of dispersion, which is about 1 for a draw."""
        offsets, share = self._lists.offsets, slots.size / self._lists.count
        sizes = np.diff(offsets)
        expected = sizes[sizes > 0] * share
        off = np.diff(np.searchsorted(slots, offsets))[sizes > 0] - expected
        return share == 1.0 or float(np.mean(off**2 / (expected * (1.0 - share)))) < _DISPERSED

    def cost_ns(self, *, probes: int, candidates: int, share: float = 1.0, together: bool = False) -> float:
        """About how long ``nearest`` takes with the compiled kernels, nanoseconds."""
        reduced: int = self._lists.rotation.shape[0]
        dim: int = self._lists.rotation.shape[1]
        coarse: float = _MULTIPLY_NS * reduced * (dim + self.lists) + _LIST_NS * self.lists
        # Blocks of which no row is allowed are passed over.
        met = share if together else min(1.0, quantizer.BLOCK * share)
        a_row: float = _CODE_NS * self._lists.codes.shape[1] * met + (_LOOK_NS if share < 1.0 else 0.0)
        rows: float = probes * (self._rows_per_list + quantizer.BLOCK)  # a list begins and ends within a block
        return _CALL_NS + coarse + a_row * rows + candidates * (_CANDIDATE_NS + _NUMBER_NS * dim)

    def close(self) -> None:
        """Nothing to do: the maps go with the last reference to them."""


def number_of_lists(count: int) -> int:
    """How many inverted lists ``count`` rows are spread over."""
    return max(1, min(round(4 * math.sqrt(count)), count // _SAMPLE_PER_LIST))


def _encode_all(
    rows: HalfArray, rotation: FloatArray, centroids: FloatArray, codebooks: FloatArray, codes: kernels.Bits
) -> NDArray[np.int32]:
    """Code all rows into ``codes``, a bounded number at a time. Returns the list of each: int32 ``[n]``."""
    chosen = np.empty(len(rows), np.int32)
    for start, stop in _steps(len(rows)):
        turned = rows[start:stop].astype(np.float32) @ rotation.T
        chosen[start:stop] = assign(turned, centroids)
        turned -= centroids[chosen[start:stop]]
        codes[start:stop] = quantizer.encode(turned, codebooks)
    return chosen


def _write_codes(folder: Path, codes: kernels.Bits, order: SlotArray, shape: quantizer.Shape) -> None:
    """Lay the codes down by slot, packed for searching."""
    blocks = -(-len(order) // quantizer.BLOCK)
    laid = open_memmap(
        _file(folder, "codes"), "w+", np.uint8, (blocks, quantizer.padded_parts(shape.parts), quantizer.BLOCK // 2)
    )
    reserve(_file(folder, "codes"))
    for start, stop in _steps(len(order)):  # whole blocks, as a step is a multiple of one
        first = start // quantizer.BLOCK
        some = quantizer.packed(codes[order[start:stop]])
        laid[first : first + len(some)] = some
    laid.flush()


def _side_by_side(centroids: FloatArray) -> FloatArray:
    """float32 ``[k, d]`` as ``[ceil(k / 16), d, 16]``, padded with zeros."""
    padded = np.pad(centroids, ((0, -len(centroids) % _LANES), (0, 0)))
    return np.ascontiguousarray(padded.reshape(-1, _LANES, centroids.shape[1]).transpose(0, 2, 1), np.float32)


def _rows_of(rows: HalfArray, chosen: SlotArray) -> FloatArray:
    """Some rows, in ascending order, so that a memory map is read forward: float32 ``[n, dim]``."""
    return rows[np.sort(chosen)].astype(np.float32)


def _steps(count: int) -> Iterator[tuple[int, int]]:
    for start in range(0, count, _ROWS_AT_ONCE):
        yield start, min(start + _ROWS_AT_ONCE, count)


def _expected(rows: HalfArray, parameters: Mapping[str, Any]) -> Mapping[str, tuple[type, tuple[int, ...]]]:
    """Type and shape of each file."""
    if parameters["format"] != FORMAT:
        raise ValueError(f"format {parameters['format']!r}, expected {FORMAT}")
    count, dim = rows.shape
    lists, reduced, width = (int(parameters[name]) for name in ("lists", "reduced", "width"))
    parts = reduced // width
    return {
        "rotation": (np.float32, (reduced, dim)),
        "centroids": (np.float32, (-(-lists // _LANES), reduced, _LANES)),
        "offsets": (np.int64, (lists + 1,)),
        "codebooks": (np.float32, (parts, width, 16)),
        "codes": (np.uint8, (-(-count // quantizer.BLOCK), quantizer.padded_parts(parts), quantizer.BLOCK // 2)),
    }


def _file(folder: Path, name: str) -> Path:
    return folder / f"{NAME}-{name}.npy"


def _damaged(folder: Path, found: str) -> StateError:
    return StateError(
        f"inverted lists in {folder} cannot be used: {found}",
        remedy="nothing is lost: the segment is rebuilt from the catalog",
        code="index-damaged",
    )
