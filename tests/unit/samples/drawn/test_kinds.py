"""The kinds of garments and their colors."""

from __future__ import annotations

from nitari.samples.drawn.assortment import WORDS
from nitari.samples.drawn.fabric import PATTERNS
from nitari.samples.drawn.kinds import COLORS, KINDS
from nitari.samples.drawn.scenes import FRAMES


def test_every_kind_is_well_formed() -> None:
    """At least a dozen kinds; each with known patterns and a known way to wear it."""
    assert len({kind.name for kind in KINDS}) == len(KINDS) >= 12
    for kind in KINDS:
        assert set(kind.patterns) <= set(PATTERNS) == set(WORDS)
        assert kind.wear in (*FRAMES, "shelf")
        assert kind.cuts


def test_colors_are_told_apart() -> None:
    """No two colors of the shop look the same."""
    colors = list(COLORS.values())
    for index, one in enumerate(colors):
        for other in colors[:index]:
            assert sum(abs(a - b) for a, b in zip(one, other, strict=True)) > 25
