"""What cloth looks like: colors, patterns, weave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Field: TypeAlias = NDArray[np.float32]
"""float32 ``[height, width]``, or ``[height, width, 3]`` for colors, sRGB shares 0-1."""

Color: TypeAlias = tuple[int, int, int]

PATTERNS = ("plain", "melange", "stripes", "pinstripes", "checks", "gingham", "dots", "floral", "camouflage", "blocks")


@dataclass(frozen=True, slots=True)
class Fabric:
    """A kind of cloth.

    Args:
        color: Ground, sRGB 0-255.
        second: Of the pattern.
        third: Of the pattern's details.
        pattern: One of ``PATTERNS``.
        scale: Size of the pattern's repeat in body units.
        weave: ``jersey``, ``denim``, ``knit``, ``rib``, ``canvas``, ``satin``, ``leather`` or ``none``.
        seed: Of what is irregular in it.
    """

    color: Color
    second: Color = (255, 255, 255)
    third: Color = (90, 90, 90)
    pattern: str = "plain"
    scale: float = 0.4
    weave: str = "jersey"
    seed: int = 0


def dye(fabric: Fabric, u: Field, v: Field, pixel: float) -> Field:
    """The fabric's color at each point, unlit.

    Args:
        fabric: What to dye.
        u: Across the grain, body units, ``[h, w]``.
        v: Along the grain, body units, ``[h, w]``.
        pixel: Size of a pixel in body units: edges of the pattern are softened over it.

    Returns:
        float32 ``[h, w, 3]``, 0-1.
    """
    ground = np.empty((*u.shape, 3), dtype=np.float32)
    ground[:] = _rgb(fabric.color)
    painter = {
        "melange": _melange,
        "stripes": _stripes,
        "pinstripes": _pinstripes,
        "checks": _checks,
        "gingham": _gingham,
        "dots": _dots,
        "floral": _floral,
        "camouflage": _camouflage,
        "blocks": _blocks,
    }.get(fabric.pattern)
    return ground if painter is None else painter(fabric, ground, u, v, pixel)


def weave(kind: str, u: Field, v: Field, grain: Field) -> Field:
    """Relief of the weave: a factor around 1 for brightness, ``[h, w]``. ``grain`` is white noise of that shape."""
    turn = np.float32(2 * np.pi)
    relief: Field
    if kind == "rib":
        relief = 0.10 * np.sin(u * (turn / 0.075)) + 0.02 * grain
    elif kind == "knit":
        stitches = np.sin(v * (turn / 0.09) + 1.6 * np.abs(np.sin(u * (turn / 0.17))))
        relief = 0.075 * stitches + 0.02 * grain
    elif kind == "denim":
        relief = 0.05 * np.sin((u * 0.8 + v) * (turn / 0.035)) + 0.06 * grain
    elif kind == "canvas":
        threads = np.sin(u * (turn / 0.045)) * np.sin(v * (turn / 0.045))
        relief = 0.04 * threads + 0.03 * grain
    else:
        relief = {"jersey": 0.022, "satin": 0.006, "leather": 0.015}.get(kind, 0.0) * grain
    return relief.astype(np.float32) + np.float32(1)


def _rgb(color: Color) -> Field:
    return np.array(color, dtype=np.float32) / np.float32(255.0)


def _over(ground: Field, color: Color, share: Field) -> Field:
    """Paint ``color`` over the ground where ``share`` (0-1) says so."""
    out: Field = ground + (_rgb(color) - ground) * share[..., None].astype(np.float32)
    return out


def _step(distance: Field, pixel: float) -> Field:
    """1 where ``distance`` is positive, 0 where negative, softened over a pixel."""
    edge: Field = np.clip(distance / np.float32(1.5 * pixel) + np.float32(0.5), 0, 1)
    return edge


def _wave(x: Field, period: float) -> Field:
    """Distance from the nearest multiple of ``period``."""
    away: Field = np.abs((x / np.float32(period) + np.float32(0.5)) % 1 - np.float32(0.5)) * np.float32(period)
    return away


def _melange(fabric: Fabric, ground: Field, u: Field, v: Field, pixel: float) -> Field:
    """Flecks of another color, longer than wide, as of yarn spun from two."""
    short, long = _scatter(np.floor(u * 55), np.floor(v * 24), 1), _scatter(np.floor(u * 31), np.floor(v * 70), 2)
    return _over(ground, fabric.second, 0.10 + 0.16 * short + 0.14 * long)


def _stripes(fabric: Fabric, ground: Field, u: Field, v: Field, pixel: float) -> Field:
    return _over(ground, fabric.second, _step(np.float32(0.25 * fabric.scale) - _wave(v, fabric.scale), pixel))


def _pinstripes(fabric: Fabric, ground: Field, u: Field, v: Field, pixel: float) -> Field:
    period = 0.45 * fabric.scale
    return _over(ground, fabric.second, _step(np.float32(0.07 * period + 0.3 * pixel) - _wave(u, period), pixel) * 0.85)


def _checks(fabric: Fabric, ground: Field, u: Field, v: Field, pixel: float) -> Field:
    """A tartan: broad bands that cross, and thin lines of a third color between them."""
    out = ground
    period = 1.5 * fabric.scale
    for axis in (u, v):
        out = _over(out, fabric.second, 0.55 * _step(np.float32(0.2 * period) - _wave(axis, period), pixel))
    for axis in (u, v):
        line = _wave(axis - np.float32(period / 2), period)
        out = _over(out, fabric.third, 0.8 * _step(np.float32(0.03 * period) - line, pixel))
    return out


def _gingham(fabric: Fabric, ground: Field, u: Field, v: Field, pixel: float) -> Field:
    out = ground
    period = 0.6 * fabric.scale
    for axis in (u, v):
        out = _over(out, fabric.second, 0.5 * _step(np.float32(0.25 * period) - _wave(axis, period), pixel))
    return out


def _dots(fabric: Fabric, ground: Field, u: Field, v: Field, pixel: float) -> Field:
    period = 0.7 * fabric.scale
    row = np.floor(v / np.float32(period) + np.float32(0.5))
    x = _wave(u + row * np.float32(period / 2), period)
    distance = np.hypot(x, _wave(v, period))
    return _over(ground, fabric.second, _step(np.float32(0.24 * period) - distance, pixel))


def _floral(fabric: Fabric, ground: Field, u: Field, v: Field, pixel: float) -> Field:
    """Blossoms of five petals with a heart, and leaves, scattered over a jittered grid."""
    out = ground
    for layer, size in ((0, 1.0), (1, 0.72)):
        period = 0.85 * fabric.scale * (1.0 if layer == 0 else 0.81)
        x, y = u / np.float32(period) + np.float32(layer * 0.43), v / np.float32(period) + np.float32(layer * 0.71)
        column, row = np.floor(x), np.floor(y)
        jitter = _scatter(column, row, fabric.seed + layer)
        dx = x - column - (0.36 + 0.28 * jitter)
        dy = y - row - (0.36 + 0.28 * ((jitter * 7.3) % 1))
        angle = np.arctan2(dy, dx) + jitter * 6.28
        distance = np.hypot(dx, dy)
        leaf = np.hypot((dx + 0.16) * 1.0 + dy * 0.7, (dy - 0.16) * 1.9 - dx * 0.6)
        out = _over(out, fabric.third, _step((np.float32(0.13 * size) - leaf).astype(np.float32), pixel / period) * 0.9)
        petals = 0.20 * size * (0.72 + 0.28 * np.cos(5 * angle))
        out = _over(out, fabric.second, _step((petals - distance).astype(np.float32), pixel / period))
        heart = _step((np.float32(0.055 * size) - distance).astype(np.float32), pixel / period)
        out = _over(out, (236, 190, 70), heart)
    return out


def _scatter(column: Field, row: Field, seed: int) -> Field:
    """A number of 0-1 for each cell of a grid, without order (integer hashing: the same everywhere)."""
    mixed = column.astype(np.int64) * 374761393 + row.astype(np.int64) * 668265263 + seed * 1442695040
    mixed = ((mixed ^ (mixed >> 13)) * 1274126177) & 0x7FFFFFFF
    return ((mixed ^ (mixed >> 16)) % 1024).astype(np.float32) / np.float32(1024)


def _camouflage(fabric: Fabric, ground: Field, u: Field, v: Field, pixel: float) -> Field:
    out = ground
    phase = float(fabric.seed % 89)
    for number, color in enumerate((fabric.second, fabric.third)):
        a = phase + number * 4.1
        blots = np.sin(u * 4.1 + 1.9 * np.sin(v * 3.3 + a) + a) + np.sin(v * 5.2 + 1.7 * np.sin(u * 2.7 - a) - 2 * a)
        out = _over(out, color, _step((blots - 0.55).astype(np.float32), 6 * pixel))
    return out


def _blocks(fabric: Fabric, ground: Field, u: Field, v: Field, pixel: float) -> Field:
    """Color blocks: a band across the chest in one color with a line of another at its edges."""
    band = _step((np.float32(0.38) - np.abs(v - np.float32(1.15))).astype(np.float32), pixel)
    line = _step((np.float32(0.05) - np.abs(np.abs(v - np.float32(1.15)) - np.float32(0.43))).astype(np.float32), pixel)
    return _over(_over(ground, fabric.second, band), fabric.third, line)
