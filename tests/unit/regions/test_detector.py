"""The finder of garments: what its network says, and what it makes of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nitari.errors import ModelError
from nitari.models.card import Card, InputSpec
from nitari.regions.boxes import Blob
from nitari.regions.detector import OUTFIT, GarmentFinder, moved, outfits
from nitari.regions.saliency import MARGIN
from nitari.types import FloatArray, Region
from support.cells import GRID, SPEC, answers, paint, say
from support.scenes import photo_of, plain

SIDE = GRID * SPEC.stride
CARD = Card(
    name="garments",
    revision="1",
    kind="detector",
    description="Garments.",
    license="Apache-2.0",
    origin="A test.",
    dim=0,
    input=InputSpec(size=(SIDE, SIDE), mean=(0, 0, 0), std=(1, 1, 1)),
    detector=SPEC,
)


class Says:
    """A network that answers the same whatever it sees."""

    def __init__(self, cells: FloatArray) -> None:
        self._cells = cells

    def run(self, inputs: FloatArray) -> FloatArray:
        """float32 ``[1, channels, rows, columns]``."""
        assert inputs.shape == (1, 3, SIDE, SIDE)
        return self._cells[None]


def find(cells: FloatArray) -> tuple[Region, ...]:
    """The regions of a photo on which the network says this."""
    return GarmentFinder(card=CARD, model=Says(cells)).find(photo_of(plain(90, 120)))


def test_a_garment() -> None:
    """A region has its box grown by the margin, its label, a score, and the whole photo's mask."""
    (found,) = find(say(answers(), row=4, column=4, box=(2, 2, 6, 6), label=1))
    assert found.label == "pants"
    assert 0.8 < found.score < 1
    assert found.box.as_list() == pytest.approx(
        [0.25 - MARGIN / 2, 0.25 - MARGIN / 2, 0.75 + MARGIN / 2, 0.75 + MARGIN / 2], abs=1e-3
    )
    assert found.mask is not None
    assert found.mask.shape == (GRID * 4, GRID * 4)
    assert found.mask.max() < 128


def test_the_largest_first() -> None:
    """Several garments come largest box first, not surest first, with one mask for all."""
    cells = say(answers(), row=1, column=1, box=(0, 0, 2, 2), label=0, logit=6)
    cells = say(cells, row=5, column=5, box=(3, 3, 8, 8), label=1, logit=1)
    first, second = find(cells)
    assert (first.label, second.label) == ("pants", "top")
    assert first.mask is second.mask


def test_the_mask_is_heard() -> None:
    """Where box and figure agree, the box moves towards the figure; a figure elsewhere moves nothing."""
    cells = say(answers(), row=4, column=4, box=(2, 2, 6, 6), label=0)
    (alone,) = find(cells)
    (both,) = find(paint(cells, (2, 2, 7, 6)))
    assert alone.box.x2 < both.box.x2 < 7 / GRID + MARGIN
    (elsewhere,) = find(paint(cells, (0, 0, 2, 1)))
    assert elsewhere.box == alone.box


def test_an_outfit() -> None:
    """A figure that holds garments, and is more than any of them, comes first; one without garments is left out."""
    cells = say(answers(), row=1, column=4, box=(2, 0, 6, 3), label=0)
    cells = say(cells, row=5, column=4, box=(3, 4, 5, 7), label=1)
    figure, *garments = find(paint(cells, (2, 0, 6, 8)))
    assert figure.label == OUTFIT
    assert figure.box.y2 == 1
    assert {region.label for region in garments} == {"top", "pants"}
    beside = find(paint(say(answers(), row=1, column=1, box=(0, 0, 3, 3), label=0), (5, 5, 8, 8)))
    assert [region.label for region in beside] == ["top"]


def test_figures_where_no_garment_is_found() -> None:
    """Where no middle is sure, the mask's figures are the products; where there is none, nothing is."""
    (found,) = find(paint(answers(), (1, 1, 4, 5)))
    assert found.label == "product"
    assert found.box.x1 < 1 / GRID < found.box.x2
    assert find(answers()) == ()


def test_boxes_stay_inside() -> None:
    """A garment that fills the photo has the whole photo's box, margin or not."""
    (found,) = find(say(answers(), row=4, column=4, box=(0, 0, 8, 8), label=0))
    assert found.box.as_list() == [0, 0, 1, 1]


@pytest.mark.parametrize("shape", [(1, 7, GRID, GRID), (1, SPEC.channels, GRID, 4), (2, SPEC.channels, GRID, GRID)])
def test_wrong_output(shape: tuple[int, ...]) -> None:
    """A network whose output is not as its card says is an error that names it."""

    class Wrong:
        def run(self, inputs: FloatArray) -> FloatArray:
            return np.zeros(shape, np.float32)

    with pytest.raises(ModelError, match=r"model garments gave \["):
        GarmentFinder(card=CARD, model=Wrong()).find(photo_of(plain(9, 9)))


def test_values_that_are_not_finite() -> None:
    """What overflowed in the network is an error, not a region."""
    cells = answers()
    cells[0, 0, 0] = np.nan
    with pytest.raises(ModelError, match="not finite"):
        find(cells)


def test_another_kind_of_card() -> None:
    """A card that is no detector's is refused."""
    with pytest.raises(ModelError, match="of kind saliency, expected a detector"):
        GarmentFinder(card=replace(CARD, kind="saliency", detector=None), model=Says(answers()))


def test_identity() -> None:
    """The fingerprint changes with the threshold and the weights; the finder wants as many pixels as its network."""
    plainly = GarmentFinder(card=CARD, model=Says(answers()))
    doubtful = GarmentFinder(card=CARD, model=Says(answers()), threshold=0.1)
    other = GarmentFinder(card=CARD, model=Says(answers()), fingerprint="x")
    assert len({plainly.fingerprint, doubtful.fingerprint, other.fingerprint}) == 3
    assert plainly.short_side == SIDE


def test_moved() -> None:
    """Without boxes or without figures nothing moves."""
    box = np.array([[0.1, 0.1, 0.5, 0.5]], np.float32)
    np.testing.assert_array_equal(moved(box, [], (10, 10)), box)
    assert moved(box[:0], [Blob(0, 0, 5, 5, 25, 255.0)], (10, 10)).shape == (0, 4)


def test_outfits_need_both() -> None:
    """Without boxes or without figures there is no outfit."""
    box = np.array([[0.1, 0.1, 0.5, 0.5]], np.float32)
    assert outfits(box, [], (10, 10)) == []
    assert outfits(box[:0], [Blob(0, 0, 5, 5, 25, 255.0)], (10, 10)) == []


def test_low_detail() -> None:
    """The network sees less, and answers fewer cells; what is found is found by another finder."""
    small = SIDE // 2
    cells = answers()[:, : GRID // 2, : GRID // 2]

    class Smaller(Says):
        def run(self, inputs: FloatArray) -> FloatArray:
            assert inputs.shape == (1, 3, small, small)
            return self._cells[None]

    card = replace(CARD, input=replace(CARD.network_input, small=small))
    finder = GarmentFinder(card=card, model=Smaller(np.ascontiguousarray(cells)), detail="low")
    assert finder.find(photo_of(plain(90, 120))) == ()
    assert finder.short_side == small
    full = GarmentFinder(card=card, model=Says(answers()))
    assert finder.fingerprint != full.fingerprint
