"""What the drawn shop sells."""

from __future__ import annotations

from itertools import islice

import pytest

from nitari.samples.drawn.assortment import seeded, styles
from nitari.samples.drawn.kinds import KINDS
from nitari.samples.drawn.shapes import bounds


def test_styles_differ_and_repeat_exactly() -> None:
    """No two styles of the first rounds have one name and gender; one seed sells the same, another something else."""
    first = list(islice(styles(seed=0, colors=4), 5 * len(KINDS)))
    again = list(islice(styles(seed=0, colors=4), 5 * len(KINDS)))
    other = list(islice(styles(seed=1, colors=4), 5 * len(KINDS)))
    assert [(s.name, s.colors, s.price) for s in first] == [(s.name, s.colors, s.price) for s in again]
    assert [s.colors for s in first] != [s.colors for s in other]
    assert len({(s.name, s.gender) for s in first}) == len(first)
    assert len({s.group_id for s in first}) == len(first)


@pytest.mark.parametrize("number", range(len(KINDS)))
def test_every_garment_has_what_it_is_painted_with(number: int) -> None:
    """Each part's paint is in the wardrobe (or is a seam or a shine), in each of four different colors."""
    style = next(islice(styles(seed=0, colors=4), number, None))
    assert len(set(style.colors)) == 4
    for color in style.colors:
        garment = style.garment(color)
        assert {part.paint for part in garment.parts} <= set(garment.wardrobe) | {"seam", "shine"}
        x1, y1, x2, y2 = bounds(garment.parts)
        assert 1 < x2 - x1 < 6
        assert 1 < y2 - y1 < 6


def test_seeds_depend_on_all_words() -> None:
    """Generators differ where a word does."""
    assert seeded("a", 1).integers(2**60) == seeded("a", 1).integers(2**60) != seeded("a", 2).integers(2**60)
