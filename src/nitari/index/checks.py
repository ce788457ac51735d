"""What every index asks of its input, said once: wrong shapes, types, norms and numbers become a ``UsageError``."""

from __future__ import annotations

import math

import numpy as np

from nitari.errors import UsageError
from nitari.types import FloatArray, KeyArray

_WHOLE = (int, np.integer)
# A unit row stored as fp16 and read back is off by up to 2**-11; anything beyond four times that is not "rounding".
NORM_TOLERANCE = 2e-3


def check_dim(dim: int) -> None:
    """A width that vectors can have: at least 1."""
    if dim < 1:
        raise UsageError(f"an index cannot be {dim} wide", remedy="give the width of the model card's vectors")


def check_keys(keys: object, *, unique: bool = False) -> None:
    """``keys`` is int64 ``[n]``, without repeats where ``unique``."""
    if not isinstance(keys, np.ndarray) or keys.dtype != np.int64 or keys.ndim != 1:
        raise UsageError(f"keys are {_shape(keys)}, expected int64 [n]", remedy="pass np.asarray(keys, dtype=np.int64)")
    if unique and keys.size > 1:
        ordered = np.sort(keys)
        twice = ordered[1:][ordered[1:] == ordered[:-1]]
        if twice.size:
            raise UsageError(f"key {int(twice[0])} is given twice in one call", remedy="keep its last vector only")


def check_vectors(vectors: object, dim: int) -> None:
    """``vectors`` is float32 ``[n, dim]``, finite unit rows."""
    if not isinstance(vectors, np.ndarray) or vectors.dtype != np.float32 or vectors.ndim != 2:
        raise UsageError(
            f"vectors are {_shape(vectors)}, expected float32 [n, {dim}]",
            remedy="pass one row a vector, as np.float32",
        )
    if vectors.shape[1] != dim:
        raise UsageError(
            f"vectors are {vectors.shape[1]} wide, this index holds vectors of width {dim}",
            remedy="use vectors of the model card that the collection was made with",
        )
    if len(vectors) == 1:  # as of most queries: several microseconds sooner
        only = vectors[0]
        if abs(math.sqrt(only.dot(only)) - 1.0) <= NORM_TOLERANCE:
            return
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    good = np.abs(norms - 1.0) <= NORM_TOLERANCE  # False for NaN, too
    if not good.all():
        row = int(np.argmin(good))
        raise UsageError(
            f"vector {row} has length {float(norms[row]):.6g}, expected 1 (within {NORM_TOLERANCE:g})",
            remedy="scale vectors to unit length, and look for NaN or infinity in them",
        )


def check_pairs(keys: KeyArray, vectors: FloatArray) -> None:
    """There are as many keys as vectors."""
    if len(keys) != len(vectors):
        raise UsageError(f"{len(keys)} keys and {len(vectors)} vectors are given, expected as many of both")


def check_query(k: object, max_distance: float | None) -> None:
    """``k`` is at least 1, and the radius, if any, is a number not below 0."""
    if isinstance(k, bool) or not isinstance(k, _WHOLE) or k < 1:
        raise UsageError(f"k is {k!r}, expected a whole number of at least 1")
    if max_distance is not None and not (math.isfinite(max_distance) and max_distance >= 0.0):
        raise UsageError(f"max_distance is {max_distance!r}, expected a number from 0 (the same) to 2 (the opposite)")


def check_mask(mask: object, count: int) -> None:
    """``mask`` is bool ``[count]``: what a filter must answer for ``count`` keys."""
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (count,):
        raise UsageError(f"the filter's mask is {_shape(mask)}, expected bool [{count}]")


def _shape(value: object) -> str:
    """``float64 [3, 4]`` for an array, the type's name for anything else."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {list(value.shape)}"
    return type(value).__name__
