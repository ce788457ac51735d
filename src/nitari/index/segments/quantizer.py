"""How rows become 4-bit codes: a rotation onto fewer numbers, and 16 centroids for each part of what remains.

Principal components are turned by a random rotation, so that all parts carry alike (the balancing of Ge, He, Ke and
Sun, "Optimized product quantization", CVPR 2013, without its search).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nitari.index import kernels
from nitari.index.segments.clustering import k_means, k_means_of_numbers
from nitari.types import FloatArray

BLOCK = 32
"""Rows whose codes lie together."""

# What 16 levels leave of a normal variable's variance, for one number, and for two numbers together (4 levels each):
# Max, "Quantizing for minimum distortion", IRE 1960.
_LOST_ALONE, _LOST_IN_PAIRS = 0.0115, 0.1175
# What inverted lists leave of the rows' energy, about.
_RESIDUAL = 0.5
_ROUNDS = 12


@dataclass(frozen=True, slots=True)
class Shape:
    """Of the codes.

    Args:
        reduced: Numbers of a rotated row.
        width: Numbers that share a code.
    """

    reduced: int
    width: int

    @property
    def parts(self) -> int:
        """Codes of a row."""
        return self.reduced // self.width


def train_rotation(sample: FloatArray, *, seed: int) -> tuple[FloatArray, Shape]:
    """The rotation onto what matters, and how its numbers are best coded: singly, or twice as many in pairs.

    Args:
        sample: float32 ``[n, dim]``, rows of the collection.
        seed: Of the random turn.

    Returns:
        float32 ``[reduced, dim]`` with orthonormal rows, and the shape of the codes.
    """
    dim = sample.shape[1]
    energies, directions = np.linalg.eigh((sample.T @ sample / len(sample)).astype(np.float64))
    energies, directions = energies[::-1], directions[:, ::-1]
    shape = _best_shape(np.maximum(energies, 0.0), dim)
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(shape.reduced, shape.reduced)))[0]
    rotation = turn @ directions[:, : shape.reduced].T
    return np.ascontiguousarray(rotation, np.float32), shape


def _best_shape(energies: FloatArray, dim: int) -> Shape:
    """Which of two ways to spend the bits leaves less unsaid, for a given spectrum."""
    parts = 64 if dim <= 256 else 128
    alone = Shape(min(parts, dim), 1)
    pairs = Shape(min(2 * parts, dim) // 2 * 2, 2)
    if pairs.reduced <= alone.reduced:
        return alone

    def unsaid(shape: Shape, lost: float) -> float:
        said = float(energies[: shape.reduced].sum())
        return float(energies.sum()) - said + lost * _RESIDUAL * said

    return alone if unsaid(alone, _LOST_ALONE) <= unsaid(pairs, _LOST_IN_PAIRS) else pairs


def train_codebooks(residuals: FloatArray, shape: Shape, *, seed: int) -> FloatArray:
    """16 centroids for each part.

    Args:
        residuals: float32 ``[n, reduced]``, at least 16.
        shape: Of the codes.
        seed: Of what is drawn.

    Returns:
        float32 ``[parts, width, 16]``.
    """
    books = np.empty((shape.parts, shape.width, 16), np.float32)
    for part in range(shape.parts):
        numbers = np.ascontiguousarray(residuals[:, part * shape.width : (part + 1) * shape.width])
        if shape.width == 1:
            books[part] = k_means_of_numbers(numbers[:, 0], 16, rounds=_ROUNDS, seed=seed + part)
        else:
            books[part] = k_means(numbers, 16, rounds=_ROUNDS, seed=seed + part).T
    return books


def encode(residuals: FloatArray, codebooks: FloatArray) -> kernels.Bits:
    """Codes, one a byte: uint8 ``[n, parts]``."""
    return kernels.encode(np.ascontiguousarray(residuals, np.float32), codebooks)


def padded_parts(parts: int) -> int:
    """Parts as they are laid down: a multiple of 4, for 64-byte registers."""
    return -(-parts // 4) * 4


def packed(codes: kernels.Bits) -> kernels.Bits:
    """Codes as they are searched (``kernels.Lists.codes``): uint8 ``[n, parts]`` to ``[ceil(n / 32), padded, 16]``."""
    count, parts = codes.shape
    blocks = -(-count // BLOCK)
    full = np.zeros((blocks * BLOCK, padded_parts(parts)), np.uint8)
    full[:count, :parts] = codes
    halves = full.reshape(blocks, 2, BLOCK // 2, padded_parts(parts))
    return np.ascontiguousarray((halves[:, 0] | halves[:, 1] << 4).transpose(0, 2, 1))
