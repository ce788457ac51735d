"""Heads: a learned matrix behind a network or a descriptor, in numpy, for what was trained on frozen features."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nitari.embeddings.base import Embedder
from nitari.errors import ModelError
from nitari.types import Block, FloatArray, Photo, Region


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """Maps unit features to shorter unit vectors: ``unit(features @ matrix + bias)``.

    Args:
        matrix: float32 ``[features, dim]``.
        bias: float32 ``[dim]``.
        sha256: Of the file that it was read from, hex; empty where there is none.

    Raises:
        ModelError: arrays that do not fit together, or numbers that are not finite.
    """

    matrix: FloatArray
    bias: FloatArray
    sha256: str = ""

    def __post_init__(self) -> None:
        if self.matrix.ndim != 2 or self.bias.shape != self.matrix.shape[1:] or not self.matrix.size:
            raise ModelError(f"a head has a matrix {list(self.matrix.shape)} and a bias {list(self.bias.shape)}")
        if not (np.isfinite(self.matrix).all() and np.isfinite(self.bias).all()):
            raise ModelError("a head has numbers that are not finite")

    @property
    def features(self) -> int:
        """Width of what goes in."""
        return int(self.matrix.shape[0])

    @property
    def dim(self) -> int:
        """Width of what comes out."""
        return int(self.matrix.shape[1])

    def __call__(self, features: FloatArray) -> FloatArray:
        """float32 ``[n, features]`` to float32 ``[n, dim]``, unit rows; a row that is mapped to zero stays zero."""
        mapped = features @ self.matrix + self.bias
        unit: FloatArray = mapped / np.maximum(np.linalg.norm(mapped, axis=1, keepdims=True), np.float32(1e-12))
        return unit


def head_bytes(head: Head) -> bytes:
    """The head as a file: an ``npz`` of 16-bit floats, the same bytes for the same head."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
        for name, array in (("matrix", head.matrix), ("bias", head.bias)):
            part = io.BytesIO()
            np.save(part, array.astype(np.float16), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), part.getvalue())  # without a time stamp
    return whole.getvalue()


def load_head(path: Path, *, sha256: str) -> Head:
    """Read a head and see that it is the one that a card pins.

    Raises:
        ModelError: it is not there, is another one, or is no head.
    """
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise ModelError(
            f"the head {path} cannot be read: {exc.strerror or exc}",
            remedy="keep the files that `nitari train embedding` wrote together, or train again",
        ) from exc
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise ModelError(
            f"the head {path} has SHA-256 {found}, its card pins {sha256}",
            remedy="the file is damaged or belongs to another card: bring the right one back, or train again",
            code="model-checksum",
        )
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return Head(arrays["matrix"].astype(np.float32), arrays["bias"].astype(np.float32), found)
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as exc:
        raise ModelError(
            f"{path} is not a head: {exc}", remedy="name a file that `nitari train embedding` wrote"
        ) from exc


class HeadedEmbedder:
    """An embedder with a head behind it. Its first block names what the whole of it speaks of.

    Raises:
        ModelError: a head for features of another width.
    """

    def __init__(self, embedder: Embedder, head: Head) -> None:
        if head.features != embedder.dim:
            raise ModelError(
                f"a head takes {head.features} features, {embedder.name} gives {embedder.dim}",
                remedy="correct the card: a head works behind the very part that it was trained on",
            )
        self._embedder = embedder
        self._head = head

    @property
    def source(self) -> Embedder:
        """What the head stands behind."""
        return self._embedder

    @property
    def head(self) -> Head:
        """What is learned."""
        return self._head

    @property
    def name(self) -> str:
        """The embedder's."""
        return self._embedder.name

    @property
    def dim(self) -> int:
        """The head's width."""
        return self._head.dim

    @property
    def fingerprint(self) -> str:
        """16 hex digits over the embedder's and the head's file."""
        text = f"{self._embedder.fingerprint} {self._head.sha256}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def blocks(self) -> tuple[Block, ...]:
        """One block: a head mixes what it is given."""
        return (Block(self._embedder.blocks[0].name, 0, self.dim),)

    @property
    def short_side(self) -> int:
        """The embedder's."""
        return self._embedder.short_side

    def embed(self, photo: Photo, regions: Sequence[Region]) -> FloatArray:
        """See ``Embedder.embed``."""
        return self._head(self._embedder.embed(photo, regions))
