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
        return _beside([part.blocks for part in self._parts])

    @property
    def sources(self) -> tuple[Block, ...]:
        """The parts' sources, one part after the other."""
        return _beside([part.sources for part in self._parts])

    @property
    def short_side(self) -> int:
        """The largest that a part asks for."""
        return max(part.short_side for part in self._parts)

    def features(self, photo: Photo, regions: Sequence[Region]) -> FloatArray:
        """See ``Embedder.features``."""
        return np.concatenate([part.features(photo, regions) for part in self._parts], axis=1)

    def vectors(self, features: FloatArray) -> FloatArray:
        """See ``Embedder.vectors``."""
        starts = accumulate((_width(part.sources) for part in self._parts), initial=0)
        columns = [
            part.vectors(features[:, start : start + _width(part.sources)]) * np.float32(weight)
            for part, start, weight in zip(self._parts, starts, self._weights, strict=False)
        ]
        return np.concatenate(columns, axis=1)

    def embed(self, photo: Photo, regions: Sequence[Region]) -> FloatArray:
        """See ``Embedder.embed``."""
        return self.vectors(self.features(photo, regions))


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

    @property
    def sources(self) -> tuple[Block, ...]:
        """The descriptor itself."""
        return (Block(self.name, 0, self.dim),)

    def features(self, photo: Photo, regions: Sequence[Region]) -> FloatArray:
        """See ``Embedder.features``."""
        rows = [self._descriptor.describe(photo, region) for region in regions]
        return np.stack(rows) if rows else np.empty((0, self.dim), dtype=np.float32)

    def vectors(self, features: FloatArray) -> FloatArray:
        """See ``Embedder.vectors``."""
        return features

    def embed(self, photo: Photo, regions: Sequence[Region]) -> FloatArray:
        """See ``Embedder.embed``."""
        return self.features(photo, regions)


def _beside(parts: Sequence[tuple[Block, ...]]) -> tuple[Block, ...]:
    """The blocks of vectors that are put side by side, one part after the other."""
    starts = accumulate((_width(blocks) for blocks in parts), initial=0)
    return tuple(
        Block(block.name, start + block.start, start + block.stop)
        for blocks, start in zip(parts, starts, strict=False)
        for block in blocks
    )


def _width(blocks: Sequence[Block]) -> int:
    """Of the vector that these are the blocks of."""
    return blocks[-1].stop
