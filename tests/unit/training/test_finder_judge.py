"""How finders are judged."""

from __future__ import annotations

import numpy as np
import pytest

from nitari.training.finder_judge import (
    Judgment,
    Taught,
    _Claim,
    against_teacher,
    against_truth,
    average_precision,
    iou,
)
from nitari.training.finder_scenes import Pools, compose
from nitari.types import Box, Photo, Region
from support.shots import flat_shot

LABELS = ("top", "pants")


class Finds:
    """Finds the same on every photo."""

    fingerprint = "x"
    short_side = 0

    def __init__(self, *regions: Region) -> None:
        self._regions = regions

    def find(self, photo: Photo) -> tuple[Region, ...]:
        """What it was made with."""
        return self._regions


class Knows:
    """Finds what is there on the made-up pictures, since it makes them too."""

    fingerprint = "x"
    short_side = 0

    def __init__(self, pools: Pools, *, relabel: bool = False, more: tuple[Region, ...] = ()) -> None:
        self._pools = pools
        self._relabel = relabel
        self._more = more
        self._number = 0

    def find(self, photo: Photo) -> tuple[Region, ...]:
        """The truth about the next picture."""
        picture = compose(np.random.default_rng([1, self._number]), self._pools, side=96)
        self._number += 1
        there = (
            Region(Box(*(float(v) for v in row[:4])), LABELS[int(row[4]) ^ int(self._relabel)], 0.9)
            for row in picture.regions
        )
        return (*self._more, *there)


@pytest.fixture(scope="module")
def pools() -> Pools:
    """A top and pants."""
    return Pools.of([flat_shot(0), flat_shot(1)])


def test_iou() -> None:
    """Shared area over joint area."""
    others = np.array([[0, 0, 1, 1], [0.5, 0, 1.5, 1], [2, 2, 3, 3]], np.float32)
    np.testing.assert_allclose(iou(np.array([0, 0, 1, 1], np.float32), others), [1, 1 / 3, 0])


def test_average_precision() -> None:
    """The textbook: all found and nothing else is 1; a wrong claim costs only those below it."""
    right, wrong = (lambda score: _Claim(score, True)), (lambda score: _Claim(score, False))
    assert average_precision([right(0.9), right(0.8)], 2) == 1
    assert average_precision([right(0.9), right(0.8), wrong(0.1)], 2) == 1
    assert average_precision([wrong(0.9), right(0.8)], 1) == pytest.approx(0.5)
    assert average_precision([right(0.9)], 2) == pytest.approx(0.5)
    assert average_precision([right(0.9), wrong(0.8), right(0.7)], 2) == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert average_precision([], 3) == 0


def test_against_the_teacher() -> None:
    """The largest region counts; nothing found counts 0."""
    pixels = np.zeros((8, 8, 3), np.uint8)
    photos = [Taught(pixels, Box(0, 0, 1, 1), "top"), Taught(pixels, Box(0, 0, 0.5, 1), "pants")]
    judgment, done = Judgment(), list[int]()
    found = Region(Box(0, 0, 1, 1), "top", 0.9), Region(Box(0, 0, 0.1, 0.1), "pants", 0.9)
    against_teacher(Finds(*found), photos, LABELS, judgment, done.append)
    assert (judgment.iou, judgment.alike, judgment.labeled, judgment.found) == (0.75, 0.5, 0.5, 2)
    assert done == [1, 2]
    against_teacher(Finds(), photos, LABELS, judgment, done.append)
    assert (judgment.iou, judgment.missed, judgment.labeled) == (0, 1, 0)


def test_figures_of_many_garments_are_not_labels(pools: Pools) -> None:
    """A region labeled outfit, as the finder in use gives it, is a box for the teacher and no claim that is judged."""
    outfit = Region(Box(0, 0, 1, 1), "outfit", 1.0)
    photos = [Taught(np.zeros((8, 8, 3), np.uint8), Box(0, 0, 1, 1), "top")]
    judgment = Judgment()
    found = outfit, Region(Box(0, 0, 1, 0.5), "top", 0.9)
    against_teacher(Finds(*found), photos, LABELS, judgment, lambda _done: None)
    assert (judgment.iou, judgment.labeled, judgment.found) == (1, 1, 2)
    against_truth(
        Knows(pools, more=(outfit,)), pools, LABELS, judgment, pictures=12, side=96, seed=1, margin=0.0,
        on_done=lambda _done: None,
    )  # fmt: skip
    assert (judgment.map50, judgment.boxes) == (1, 1)


def test_against_the_truth(pools: Pools) -> None:
    """Who knows the truth gets 1; who mixes up labels finds boxes and no garment; who finds nothing gets 0."""

    def judged(finder: Knows | Finds) -> Judgment:
        judgment = Judgment()
        against_truth(
            finder, pools, LABELS, judgment, pictures=12, side=96, seed=1, margin=0.0, on_done=lambda _done: None
        )
        return judgment

    right = judged(Knows(pools))
    assert (right.map50, right.boxes, right.pictures) == (1, 1, 12)
    assert set(right.precisions) == set(LABELS)
    mixed = judged(Knows(pools, relabel=True))
    assert mixed.boxes == 1
    assert mixed.map50 < 0.5
    assert (judged(Finds()).map50, judged(Finds()).boxes) == (0, 0)
