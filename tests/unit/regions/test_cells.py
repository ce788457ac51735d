"""From a detector's cells to boxes and a mask."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nitari.models.detector_spec import DetectorSpec
from nitari.regions.cells import distinct, mask, regions, sigmoid
from nitari.types import FloatArray
from support.cells import GRID, SPEC, answers, say


def test_one_region() -> None:
    """A cell that says yes becomes the box that it speaks for, with the likeliest label and its probability."""
    cells = say(answers(), row=4, column=2, box=(1.0, 2.0, 5.0, 8.0), label=1)
    found = regions(cells, SPEC, threshold=0.3)
    np.testing.assert_allclose(found.boxes, np.array([[1, 2, 5, 8]], np.float32) / GRID, atol=1e-3)
    assert found.labels.tolist() == [1]
    assert found.scores[0] == pytest.approx(float(sigmoid(np.float32(4.0))), abs=1e-3)
    assert found.label_scores[0] > 0.9


def test_nothing_said() -> None:
    """Where no cell is sure there is no region."""
    found = regions(answers(), SPEC, threshold=0.3)
    assert found.boxes.shape == (0, 4)
    assert len(found.scores) == len(found.labels) == 0


def test_threshold() -> None:
    """A region that scores below the threshold is none."""
    cells = say(answers(), row=4, column=4, box=(2, 2, 6, 6), label=0, logit=0.0)
    assert len(regions(cells, SPEC, threshold=0.49).boxes) == 1
    assert len(regions(cells, SPEC, threshold=0.51).boxes) == 0


def test_neighbors_are_one_region() -> None:
    """Of neighboring cells the surest speaks, and the others have a say in where the box is."""
    cells = say(answers(), row=4, column=4, box=(2, 2, 6, 6), label=0)
    cells = say(cells, row=4, column=5, box=(2, 2, 8, 6), label=0, logit=3.9)
    (box,) = regions(cells, SPEC, threshold=0.3).boxes * GRID
    assert 6 < box[2] < 8


def test_the_surest_first() -> None:
    """Regions come by score, whatever their place."""
    cells = say(answers(), row=1, column=1, box=(0, 0, 3, 3), label=0, logit=1.0)
    cells = say(cells, row=6, column=6, box=(5, 5, 8, 8), label=1, logit=3.0)
    assert regions(cells, SPEC, threshold=0.3).labels.tolist() == [1, 0]


def test_distinct_boxes() -> None:
    """A box like a surer one goes, whatever its label; one inside it only where the label is the same."""
    boxes = np.array([[0, 0, 1, 1], [0, 0, 1, 0.9], [0.1, 0.1, 0.4, 0.4], [0.6, 0.6, 0.9, 0.9]], np.float32)
    assert distinct(boxes, np.array([0, 1, 1, 1])).tolist() == [0, 2, 3]
    assert distinct(boxes, np.array([0, 1, 0, 1])).tolist() == [0, 3]
    assert distinct(np.zeros((0, 4), np.float32), np.zeros(0, np.int64)).tolist() == []


@given(arrays.arrays(np.float32, (SPEC.channels, GRID, GRID), elements=st.floats(-60, 60, width=32)))
def test_any_answers(cells: FloatArray) -> None:
    """Whatever a network says, boxes have an inside that is inside the photo, and scores are probabilities."""
    found = regions(cells, SPEC, threshold=0.3)
    assert ((found.boxes >= 0) & (found.boxes <= 1)).all()
    assert (found.boxes[:, 2:] > found.boxes[:, :2]).all()
    assert ((found.scores >= 0.3) & (found.scores <= 1)).all()
    assert ((found.label_scores > 0) & (found.label_scores <= 1)).all()
    assert mask(cells, SPEC).shape == (GRID * SPEC.mask_cells, GRID * SPEC.mask_cells)


def test_mask_is_in_place() -> None:
    """Each channel of the mask is one pixel of its cell: quarters row by row, and pixels row by row in each."""
    cells = answers()
    cells[SPEC.mask_slice] = -20
    expected = np.zeros((GRID * 4, GRID * 4), bool)
    for channel in range(SPEC.mask_cells**2):
        quarter, pixel = divmod(channel, 4)
        row, column = 2 * (quarter // 2) + pixel // 2, 2 * (quarter % 2) + pixel % 2
        cells[SPEC.mask_slice][channel, channel % GRID, 3] = 20
        expected[4 * (channel % GRID) + row, 4 * 3 + column] = True
    np.testing.assert_array_equal(mask(cells, SPEC) > 128, expected)


def test_a_grid_that_is_not_square() -> None:
    """Rows and columns are not taken for each other."""
    spec = DetectorSpec(("one",), 8, 2, 0.3)
    cells = np.full((spec.channels, 3, 6), -6, np.float32)
    cells[0, 1, 4] = 4
    cells[1:5, 1, 4] = 0
    found = regions(cells, spec, threshold=0.3)
    np.testing.assert_allclose(found.boxes[0], [3.5 / 6, 0.5 / 3, 5.5 / 6, 2.5 / 3], atol=1e-2)
    assert mask(cells, spec).shape == (6, 12)
