"""From pictures to what the network should answer for them: random views of photos, and cells of its output."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nitari.raster import resize
from nitari.training.finder_scenes import Picture, Pools, compose
from nitari.training.finder_shots import SIDE, Regions, Shot
from nitari.types import ByteArray, FloatArray

# The middle of a region is a hill on the cells: this share of its side is one standard deviation, or half a cell.
_HILL = 0.11
_LEAST_HILL = 0.55
# Cells as high up the hill as this one answer for the region's sides and label.
_ANSWERS = 0.35
# Of a photo's views, how many show all of it; the others at least this share of each side.
_ALL = 0.4
_ZOOM = 0.62
# A region cut by the view's rim stays one while this share of it is there; what it sells must stay whole to this share.
_KEPT = 0.4
_SOLD = 0.75
_MADE_UP = 0.5
_WORN = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """What the network should answer, cell by cell, for a picture of ``g`` x ``g`` cells.

    Args:
        hills: float32 ``[g, g]``: 1 in the cell of a region's middle, falling off around it.
        sides: float32 ``[4, g, g]``: distances to left, top, right, bottom, in cells; where ``weight`` is 0, anything.
        labels: int64 ``[g, g]``: of the region that the cell answers for, as in ``Shot.regions``.
        weight: float32 ``[g, g]``: how much the cell's sides and label count.
    """

    hills: FloatArray
    sides: FloatArray
    labels: NDArray[np.int64]
    weight: FloatArray


def target(regions: Regions, cells: int) -> Target:
    """What the network should answer for a picture with these regions."""
    hills = np.zeros((cells, cells), np.float32)
    sides = np.ones((4, cells, cells), np.float32)
    labels = np.full((cells, cells), -1, np.int64)
    weight = np.zeros((cells, cells), np.float32)
    middle = np.arange(cells) + 0.5
    areas = (regions[:, 2] - regions[:, 0]) * (regions[:, 3] - regions[:, 1])
    for x1, y1, x2, y2, number in regions[np.argsort(-areas)] * np.array([cells, cells, cells, cells, 1], np.float32):
        column, row = (min(cells - 1, int(v / 2)) for v in (x1 + x2, y1 + y2))
        spread_x, spread_y = (max(_LEAST_HILL, _HILL * side) for side in (x2 - x1, y2 - y1))
        across = np.square((middle - middle[column]) / spread_x)
        down = np.square((middle - middle[row]) / spread_y)
        hill = np.exp(-0.5 * (down[:, np.newaxis] + across)).astype(np.float32)
        inside = (middle > x1) & (middle < x2)
        within = ((middle > y1) & (middle < y2))[:, np.newaxis] & inside
        within[row, column] = True
        mine = (hill >= _ANSWERS) & within & (hill >= weight)
        hills = np.maximum(hills, hill)
        weight[mine] = hill[mine]
        labels[mine] = int(number)
        reach = np.stack(
            np.broadcast_arrays(middle - x1, (middle - y1)[:, np.newaxis], x2 - middle, (y2 - middle)[:, np.newaxis])
        )
        sides[:, mine] = np.maximum(reach[:, mine], 0.05)
    return Target(hills, sides, labels, weight)


def learned_from(rng: np.random.Generator, pools: Pools, *, side: int) -> Picture:
    """One picture to learn from: a view of a photo, or a made-up one; its colors changed a little.

    Args:
        rng: Decides everything.
        pools: Where photos come from.
        side: Of the picture, pixels.
    """
    if rng.random() < _MADE_UP:
        picture = compose(rng, pools, side=side)
    else:
        pool = pools.every
        if rng.random() < _WORN and len(worn := pools.upper if rng.random() < 0.5 else pools.lower):
            pool = worn
        picture = view(pool.draw(rng), rng, side=side)
    return Picture(recolored(picture.pixels, rng), picture.mask, picture.regions)


def whole_view(shot: Shot, *, side: int) -> Picture:
    """All of a photo."""
    return _view(shot, (0.0, 0.0, 1.0, 1.0), side)


def view(shot: Shot, rng: np.random.Generator, *, side: int) -> Picture:
    """A random part of a photo that still shows what it sells, mirrored half the time."""
    window = (0.0, 0.0, 1.0, 1.0)
    sold = shot.regions[0]
    if rng.random() > _ALL:
        across, down = rng.uniform(_ZOOM, 1.0, 2)
        x, y = rng.uniform(0, 1 - across), rng.uniform(0, 1 - down)
        shown_x = min(sold[2], x + across) - max(sold[0], x)
        shown_y = min(sold[3], y + down) - max(sold[1], y)
        if min(shown_x, shown_y) > 0 and shown_x * shown_y >= _SOLD * (sold[2] - sold[0]) * (sold[3] - sold[1]):
            window = (x, y, x + across, y + down)
    picture = _view(shot, window, side)
    if rng.random() < 0.5:
        return picture
    regions = picture.regions.copy()
    regions[:, [0, 2]] = 1 - regions[:, [2, 0]]
    return Picture(np.ascontiguousarray(picture.pixels[:, ::-1]), np.ascontiguousarray(picture.mask[:, ::-1]), regions)


def recolored(pixels: ByteArray, rng: np.random.Generator) -> ByteArray:
    """Other light: gain, gamma and a cast; sometimes another camera's noise, or no color at all."""
    table = np.arange(256, dtype=np.float32) / 255
    gamma = np.exp(rng.uniform(-0.35, 0.35))
    gains = rng.uniform(0.8, 1.2) * rng.uniform(0.88, 1.12, 3)
    tables = [np.clip(255 * gain * table**gamma, 0, 255).astype(np.uint8) for gain in gains]
    made = np.stack([tables[c][pixels[..., c]] for c in range(3)], axis=-1)
    kind = rng.random()
    if kind < 0.06:
        made = np.repeat(made.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    elif kind < 0.16:
        made = np.ascontiguousarray(made[..., rng.permutation(3)])
    elif kind < 0.3:
        noisy = made + rng.normal(0, rng.uniform(2, 10), made.shape).astype(np.float32)
        made = np.clip(noisy, 0, 255).astype(np.uint8)
    return made


def _view(shot: Shot, window: tuple[float, float, float, float], side: int) -> Picture:
    x1, y1, x2, y2 = window
    frame = (x1 * SIDE, y1 * SIDE, x2 * SIDE, y2 * SIDE)
    pixels = resize(shot.pixels, side, side, box=frame, filter="bilinear")
    mask = resize(shot.mask, side, side, box=frame, filter="bilinear")
    moved = shot.regions.copy()
    moved[:, [0, 2]] = (moved[:, [0, 2]] - x1) / (x2 - x1)
    moved[:, [1, 3]] = (moved[:, [1, 3]] - y1) / (y2 - y1)
    inside = moved.copy()
    inside[:, :4] = inside[:, :4].clip(0, 1)
    before = (moved[:, 2] - moved[:, 0]) * (moved[:, 3] - moved[:, 1])
    after = (inside[:, 2] - inside[:, 0]) * (inside[:, 3] - inside[:, 1])
    return Picture(pixels, mask, inside[after >= _KEPT * before])
