"""The finder that knows garments: many on one photo, worn or lying flat, each with box, label and score."""

from __future__ import annotations

import hashlib

import numpy as np

from nitari.errors import ModelError
from nitari.models.card import Card
from nitari.raster import resize
from nitari.regions.boxes import Blob, box_of
from nitari.regions.cells import MOST, SAME, WITHIN, Found, area, mask, regions, shared_areas
from nitari.regions.saliency import MARGIN, Model, products
from nitari.regions.saliency import RULE as FIGURE_RULE
from nitari.types import Box, ByteArray, Detail, FloatArray, Photo, Region

AGREE = 0.6
"""A box and a figure of the mask that share this much of their union are one product, and both are heard."""
TRUST = 0.5
"""How far the box is then moved to the figure's: its rim is seen more finely by the mask."""

OUTFIT = "outfit"
"""What a figure is called that is more than any garment on it: a person from head to shoes, a set laid out together."""

RULE = f"{MOST} {SAME} {WITHIN} {AGREE} {TRUST} {OUTFIT} {FIGURE_RULE}"


class GarmentFinder:
    """Finds garments and other products with a detector.

    Where nothing scores enough, the mask's figures are taken, as ``SaliencyFinder`` takes them, labeled ``product``.
    A figure that is more than any garment on it is a region, too, labeled ``outfit``; it mostly is the largest, so that
    a photo is about all that is worn unless somebody chooses (docs/regions.md has what that gains). All regions of a
    photo carry the same mask.

    Args:
        card: A card of kind ``detector``.
        model: The network, as the model store pulled it.
        fingerprint: Of card and weights (``store.Network.fingerprint``); the card's own where not given.
        threshold: Least score of a middle, 0-1; the card's where not given.
        detail: How large the network sees a photo.
    """

    def __init__(
        self,
        *,
        card: Card,
        model: Model,
        fingerprint: str = "",
        threshold: float | None = None,
        detail: Detail = "full",
    ) -> None:
        self._card = card
        self._input = card.network_input.at(detail)
        self._spec = card.network_detector
        self._model = model
        self._threshold = self._spec.threshold if threshold is None else threshold
        seen = "" if self._input == card.network_input else f" {self._input.size}"
        shaping = f"{fingerprint or card.fingerprint} {self._threshold} {RULE}{seen}"
        self._fingerprint = hashlib.sha256(shaping.encode()).hexdigest()[:16]

    @property
    def fingerprint(self) -> str:
        """Of card, weights, and the rule from cells to boxes."""
        return self._fingerprint

    @property
    def short_side(self) -> int:
        """The longer side of the network's input, pixels."""
        return max(self._input.size)

    def find(self, photo: Photo) -> tuple[Region, ...]:
        """See ``RegionFinder.find``; a region's score is the probability that one is there, times its label's.

        Raises:
            ModelError: where the network does not give what its card says.
        """
        cells = self._cells(photo)
        figure = mask(cells, self._spec)
        figures = products(figure)
        found = regions(cells, self._spec, threshold=self._threshold)
        made = self._labeled(found, figures, figure)
        more = outfits(found.boxes, figures, figure.shape) if made else figures
        label = OUTFIT if made else "product"
        made += [Region(box_of(blob, figure.shape, margin=MARGIN), label, blob.mean / 255, figure) for blob in more]
        return tuple(sorted(made, key=lambda region: -region.box.area))

    def _cells(self, photo: Photo) -> FloatArray:
        """What the network answers: float32 ``[channels, rows, columns]``."""
        # Stretched whatever the photo's aspect: boxes and mask are then in the photo's own coordinates.
        pixels = resize(photo.pixels, self._input.width, self._input.height, filter=self._input.filter)
        output = self._model.run(self._input.tensor(pixels[np.newaxis]))
        expected = (1, self._spec.channels, *(side // self._spec.stride for side in self._input.size))
        if output.shape != expected:
            raise ModelError(f"model {self._card.name} gave {list(output.shape)}, expected {list(expected)}")
        if not np.isfinite(output).all():
            raise ModelError(f"model {self._card.name} gave values that are not finite")
        cells: FloatArray = output[0]
        return cells

    def _labeled(self, found: Found, figures: list[Blob], figure: ByteArray) -> list[Region]:
        """The regions found, their boxes moved to the mask's figures where both agree, and grown by the margin."""
        made = []
        boxes = moved(found.boxes, figures, figure.shape)
        scores = found.scores * found.label_scores
        for box, score, label in zip(boxes, scores, found.labels, strict=True):
            margin = MARGIN * (box[2:] - box[:2])
            x1, y1 = (box[:2] - margin).clip(0, 1)
            x2, y2 = (box[2:] + margin).clip(0, 1)
            where = Box(float(x1), float(y1), float(x2), float(y2))
            made.append(Region(where, self._spec.labels[int(label)], float(score), figure))
        return made


def outfits(boxes: FloatArray, figures: list[Blob], shape: tuple[int, ...]) -> list[Blob]:
    """The figures of a mask of ``shape`` that hold middles of ``boxes`` ``[n, 4]`` (shares) but are none of them."""
    if not figures or not len(boxes):
        return []
    height, width = shape
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    found = []
    for figure in figures:
        box = np.array([figure.x1, figure.y1, figure.x2, figure.y2], np.float32) / np.array([width, height] * 2)
        inside = (middles > box[:2]).all(axis=1) & (middles < box[2:]).all(axis=1)
        shared = shared_areas(box, boxes)
        if inside.any() and (shared / (area(box) + area(boxes) - shared)).max() < AGREE:
            found.append(figure)
    return found


def moved(boxes: FloatArray, figures: list[Blob], shape: tuple[int, ...]) -> FloatArray:
    """Boxes ``[n, 4]`` (shares), each moved towards the figure of a mask of ``shape`` that it agrees with, if any."""
    if not figures or not len(boxes):
        return boxes
    height, width = shape
    scale = np.array([width, height, width, height], np.float32)
    seen = np.array([[f.x1, f.y1, f.x2, f.y2] for f in figures], np.float32) / scale
    made = boxes.copy()
    for number, box in enumerate(boxes):
        shared = shared_areas(box, seen)
        alike = shared / (area(box) + area(seen) - shared)
        best = int(alike.argmax())
        if alike[best] >= AGREE:
            made[number] = (1 - TRUST) * box + TRUST * seen[best]
    return made
