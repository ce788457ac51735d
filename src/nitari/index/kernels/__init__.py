"""The inner loops of search: compiled where a compiler was there when Nitari was installed, else numpy.

Whichever answers, answers are the same as far as callers can tell: ``dots`` within the rounding of float32, distances
on the grid of ``ranking``. Everything here lets go of the GIL while it works, and uses one thread.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nitari.index.kernels import portable
from nitari.types import BoolArray, FloatArray

if TYPE_CHECKING:
    from nitari.index.kernels import portable as active
else:
    try:
        from nitari.index.kernels import compiled as active
    except ImportError:  # no compiler was there, or a file of another platform is
        active = portable

NATIVE = active is not portable
"""Whether the compiled kernels are in use."""

Rows: TypeAlias = NDArray[np.float16] | NDArray[np.float32]
Slots: TypeAlias = NDArray[np.int64]
Bits: TypeAlias = NDArray[np.uint8]
Places: TypeAlias = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Lists:
    """Inverted lists of 4-bit product-quantized codes over rows that lie in the order of their lists.

    A code says of each part of a rotated row's residual (the row less its list's centroid) which of 16 centroids is
    nearest. Arrays are C-contiguous and may be memory maps.

    Args:
        rotation: float32 ``[reduced, dim]``, orthonormal rows.
        centroids: float32 ``[ceil(lists / 16), reduced, 16]``: sixteen side by side; the last ones are padding.
        offsets: int64 ``[lists + 1]``: the first row of each list.
        codebooks: float32 ``[reduced / width, width, 16]``.
        codes: uint8 ``[ceil(count / 32), parts, 16]``, for each block of 32 rows and each part 16 bytes, of which byte
            ``i`` holds the code of row ``i`` (low nibble) and of row ``i + 16``; parts are padded to a multiple of 4.
        rows: fp16 ``[count, dim]``, unit rows.
        at: int32 ``[count]``: which of ``rows``, of which there may be more, each one is, ascending; ``None`` where
            they are all, in order.

    ``coarse`` are the centroids in fp16: all are read for each query, and half as much is read twice as fast.
    ``handle`` is the compiled kernels' view of them.
    """

    rotation: FloatArray
    centroids: FloatArray
    offsets: Slots
    codebooks: FloatArray
    codes: Bits
    rows: NDArray[np.float16]
    at: Places | None = None
    coarse: NDArray[np.float16] = field(init=False, repr=False)
    handle: Any = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        with np.errstate(over="ignore"):  # of a damaged file: no numbers then, which kernels see to
            object.__setattr__(self, "coarse", self.centroids.astype(np.float16))
        object.__setattr__(self, "handle", active.handle_of(self))

    @property
    def lists(self) -> int:
        """How many lists there are."""
        return int(self.offsets.size) - 1

    @property
    def count(self) -> int:
        """How many rows there are in them."""
        return len(self.rows) if self.at is None else self.at.size


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """Which rows may be answered, by the item that each belongs to: to be asked about some rows, and not about all.

    Make it by ``of``.

    Args:
        places: int32 ``[n]``: where the item of each row stands, -1 for nowhere.
        passing: uint8, a bit a place, little-endian, whole words of 64: whether the item there passes.
        bits: As for ``nearest``: which rows may be answered at all; ``None`` for all.
    """

    places: Places
    passing: Bits
    bits: Bits | None = None

    @classmethod
    def of(cls, places: Places, passing: BoolArray) -> Lookup:
        """By ``passing`` (bool ``[m]``), which has all ``places``: that is not looked at again."""
        packed = np.packbits(passing, bitorder="little")
        if packed.size % 8 or not packed.size:
            packed = np.pad(packed, (0, 8 - packed.size % 8))
        return cls(places, packed)


def dots(rows: Rows, vector: FloatArray, slots: Slots | None = None) -> FloatArray:
    """Dot products of rows with a vector, accumulated in float32.

    Args:
        rows: fp16 or float32 ``[n, dim]``, C-contiguous; may be a memory map.
        vector: float32 ``[dim]``.
        slots: int64 ``[m]``: which rows; ``None`` for all, in order.

    Returns:
        float32 ``[m]`` or ``[n]``.
    """
    return active.dots(rows, vector, slots)


def distances(rows: Rows, vector: FloatArray, slots: Slots) -> FloatArray:
    """True cosine distances of unit rows to a unit vector, as ``ranking.true_distances`` gives them. As ``dots``."""
    return active.distances(rows, vector, slots)


def nearest(
    rows: Rows, vector: FloatArray, k: int, *, slots: Slots | None = None, bits: Bits | None = None
) -> tuple[Slots, FloatArray]:
    """The ``k`` rows that are truly nearest, nearest first, ties by smaller slot.

    Args:
        rows: As for ``dots``.
        vector: float32 ``[dim]``, a unit vector.
        k: At least 1; fewer come where there are fewer.
        slots: int64 ``[m]``: which rows; ``None`` for all.
        bits: uint8 ``[ceil(n / 8)]``, little-endian bitmap by slot of the rows that may be answered.

    Returns:
        Slots (int64) and true distances (float32).
    """
    return active.nearest(rows, vector, k, slots, bits)


def search_lists(
    lists: Lists,
    vector: FloatArray,
    k: int,
    *,
    probes: int,
    candidates: int,
    bits: Bits | None = None,
    lookup: Lookup | None = None,
    skipped: int = 0,
    seeds: Slots | None = None,
    gap: float | None = None,
) -> tuple[Slots, FloatArray, int, int, int, int, int]:
    """About the ``k`` nearest rows: of the ``probes`` nearest lists the best ``candidates`` by code, truly compared.

    Codes are looked up 32 rows at a time by byte shuffles: Andre, Kermarrec and Le Scouarnec, "Cache locality is not
    enough: high-performance nearest neighbor search with product quantization fast scan", VLDB 2015. Lists and
    residuals are ranked by inner product (Jegou, Douze and Schmid, "Product quantization for nearest neighbor search",
    PAMI 2011), so that one table a query serves all lists.

    Args:
        lists: Where.
        vector: float32 ``[dim]``, a unit vector.
        k: At least 1.
        probes: Lists, nearest first.
        candidates: Rows that are truly compared, at least ``k``.
        bits: As for ``nearest``.
        lookup: In place of ``bits``; only rows of the lists that are looked into are looked up.
        skipped: So many of the nearest lists are not looked into any more.
        seeds: int64 ``[s]``, at most ``candidates``: what was found in those; compared again.
        gap: At least 0: how much less than a row's cosine that of its list's centroid may be; ``None`` for not known.

    Returns:
        Slots (int64) and true distances (float32), nearest first; how many rows were truly compared; how many rows the
        lists hold that were looked into; how many of those were allowed, by the first ones of each list where they are
        looked up; how many of the 64 nearest that were found are from the farther half of all ``probes`` lists; and how
        many lists, nearest first, may have nearer rows than the k-th that was found, by ``gap``: all where fewer than
        ``k`` were found, -1 without a gap.
    """
    if seeds is not None and seeds.size > candidates:
        raise ValueError(f"{seeds.size} rows were found before, expected at most {candidates}")
    return active.search_lists(lists, vector, k, probes, candidates, bits, lookup, skipped, seeds, gap)


def pick(codes: Bits, slots: Slots) -> Bits:
    """The codes of some rows (int64 ``[m]``, by slot), laid out as ``Lists.codes`` are: uint8 ``[., parts, 16]``."""
    return active.pick(codes, slots)


def look_up(lookup: Lookup) -> tuple[Bits, int]:
    """Which rows may be answered: uint8 ``[ceil(n / 8)]``, little-endian; and how many these are."""
    return active.look_up(lookup)


def invert(places: Places, top: int) -> tuple[Places, Places]:
    """The slots at each place: int32 ``heads`` ``[top + 1, 2]``, and int32 ``slots``, ascending at each place.

    Of a place, ``heads`` has where its slots begin among ``slots``, and the first of them, -1 where there is none: most
    have one, which is found in one step then.

    Args:
        places: int32 ``[n]``: of each slot, less than ``top``; -1 for none.
        top: How many places there are.
    """
    return active.invert(places, top)


def mark(heads: Places, slots: Places, places: Places, bits: Bits) -> None:
    """Set the bits of the slots at some places (int32 ``[m]``, from 0 to below ``top``), see ``invert``."""
    active.mark(heads, slots, places, bits)


def slots_at(heads: Places, slots: Places, places: Places) -> Places:
    """The slots at some places, one place behind the other: int32 ``[n]``. As for ``mark``."""
    return active.slots_at(heads, slots, places)


def slots_of(bits: Bits, count: int, most: int) -> Slots:
    """The slots whose bits are set, ascending: int64.

    Args:
        bits: uint8 ``[ceil(count / 8)]``, little-endian; bits beyond ``count`` are 0.
        count: Slots that there are.
        most: At most how many bits are set.
    """
    return active.slots_of(bits, count, most)


def encode(residuals: FloatArray, codebooks: FloatArray) -> Bits:
    """The nearest of 16 centroids for each part of each row.

    Args:
        residuals: float32 ``[n, reduced]``.
        codebooks: float32 ``[parts, width, 16]`` with ``parts * width == reduced``.

    Returns:
        uint8 ``[n, parts]``.
    """
    return active.encode(residuals, codebooks)
