"""The embedder that runs a model card's network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from nitari.embeddings.preprocess import network_input
from nitari.errors import ModelError
from nitari.models.card import Card
from nitari.types import Block, Detail, FloatArray, Photo, Region


class Model(Protocol):
    """A network, wherever it runs (see ``nitari.runtimes``)."""

    def run(self, inputs: FloatArray) -> FloatArray:
        """Its output, float32 ``[n, dim]``, for float32 ``[n, 3, height, width]``."""
        ...


class OnnxEmbedder:
    """Embeds the boxes of regions with one network, one box a call: CNNs gain nothing from batches on a CPU.

    Args:
        card: What the network expects and gives.
        model: The network, as the model store pulled it.
        fingerprint: Of card and weights (``store.Network.fingerprint``); the card's own where not given.
        detail: How large the network sees a box. It is no part of the fingerprint: vectors compare across details.
    """

    def __init__(self, *, card: Card, model: Model, fingerprint: str = "", detail: Detail = "full") -> None:
        self._card = card
        self._model = model
        self._input = card.network_input.at(detail)
        self._fingerprint = fingerprint or card.fingerprint

    @property
    def name(self) -> str:
        """The card's name."""
        return self._card.name

    @property
    def dim(self) -> int:
        """The card's width."""
        return self._card.dim

    @property
    def fingerprint(self) -> str:
        """Of card and weights."""
        return self._fingerprint

    @property
    def blocks(self) -> tuple[Block, ...]:
        """One block: ``shape``."""
        return (Block("shape", 0, self.dim),)

    @property
    def short_side(self) -> int:
        """The longer side of the network's input, pixels."""
        return max(self._input.size)

    def embed(self, photo: Photo, regions: Sequence[Region]) -> FloatArray:
        """See ``Embedder.embed``.

        Raises:
            ModelError: where the network does not give what its card says, or gives nothing but zeros.
        """
        vectors = np.empty((len(regions), self.dim), dtype=np.float32)
        for row, region in enumerate(regions):
            vectors[row] = self._features(photo, region)
        return vectors

    def _features(self, photo: Photo, region: Region) -> FloatArray:
        """The unit vector ``[dim]`` of one region's box."""
        output = self._model.run(network_input(photo, (region.box,), self._input))
        if output.shape != (1, self.dim):
            raise ModelError(f"model {self.name} gave {list(output.shape)}, its card says [1, {self.dim}]")
        norm = float(np.linalg.norm(output[0]))
        if not np.isfinite(norm) or norm == 0:
            raise ModelError(
                f"model {self.name} gave a vector of length {norm}, expected a finite one above 0",
                remedy=f"`nitari model pull {self.name} --force` checks the weights and converts them again",
            )
        features: FloatArray = output[0] / np.float32(norm)
        return features
