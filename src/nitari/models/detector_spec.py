"""What a detector's card says beside what every card does: its labels, and how its one output is laid out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nitari.models.table import Table

_LABEL = re.compile(r"[a-z][a-z0-9-]{0,31}")
_SIDES = 4


@dataclass(frozen=True, slots=True)
class DetectorSpec:
    """How a detector's output ``[n, channels, height / stride, width / stride]`` is to be read.

    Channels, in this order: 1 logit that a region's middle is in the cell; 4 logarithms of the distances, in cells,
    from the cell's middle to the region's left, top, right and bottom; a logit for each label; the logits of the mask's
    pixels in the cell.

    Args:
        labels: What there is to tell apart.
        stride: Pixels of the input that a cell stands for, across and down.
        mask_cells: Pixels of the mask in a cell, across and down; even.
        threshold: Least score of a region, 0-1.
    """

    labels: tuple[str, ...]
    stride: int
    mask_cells: int
    threshold: float

    @property
    def channels(self) -> int:
        """Of the output."""
        return 1 + _SIDES + len(self.labels) + self.mask_cells**2

    @property
    def labels_slice(self) -> slice:
        """The channels of the labels."""
        return slice(1 + _SIDES, 1 + _SIDES + len(self.labels))

    @property
    def mask_slice(self) -> slice:
        """The channels of the mask."""
        return slice(self.channels - self.mask_cells**2, self.channels)


def read_detector(table: Table) -> DetectorSpec:
    """The ``[detector]`` table of a card.

    Raises:
        ModelError: naming the key, what was found and what was expected.
    """
    labels = table.get("labels", (list,), "a list of labels")
    if not labels or not all(isinstance(v, str) and _LABEL.fullmatch(v) for v in labels):
        raise table.error("labels", labels, "lower-case words, at least one")
    if len(set(labels)) != len(labels):
        raise table.error("labels", labels, "no label twice")
    spec = DetectorSpec(
        labels=tuple(labels),
        stride=table.integer("stride", low=1, high=64),
        mask_cells=table.integer("mask_cells", low=2, high=32),
        threshold=table.number("threshold", default=0.3),
    )
    if spec.mask_cells % 2:
        raise table.error("mask_cells", spec.mask_cells, "an even number")
    if not 0 < spec.threshold < 1:
        raise table.error("threshold", spec.threshold, "a number between 0 and 1")
    table.finish()
    return spec
