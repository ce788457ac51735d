"""The finder that tells figure from ground with a saliency network (u2netp), and takes the figure for the product."""

from __future__ import annotations

import hashlib
from typing import Protocol

import numpy as np

from nitari.errors import ModelError
from nitari.models.card import Card
from nitari.raster import resize
from nitari.regions.boxes import Blob, blobs, box_of, gap, joined
from nitari.types import ByteArray, FloatArray, Photo, Region

THRESHOLD = 128
"""Saliency (0-255) from which a pixel is figure."""
MARGIN = 0.05
"""How much a box grows on each side, as a share of its own side (docs/accuracy.md has the alternatives)."""
# Specks: blobs below this share of the largest one, or of the photo, are noise.
SPECK_OF_LARGEST = 0.05
SPECK_OF_PHOTO = 0.002
# Parts closer than this share of the mask's side are one product: a shoe's pair, a strap that the mask lost.
NEAR = 0.1
# A figure that leaves less ground than this is no figure: the photo is a close-up, and the whole photo says as much.
FULL = 0.98

RULE = f"{THRESHOLD} {MARGIN} {SPECK_OF_LARGEST} {SPECK_OF_PHOTO} {NEAR} {FULL}"


class Model(Protocol):
    """A network, wherever it runs (see ``nitari.runtimes``)."""

    def run(self, inputs: FloatArray) -> FloatArray:
        """Its output, float32 ``[1, 1, height, width]``, 0-1, for float32 ``[1, 3, height, width]``."""
        ...


class SaliencyFinder:
    """Finds what stands out on a photo.

    All regions of a photo carry the same mask, at the network's resolution.

    Args:
        card: A card of kind ``saliency``.
        model: The network, as the model store pulled it.
        fingerprint: Of card and weights (``store.Network.fingerprint``); the card's own where not given.
    """

    def __init__(self, *, card: Card, model: Model, fingerprint: str = "") -> None:
        self._card = card
        self._input = card.network_input
        self._model = model
        self._fingerprint = hashlib.sha256(f"{fingerprint or card.fingerprint} {RULE}".encode()).hexdigest()[:16]

    @property
    def fingerprint(self) -> str:
        """Of card, weights, and the rule from mask to boxes."""
        return self._fingerprint

    @property
    def short_side(self) -> int:
        """The longer side of the network's input, pixels."""
        return max(self._input.size)

    def find(self, photo: Photo) -> tuple[Region, ...]:
        """See ``RegionFinder.find``; a region's score is the mean saliency of its figure.

        Raises:
            ModelError: where the network does not give one mask of its input's size.
        """
        mask = self._mask(photo)
        found = [
            Region(box_of(blob, mask.shape, margin=MARGIN), "product", blob.mean / 255, mask) for blob in products(mask)
        ]
        return tuple(sorted(found, key=lambda region: -region.box.area))

    def _mask(self, photo: Photo) -> ByteArray:
        """The saliency of every pixel, uint8 ``[height, width]`` of the network's input, 255 = figure."""
        # Stretched whatever the photo's aspect: a mask in the photo's own coordinates needs no bookkeeping.
        pixels = resize(photo.pixels, self._input.width, self._input.height, filter=self._input.filter)
        output = self._model.run(self._input.tensor(pixels[np.newaxis]))
        if output.shape != (1, 1, *self._input.size):
            expected = [1, 1, *self._input.size]
            raise ModelError(f"model {self._card.name} gave {list(output.shape)}, expected a mask {expected}")
        mask: ByteArray = np.rint(output[0, 0].clip(0, 1) * 255).astype(np.uint8)
        return mask


def products(mask: ByteArray) -> list[Blob]:
    """The products on a mask (uint8 ``[h, w]``), largest figure first; none where nothing or everything stands out."""
    parts = blobs(mask, threshold=THRESHOLD)
    if not parts or sum(part.area for part in parts) >= FULL * mask.size:
        return []
    least = max(SPECK_OF_LARGEST * parts[0].area, SPECK_OF_PHOTO * mask.size)
    groups: list[list[Blob]] = []
    for part in parts:
        if part.area < least:
            continue
        near = [g for g in groups if any(gap(part, other) <= NEAR * max(mask.shape) for other in g)]
        groups = [g for g in groups if g not in near]
        groups.append([part, *(other for g in near for other in g)])
    return sorted((joined(group) for group in groups), key=lambda blob: (-blob.area, blob.y1, blob.x1))
