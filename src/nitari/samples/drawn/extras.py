"""Patterns for hats, bags and shoes, each in coordinates of its own (about 4 units wide)."""

from __future__ import annotations

import numpy as np

from nitari.samples.drawn.shapes import Outline, Part, Piece, Stroke, both, ellipse, mirrored, moved, rounded


def cap() -> tuple[Part, ...]:
    """A baseball cap, seen from the front and a little from the side."""
    dome = (
        Outline(-1.3, 0.55)
        .bend((-1.38, -0.95), (0.0, -1.05))
        .bend((1.30, -1.0), (1.28, 0.5))
        .bend((0.1, 0.2), (-1.3, 0.55))
    )
    brim = (
        Outline(-1.02, 0.36)
        .bend((0.15, 0.05), (1.3, 0.44))
        .bend((2.3, 0.72), (2.02, 1.16))
        .bend((1.2, 0.62), (-0.1, 0.78))
    )
    brim.bend((-0.8, 0.86), (-1.02, 0.36))
    panel = Outline(0.12, -1.04).bend((-0.62, -0.4), (-0.56, 0.36)).points()
    other = Outline(0.12, -1.04).bend((1.0, -0.5), (1.04, 0.36)).points()
    edge = Outline(-0.6, 0.72).bend((1.1, 0.3), (1.92, 0.98)).points()
    return (
        Piece(dome.points(), "main", round=1.5),
        Stroke(panel, 0.03),
        Stroke(other, 0.03),
        *(Piece(ellipse(x, -0.5, 0.045, 0.045), "button", shadow=0.4) for x in (-0.72, 0.26, 0.98)),
        Piece(ellipse(0.12, -1.05, 0.13, 0.07), "trim"),
        Piece(brim.points(), "trim", grain=10, round=0.9, shadow=0.6),
        Stroke(edge, 0.02, dash=0.06),
        Stroke(edge - np.array([0, 0.12]), 0.02, dash=0.06),
    )


def beanie() -> tuple[Part, ...]:
    """A knitted beanie with a turned-up edge and a pompon."""
    dome = Outline(0, -1.25).bend((1.05, -1.25), (1.16, 0.5)).to((0, 0.62))
    edge = Outline(0, 0.28).bend((0.8, 0.28), (1.22, 0.18)).bend((1.28, 0.6), (1.2, 0.92)).bend((0.7, 1.06), (0, 1.06))
    return (
        Piece(ellipse(0, -1.42, 0.42, 0.40), "trim", round=1.6),
        Piece(mirrored(dome.points()), "main", round=1.5),
        Piece(mirrored(edge.points()), "rib", round=1.0, shadow=0.5),
    )


def bucket_hat() -> tuple[Part, ...]:
    """A bucket hat."""
    crown = Outline(0, -0.95).bend((0.78, -0.95), (0.84, -0.75)).to((1.02, 0.3)).bend((0.5, 0.42), (0, 0.42))
    brim = Outline(0, 0.2).bend((0.7, 0.2), (1.03, 0.12)).to((1.62, 0.92)).bend((0.9, 1.24), (0, 1.26))
    ring = [Outline(-a, y).bend((0, y + 0.36), (a, y)).points() for a, y in ((1.22, 0.42), (1.38, 0.64), (1.54, 0.84))]
    return (
        Piece(mirrored(crown.points()), "main", round=1.2),
        Stroke(Outline(-0.86, -0.72).bend((0, -0.5), (0.86, -0.72)).points(), 0.025),
        Piece(mirrored(brim.points()), "main", round=0.9, shadow=0.5, shade=0.98),
        *(Stroke(line, 0.018, dash=0.06) for line in ring),
    )


def tote() -> tuple[Part, ...]:
    """A tote bag with two handles."""
    bag = Outline(0, 0.0).to((1.30, 0.0)).bend((1.34, 1.4), (1.18, 2.75)).bend((1.14, 2.9), (0.95, 2.92)).to((0, 2.95))
    handle = Outline(-0.62, 0.5).bend((-0.66, -1.9), (0, -1.9)).bend((0.66, -1.9), (0.62, 0.5)).points()
    back = Outline(-0.60, 0.05).bend((-0.56, -1.6), (0, -1.6)).bend((0.56, -1.6), (0.60, 0.05)).points()
    tabs = [rounded(a - 0.13, 0.0, a + 0.13, 0.62, 0.04) for a in (-0.62, 0.62)]
    return (
        Stroke(back, 0.15, "trim", 1.0, clip=False),
        Piece(mirrored(bag.points()), "main", round=0.9),
        Stroke(np.array([[-1.3, 0.16], [1.3, 0.16]]), 0.02, dash=0.06),
        *(Piece(tab, "trim", round=0.5) for tab in tabs),
        Stroke(handle, 0.17, "trim", 1.0, clip=False),
    )


def backpack() -> tuple[Part, ...]:
    """A backpack with a front pocket."""
    body = (
        Outline(0, -0.1).bend((1.15, -0.15), (1.22, 0.9)).to((1.26, 2.7)).bend((1.26, 3.05), (0.9, 3.06)).to((0, 3.06))
    )
    loop = Outline(-0.26, 0.02).bend((-0.3, -0.5), (0, -0.5)).bend((0.3, -0.5), (0.26, 0.02)).points()
    strap = Outline(1.0, 0.4).bend((1.72, 1.0), (1.34, 2.75)).points()
    zipper = Outline(-1.06, 1.1).bend((-1.02, 0.18), (0, 0.18)).bend((1.02, 0.18), (1.06, 1.1)).points()
    side = Outline(1.18, 1.75).bend((1.52, 2.0), (1.42, 2.9)).to((1.18, 3.0)).points()
    return (
        Stroke(loop, 0.12, "trim", 1.0, clip=False),
        *both(Stroke(strap, 0.2, "trim", 1.0, clip=False)),
        *both(Piece(side, "trim", round=0.8)),
        Piece(mirrored(body.points()), "main", round=1.4),
        Stroke(zipper, 0.07, "trim", 1.0),
        Stroke(zipper, 0.03, "metal", 1.0, dash=0.04),
        Piece(rounded(-0.86, 1.5, 0.86, 2.84, 0.22), "main", round=1.0, shadow=0.5),
        Stroke(np.array([[-0.72, 1.74], [0.72, 1.74]]), 0.06, "trim", 1.0),
        Piece(rounded(0.5, 1.72, 0.6, 2.02, 0.04), "metal"),
        Piece(rounded(-0.26, 0.72, 0.26, 1.14, 0.06), "trim", round=0.5),
    )


def handbag() -> tuple[Part, ...]:
    """A leather handbag with a flap and a chain."""
    bag = (
        Outline(0, 0.1)
        .to((1.12, 0.1))
        .bend((1.34, 0.15), (1.40, 0.7))
        .to((1.50, 1.75))
        .bend((1.5, 2.1), (1.15, 2.1))
        .to((0, 2.1))
    )
    flap = Outline(0, 0.0).to((1.12, 0.0)).bend((1.38, 0.05), (1.40, 0.6)).bend((1.32, 1.28), (0.4, 1.36)).to((0, 1.37))
    strap = Outline(-1.2, 0.25).bend((-1.05, -2.2), (0, -2.2)).bend((1.05, -2.2), (1.2, 0.25)).points()
    return (
        Stroke(strap, 0.13, "trim", 1.0, clip=False),
        Stroke(strap, 0.06, "metal", 1.0, dash=0.12, clip=False),
        Piece(mirrored(bag.points()), "main", round=1.3),
        Piece(mirrored(flap.points()), "main", round=1.0, shadow=0.6, shade=1.04),
        Stroke(mirrored(flap.points() * 0.95)[12:-12], 0.018, "stitch", 0.7, dash=0.06),
        Piece(rounded(-0.2, 1.12, 0.2, 1.52, 0.07), "metal", shadow=0.5),
        Piece(rounded(-0.09, 1.24, 0.09, 1.40, 0.04), "metal", shade=0.8),
    )


def _sneaker(*, high: bool) -> tuple[Part, ...]:
    top = -1.25 if high else -0.55
    upper = (
        Outline(-1.72, 0.62)
        .bend((-1.86, 0.1), (-1.62, -0.3))
        .to((-1.56, top))
        .bend((-1.2, top + 0.16), (-0.62, top + 0.02))
    )
    if high:
        upper.bend((-0.5, -0.5), (0.05, -0.12))
    upper.bend((0.5, 0.12), (1.1, 0.16)).bend((1.95, 0.2), (1.98, 0.66)).to((1.9, 0.8), (-1.7, 0.8))
    sole = (
        Outline(-1.84, 0.56)
        .bend((-0.4, 0.74), (2.06, 0.62))
        .bend((2.2, 0.98), (1.9, 1.0))
        .to((-1.66, 1.0))
        .bend((-1.98, 0.98), (-1.84, 0.56))
    )
    toe = Outline(1.12, 0.16).bend((2.0, 0.2), (2.02, 0.66)).to((1.22, 0.70)).bend((1.3, 0.4), (1.12, 0.16))
    heel = Outline(-1.78, 0.6).bend((-1.84, 0.1), (-1.62, -0.3)).bend((-1.28, -0.1), (-1.30, 0.66)).points()
    tongue = (
        Outline(-0.66, top + 0.05)
        .to((-0.38, top - 0.16))
        .bend((-0.1, -0.4 if high else -0.3), (0.5, 0.12))
        .to((0.2, 0.2), (-0.5, -0.1))
    )
    stripe = Outline(-0.9, 0.62).bend((-0.3, 0.5), (0.42, 0.0)).points()
    first, last = (-0.52, top + 0.22), (0.56, 0.2)
    laces: list[Part] = []
    for share in np.linspace(0, 1, 7 if high else 5):
        x, y = (first[i] + (last[i] - first[i]) * float(share) for i in (0, 1))
        laces.append(Stroke(np.array([[x - 0.08, y + 0.16], [x + 0.22, y - 0.10]]), 0.085, "cord", 1.0))
    return (
        Piece(tongue.points(), "trim", round=0.7),
        Piece(upper.points(), "main", round=1.4),
        Piece(heel, "trim", round=0.8, shadow=0.2),
        Stroke(stripe, 0.16, "trim", 1.0),
        Piece(toe.points(), "cord" if high else "main", round=1.0, shadow=0.2, shade=1.03),
        Stroke(Outline(1.12, 0.16).bend((1.3, 0.4), (1.22, 0.7)).points(), 0.03),
        Stroke(Outline(-1.5, top + 0.16).bend((-1.1, top + 0.3), (-0.66, top + 0.18)).points(), 0.02, dash=0.05),
        *laces,
        Piece(sole.points(), "sole", round=0.8, shadow=0.5),
        Stroke(Outline(-1.86, 0.80).bend((0, 0.9), (2.1, 0.82)).points(), 0.03, opacity=0.4),
    )


def _boot() -> tuple[Part, ...]:
    upper = Outline(-1.5, 0.9).bend((-1.62, 0.1), (-1.28, -0.5)).to((-1.34, -2.1)).bend((-0.8, -1.98), (-0.2, -2.1))
    upper.bend((-0.24, -0.9), (0.1, -0.4)).bend((0.5, -0.06), (1.2, 0.14)).bend((1.78, 0.3), (1.78, 0.86)).to(
        (1.7, 0.95)
    )
    sole = (
        Outline(-1.58, 0.80)
        .to((1.86, 0.80))
        .bend((1.94, 1.06), (1.7, 1.06))
        .to((-0.35, 1.06), (-0.46, 1.30), (-1.5, 1.30))
    )
    panel = (
        Outline(-0.98, -2.04)
        .bend((-0.96, -1.2), (-1.0, -0.42))
        .bend((-0.6, -0.3), (-0.42, -0.6))
        .bend((-0.52, -1.3), (-0.5, -2.03))
    )
    return (
        Piece(upper.points(), "main", round=1.5),
        Piece(panel.points(), "rib", round=0.5, shadow=0.1),
        Stroke(Outline(-0.42, -0.6).bend((-0.2, 0.1), (0.6, 0.8)).points(), 0.025),
        Stroke(Outline(-1.45, 0.2).bend((-0.9, 0.1), (-0.6, 0.85)).points(), 0.025),
        Stroke(np.array([[-1.3, -2.2], [-1.26, -1.75]]), 0.1, "main", 1.0, clip=False),
        Piece(sole.points(), "sole", round=0.7, shadow=0.5),
    )


def sneakers(*, high: bool = False) -> tuple[Part, ...]:
    """A pair of sneakers from the side, one behind the other."""
    shoe = _sneaker(high=high)
    return (*moved(shoe, 0.75, -0.95, scale=0.92), *shoe)


def boots() -> tuple[Part, ...]:
    """A pair of ankle boots from the side."""
    return (*moved(_boot(), 1.25, -0.55, scale=0.94), *_boot())
