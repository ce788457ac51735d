"""Patterns for what is worn above the waist, and dresses: one parametric cut with many fittings."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import cos, radians, sin

import numpy as np

from nitari.samples.drawn.shapes import Outline, Part, Piece, Points, Stroke, both, ellipse, mirrored, rounded

ARM_FROM = (0.90, 0.42)
"""Where arms begin."""


def arm_angle(sleeve: float) -> float:
    """Degrees between an arm and the vertical: long sleeves hang closer, so that they fit a picture."""
    return 15.0 if sleeve > 1.5 else 27.0


@dataclass(frozen=True, slots=True)
class Cut:
    """How a top is cut.

    Args:
        neck: ``crew``, ``v``, ``scoop``, ``boat``, ``high``, ``shirt``, ``hood``, ``lapel`` or ``straps``.
        sleeve: Length along the arm in body units; 0 for none.
        length: Where the hem is.
        ease: How much wider than the body.
        flare: How much wider the hem is than the waist.
        waist: How far it is taken in at the waist.
        front: ``closed``, ``buttons``, ``zip``, ``polo`` or ``open``.
        ribbed: Whether hem and cuffs are ribbed bands.
        pockets: ``none``, ``chest``, ``kangaroo``, ``flaps`` or ``slits``.
        belt: Whether there is a belt (dresses, coats).
        tiers: Seams across the skirt part of a dress.
    """

    neck: str = "crew"
    sleeve: float = 0.95
    length: float = 2.85
    ease: float = 0.0
    flare: float = 0.0
    waist: float = 0.05
    front: str = "closed"
    ribbed: bool = False
    pockets: str = "none"
    belt: bool = False
    tiers: int = 0


_NECKS = {
    "crew": (0.36, 0.30),
    "v": (0.36, 0.82),
    "scoop": (0.46, 0.62),
    "boat": (0.60, 0.12),
    "high": (0.30, 0.05),
    "shirt": (0.33, 0.24),
    "hood": (0.42, 0.42),
    "lapel": (0.34, 1.30),
    "straps": (0.48, 0.66),
}


def top(cut: Cut) -> tuple[Part, ...]:
    """The parts of a top or dress, from the lowest layer up."""
    width, depth = _NECKS[cut.neck]
    parts: list[Part] = []
    if cut.neck == "hood":
        parts += [
            Piece(_hood_behind(), "main", shade=0.86, behind=True),
            Piece(ellipse(0, 0.06, 0.48, 0.47), "inside", round=0.4, behind=True),
        ]
    else:
        parts.append(Piece(_back_of_neck(width, depth), "inside", round=0.2, shadow=0.0, behind=True))
        if cut.neck in ("crew", "v", "scoop"):
            parts.append(Stroke(_back_neckline(width), 0.075, "trim", 1.0, behind=True))
    parts += _sleeves(cut)
    parts.append(Piece(_body(cut, width, depth), "main"))
    parts += _front(cut, depth)
    parts += _hem(cut)
    parts += _neck(cut, width, depth)
    parts += _pockets(cut)
    if cut.belt:
        x = _side_at(cut, 1.9)
        half = Outline(0, 1.82).bend((x / 2, 1.84), (x + 0.01, 1.78)).to((x + 0.01, 1.94)).bend((x / 2, 2.0), (0, 1.98))
        parts += [Piece(mirrored(half.points()), "trim", round=0.6), Piece(rounded(-0.1, 1.8, 0.1, 2.0, 0.02), "metal")]
    return tuple(parts)


def _side_at(cut: Cut, y: float) -> float:
    """Half the body's width at height ``y`` (between armpit and hem)."""
    knots = _side(cut)
    return float(np.interp(y, [knot[1] for knot in knots], [knot[0] for knot in knots]))


def _side(cut: Cut) -> list[tuple[float, float]]:
    """The side seam from the armpit to the hem."""
    armpit = (0.80 + cut.ease, 0.95 if cut.sleeve else 0.88)
    waist = (0.78 + cut.ease - cut.waist, 1.9)
    hip = (0.82 + cut.ease + cut.flare * max(0.0, min(1.0, (2.7 - 1.9) / max(0.1, cut.length - 1.9))), 2.7)
    hem = (0.82 + cut.ease + cut.flare, cut.length)
    return [armpit, waist, hem] if cut.length <= 2.75 else [armpit, waist, hip, hem]


def _body(cut: Cut, width: float, depth: float) -> Points:
    """Front of the body."""
    knots = _side(cut)
    armpit = knots[0]
    path = Outline(0, depth)
    if cut.neck in ("v", "lapel"):
        path.bend((width * 0.62, depth * 0.42), (width, -0.08))
    elif cut.neck == "straps":
        path.bend((width * 0.9, depth), (width, 0.1)).to((width, -0.04), (width + 0.16, -0.03))
    else:
        path.bend((width * 0.95, depth), (width, -0.08))
    if cut.neck == "straps":
        path.bend((width + 0.14, 0.7), armpit)
    elif cut.sleeve:
        path.to((0.98 + cut.ease * 0.6, 0.14)).bend((0.80 + cut.ease * 0.6, 0.55), armpit)
    else:
        path.to((0.84 + cut.ease * 0.5, 0.06)).bend((0.66 + cut.ease * 0.5, 0.62), armpit)
    for (_, y0), (x1, y1) in pairwise(knots):
        path.bend((x1 - (0.02 if y1 > 2 else 0.0), (y0 + y1) / 2), (x1, y1))
    x, y = knots[-1]
    path.bend((x * 0.6, y + 0.10 + cut.flare * 0.08), (0, y + 0.10 + cut.flare * 0.08))
    return mirrored(path.points())


def _back_of_neck(width: float, depth: float) -> Points:
    half = Outline(0, -0.02).bend((width * 0.8, -0.03), (width + 0.02, -0.14)).to((width + 0.04, 0.0))
    return mirrored(half.bend((width, depth * 1.05), (0, depth + 0.06)).points())


def _back_neckline(width: float) -> Points:
    return Outline(-width, -0.10).bend((0, 0.08), (width, -0.10)).points()


def _sleeves(cut: Cut) -> list[Part]:
    if not cut.sleeve:
        return []
    degrees = arm_angle(cut.sleeve)
    angle = radians(degrees)
    along, across = np.array([sin(angle), cos(angle)]), np.array([cos(angle), -sin(angle)])
    end = np.array(ARM_FROM) + along * cut.sleeve
    half = 0.40 - 0.07 * min(cut.sleeve, 2.6) + cut.ease * 0.7
    outer, inner = end + across * half, end - across * half
    shoulder = (0.98 + cut.ease * 0.6, 0.12)
    armpit = (0.80 + cut.ease, 0.98)
    path = Outline(0.62, 0.02).to(shoulder)
    middle = np.array(shoulder) * 0.45 + outer * 0.55 + across * 0.13
    path.bend((float(middle[0]), float(middle[1])), (float(outer[0]), float(outer[1])))
    path.to((float(inner[0]), float(inner[1])))
    middle = np.array(armpit) * 0.55 + inner * 0.45 - across * 0.02
    path.bend((float(middle[0]), float(middle[1])), armpit).to((0.5, 0.9))
    sleeve = [Piece(path.points(), "main", grain=-degrees, shade=0.96)]
    band = 0.22 if cut.ribbed else 0.14 if cut.front == "buttons" else 0.0
    rest: list[Part] = []
    if band and cut.sleeve > 1.5:
        a, b = outer + across * 0.01, inner - across * 0.01
        cuff = np.stack([a - along * band, a, b, b - along * band])
        rest.append(Piece(cuff, "rib" if cut.ribbed else "main", grain=-degrees, shade=0.97, shadow=0.2))
        rest.append(Stroke(np.stack([a - along * band, b - along * band]), 0.02))
    else:
        rest.append(Stroke(np.stack([outer, inner]) - along * 0.09, 0.018, dash=0.05))
    return [*both(*sleeve), *both(*rest)]


def _hem(cut: Cut) -> list[Part]:
    x, y = _side(cut)[-1]
    drop = 0.10 + cut.flare * 0.08
    if cut.ribbed:
        half = Outline(0, y + drop - 0.2).bend((x * 0.6, y + drop - 0.2), (x - 0.0, y - 0.2)).to((x - 0.03, y + 0.02))
        band = mirrored(half.bend((x * 0.6, y + drop + 0.02), (0, y + drop + 0.02)).points())
        return [Piece(band, "rib", round=0.6, shadow=0.15)]
    line = Outline(-x, y - 0.09).bend((-x * 0.6, y + drop - 0.09), (0, y + drop - 0.09))
    parts: list[Part] = [Stroke(line.bend((x * 0.6, y + drop - 0.09), (x, y - 0.09)).points(), 0.018, dash=0.05)]
    for tier in range(cut.tiers):
        at = 1.9 + (y - 1.9) * (tier + (0 if cut.tiers == 1 else 1)) / max(1, cut.tiers + (0 if cut.tiers == 1 else 1))
        w = _side_at(cut, at)
        curve = Outline(-w, at).bend((0, at + 0.12), (w, at)).points()
        parts.append(Stroke(curve, 0.035, opacity=0.6))
    return parts


def _neck(cut: Cut, width: float, depth: float) -> list[Part]:
    """What finishes the neck: a band, a collar, lapels, a hood's edge."""
    if cut.neck in ("crew", "scoop", "boat"):
        line = (
            Outline(-width, -0.08).bend((-width * 0.95, depth), (0, depth)).bend((width * 0.95, depth), (width, -0.08))
        )
        return [Stroke(line.points(), 0.075, "trim", 1.0), Stroke(line.points() + np.array([0, 0.06]), 0.016)]
    if cut.neck == "v":
        line = Outline(-width, -0.08).bend((-width * 0.62, depth * 0.42), (0, depth))
        line.bend((width * 0.62, depth * 0.42), (width, -0.08))
        return [Stroke(line.points(), 0.09, "trim", 1.0), Stroke(line.points() + np.array([0, 0.06]), 0.016)]
    if cut.neck == "high":
        half = Outline(0, -0.42).bend((0.2, -0.42), (0.31, -0.46)).bend((0.36, -0.2), (0.42, 0.02))
        return [Piece(mirrored(half.bend((0.25, 0.22), (0, 0.22)).points()), "rib", shadow=0.25)]
    if cut.neck == "shirt":
        wing = Outline(0.0, 0.24).bend((0.1, 0.0), (0.24, -0.22)).bend((0.34, -0.22), (0.37, -0.10))
        wing.bend((0.44, 0.1), (0.40, 0.40)).to((0.30, 0.46))
        stand = mirrored(
            Outline(0, -0.1).bend((0.2, -0.1), (0.27, -0.24)).to((0.35, -0.1)).bend((0.2, 0.1), (0, 0.12)).points()
        )
        return [
            Piece(stand, "inside", round=0.3, shadow=0.0, shade=1.5, behind=True),
            *both(Piece(wing.points(), "collar", grain=40, round=0.7, shadow=0.5)),
        ]
    if cut.neck == "lapel":
        wing = (
            Outline(0.0, 1.36)
            .bend((0.06, 0.7), (0.30, -0.2))
            .to((0.42, -0.06), (0.62, 0.34), (0.50, 0.46), (0.62, 0.60))
        )
        return [*both(Piece(wing.bend((0.4, 1.0), (0.03, 1.42)).points(), "main", grain=15, round=0.7, shadow=0.5))]
    if cut.neck == "hood":
        edge = Outline(0, 0.5).bend((0.34, 0.46), (0.44, 0.0)).to((0.58, -0.04)).bend((0.56, 0.52), (0.0, 0.74))
        cord = Outline(0.17, 0.55).bend((0.20, 0.9), (0.16, 1.28)).points()
        return [
            *both(Piece(edge.points(), "main", grain=30, round=0.8)),
            *both(Stroke(cord, 0.04, "cord", 1.0), Stroke(cord[-3:], 0.055, "metal", 1.0)),
        ]
    return []


def _hood_behind() -> Points:
    half = Outline(0, -0.62).bend((0.42, -0.64), (0.58, -0.28)).bend((0.66, 0.0), (0.60, 0.2))
    return mirrored(half.to((0, 0.3)).points())


def _front(cut: Cut, depth: float) -> list[Part]:
    """How it opens."""
    bottom = _side(cut)[-1][1] + 0.10 + cut.flare * 0.08
    if cut.front in ("buttons", "polo"):
        end = 1.15 if cut.front == "polo" else bottom
        strip = np.array([[-0.075, depth - 0.06], [0.075, depth - 0.06], [0.075, end], [-0.075, end]])
        parts: list[Part] = [Piece(strip, "main", round=0.25, shadow=0.25)]
        first = depth + (0.14 if cut.front == "polo" else 0.12)
        step = 0.3 if cut.front == "polo" else 0.42
        parts += [
            Piece(ellipse(0, float(y), 0.036, 0.036), "button", round=0.8, shadow=0.5)
            for y in np.arange(first, end - 0.1, step)
        ]
        return parts
    if cut.front == "zip":
        line = np.array([[0.0, depth - 0.02], [0.0, bottom]])
        pull = rounded(-0.035, depth + 0.12, 0.035, depth + 0.32, 0.03)
        return [
            Stroke(line, 0.13, "seam", 0.35),
            Stroke(line, 0.06, "metal", 1.0),
            Stroke(line, 0.03, "seam", 0.6, dash=0.03),
            Piece(pull, "metal"),
        ]
    if cut.front == "open":
        line = Outline(0.03, depth + 0.04).bend((0.05, 2.0), (-0.02, bottom)).points()
        buttons = [Piece(ellipse(-0.1, y, 0.055, 0.055), "button", shadow=0.5) for y in (1.62, 2.05)]
        return [Stroke(line, 0.03, opacity=0.7), *buttons]
    return []


def _pockets(cut: Cut) -> list[Part]:
    if cut.pockets == "chest":
        patch = Outline(0.24, 0.95).to((0.62, 0.95), (0.62, 1.34), (0.43, 1.44), (0.24, 1.34)).points()
        return [Piece(patch, "main", round=0.35, shadow=0.3), Stroke(patch[:2] + np.array([0, 0.07]), 0.018)]
    if cut.pockets == "kangaroo":
        half = Outline(0, 1.78).to((0.36, 1.78)).bend((0.44, 2.1), (0.64, 2.25)).to((0.64, cut.length - 0.12))
        return [Piece(mirrored(half.to((0, cut.length - 0.08)).points()), "main", round=0.5, shadow=0.4)]
    if cut.pockets == "flaps":
        y = min(2.15, cut.length - 0.6)
        flap = rounded(0.26, y, 0.70, y + 0.17, 0.03)
        return [*both(Piece(flap, "main", round=0.4, shadow=0.4))]
    if cut.pockets == "slits":
        y = min(1.95, cut.length - 0.75)
        slit = np.array([[0.66, y], [0.50, y + 0.5]])
        return [*both(Stroke(slit, 0.05, opacity=0.7), Stroke(slit + np.array([-0.05, 0]), 0.016, dash=0.05))]
    return []
