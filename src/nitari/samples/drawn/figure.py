"""The figure that wears the garments on the second photo: a body in the units that garments are cut in."""

from __future__ import annotations

from dataclasses import replace
from math import cos, radians, sin

import numpy as np

from nitari.samples.drawn.shapes import Outline, Part, Piece, Points, both, mirrored
from nitari.samples.drawn.tops import ARM_FROM, Cut, top


def _arm(degrees: float) -> Points:
    angle = radians(degrees)
    along, across = np.array([sin(angle), cos(angle)]), np.array([cos(angle), -sin(angle)])
    start = np.array(ARM_FROM)
    outer = [
        start - along * 0.3 + across * 0.16,
        start + along * 0.6 + across * 0.24,
        start + along * 1.5 + across * 0.16,
    ]
    outer += [
        start + along * 2.1 + across * 0.17,
        start + along * 2.9 + across * 0.10,
        start + along * 3.2 + across * 0.15,
    ]
    tip = [start + along * 3.45 + across * 0.12, start + along * 3.58 - across * 0.02]
    inner = [
        start + along * 3.2 - across * 0.15,
        start + along * 2.9 - across * 0.10,
        start + along * 2.1 - across * 0.17,
    ]
    inner += [start + along * 1.5 - across * 0.15, start + along * 0.6 - across * 0.22]
    return _smooth(np.array([*outer, *tip, *inner]))


def _smooth(points: Points) -> Points:
    """Round the corners of a polygon (Chaikin's corner cutting, thrice)."""
    for _ in range(3):
        after = np.roll(points, -1, axis=0)
        points = np.stack([points * 0.75 + after * 0.25, points * 0.25 + after * 0.75], axis=1).reshape(-1, 2)
    return points


def upper_body(arms: float) -> tuple[Part, ...]:
    """Neck, lower face, shoulders, torso and arms, held ``arms`` degrees from the vertical."""
    torso = Outline(0, -0.2).to((0.25, -0.5)).bend((0.25, -0.08), (0.50, 0.02)).bend((0.90, 0.10), (0.96, 0.42))
    torso.bend((0.80, 0.8), (0.76, 1.0)).bend((0.70, 1.5), (0.66, 1.9)).bend((0.74, 2.3), (0.78, 2.6)).to((0, 2.7))
    jaw = (
        Outline(0, -1.9)
        .bend((0.56, -1.9), (0.56, -1.25))
        .bend((0.54, -0.86), (0.22, -0.66))
        .bend((0.1, -0.6), (0, -0.6))
    )
    neck = Outline(0, -0.95).to((0.25, -0.95)).bend((0.25, -0.3), (0.34, -0.1)).to((0, 0.0))
    return (
        *both(Piece(_arm(arms), "skin", grain=-arms, round=1.2)),
        Piece(mirrored(torso.points()), "skin", round=0.5, shadow=0.12),
        Piece(mirrored(neck.points()), "skin", shade=0.93, shadow=0.0),
        Piece(mirrored(jaw.points()), "skin", round=1.2, shadow=0.5),
    )


def legs() -> tuple[Part, ...]:
    """Hips and legs."""
    hips = Outline(0, 1.7).to((0.64, 1.75)).bend((0.80, 2.4), (0.80, 2.8)).to((0.7, 3.0), (0, 3.06))
    leg = (
        Outline(0.80, 2.7)
        .bend((0.86, 3.6), (0.78, 4.3))
        .bend((0.86, 5.0), (0.68, 6.0))
        .to((0.70, 6.5), (0.36, 6.5), (0.42, 6.0))
    )
    leg.bend((0.30, 5.0), (0.36, 4.4)).bend((0.10, 3.8), (0.03, 3.1))
    foot = (
        Outline(0.36, 6.35)
        .to((0.70, 6.35))
        .bend((0.84, 6.75), (0.80, 6.95))
        .bend((0.6, 7.1), (0.40, 6.95))
        .bend((0.32, 6.7), (0.36, 6.35))
    )
    return (
        *both(Piece(foot.points(), "shoes", round=1.0)),
        Piece(mirrored(hips.points()), "skin"),
        *both(Piece(leg.points(), "skin", round=1.2, shadow=0.1)),
    )


def plain_top(sleeve: float = 0.95) -> tuple[Part, ...]:
    """What the figure wears above a skirt or under a blazer: a plain tee that is not for sale."""
    parts = top(Cut(sleeve=sleeve, length=2.35, ease=-0.02))
    return tuple(replace(part, paint="plain") if part.paint in ("main", "trim") else part for part in parts)


def plain_pants() -> tuple[Part, ...]:
    """What the figure wears below a top: plain slim pants."""
    half = Outline(0, 1.9).to((0.66, 1.9)).bend((0.82, 2.4), (0.82, 2.8)).bend((0.86, 4.4), (0.72, 6.3)).to((0.36, 6.3))
    return (Piece(mirrored(half.bend((0.2, 4.4), (0.02, 3.16)).to((0, 3.12)).points()), "plain", round=1.1),)


def head() -> tuple[Part, ...]:
    """A head and shoulders for hats, in the coordinates of hats."""
    hair = Outline(0, -0.5).bend((1.2, -0.5), (1.2, 0.6)).bend((1.26, 1.2), (1.02, 1.5)).to((0, 1.5)).points()
    face = Outline(0, -0.4).bend((1.05, -0.4), (1.06, 0.7)).bend((1.04, 1.7), (0.42, 2.12)).bend((0.2, 2.22), (0, 2.22))
    neck = (
        Outline(0, 1.4)
        .to((0.5, 1.5))
        .bend((0.48, 2.6), (0.72, 2.85))
        .bend((2.0, 3.05), (2.3, 3.9))
        .to((2.3, 4.6), (0, 4.6))
    )
    shirt = Outline(0, 3.35).bend((0.62, 3.3), (0.82, 2.84)).bend((2.0, 3.05), (2.34, 3.9)).to((2.4, 4.7), (0, 4.7))
    return (
        Piece(mirrored(hair), "hair", round=1.0),
        Piece(mirrored(neck.points()), "skin", shade=0.95),
        Piece(mirrored(shirt.points()), "plain"),
        Piece(mirrored(face.points()), "skin", round=1.0, shadow=0.5),
    )
