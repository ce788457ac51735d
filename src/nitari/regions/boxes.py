"""From a saliency mask to boxes: pure functions, numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nitari.types import BoolArray, Box, ByteArray

LabelArray = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Blob:
    """A connected part of a mask, in mask pixels; ``x2`` and ``y2`` are exclusive.

    Args:
        area: How many pixels are in it.
        mean: Mean saliency of those pixels, 0-255.
    """

    x1: int
    y1: int
    x2: int
    y2: int
    area: int
    mean: float


def label(mask: BoolArray) -> tuple[LabelArray, int]:
    """Number the connected parts of ``mask`` (8-neighborhood) from 1, in reading order.

    Runs of a row are joined with the runs that they touch in the row above (union-find over runs), so that the work in
    Python grows with the number of runs, a few hundred for a mask of 160 x 160, not with the pixels.

    Returns:
        int32 labels of ``mask``'s shape (0 = background), and how many parts there are.
    """
    height, width = mask.shape
    padded = np.zeros((height, width + 2), dtype=np.int8)
    padded[:, 1:-1] = mask
    steps = np.diff(padded, axis=1)
    rows, starts = np.nonzero(steps == 1)
    ends = np.nonzero(steps == -1)[1]  # same order as starts: row by row, left to right
    parents = list(range(len(rows)))

    def root(run: int) -> int:
        while parents[run] != run:
            parents[run] = parents[parents[run]]
            run = parents[run]
        return run

    first = np.searchsorted(rows, np.arange(height + 1))
    for y in range(1, height):
        above, run = int(first[y - 1]), int(first[y])
        while above < first[y] and run < first[y + 1]:
            if starts[above] <= ends[run] and starts[run] <= ends[above]:  # touch, corners included
                older, newer = sorted((root(above), root(run)))
                parents[newer] = older
            if ends[above] < ends[run]:
                above += 1
            else:
                run += 1
    numbers: dict[int, int] = {}
    labels = np.zeros(mask.shape, dtype=np.int32)
    for run, y in enumerate(rows.tolist()):
        labels[y, starts[run] : ends[run]] = numbers.setdefault(root(run), len(numbers) + 1)
    return labels, len(numbers)


def blobs(mask: ByteArray, *, threshold: int) -> list[Blob]:
    """The connected parts of ``mask`` (uint8 ``[h, w]``) at or above ``threshold``, largest area first."""
    labels, count = label(mask >= threshold)
    if not count:
        return []
    y, x = np.nonzero(labels)
    which = labels[y, x] - 1
    area = np.bincount(which, minlength=count)
    mean = np.bincount(which, weights=mask[y, x], minlength=count) / area
    left, top = np.full(count, mask.shape[1]), np.full(count, mask.shape[0])
    right, bottom = np.zeros(count, dtype=np.intp), np.zeros(count, dtype=np.intp)
    np.minimum.at(left, which, x)
    np.minimum.at(top, which, y)
    np.maximum.at(right, which, x + 1)
    np.maximum.at(bottom, which, y + 1)
    found = [
        Blob(int(left[i]), int(top[i]), int(right[i]), int(bottom[i]), int(area[i]), float(mean[i]))
        for i in range(count)
    ]
    return sorted(found, key=lambda blob: (-blob.area, blob.y1, blob.x1))


def joined(parts: list[Blob]) -> Blob:
    """The smallest blob that covers ``parts`` (at least one)."""
    area = sum(part.area for part in parts)
    return Blob(
        min(part.x1 for part in parts),
        min(part.y1 for part in parts),
        max(part.x2 for part in parts),
        max(part.y2 for part in parts),
        area,
        sum(part.mean * part.area for part in parts) / area,
    )


def gap(one: Blob, other: Blob) -> int:
    """Pixels between the boxes of two blobs: the larger of the horizontal and the vertical gap; 0 if they meet."""
    across = max(one.x1, other.x1) - min(one.x2, other.x2)
    down = max(one.y1, other.y1) - min(one.y2, other.y2)
    return max(across, down, 0)


def box_of(blob: Blob, shape: tuple[int, ...], *, margin: float) -> Box:
    """The normalized box of ``blob`` in a mask of ``shape``, grown on each side by ``margin`` of its own size."""
    height, width = shape
    across, down = margin * (blob.x2 - blob.x1), margin * (blob.y2 - blob.y1)
    return Box(
        max(0.0, (blob.x1 - across) / width),
        max(0.0, (blob.y1 - down) / height),
        min(1.0, (blob.x2 + across) / width),
        min(1.0, (blob.y2 + down) / height),
    )
