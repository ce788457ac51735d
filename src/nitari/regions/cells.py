"""From what a detector answers, cell by cell, to boxes and a mask: pure functions, numpy only.

The network answers for each cell of a grid, in the channels of one output (``DetectorSpec`` says which): whether a
region's middle is in it, how far the region reaches from the cell's middle to the left, top, right and bottom, what
it is, and the mask of the cell's own pixels. Without anchors, as FCOS (arXiv 1904.01355) and CenterNet (1904.07850).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nitari.models.detector_spec import DetectorSpec
from nitari.types import ByteArray, FloatArray

MOST = 24
"""Regions of one photo, at most."""
SAME = 0.5
"""Boxes that share more of their union than this are one region, the surer one."""
WITHIN = 0.8
"""A box of which more than this lies in a surer one of the same label is a part of that one's region."""
# A distance of e^4 cells is beyond every grid; an exponent that goes on overflows.
_MOST_LOG = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Regions, the surest first.

    Args:
        boxes: float32 ``[n, 4]``: x1, y1, x2, y2 in shares of the photo, x1 < x2, y1 < y2.
        scores: float32 ``[n]``, 0-1: how sure it is that there is a region.
        labels: int64 ``[n]``: the likeliest label's number.
        label_scores: float32 ``[n]``, 0-1: the likeliest label's probability.
    """

    boxes: FloatArray
    scores: FloatArray
    labels: NDArray[np.int64]
    label_scores: FloatArray


def sigmoid(logits: FloatArray) -> FloatArray:
    """1 / (1 + e^-x), without overflow."""
    values: FloatArray = 0.5 * (1 + np.tanh(0.5 * logits))
    return values


def regions(cells: FloatArray, spec: DetectorSpec, *, threshold: float) -> Found:
    """The regions that score at least ``threshold``, those that are one and the same merged.

    Args:
        cells: float32 ``[channels, rows, columns]``, one photo's.
        spec: Which channels are what.
        threshold: Least score, 0-1.
    """
    middles = sigmoid(cells[0])
    rows, columns = np.nonzero((middles >= threshold) & (middles >= _highest_around(middles)))
    order = np.argsort(-middles[rows, columns], kind="stable")[: 4 * MOST]
    rows, columns = rows[order], columns[order]
    boxes = boxes_at(cells[1:5], middles, rows, columns)
    logits = around(cells[spec.labels_slice], middles, rows, columns)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    odds /= odds.sum(axis=1, keepdims=True)
    labels = odds.argmax(axis=1)
    scores = middles[rows, columns]
    kept = distinct(boxes, labels)[:MOST]
    return Found(boxes[kept], scores[kept], labels[kept], odds.max(axis=1)[kept])


def boxes_at(sides: FloatArray, middles: FloatArray, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> FloatArray:
    """The boxes that these cells and their neighbors speak for: the mean, by how sure each of them is.

    Returns:
        float32 ``[n, 4]`` inside the photo, each at least a hundredth of a cell wide and high.
    """
    height, width = middles.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) + np.float32(0.5)
    left, top, right, bottom = np.exp(sides.clip(-_MOST_LOG, _MOST_LOG))
    boxes = around(np.stack([x - left, y - top, x + right, y + bottom]), middles, rows, columns)
    # The middle of a region may lie beyond the rim only by rounding: what is left has an inside.
    size = np.array([width, height], np.float32)
    low = boxes[:, :2].clip(0, size - 0.02)
    high = np.minimum(np.maximum(boxes[:, 2:], low + 0.01), size)
    found: FloatArray = np.concatenate([low / size, high / size], axis=1).astype(np.float32)
    return found


def around(values: FloatArray, middles: FloatArray, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> FloatArray:
    """The mean of what these cells and their neighbors say, by the square of how sure each of them is.

    Args:
        values: float32 ``[channels, height, width]``.
        middles: float32 ``[height, width]``, 0-1.
        rows: Of the cells.
        columns: Of the cells.

    Returns:
        float32 ``[n, channels]``.
    """
    height, width = middles.shape
    total = np.zeros((len(rows), len(values)), np.float32)
    weight = np.zeros((len(rows), 1), np.float32)
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            y, x = (rows + down).clip(0, height - 1), (columns + across).clip(0, width - 1)
            sure = np.square(middles[y, x])[:, np.newaxis]
            total += sure * values[:, y, x].T
            weight += sure
    mean: FloatArray = (total / np.maximum(weight, np.float32(1e-12))).astype(np.float32)
    return mean


def distinct(boxes: FloatArray, labels: NDArray[np.int64]) -> NDArray[np.intp]:
    """Which of these boxes, the surest first, are no other's: ascending indices."""
    kept: list[int] = []
    for number in range(len(boxes)):
        if kept:
            shared = shared_areas(boxes[number], boxes[kept])
            own = area(boxes[number])
            same = shared / (own + area(boxes[kept]) - shared) > SAME
            inside = (shared / own > WITHIN) & (labels[kept] == labels[number])
            if (same | inside).any():
                continue
        kept.append(number)
    return np.array(kept, dtype=np.intp)


def area(boxes: FloatArray) -> FloatArray:
    """Of boxes ``[..., 4]``."""
    areas: FloatArray = (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])
    return areas


def shared_areas(box: FloatArray, others: FloatArray) -> FloatArray:
    """What a box ``[4]`` shares with each of others ``[n, 4]``: float32 ``[n]``."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared: FloatArray = sides.clip(0).prod(axis=1)
    return shared


def mask(cells: FloatArray, spec: DetectorSpec) -> ByteArray:
    """The mask that all cells make up: uint8 ``[rows * n, columns * n]``, 255 = product, ``n`` = ``spec.mask_cells``.

    A cell's channels go row by row through four quarters, and in each of them again.
    """
    _, rows, columns = cells.shape
    half = spec.mask_cells // 2
    quarters = sigmoid(cells[spec.mask_slice]).reshape(2, 2, half, half, rows, columns)
    fine = quarters.transpose(4, 0, 2, 5, 1, 3).reshape(rows * spec.mask_cells, columns * spec.mask_cells)
    found: ByteArray = np.rint(fine * 255).astype(np.uint8)
    return found


def _highest_around(values: FloatArray) -> FloatArray:
    """The highest of each cell's neighbors and itself."""
    height, width = values.shape
    padded = np.pad(values, 1, constant_values=-np.inf)
    windows = [padded[y : y + height, x : x + width] for y in range(3) for x in range(3)]
    highest: FloatArray = np.max(windows, axis=0)
    return highest
