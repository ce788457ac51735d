"""Several embedders and descriptors side by side, as one embedder."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from nitari.embeddings.base import Descriptor, Embedder, QueryGate
from nitari.embeddings.gate import SubspaceGate
from nitari.embeddings.head import HeadedEmbedder
from nitari.errors import ModelError
from nitari.models.gate_spec import GateSpec
from nitari.types import Block, FloatArray, Photo, Region


class CompositeEmbedder:
    """Concatenates unit vectors, each multiplied by its weight, and scales the result to unit length.

    The cosine of two composites is the mean of their parts' cosines, weighted by the squares of the weights. Parts that
    stand behind the same network or descriptor run it once.

    Args:
        name: The composite card's name.
        parts: Embedders and their weights, in the order of concatenation; weights above 0.
        gate: How queries that show something unfamiliar weigh the parts; then every vector's blocks keep their shares
            of its length, also where it is a mean of several.

    Raises:
        ModelError: no parts, or a weight that is not above 0.
    """

    def __init__(self, *, name: str, parts: Sequence[tuple[Embedder, float]], gate: GateSpec | None = None) -> None:
        if not parts or any(not weight > 0 for _, weight in parts):
            found = ", ".join(f"{part.name} x {weight}" for part, weight in parts)
            raise ModelError(f"composite {name} has {found or 'no parts'}, expected parts with weights above 0")
        self._name = name
        self._parts = tuple(part for part, _ in parts)
        # The network or descriptor behind each part, and what of the part stands behind that.
        self._sources = tuple(part.source if isinstance(part, HeadedEmbedder) else part for part in self._parts)
        self._heads = tuple(part.head if isinstance(part, HeadedEmbedder) else None for part in self._parts)
        self._keys = tuple(source.fingerprint for source in self._sources)
        weights = np.array([weight for _, weight in parts])
        # Unit rows times these are unit rows again.
        self._weights = tuple(float(weight) for weight in weights / np.linalg.norm(weights))
        self._blocks = self._laid_out(level=gate is not None)
        self._gate = None if gate is None else SubspaceGate(name=name, spec=gate, blocks=self._blocks)

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
        level = "\nlevel" if self._gate else ""
        return hashlib.sha256(f"{self._name}\n{text}{level}".encode()).hexdigest()[:16]

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The parts' blocks, one part after the other."""
        return self._blocks

    @property
    def gate(self) -> QueryGate | None:
        """What weighs the blocks of queries; ``None`` where all count as they are."""
        return self._gate

    @property
    def short_side(self) -> int:
        """The largest that a part asks for."""
        return max(part.short_side for part in self._parts)

    def embed(self, photo: Photo, regions: Sequence[Region]) -> FloatArray:
        """See ``Embedder.embed``."""
        seen: dict[str, FloatArray] = {}
        columns = []
        for source, head, key, weight in zip(self._sources, self._heads, self._keys, self._weights, strict=True):
            if key not in seen:
                seen[key] = source.embed(photo, regions)
            features = seen[key]
            columns.append((features if head is None else head(features)) * np.float32(weight))
        return np.concatenate(columns, axis=1)

    def _laid_out(self, *, level: bool) -> tuple[Block, ...]:
        """The blocks of all parts.

        Args:
            level: Whether each part is one block of a fixed share: its own blocks may differ from vector to vector.
        """
        starts = accumulate((part.dim for part in self._parts), initial=0)
        laid: list[Block] = []
        for part, weight, start in zip(self._parts, self._weights, starts, strict=False):
            blocks = part.blocks
            if level and len(blocks) != 1:
                names = ", ".join(block.name for block in blocks)
                raise ModelError(
                    f"composite {self._name} has a gate and the part {part.name} of several blocks ({names})",
                    remedy="give that part a head, or leave out the gate",
                )
            share = weight**2 if level else None
            laid += (Block(one.name, start + one.start, start + one.stop, share) for one in blocks)
        return tuple(laid)


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
