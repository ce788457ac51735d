"""Several embedders and descriptors side by side, as one embedder."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from nitari.embeddings.base import Descriptor, Embedder
from nitari.errors import ModelError
from nitari.types import Block, FloatArray, Photo, Region


class CompositeEmbedder:
    """Concatenates unit vectors, each multiplied by its weight, and scales the result to unit length.

    The cosine of two composites is the mean of their parts' cosines, weighted by the squares of the weights.

    Args:
        name: The composite card's name.
        parts: Embedders and their weights, in the order of concatenation; weights above 0.

    Raises:
        ModelError: no parts, or a weight that is not above 0.
    """

    def __init__(self, *, name: str, parts: Sequence[tuple[Embedder, float]]) -> None:
        if not parts or any(not weight > 0 for _, weight in parts):
            found = ", ".join(f"{part.name} x {weight}" for part, weight in parts)
            raise ModelError(f"composite {name} has {found or 'no parts'}, expected parts with weights above 0")
        self._name = name
        self._parts = tuple(part for part, _ in parts)
        weights = np.array([weight for _, weight in parts])
        # Unit rows times these are unit rows again.
        self._weights = tuple(float(weight) for weight in weights / np.linalg.norm(weights))

    @property
    def name(self) -> str:
        """The composite card's name."""
        return self._name

    @property
    def dim(self) -> int:
        """Sum of the parts' widths."""
        return sum(part.dim for part in self._parts)

    @property
    def fingerprint(self) -> str:
        """16 hex digits over the parts' fingerprints and weights."""
        text = "\n".join(f"{p.fingerprint} {w:.6f}" for p, w in zip(self._parts, self._weights, strict=True))
        return hashlib.sha256(f"{self._name}\n{text}".encode()).hexdigest()[:16]

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The parts' blocks, one part after the other."""
        starts = accumulate((part.dim for part in self._parts), initial=0)
        return tuple(
            Block(block.name, start + block.start, start + block.stop)
            for part, start in zip(self._parts, starts, strict=False)
            for block in part.blocks
        )

    @property
    def short_side(self) -> int:
        """The largest that a part asks for."""
        return max(part.short_side for part in self._parts)

    def embed(self, photo: Photo, regions: Sequence[Region]) -> FloatArray:
        """See ``Embedder.embed``."""
        columns = [
            part.embed(photo, regions) * np.float32(weight)
            for part, weight in zip(self._parts, self._weights, strict=True)
        ]
        return np.concatenate(columns, axis=1)


class DescriptorEmbedder:
    """A descriptor in an embedder's clothes, so that a composite can have it as a part."""

    def __init__(self, descriptor: Descriptor) -> None:
        self._descriptor = descriptor

    @property
    def name(self) -> str:
        """The descriptor's name."""
        return self._descriptor.name

    @property
    def dim(self) -> int:
        """The descriptor's width."""
        return self._descriptor.dim

    @property
    def fingerprint(self) -> str:
        """The descriptor's."""
        return self._descriptor.fingerprint

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The descriptor's."""
        return self._descriptor.blocks

    @property
    def short_side(self) -> int:
        """0: it is content with whatever the networks get."""
        return 0

    def embed(self, photo: Photo, regions: Sequence[Region]) -> FloatArray:
        """See ``Embedder.embed``."""
        rows = [self._descriptor.describe(photo, region) for region in regions]
        return np.stack(rows) if rows else np.empty((0, self.dim), dtype=np.float32)
