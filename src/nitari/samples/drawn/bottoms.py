"""Patterns for pants, shorts and skirts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nitari.samples.drawn.shapes import Outline, Part, Piece, Points, Stroke, both, ellipse, mirrored, rounded

WAIST = (0.72, 1.80)
CROTCH = 3.12


@dataclass(frozen=True, slots=True)
class Legs:
    """How pants are cut.

    Args:
        length: Where the hem is.
        hem: Half the width of a leg at the hem.
        ease: How much wider than the hips.
        jeans: Whether they have rivets, yoke and contrast stitching.
        ribbed: Whether waist and hem are ribbed (joggers).
        crease: Whether a crease runs down each leg.
        cargo: Whether they have pockets at the thighs.
        turnup: Whether the hem is turned up.
    """

    length: float = 6.2
    hem: float = 0.30
    ease: float = 0.0
    jeans: bool = False
    ribbed: bool = False
    crease: bool = False
    cargo: bool = False
    turnup: bool = False


def pants(cut: Legs) -> tuple[Part, ...]:
    """The parts of pants or shorts."""
    x, y = WAIST
    middle = 0.50 + (cut.length - CROTCH) * 0.03 + cut.ease * 0.4
    outer, inner = middle + cut.hem, middle - cut.hem
    hip = 0.92 + cut.ease
    half = Outline(0, y).to((x, y - 0.02)).bend((hip - 0.02, 2.2), (hip, 2.7))
    half.bend((hip + 0.01, (2.7 + cut.length) / 2 - 0.3), (outer, cut.length)).to((inner, cut.length + 0.03))
    half.bend((max(0.03, inner * 0.42), CROTCH + (cut.length - CROTCH) * 0.35), (0.03, CROTCH)).to((0, CROTCH - 0.04))
    seam = "stitch" if cut.jeans else "seam"
    parts: list[Part] = [
        Piece(
            mirrored(
                Outline(0, y + 0.02).bend((0.4, y + 0.02), (x - 0.03, y - 0.06)).to((x, y + 0.2), (0, y + 0.3)).points()
            ),
            "inside",
        ),
        Piece(mirrored(half.points()), "main"),
        Stroke(np.array([[0.0, y + 0.2], [0.0, CROTCH]]), 0.022),
    ]
    if cut.crease:
        crease = Outline(x * 0.58, y + 0.25).bend((0.52, 3.4), (middle, cut.length)).points()
        parts += both(Stroke(crease, 0.022, opacity=0.4), Stroke(crease + np.array([0.02, 0]), 0.014, "shine", 0.3))
    if cut.ribbed:
        parts += both(Piece(_cuff(outer, inner, cut.length, 0.3), "rib", round=0.8))
    elif cut.turnup:
        parts += both(Piece(_cuff(outer + 0.02, inner - 0.02, cut.length, 0.2), "inside", shade=1.45, shadow=0.3))
    else:
        line = np.array([[outer, cut.length - 0.1], [inner, cut.length - 0.07]])
        parts += both(Stroke(line, 0.018, seam, dash=0.05))
    parts += both(*_pocket(cut, seam))
    if cut.cargo:
        at = 3.6 if cut.length > 4.5 else 3.0
        pocket = rounded(0.56, at, 0.98 + cut.ease, at + 0.62, 0.05)
        flap = rounded(0.54, at - 0.04, 1.0 + cut.ease, at + 0.16, 0.04)
        parts += both(Piece(pocket, "main", round=0.5), Piece(flap, "main", round=0.5))
    return (*parts, *_waistband(cut, seam))


def _cuff(outer: float, inner: float, length: float, height: float) -> Points:
    return np.array(
        [[outer, length - height], [outer, length], [inner, length + 0.03], [inner, length - height + 0.03]]
    )


def _pocket(cut: Legs, seam: str) -> list[Part]:
    if cut.jeans:
        curve = Outline(0.32, 2.02).bend((0.40, 2.42), (0.90 + cut.ease, 2.40)).points()
        rivet = Piece(ellipse(0.34, 2.10, 0.025, 0.025), "metal")
        return [Stroke(curve, 0.03), Stroke(curve + np.array([-0.01, 0.05]), 0.016, "stitch", 0.9, dash=0.04), rivet]
    curve = np.array([[0.50, 2.02], [0.86 + cut.ease, 2.62]])
    return [Stroke(curve, 0.035, opacity=0.65), Stroke(curve + np.array([-0.05, 0.02]), 0.014, seam, dash=0.05)]


def _waistband(cut: Legs, seam: str) -> list[Part]:
    x, y = WAIST
    half = Outline(0, y + 0.06).bend((0.4, y + 0.06), (x, y - 0.03)).to((x + 0.025, y + 0.15))
    band = mirrored(half.bend((0.4, y + 0.25), (0, y + 0.25)).points())
    if cut.ribbed:
        cord = Outline(0.05, y + 0.2).bend((0.10, y + 0.5), (0.07, y + 0.75)).points()
        return [Piece(band, "rib", round=0.7), *both(Stroke(cord, 0.035, "cord", 1.0))]
    loops: list[Part] = [Piece(rounded(a, y + 0.0, a + 0.06, y + 0.24, 0.01), "main", round=0.4) for a in (-0.48, 0.42)]
    fly = Outline(0.16, y + 0.26).to((0.16, 2.6)).bend((0.14, 2.8), (0.0, 2.86)).points()
    return [
        Stroke(fly, 0.016, seam, 0.8, dash=0.04),
        Piece(band, "main", round=0.5, shadow=0.3),
        *loops,
        Piece(ellipse(0, y + 0.15, 0.045, 0.045), "metal" if cut.jeans else "button", shadow=0.5),
    ]


@dataclass(frozen=True, slots=True)
class SkirtCut:
    """How a skirt is cut.

    Args:
        length: Where the hem is.
        flare: How much wider the hem is than the hips.
        pleats: How many pleats.
        buttons: Whether it is buttoned down the front.
        wrap: Whether one side is wrapped over the other.
    """

    length: float = 3.7
    flare: float = 0.25
    pleats: int = 0
    buttons: bool = False
    wrap: bool = False


def skirt(cut: SkirtCut) -> tuple[Part, ...]:
    """The parts of a skirt."""
    x, y = WAIST[0] - 0.04, WAIST[1]
    hem = 0.90 + cut.flare
    drop = 0.08 + cut.flare * 0.16
    half = Outline(0, y).to((x, y - 0.02)).bend((0.88, 2.3), (0.92 + cut.flare * 0.35, 2.75))
    half.bend((0.94 + cut.flare * 0.7, (2.75 + cut.length) / 2), (hem, cut.length))
    body = mirrored(half.bend((hem * 0.5, cut.length + drop), (0, cut.length + drop)).points())
    parts: list[Part] = [
        Piece(
            mirrored(Outline(0, y).bend((0.4, y), (x - 0.02, y - 0.06)).to((x, y + 0.2), (0, y + 0.3)).points()),
            "inside",
        ),
        Piece(body, "main"),
    ]
    for number in range(cut.pleats):
        share = (number + 0.5) / cut.pleats * 2 - 1
        line = np.array([[share * x, y + 0.25], [share * (hem - 0.04), cut.length + drop * (1 - share * share)]])
        parts += [Stroke(line, 0.03, opacity=0.5), Stroke(line + np.array([0.035, 0]), 0.03, "shine", 0.35)]
    if cut.wrap:
        edge = Outline(-0.30, y + 0.2).bend((0.2, 2.6), (0.42, cut.length + drop)).points()
        parts.append(Stroke(edge, 0.05, opacity=0.5))
    if cut.buttons:
        parts.append(Stroke(np.array([[0.09, y + 0.2], [0.09, cut.length + drop]]), 0.02))
        for at in np.arange(y + 0.36, cut.length - 0.05, 0.3):
            parts.append(Piece(ellipse(0.0, float(at), 0.045, 0.045), "button", shadow=0.5))
    line = Outline(-hem, cut.length - 0.08).bend((0, cut.length + 2 * drop - 0.08), (hem, cut.length - 0.08)).points()
    band = mirrored(
        Outline(0, y + 0.05)
        .bend((0.4, y + 0.05), (x, y - 0.03))
        .to((x + 0.02, y + 0.15))
        .bend((0.4, y + 0.24), (0, y + 0.24))
        .points()
    )
    return (*parts, Stroke(line, 0.018, dash=0.05), Piece(band, "main", round=0.5, shadow=0.3))
