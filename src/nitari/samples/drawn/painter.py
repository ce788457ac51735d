"""Parts to pixels: antialiased outlines, cloth with folds, light from the upper left, soft shadows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nitari.samples.drawn.canvas import draw_lines, fill
from nitari.samples.drawn.fabric import Fabric, Field, dye, weave
from nitari.samples.drawn.shapes import Part, Piece, Points, Stroke

Wardrobe = Mapping[str, Fabric]
"""Which fabric each ``paint`` is."""

LIGHT = (-0.55, -0.83)
"""Toward the light, in the picture's plane."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Body units to pixels: scaled, turned, moved.

    Args:
        scale: Pixels in a body unit.
        x: Where the body's origin is, pixels.
        y: Where the body's origin is, pixels.
        angle: Degrees, clockwise.
    """

    scale: float
    x: float
    y: float
    angle: float = 0.0

    def pixels(self, points: Points) -> Points:
        """Points in pixels."""
        turn = np.radians(self.angle)
        matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) * self.scale
        moved: Points = points @ matrix + np.array([self.x, self.y])
        return moved

    def units(self, x: Field, y: Field, *, grain: float) -> tuple[Field, Field]:
        """Pixels in body units, turned along the grain."""
        turn = np.radians(self.angle + grain)
        dx, dy = (x - np.float32(self.x)) / np.float32(self.scale), (y - np.float32(self.y)) / np.float32(self.scale)
        cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
        return dx * cos + dy * sin, dy * cos - dx * sin


class Layer:
    """A transparent sheet that parts are painted on, one over the other.

    Args:
        size: ``(width, height)`` in pixels.
        placement: Where the body is on it.
        folds: How strongly cloth is creased.
        generator: Where folds and the cloth's noise come from.
    """

    def __init__(
        self, size: tuple[int, int], placement: Placement, *, folds: float, generator: np.random.Generator
    ) -> None:
        width, height = size
        self.size = size
        self.rgb: Field = np.zeros((height, width, 3), dtype=np.float32)
        """Premultiplied color, 0-1."""
        self.alpha: Field = np.zeros((height, width), dtype=np.float32)
        self._place = placement
        self._folds = folds
        self._random = generator
        self._noise = generator.standard_normal((height, width), dtype=np.float32)

    def paint(self, parts: Sequence[Part], wardrobe: Wardrobe) -> None:
        """Paint the parts in order."""
        for part in parts:
            if isinstance(part, Piece):
                self._piece(part, wardrobe[part.paint])
            else:
                self._stroke(part, wardrobe)

    def _piece(self, piece: Piece, fabric: Fabric) -> None:
        points = self._place.pixels(piece.outline)
        soft = 0.11 * self._place.scale
        window = self._window(points, margin=2.5 * soft)
        if window is None:
            return
        rows, columns, local = window
        mask = fill(points - local, (columns.stop - columns.start, rows.stop - rows.start))
        y, x = np.mgrid[rows, columns].astype(np.float32)
        u, v = self._place.units(x, y, grain=piece.grain)
        light = self._light(mask, piece, fabric, u, v, soft)
        color = dye(fabric, u, v, 1.0 / self._place.scale)
        color = np.where(
            light[..., None] < 1, color * light[..., None], color + (1 - color) * (light[..., None] - 1) * 0.7
        )
        rgb, alpha = self.rgb[rows, columns], self.alpha[rows, columns]
        if piece.shadow:
            offset = max(1, round(0.03 * self._place.scale))
            cast = shifted(blur(mask, 0.07 * self._place.scale), offset // 2, offset)
            rgb *= (1 - piece.shadow * cast)[..., None]
        rgb *= (1 - mask)[..., None]
        rgb += np.clip(color, 0, 1) * mask[..., None]
        alpha += mask * (1 - alpha)

    def _light(self, mask: Field, piece: Piece, fabric: Fabric, u: Field, v: Field, soft: float) -> Field:
        """Brightness of the cloth: roundness from its outline, folds, weave."""
        inside = blur(mask, soft)
        dy, dx = np.gradient(inside)
        slope = -(dx * np.float32(LIGHT[0]) + dy * np.float32(LIGHT[1])) * np.float32(soft)
        edge = np.clip((inside - 0.5) * 2, 0, 1)
        light = 1 + piece.round * (0.34 * slope - 0.16 * (1 - edge) ** 2)
        cloth = fabric.weave not in ("none", "leather")
        if self._folds and cloth:
            light += np.float32(self._folds * min(piece.round, 1.2)) * _folds(self._random, u, v)
        if fabric.weave in ("satin", "leather", "none"):
            light += np.float32(0.10 * piece.round) * np.clip(slope * 3, 0, 1) ** 2
        light *= weave(fabric.weave, u, v, self._noise[: mask.shape[0], : mask.shape[1]])
        lit: Field = (light * np.float32(piece.shade)).astype(np.float32)
        return lit

    def _stroke(self, stroke: Stroke, wardrobe: Wardrobe) -> None:
        points = self._place.pixels(stroke.path)
        width = max(0.6, stroke.width * self._place.scale)
        window = self._window(points, margin=width + 2)
        if window is None:
            return
        rows, columns, local = window
        size = (columns.stop - columns.start, rows.stop - rows.start)
        lines = _dashes(points - local, stroke.dash * self._place.scale) if stroke.dash else [points - local]
        mask = draw_lines(lines, width, size)
        rgb, alpha = self.rgb[rows, columns], self.alpha[rows, columns]
        if stroke.clip:
            mask = mask * alpha
        share = (mask * np.float32(stroke.opacity))[..., None]
        if stroke.paint == "seam":
            rgb *= 1 - 0.42 * share
            return
        if stroke.paint == "shine":
            rgb += (alpha[..., None] - rgb) * share * 0.35
            return
        color = np.array(wardrobe[stroke.paint].color, dtype=np.float32) / np.float32(255)
        if width > 3.5:  # wide enough to look round: a strap, a cord, a neckband
            inside = blur(mask, 0.3 * width)
            dy, dx = np.gradient(inside)
            slope = -(dx * np.float32(LIGHT[0]) + dy * np.float32(LIGHT[1])) * np.float32(0.5 * width)
            light = np.clip(1 + 0.5 * slope - 0.1 * (1 - inside), 0.5, 1.25)[..., None]
            color = np.where(light < 1, color * light, color + (1 - color) * (light - 1))
        rgb *= 1 - share
        rgb += color * share
        alpha += share[..., 0] * (1 - alpha)

    def _window(self, points: Points, *, margin: float) -> tuple[slice, slice, Points] | None:
        """The part of the sheet around ``points``: rows, columns, and its corner; ``None`` if it is off the sheet."""
        width, height = self.size
        x1, y1 = np.floor(points.min(axis=0) - margin).astype(int)
        x2, y2 = np.ceil(points.max(axis=0) + margin).astype(int)
        x1, y1, x2, y2 = max(0, int(x1)), max(0, int(y1)), min(width, int(x2)), min(height, int(y2))
        if x2 - x1 < 2 or y2 - y1 < 2:
            return None
        return slice(y1, y2), slice(x1, x2), np.array([x1, y1], dtype=np.float64)


def blur(field: Field, radius: float) -> Field:
    """Blur about as a Gaussian of this standard deviation (pixels) does: running means, twice each way.

    Wide blurs are made at half the size, where nobody sees the difference and it costs a quarter.
    """
    if radius >= 4 and min(field.shape) >= 8:
        height, width = field.shape
        even = np.pad(field, ((0, height % 2), (0, width % 2)), mode="edge")
        small = (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) * np.float32(0.25)
        wide = np.repeat(np.repeat(blur(small, radius / 2), 2, axis=0), 2, axis=1)[:height, :width]
        return _running_mean(_running_mean(wide, 1, 0), 1, 1)
    reach = max(1, round(radius * 1.2))
    for axis in (0, 1):
        for _ in range(2):
            field = _running_mean(field, reach, axis)
    return field


def _running_mean(field: Field, reach: int, axis: int) -> Field:
    """Mean over ``2 * reach + 1`` neighbors along ``axis``; the border goes on beyond it."""
    padding = [(0, 0), (0, 0)]
    padding[axis] = (reach + 1, reach)
    total = np.cumsum(np.pad(field, padding, mode="edge"), axis=axis, dtype=np.float32)
    span = 2 * reach + 1
    sums = total[span:] - total[:-span] if axis == 0 else total[:, span:] - total[:, :-span]
    mean: Field = sums * np.float32(1 / span)
    return mean


def shifted(field: Field, right: int, down: int) -> Field:
    """The field moved by whole pixels (both at least 0); its border fills what becomes free."""
    height, width = field.shape
    return np.pad(field, ((down, 0), (right, 0)), mode="edge")[:height, :width]


def _folds(generator: np.random.Generator, u: Field, v: Field) -> Field:
    """Soft creases: a few warped waves across and along the cloth, about -1 to 1."""
    total = np.zeros_like(u)
    for tilt in (0.25, -0.45, 1.2, -1.0):
        phase, warp, length = generator.uniform(0, 6.28), generator.uniform(0, 6.28), generator.uniform(1.6, 3.2)
        turn = tilt + generator.uniform(-0.25, 0.25)
        across = u * np.float32(np.cos(turn)) + v * np.float32(np.sin(turn))
        along = v * np.float32(np.cos(turn)) - u * np.float32(np.sin(turn))
        wave = np.sin(across * np.float32(2 * np.pi / (0.28 * length)) + 1.8 * np.sin(along * 1.3 + warp) + phase)
        fade = 0.5 + 0.5 * np.sin(along * np.float32(1.1) + across * np.float32(0.9) + warp * 2)
        total += wave * fade
    return (total / 2).astype(np.float32)


def _dashes(points: Points, length: float) -> list[Points]:
    """The line cut into dashes of ``length`` pixels with gaps of about as much."""
    steps = np.hypot(*np.diff(points, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    length = max(length, 1.6)
    starts = np.arange(0, along[-1] - length, 1.8 * length)
    ends = starts + length
    both_ends = [np.stack([np.interp(at, along, points[:, axis]) for axis in (0, 1)], axis=1) for at in (starts, ends)]
    return [np.stack([a, b]) for a, b in zip(*both_ends, strict=True)]
