"""Heads: what they give, how they are kept, and what is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from nitari.embeddings.aspect import AspectDescriptor
from nitari.embeddings.composite import DescriptorEmbedder
from nitari.embeddings.head import Head, HeadedEmbedder, head_bytes, load_head
from nitari.errors import ModelError
from nitari.types import Block, Box
from support.scenes import garment, photo_of, region


def head(features: int = 7, dim: int = 3, seed: int = 2) -> Head:
    """Some head."""
    draws = np.random.default_rng(seed)
    return Head(draws.normal(size=(features, dim)).astype(np.float32), draws.normal(size=dim).astype(np.float32))


def written(path: Path, made: Head) -> str:
    """Write a head; its SHA-256."""
    data = head_bytes(made)
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def test_mapping() -> None:
    """Rows are mapped, shifted and scaled to unit length; one that is mapped to zero stays zero."""
    made = Head(np.array([[3, 0], [0, 4], [0, 0]], dtype=np.float32), np.zeros(2, dtype=np.float32))
    rows = np.array([[1, 1, 0], [0, 0, 1]], dtype=np.float32)
    np.testing.assert_allclose(made(rows), [[0.6, 0.8], [0, 0]], atol=1e-6)
    assert (made.features, made.dim) == (3, 2)


def test_kept(tmp_path: Path) -> None:
    """A head is read as it was written, in half precision; the same head has the same bytes."""
    made = head()
    found = load_head(tmp_path / "a.npz", sha256=written(tmp_path / "a.npz", made))
    np.testing.assert_allclose(found.matrix, made.matrix, rtol=1e-3)
    np.testing.assert_allclose(found.bias, made.bias, rtol=1e-3)
    assert head_bytes(made) == head_bytes(head())


def test_refused(tmp_path: Path) -> None:
    """A head that is not there, is another one, or is no head is refused by name."""
    path = tmp_path / "a.npz"
    with pytest.raises(ModelError, match="cannot be read"):
        load_head(path, sha256="0" * 64)
    written(path, head())
    with pytest.raises(ModelError, match="its card pins"):
        load_head(path, sha256="0" * 64)
    for data in (b"no zip", b"PK\x03\x04 half"):
        path.write_bytes(data)
        with pytest.raises(ModelError, match="is not a head"):
            load_head(path, sha256=hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize(
    ("matrix", "bias"),
    [
        (np.zeros((3, 2)), np.zeros(3)),
        (np.zeros(3), np.zeros(3)),
        (np.full((3, 2), np.nan), np.zeros(2)),
        (np.zeros((0, 2)), np.zeros(2)),
    ],
)
def test_impossible(
    matrix: np.ndarray[tuple[int, ...], np.dtype[np.float64]], bias: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> None:
    """Arrays that do not fit together, or are not finite, make no head."""
    with pytest.raises(ModelError):
        Head(matrix.astype(np.float32), bias.astype(np.float32))


def test_behind_an_embedder() -> None:
    """Behind an embedder, its width is the head's, its block keeps its name, and both are in the fingerprint."""
    inner = DescriptorEmbedder(AspectDescriptor())
    headed = HeadedEmbedder(inner, head())
    assert (headed.name, headed.dim, headed.short_side) == ("aspect-7", 3, 0)
    assert headed.blocks == (Block("aspect", 0, 3),)
    found = headed.embed(photo_of(garment()), [region(), region(Box(0, 0, 0.2, 1))])
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    other = HeadedEmbedder(inner, Head(head().matrix, head().bias, "1" * 64))
    assert len({inner.fingerprint, headed.fingerprint, other.fingerprint}) == 3


def test_of_another_part() -> None:
    """A head for features of another width says so."""
    with pytest.raises(ModelError, match="takes 5 features, aspect-7 gives 7"):
        HeadedEmbedder(DescriptorEmbedder(AspectDescriptor()), head(features=5))
