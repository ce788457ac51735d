"""A gate before a mixture of experts: which parts of a vector to trust, by whether a photo shows what they learned.

Heads that were trained on garments forget what garments do not need: of anything else they are worse judges than the
frozen features they stand on (measured: ``docs/accuracy.md``, ``general``). So a vector holds both, and a query says
which of them counts. As an index compares by dot product, to weigh the query's blocks is to weigh the comparison; the
gallery's vectors stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nitari.errors import ModelError
from nitari.models.gate_spec import GateSpec
from nitari.types import Block, FloatArray


class SubspaceGate:
    """Tells the familiar by how much of a vector lies in the subspace that familiar photos span.

    The features of what a model was trained on fill few of their directions; those of anything else have a part
    outside. That part's length tells the two apart without a single example of anything else (the residual of
    principal components; among others Wang et al., "ViM: Out-Of-Distribution with Virtual-logit Matching", CVPR 2022).

    Args:
        name: The composite's, for errors.
        spec: What its card says.
        blocks: One for each part, in order, with their shares.

    Raises:
        ModelError: more directions than the part has numbers.
    """

    def __init__(self, *, name: str, spec: GateSpec, blocks: Sequence[Block]) -> None:
        first = blocks[spec.part].start
        width = blocks[spec.part].stop - first
        if spec.directions >= width:
            raise ModelError(
                f"the gate of {name} looks at {spec.directions} directions of a part with {width} numbers",
                remedy="correct gate.directions, or gate.part: the first part is 0",
            )
        self._middle = spec.middle
        self._slope = spec.slope
        self._inside = slice(first, first + spec.directions)
        self._part = slice(first, first + width)
        own = np.array([block.share for block in blocks], dtype=np.float64)
        weights = np.square(np.array((spec.familiar, spec.unfamiliar)))
        self._gains = (weights / weights.sum(axis=1, keepdims=True) / own).astype(np.float32)

    @property
    def watched(self) -> tuple[int, int]:
        """See ``QueryGate.watched``."""
        return self._part.start, self._part.stop

    def familiarity(self, vectors: FloatArray) -> FloatArray:
        """See ``QueryGate.familiarity``."""
        whole = np.square(vectors[:, self._part], dtype=np.float64).sum(axis=1)
        inside = np.square(vectors[:, self._inside], dtype=np.float64).sum(axis=1)
        # A vector without that part says nothing of itself, and is taken for familiar.
        share = np.where(whole > 1e-9, inside / np.maximum(whole, 1e-9), 1.0)
        known: FloatArray = (0.5 * (1 + np.tanh(self._slope * (share - self._middle) / 2))).astype(np.float32)
        return known

    def gains(self, vectors: FloatArray) -> FloatArray:
        """See ``QueryGate.gains``."""
        known = self.familiarity(vectors)[:, None]
        mixed: FloatArray = known * self._gains[0] + (1 - known) * self._gains[1]
        return mixed
