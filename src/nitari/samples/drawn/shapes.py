"""What garments are cut from: outlines, pieces and strokes, in units of a body.

All garments share one body, seen from the front: ``x`` to the right, ``y`` downward, ``(0, 0)`` between the shoulders,
the shoulders at ``x = ±1``, the waist at ``y = 1.9``, the crotch at ``y = 3.1``, the ankles at ``y = 6.2``. So anything
fits on the same figure. Bags, hats and shoes have coordinates of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

Points: TypeAlias = NDArray[np.float64]
"""float64 ``[n, 2]``, x and y in body units."""

STEPS = 18


class Outline:
    """Builds a path from lines and Bézier curves.

    Args:
        x: Where it starts.
        y: Where it starts.
    """

    def __init__(self, x: float, y: float) -> None:
        self._points: list[tuple[float, float]] = [(x, y)]

    def to(self, *corners: tuple[float, float]) -> Self:
        """Straight lines through ``corners``."""
        self._points.extend(corners)
        return self

    def bend(self, control: tuple[float, float], end: tuple[float, float]) -> Self:
        """A quadratic Bézier curve to ``end``, drawn toward ``control``."""
        x0, y0 = self._points[-1]
        for step in range(1, STEPS + 1):
            t = step / STEPS
            a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t * t
            self._points.append((a * x0 + b * control[0] + c * end[0], a * y0 + b * control[1] + c * end[1]))
        return self

    def points(self) -> Points:
        """The path as points."""
        return np.array(self._points, dtype=np.float64)


def flipped(points: Points) -> Points:
    """The mirror image about the body's middle."""
    image: Points = points * np.array([-1.0, 1.0])
    return image


def mirrored(half: Points) -> Points:
    """A symmetric outline from its right half, which runs from one point of the middle to another."""
    return np.concatenate([half, flipped(half)[::-1]])


def ellipse(x: float, y: float, rx: float, ry: float, *, start: float = 0.0, end: float = 360.0) -> Points:
    """An ellipse, or the arc of it from ``start`` to ``end`` degrees (0 is right, 90 is down)."""
    angles = np.radians(np.linspace(start, end, 49))
    return np.stack([x + rx * np.cos(angles), y + ry * np.sin(angles)], axis=1)


def rounded(x1: float, y1: float, x2: float, y2: float, radius: float) -> Points:
    """A rectangle with round corners."""
    left, right, top, bottom = x1 + radius, x2 - radius, y1 + radius, y2 - radius
    corners = ((right, top, -90), (right, bottom, 0), (left, bottom, 90), (left, top, 180))
    return np.concatenate([ellipse(x, y, radius, radius, start=a, end=a + 90)[::6] for x, y, a in corners])


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A patch of cloth (or skin, sole, leather).

    Args:
        outline: Closed polygon.
        paint: Which of the wardrobe's fabrics it is made of.
        grain: Degrees by which its pattern is turned (a sleeve's runs along the arm).
        round: How strongly it is shaded as something round, 0 is flat.
        shade: Brightness of the whole piece.
        shadow: How strongly it darkens what lies under it, 0-1.
        behind: Whether it is behind who wears it.
    """

    outline: Points
    paint: str = "main"
    grain: float = 0.0
    round: float = 1.0
    shade: float = 1.0
    shadow: float = 0.35
    behind: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Stroke:
    """A line: a seam, a stitching, a zip, a strap.

    Args:
        path: Open line.
        width: In body units.
        paint: As for a piece; ``seam`` and ``stitch`` darken and lighten what is there.
        opacity: 0-1.
        dash: Length of dashes in body units; 0 for an unbroken line.
        clip: Whether it shows only where something is drawn already.
        behind: Whether it is behind who wears it.
    """

    path: Points
    width: float = 0.025
    paint: str = "seam"
    opacity: float = 0.55
    dash: float = 0.0
    clip: bool = True
    behind: bool = False


Part: TypeAlias = Piece | Stroke


def both(*parts: Part) -> tuple[Part, ...]:
    """The parts and their mirror images."""
    out: list[Part] = []
    for part in parts:
        out.append(part)
        if isinstance(part, Piece):
            out.append(replace(part, outline=flipped(part.outline), grain=-part.grain))
        else:
            out.append(replace(part, path=flipped(part.path)))
    return tuple(out)


def moved(parts: tuple[Part, ...], x: float, y: float, *, scale: float = 1.0) -> tuple[Part, ...]:
    """The parts, scaled about the origin and then shifted."""
    shift = np.array([x, y])
    out: list[Part] = []
    for part in parts:
        if isinstance(part, Piece):
            out.append(replace(part, outline=part.outline * scale + shift))
        else:
            out.append(replace(part, path=part.path * scale + shift, width=part.width * scale, dash=part.dash * scale))
    return tuple(out)


def bounds(parts: tuple[Part, ...]) -> tuple[float, float, float, float]:
    """``x1, y1, x2, y2`` around all pieces and strokes."""
    points = np.concatenate([part.outline if isinstance(part, Piece) else part.path for part in parts])
    (x1, y1), (x2, y2) = points.min(axis=0), points.max(axis=0)
    return float(x1), float(y1), float(x2), float(y2)
