"""Pictures made up on the fly: cut-outs of known photos pasted onto grounds. What is where is known exactly.

The same seed makes the same picture. A cut-out is a whole photo with its mask as transparency and the regions that are
known on it; two figures, one that sells a top and one that sells pants, are joined at the hem into a third.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nitari.raster import resize
from nitari.training.finder_shots import FIGURE, SIDE, UNKNOWN, Regions, Shot, tight_box
from nitari.types import ByteArray

# How much of a region may be hidden by what is pasted later, or cut off by the picture's rim.
_HIDDEN = 0.2
_CUT_OFF = 0.3
# Thinner regions are not asked for: a cell of the output is a twenty-fourth of the side.
_LEAST_SIDE = 0.045
_TRIES = 12
_MOST = 4
# A mask that reaches the photo's rim along more of its length is cut off there: its cut-out would have a straight edge.
_AT_RIM = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """Something to learn from or to be judged by.

    Args:
        pixels: uint8 ``[side, side, 3]``.
        mask: uint8 ``[side, side]``, 255 = product.
        regions: What is to be found on it.
    """

    pixels: ByteArray
    mask: ByteArray
    regions: Regions


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """A photo without its ground: uint8 ``[h, w, 3]``, ``[h, w]`` opacity, and regions in shares of it."""

    pixels: ByteArray
    opacity: ByteArray
    aspect: float
    regions: Regions


class Pool:
    """Photos to draw from: those of rare labels oftener than their number would have it.

    A label's share is as its count to the power of 1 - ``leveling``. With the root, half the pictures are not tops, and
    a dozen bags not every tenth.

    Args:
        shots: In any order; may be empty, and is then not drawn from.
        leveling: 0 draws photos as often as they are there, 1 labels equally often.
    """

    def __init__(self, shots: Sequence[Shot], *, leveling: float = 0.5) -> None:
        self._shots = tuple(shots)
        labels = np.array([int(shot.regions[0, 4]) for shot in self._shots], dtype=np.intp)
        _, which, counts = np.unique(labels, return_inverse=True, return_counts=True)
        weights = counts[which] ** -leveling if labels.size else np.zeros(0)
        self._until = np.cumsum(weights / weights.sum() if labels.size else weights)

    def __len__(self) -> int:
        return len(self._shots)

    def draw(self, rng: np.random.Generator) -> Shot:
        """One of them."""
        return self._shots[min(int(np.searchsorted(self._until, rng.random(), side="right")), len(self._shots) - 1)]


@dataclass(frozen=True, slots=True)
class Pools:
    """What pictures are made of.

    Args:
        every: All photos with known regions.
        flat: Cut-outs of things that nobody wears.
        upper: Cut-outs of people who wear a top or jacket.
        lower: Of people who wear pants or shorts.
        ground: Photos whose surroundings make good grounds.
    """

    every: Pool
    flat: Pool
    upper: Pool
    lower: Pool
    ground: Pool

    @classmethod
    def of(cls, shots: Sequence[Shot], *, leveling: float = 0.5) -> Pools:
        """Photos, sorted by what they are good for; ``leveling`` as in ``Pool``."""
        good = [shot for shot in shots if usable(shot)]
        by_worn = {
            worn: Pool([shot for shot in good if shot.worn == worn], leveling=leveling)
            for worn in ("", "upper", "lower")
        }
        # A studio's white makes a ground only now and then; plain grounds are drawn anyway.
        ground = Pool([shot for shot in shots if not shot.worn])
        return cls(Pool(shots, leveling=leveling), by_worn[""], by_worn["upper"], by_worn["lower"], ground)


def usable(shot: Shot) -> bool:
    """Whether a photo makes a good cut-out: its figure is not most of it, and not cut off at its rim."""
    figure = shot.mask >= FIGURE
    if not 0.03 <= figure.mean() <= 0.85:
        return False
    rims = (figure[0], figure[-1], figure[:, 0], figure[:, -1])
    # Somebody who wears it is always cut off somewhere, at the thigh or at the waist.
    return bool(shot.worn) or max(rim.mean() for rim in rims) < _AT_RIM


def cut_out(shot: Shot) -> Cutout:
    """A photo's product, to be pasted elsewhere."""
    box = tight_box(shot.mask) or (0.0, 0.0, 1.0, 1.0)
    return _trimmed(Cutout(shot.pixels, _opacity(shot.mask), shot.aspect, shot.regions), box)


def joined(upper: Shot, lower: Shot) -> Cutout:
    """Somebody from head to toe: the upper figure down to its hem, over the lower one from its waist on."""
    hem = round(float(upper.regions[0, 3]) * SIDE)
    waist = min(round(float(lower.regions[0, 1]) * SIDE), SIDE - 8)
    # Pixels of the lower photo per pixel of the upper one, so that hips are as wide as hips.
    rows = slice(max(0, hem - 6), max(1, hem))
    hips_above = (upper.mask[rows] >= FIGURE).sum(axis=1).mean() * upper.aspect
    hips_below = (lower.mask[waist + 6 : waist + 18] >= FIGURE).sum(axis=1).mean() * lower.aspect
    scale = float(np.clip(hips_above / max(hips_below, 1.0), 0.5, 2.0))
    overlap = 8
    legs = round((SIDE - waist) * scale)
    across = max(8, round(SIDE * scale * lower.aspect / upper.aspect))
    height, width = hem - overlap + legs, max(SIDE, across)
    pixels = np.full((height, width, 3), 255, np.uint8)
    opacity = np.zeros((height, width), np.uint8)
    box = (0.0, float(waist), float(SIDE), float(SIDE))
    x, y = (width - across) // 2, hem - overlap
    x += (
        _middle(upper.mask[rows])
        - round(_middle(lower.mask[waist : waist + 18]) * across / SIDE)
        + ((width - SIDE) // 2 - (width - across) // 2)
    )
    x = int(np.clip(x, 0, width - across))
    pixels[y:, x : x + across] = resize(lower.pixels, across, legs, box=box, filter="bilinear")
    opacity[y:, x : x + across] = resize(_opacity(lower.mask), across, legs, box=box, filter="bilinear")
    left = (width - SIDE) // 2
    alpha = _opacity(upper.mask)[:hem, :, np.newaxis].astype(np.float32) / 255
    under = pixels[:hem, left : left + SIDE]
    pixels[:hem, left : left + SIDE] = (under + alpha * (upper.pixels[:hem].astype(np.float32) - under)).astype(
        np.uint8
    )
    part = opacity[:hem, left : left + SIDE]
    opacity[:hem, left : left + SIDE] = np.maximum(part, _opacity(upper.mask)[:hem])
    top = upper.regions[:1].copy()
    top[:, [0, 2]] = (top[:, [0, 2]] * SIDE + left) / width
    top[:, [1, 3]] = top[:, [1, 3]] * SIDE / height
    below = lower.regions.copy()
    below[:, [0, 2]] = (below[:, [0, 2]] * across + x) / width
    below[:, [1, 3]] = ((below[:, [1, 3]] * SIDE - waist) * scale + y) / height
    below[0, 1] = hem / height
    made = Cutout(pixels, opacity, upper.aspect * width / SIDE * SIDE / height, np.concatenate([top, below]))
    return _trimmed(made, tight_box(opacity) or (0.0, 0.0, 1.0, 1.0))


def scene(cutouts: Sequence[Cutout], ground: ByteArray, rng: np.random.Generator, *, side: int) -> Picture:
    """Cut-outs on a ground, none hiding much of another. Those for which there is no room are left out.

    Args:
        cutouts: At least one.
        ground: uint8 ``[side, side, 3]``.
        rng: Decides sizes and places.
        side: Pixels of the picture, which is stretched from one of a random aspect, as photos are.
    """
    canvas = ground.astype(np.float32)
    opacity = np.zeros((side, side), np.float32)
    placed: list[Regions] = []
    aspect = float(np.exp(rng.uniform(np.log(0.6), np.log(1.5))))
    for cutout in cutouts:
        spot = _place(cutout, placed, len(cutouts), aspect, rng)
        if spot is None:
            continue
        (x1, y1, x2, y2), regions = spot
        placed.append(regions)
        left, top = round(x1 * side), round(y1 * side)
        width, height = max(2, round((x2 - x1) * side)), max(2, round((y2 - y1) * side))
        shown = resize(cutout.pixels, width, height, filter="bilinear").astype(np.float32)
        alpha = resize(cutout.opacity, width, height, filter="bilinear").astype(np.float32) / 255
        rows, columns = slice(max(0, top), min(side, top + height)), slice(max(0, left), min(side, left + width))
        inner = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
        shown, alpha = shown[inner], alpha[inner]
        under = canvas[rows, columns]
        shade = rng.uniform(0.85, 1.12)
        under += alpha[..., np.newaxis] * (np.clip(shown * shade, 0, 255) - under)
        opacity[rows, columns] = np.maximum(opacity[rows, columns], alpha)
    regions = np.concatenate(placed) if placed else np.zeros((0, 5), np.float32)
    return Picture(canvas.astype(np.uint8), (opacity * 255).astype(np.uint8), regions)


def ground(rng: np.random.Generator, photos: Pool, *, side: int) -> ByteArray:
    """A ground: plain, a gradient, noise at some scale, or what surrounds the product on another photo."""
    kind = rng.choice(4, p=(0.25, 0.15, 0.1, 0.5))
    color = rng.uniform(0, 255, 3) if rng.random() < 0.6 else np.full(3, rng.uniform(150, 255))
    if kind == 0:
        made = np.broadcast_to(color, (side, side, 3)) + rng.normal(0, rng.uniform(0, 4), (side, side, 1))
    elif kind == 1:
        other = np.clip(color + rng.normal(0, 60, 3), 0, 255)
        y, x = np.mgrid[0:side, 0:side] / side
        angle = rng.uniform(0, 2 * np.pi)
        ramp = np.clip(0.5 + (x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle), 0, 1)[..., np.newaxis]
        made = color * ramp + other * (1 - ramp)
    elif kind == 2:
        cells = int(rng.integers(3, 60))
        coarse = np.clip(color + rng.normal(0, rng.uniform(5, 50), (cells, cells, 3)), 0, 255).astype(np.uint8)
        made = resize(coarse, side, side, filter="bilinear").astype(np.float64)
    else:
        return surroundings(photos.draw(rng), rng, side=side)
    return np.clip(made, 0, 255).astype(np.uint8)


def surroundings(shot: Shot, rng: np.random.Generator, *, side: int) -> ByteArray:
    """The widest strip beside the product on its photo, mirrored and stretched to a ground."""
    x1, y1, x2, y2 = tight_box(shot.mask) or (0.4, 0.4, 0.6, 0.6)
    strips = [(0.0, 0.0, 1.0, y1), (0.0, y2, 1.0, 1.0), (0.0, 0.0, x1, 1.0), (x2, 0.0, 1.0, 1.0)]
    best = max(strips, key=lambda strip: (strip[2] - strip[0]) * (strip[3] - strip[1]))
    left, top, right, bottom = (round(v * SIDE) for v in best)
    if min(right - left, bottom - top) < 10:
        return np.broadcast_to(shot.pixels[:4].mean(axis=(0, 1)).astype(np.uint8), (side, side, 3))
    strip = shot.pixels[top:bottom, left:right]
    axis = 0 if strip.shape[0] < strip.shape[1] else 1
    # Mirrored until it is about square, so that its grain keeps its size.
    copies = max(1, round(max(strip.shape[:2]) / min(strip.shape[:2])))
    tiled = np.concatenate([strip if i % 2 == 0 else np.flip(strip, axis) for i in range(copies)], axis=axis)
    zoom = rng.uniform(0.5, 1.0)
    height, width = tiled.shape[:2]
    x, y = rng.uniform(0, (1 - zoom) * width), rng.uniform(0, (1 - zoom) * height)
    box = (x, y, min(float(width), x + zoom * width), min(float(height), y + zoom * height))
    return resize(np.ascontiguousarray(tiled), side, side, box=box, filter="bilinear")


def compose(rng: np.random.Generator, pools: Pools, *, side: int, most: int = _MOST) -> Picture:
    """One made-up picture: one to ``most`` cut-outs, flat ones and figures, on some ground.

    Args:
        rng: Decides everything.
        pools: Where cut-outs and grounds come from; there may be no figures in them.
        side: Of the picture, pixels.
        most: Cut-outs on one picture.
    """
    figures = len(pools.upper) and len(pools.lower)
    cutouts = []
    for _ in range(int(rng.integers(1, most + 1))):
        kind = rng.random()
        if kind < 0.7 or not figures:
            made = cut_out(pools.flat.draw(rng))
        elif kind < 0.84:
            made = joined(pools.upper.draw(rng), pools.lower.draw(rng))
        else:
            made = cut_out((pools.upper if kind < 0.92 else pools.lower).draw(rng))
        cutouts.append(_mirrored(made) if rng.random() < 0.5 else made)
    return scene(cutouts, ground(rng, pools.ground, side=side), rng, side=side)


def _opacity(mask: ByteArray) -> ByteArray:
    """A mask as transparency: its soft rim made steeper, so that less of the old ground comes along."""
    steep: ByteArray = np.clip((mask.astype(np.float32) - 110) * (255 / 90), 0, 255).astype(np.uint8)
    return steep


def _middle(mask: ByteArray) -> int:
    """The mean column of a figure."""
    columns = np.flatnonzero((mask >= FIGURE).any(axis=0))
    return int(columns.mean()) if columns.size else mask.shape[1] // 2


def _mirrored(cutout: Cutout) -> Cutout:
    regions = cutout.regions.copy()
    regions[:, [0, 2]] = 1 - regions[:, [2, 0]]
    pixels, opacity = np.ascontiguousarray(cutout.pixels[:, ::-1]), np.ascontiguousarray(cutout.opacity[:, ::-1])
    return Cutout(pixels, opacity, cutout.aspect, regions)


def _trimmed(cutout: Cutout, box: tuple[float, float, float, float]) -> Cutout:
    """A cut-out without the empty rows and columns around ``box``."""
    height, width = cutout.opacity.shape
    x1, y1, x2, y2 = round(box[0] * width), round(box[1] * height), round(box[2] * width), round(box[3] * height)
    regions = cutout.regions.copy()
    regions[:, [0, 2]] = ((regions[:, [0, 2]] * width - x1) / (x2 - x1)).clip(0, 1)
    regions[:, [1, 3]] = ((regions[:, [1, 3]] * height - y1) / (y2 - y1)).clip(0, 1)
    aspect = cutout.aspect * ((x2 - x1) / width) / ((y2 - y1) / height)
    pixels = np.ascontiguousarray(cutout.pixels[y1:y2, x1:x2])
    return Cutout(pixels, np.ascontiguousarray(cutout.opacity[y1:y2, x1:x2]), aspect, regions)


def _place(
    cutout: Cutout, placed: list[Regions], crowd: int, aspect: float, rng: np.random.Generator
) -> tuple[tuple[float, float, float, float], Regions] | None:
    """Where a cut-out goes, as a box in shares that may reach over the rim, and its regions there; or nowhere."""
    for _ in range(_TRIES):
        # Its longer side, as a share of the picture's.
        figure = len(cutout.regions) > 1  # of its regions, each must be seen
        least = (0.75, 0.6, 0.5)[min(crowd, 3) - 1] if figure else (0.45, 0.4, 0.32)[min(crowd, 3) - 1]
        size = rng.uniform(least, (1.0, 0.9, 0.75)[min(crowd, 3) - 1])
        shape = cutout.aspect / aspect
        width, height = (size, size / shape) if shape >= 1 else (size * shape, size)
        loose = 0.12 if rng.random() < 0.25 else 0.0  # some reach over the rim
        x = rng.uniform(-loose * width, max(1 - width, 0) + loose * width)
        y = rng.uniform(-loose * height, max(1 - height, 0) + loose * height)
        regions = cutout.regions.copy()
        regions[:, [0, 2]] = regions[:, [0, 2]] * width + x
        regions[:, [1, 3]] = regions[:, [1, 3]] * height + y
        inside = regions.copy()
        inside[:, :4] = inside[:, :4].clip(0, 1)
        seen = (inside[:, 2:4] - inside[:, 0:2]).min(axis=1) >= _LEAST_SIDE
        kept = seen & (_areas(inside) >= (1 - _CUT_OFF) * _areas(regions))
        if not kept[0]:
            continue
        frame = np.array([[x, y, x + width, y + height, UNKNOWN]], np.float32)
        if all((_overlap(frame, other) <= _HIDDEN * _areas(other)).all() for other in placed):
            return (x, y, x + width, y + height), inside[kept]
    return None


def _areas(regions: Regions) -> NDArray[np.float32]:
    sides = (regions[:, 2:4] - regions[:, 0:2]).clip(0)
    areas: NDArray[np.float32] = sides[:, 0] * sides[:, 1]
    return areas


def _overlap(one: Regions, others: Regions) -> NDArray[np.float32]:
    """Area that one region shares with each of others."""
    low, high = np.maximum(one[:, 0:2], others[:, 0:2]), np.minimum(one[:, 2:4], others[:, 2:4])
    sides = (high - low).clip(0)
    shared: NDArray[np.float32] = sides[:, 0] * sides[:, 1]
    return shared
