"""How good a region finder is: against its teacher on photos, and against the truth on made-up pictures.

Both on photos of owners that it never learned from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nitari.regions.base import RegionFinder
from nitari.training.finder_scenes import Picture, Pools, compose
from nitari.training.finder_shots import Regions
from nitari.types import Box, ByteArray, Photo

MATCH = 0.5
"""Boxes that share at least this much of their union are the same: the convention of PASCAL VOC's mAP@.5."""


@dataclass(slots=True)
class Judgment:
    """What was measured.

    Args:
        photos: How many were compared with the teacher.
        iou: Mean intersection over union of the largest region with the teacher's; nothing found counts 0.
        alike: Share of photos with at least .8.
        missed: Share of photos with less than .5.
        labeled: Share of the photos with a region whose largest labeled one has the photo's label.
        found: Regions a photo, on average.
        pictures: How many made-up pictures.
        precisions: Average precision by label, for labels that occur.
        map50: Their mean.
        boxes: Average precision whatever the label.
    """

    photos: int = 0
    iou: float = 0.0
    alike: float = 0.0
    missed: float = 0.0
    labeled: float = 0.0
    found: float = 0.0
    pictures: int = 0
    precisions: dict[str, float] = field(default_factory=dict)
    map50: float = 0.0
    boxes: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Taught:
    """A photo with what its teacher and its feed say.

    Args:
        pixels: uint8 ``[h, w, 3]``.
        box: The teacher's largest.
        label: What the feed says it is.
    """

    pixels: ByteArray
    box: Box
    label: str


@dataclass(frozen=True, slots=True)
class _Claim:
    """Something that a finder says: how sure it is, and whether it is right."""

    score: float
    right: bool


def against_teacher(
    finder: RegionFinder,
    photos: Sequence[Taught],
    labels: Sequence[str],
    judgment: Judgment,
    on_done: Callable[[int], None],
) -> None:
    """Fill in what photos tell. A region of none of ``labels``, as figures of many garments are, has a box only."""
    shared, right, counts = [], [], []
    for number, photo in enumerate(photos, start=1):
        found = finder.find(_photo(photo.pixels))
        counts.append(len(found))
        shared.append(float(iou(_row(found[0].box), _row(photo.box)[np.newaxis])[0]) if found else 0.0)
        if named := [region.label for region in found if region.label in labels]:
            right.append(named[0] == photo.label)
        on_done(number)
    judgment.photos = len(photos)
    judgment.iou = _mean(shared)
    judgment.alike = _mean([v >= 0.8 for v in shared])
    judgment.missed = _mean([v < 0.5 for v in shared])
    judgment.labeled = _mean(right)
    judgment.found = _mean(counts)


def against_truth(
    finder: RegionFinder,
    pools: Pools,
    labels: Sequence[str],
    judgment: Judgment,
    *,
    pictures: int,
    side: int,
    seed: int,
    margin: float,
    on_done: Callable[[int], None],
) -> None:
    """Fill in what made-up pictures tell.

    Args:
        finder: One that says what it is unsure of too: precision is measured at every threshold.
        pools: What to make pictures of.
        labels: By number.
        judgment: Where to.
        pictures: How many.
        side: Of a picture, pixels.
        seed: Which.
        margin: By how much of its sides the finder grows its boxes, on each side: the truth is grown likewise.
        on_done: Told how many are done.
    """
    claims: dict[int, list[_Claim]] = {number: [] for number in range(len(labels))}
    blind: list[_Claim] = []
    there = np.zeros(len(labels), np.int64)
    total = 0
    for number in range(pictures):
        picture = compose(np.random.default_rng([seed, number]), pools, side=side)
        truth = _grown(picture.regions, margin)
        total += len(truth)
        there += np.bincount(truth[truth[:, 4] >= 0, 4].astype(np.intp), minlength=len(labels))
        _judge(finder, picture, truth, labels, claims, blind)
        on_done(number + 1)
    judgment.pictures = pictures
    judgment.precisions = {
        labels[number]: average_precision(claims[number], int(there[number]))
        for number in range(len(labels))
        if there[number]
    }
    judgment.map50 = _mean(list(judgment.precisions.values()))
    judgment.boxes = average_precision(blind, total)


def average_precision(claims: Sequence[_Claim], there: int) -> float:
    """The area under precision over recall, precision made monotone (PASCAL VOC since 2010).

    Args:
        claims: In any order.
        there: How many there are to be found, at least one.
    """
    if not claims:
        return 0.0
    ordered = sorted(claims, key=lambda claim: -claim.score)
    hits = np.cumsum([claim.right for claim in ordered])
    precision = hits / np.arange(1, len(ordered) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(hits / there, prepend=0.0) * precision))


def iou(box: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of a box ``[4]`` with each of others ``[n, 4]``."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:4], others[:, 2:4])
    shared = (high - low).clip(0).prod(axis=1)
    areas = [(boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1]) for boxes in (box, others)]
    found: NDArray[np.float32] = shared / (areas[0] + areas[1] - shared)
    return found


def _judge(
    finder: RegionFinder,
    picture: Picture,
    truth: Regions,
    labels: Sequence[str],
    claims: dict[int, list[_Claim]],
    blind: list[_Claim],
) -> None:
    """Match what is found on one picture with what is there, the surest first; each is found once.

    Figures that hold several garments are regions with a label of their own: no claim that a garment is there.
    """
    taken, seen = set[int](), set[int]()
    claimed = [region for region in finder.find(_photo(picture.pixels)) if region.label in labels]
    for region in sorted(claimed, key=lambda region: -region.score):
        number = labels.index(region.label)
        shared = iou(_row(region.box), truth[:, :4])
        alike = [int(at) for at in np.argsort(-shared) if shared[at] >= MATCH]
        free = next((at for at in alike if at not in seen), None)
        blind.append(_Claim(region.score, free is not None))
        if free is not None:
            seen.add(free)
        own = next((at for at in alike if at not in taken and truth[at, 4] == number), None)
        if own is not None:
            taken.add(own)
        elif any(truth[at, 4] < 0 for at in alike):
            continue  # of what is there nobody knows the label
        claims[number].append(_Claim(region.score, own is not None))


def _grown(regions: Regions, margin: float) -> Regions:
    grown = regions.copy()
    sides = regions[:, 2:4] - regions[:, 0:2]
    grown[:, 0:2] = (regions[:, 0:2] - margin * sides).clip(0, 1)
    grown[:, 2:4] = (regions[:, 2:4] + margin * sides).clip(0, 1)
    return grown


def _photo(pixels: ByteArray) -> Photo:
    height, width = pixels.shape[:2]
    return Photo(pixels, width, height)


def _row(box: Box) -> NDArray[np.float32]:
    return np.array([box.x1, box.y1, box.x2, box.y2], np.float32)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else 0.0
