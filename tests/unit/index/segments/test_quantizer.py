"""Rotations keep products, shapes follow the spectrum, and packing loses nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.index.segments.quantizer import BLOCK, Shape, encode, packed, padded_parts, train_codebooks, train_rotation


@pytest.mark.parametrize("dim", [2, 9, 64, 100, 200])
def test_rotation_is_orthonormal(dim: int) -> None:
    """Rows of a rotation are orthonormal, and the shape fits them."""
    sample = np.random.default_rng(0).normal(size=(300, dim)).astype(np.float32)
    rotation, shape = train_rotation(sample, seed=1)
    assert rotation.shape == (shape.reduced, dim)
    assert shape.reduced == shape.parts * shape.width
    assert np.allclose(rotation @ rotation.T, np.eye(shape.reduced), atol=1e-5)


def test_shape_follows_the_spectrum() -> None:
    """Energy in few directions is coded number by number; energy spread evenly is coded in pairs."""
    random = np.random.default_rng(2)
    spread = random.normal(size=(2000, 128)).astype(np.float32)
    narrow = spread * np.where(np.arange(128) < 40, 1.0, 0.001).astype(np.float32)
    assert train_rotation(narrow, seed=0)[1] == Shape(64, 1)
    assert train_rotation(spread, seed=0)[1] == Shape(128, 2)


def test_codebooks_come_near() -> None:
    """Coded residuals are much nearer to the rows than zeros would be."""
    residuals = np.random.default_rng(3).normal(size=(2000, 8)).astype(np.float32)
    for shape, most in ((Shape(8, 1), 0.02), (Shape(8, 2), 0.2)):
        books = train_codebooks(residuals, shape, seed=0)
        codes = encode(residuals, books).astype(np.int64)
        decoded = np.take_along_axis(books[np.newaxis], codes[:, :, np.newaxis, np.newaxis], axis=3)[..., 0]
        assert np.square(decoded.reshape(2000, 8) - residuals).mean() < most


@given(count=st.integers(0, 100), parts=st.integers(1, 9), seed=st.integers(0, 99))
def test_packing(count: int, parts: int, seed: int) -> None:
    """Every code can be found again where ``kernels.Lists`` says it is; padding is zero."""
    codes = np.random.default_rng(seed).integers(0, 16, (count, parts)).astype(np.uint8)
    laid = packed(codes)
    assert laid.shape == (-(-count // BLOCK), padded_parts(parts), 16)
    both = np.concatenate([laid & 15, laid >> 4], axis=2)  # [blocks, parts, 32]
    rows = both.transpose(0, 2, 1).reshape(-1, padded_parts(parts))
    assert (rows[:count, :parts] == codes).all()
    assert not rows[count:].any()
    assert not rows[:, parts:].any()
