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
from nitari.types import FloatArray

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

    ``handle`` is the compiled kernels' view of them.
    """

    rotation: FloatArray
    centroids: FloatArray
    offsets: Slots
    codebooks: FloatArray
    codes: Bits
    rows: NDArray[np.float16]
    handle: Any = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        object.__setattr__(self, "handle", active.handle_of(self))

    @property
    def lists(self) -> int:
        """How many lists there are."""
        return int(self.offsets.size) - 1


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
    lists: Lists, vector: FloatArray, k: int, *, probes: int, candidates: int, bits: Bits | None = None
) -> tuple[Slots, FloatArray, int, int, int, int]:
    """About the ``k`` nearest rows: of the ``probes`` nearest lists the best ``candidates`` by code, truly compared.

    Codes are looked up 32 rows at a time by byte shuffles: Andre, Kermarrec and Le Scouarnec, "Cache locality is not
    enough: high-performance nearest neighbor search with product quantization fast scan", VLDB 2015. Lists and
    residuals are ranked by inner product (Jegou, Douze and Schmid, "Product quantization for nearest neighbor search",
    PAMI 2011), so that one table a query serves all lists.

    Returns:
        Slots (int64) and true distances (float32), nearest first; how many rows were truly compared; how many rows the
        lists hold that were looked into; how many of those were allowed; and how many of the 64 nearest that were found
        are from the farther half of those lists.
    """
    return active.search_lists(lists, vector, k, probes, candidates, bits)


def encode(residuals: FloatArray, codebooks: FloatArray) -> Bits:
    """The nearest of 16 centroids for each part of each row.

    Args:
        residuals: float32 ``[n, reduced]``.
        codebooks: float32 ``[parts, width, 16]`` with ``parts * width == reduced``.

    Returns:
        uint8 ``[n, parts]``.
    """
    return active.encode(residuals, codebooks)
