"""From pictures to what the network should answer, and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.models.detector_spec import DetectorSpec
from nitari.regions.cells import regions
from nitari.training.finder_network import MASK_CELLS, STRIDE, layout
from nitari.training.finder_scenes import Pools
from nitari.training.finder_shots import UNKNOWN
from nitari.training.finder_targets import learned_from, recolored, target, view, whole_view
from support.shots import flat_shot

CELLS = 24
SPEC = DetectorSpec(("top", "pants"), STRIDE, MASK_CELLS, 0.3)


def test_the_layout_is_the_cards() -> None:
    """What is trained lies where the card says that it lies."""
    there = layout(2)
    assert there["labels"] == SPEC.labels_slice
    assert there["mask"] == SPEC.mask_slice
    assert there["mask"].stop == SPEC.channels


@given(st.floats(0, 0.8), st.floats(0, 0.8), st.floats(0.1, 1), st.floats(0.1, 1))
def test_there_and_back(x: float, y: float, width: float, height: float) -> None:
    """A network that answered its targets to the letter would find the region."""
    box = np.array([x, y, min(1, x + width), min(1, y + height)], np.float32)
    made = target(np.array([[*box, 1]], np.float32), CELLS)
    cells = np.full((SPEC.channels, CELLS, CELLS), -8, np.float32)
    cells[0] = np.log(np.clip(made.hills, 1e-4, 1 - 1e-4) / (1 - np.clip(made.hills, 1e-4, 1 - 1e-4)))
    cells[1:5] = np.where(made.weight > 0, np.log(made.sides), cells[1:5])
    cells[5:7][1][made.labels == 1] = 8
    cells[1:5, made.weight == 0] = np.log(made.sides[:, made.weight > 0].mean(axis=1, keepdims=True))
    found = regions(cells, SPEC, threshold=0.9)
    assert found.labels.tolist() == [1]
    shared = np.minimum(found.boxes[0][2:], box[2:]) - np.maximum(found.boxes[0][:2], box[:2])
    assert float(shared.clip(0).prod()) / float((box[2:] - box[:2]).prod()) > 0.5


def test_one_cell_is_the_middle() -> None:
    """Each region has one cell of 1; cells around answer for its sides too, those outside for nothing."""
    made = target(np.array([[0, 0, 0.5, 0.5, 0], [0.5, 0.5, 1, 1, UNKNOWN]], np.float32), CELLS)
    assert np.argwhere(made.hills == 1).tolist() == [[6, 6], [18, 18]]
    assert made.labels[6, 6] == 0
    assert made.labels[18, 18] == UNKNOWN
    assert made.sides[:, 6, 6].tolist() == pytest.approx([6.5, 6.5, 5.5, 5.5])
    assert made.weight[0, 23] == 0


def test_nothing_there() -> None:
    """A picture of nothing asks for nothing."""
    made = target(np.zeros((0, 5), np.float32), CELLS)
    assert not made.hills.any()
    assert not made.weight.any()


def test_the_smaller_one_keeps_its_middle() -> None:
    """Where a small region lies in the middle of a large one, its middle answers for it."""
    made = target(np.array([[0, 0, 1, 1, 0], [0.42, 0.42, 0.6, 0.6, 1]], np.float32), CELLS)
    assert made.labels[12, 12] == 1
    assert (made.labels == 0).any()


def test_views() -> None:
    """A view still shows what its photo sells, and says where; the same seed gives the same."""
    shot = flat_shot()
    for seed in range(30):
        one, same = (view(shot, np.random.default_rng(seed), side=96) for _ in range(2))
        np.testing.assert_array_equal(one.pixels, same.pixels)
        (region,) = one.regions
        blue = one.pixels[..., 2].astype(int) - one.pixels[..., 0] > 60
        columns = np.flatnonzero(blue.any(axis=0))
        assert columns[0] / 96 == pytest.approx(region[0], abs=0.03)
        assert (columns[-1] + 1) / 96 == pytest.approx(region[2], abs=0.03)


def test_whole_view() -> None:
    """All of a photo is all of it."""
    np.testing.assert_allclose(whole_view(flat_shot(), side=96).regions[0, :4], [0.25, 0.2, 0.75, 0.8], atol=1e-6)


def test_learned_from() -> None:
    """What is learned from is decided by the seed, and works without anybody wearing anything."""
    pools = Pools.of([flat_shot(0), flat_shot(1)])
    for seed in range(20):
        one, same = (learned_from(np.random.default_rng(seed), pools, side=64) for _ in range(2))
        np.testing.assert_array_equal(one.pixels, same.pixels)
        assert one.mask.shape == (64, 64)
        assert len(one.regions) >= 1


def test_recolored_keeps_the_picture() -> None:
    """Other light changes colors, not what is where."""
    pixels = whole_view(flat_shot(), side=64).pixels
    for seed in range(30):
        made = recolored(pixels, np.random.default_rng(seed))
        assert made.dtype == np.uint8
        assert made.shape == pixels.shape
        inside = made[20:40, 24:40].astype(int).mean(axis=(0, 1))
        assert np.abs(inside - made[:8].astype(int).mean(axis=(0, 1))).max() > 5
