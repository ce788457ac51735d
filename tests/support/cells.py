"""What a detector could answer, made by hand."""

from __future__ import annotations

import numpy as np

from nitari.models.detector_spec import DetectorSpec
from nitari.types import FloatArray

GRID = 8
SPEC = DetectorSpec(labels=("top", "pants"), stride=8, mask_cells=4, threshold=0.3)


def answers() -> FloatArray:
    """Cells that say no, and a mask of nothing."""
    cells = np.full((SPEC.channels, GRID, GRID), -8, np.float32)
    cells[1:5] = 0
    return cells


def say(
    cells: FloatArray,
    *,
    row: int,
    column: int,
    box: tuple[float, float, float, float],
    label: int,
    logit: float = 4.0,
) -> FloatArray:
    """A copy in which one cell says that it is the middle of ``box`` (in cells)."""
    said = cells.copy()
    x, y = column + 0.5, row + 0.5
    said[0, row, column] = logit
    said[1:5, row, column] = np.log([x - box[0], y - box[1], box[2] - x, box[3] - y])
    said[SPEC.labels_slice, row, column] = -2
    said[SPEC.labels_slice.start + label, row, column] = 4
    return said


def paint(cells: FloatArray, box: tuple[int, int, int, int]) -> FloatArray:
    """A copy in whose mask the cells of ``box`` are product."""
    painted = cells.copy()
    painted[SPEC.mask_slice, box[1] : box[3], box[0] : box[2]] = 8
    return painted
