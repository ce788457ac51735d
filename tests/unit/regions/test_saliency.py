"""From a saliency network's masks to products."""

from __future__ import annotations

import numpy as np
import pytest

from nitari.errors import ModelError
from nitari.models.card import Card, InputSpec
from nitari.regions.saliency import MARGIN, SaliencyFinder, products
from nitari.types import Box, ByteArray, FloatArray, Region
from support.scenes import mask_of, photo_of, plain

SIDE = 64
CARD = Card(
    name="figure",
    revision="1",
    kind="saliency",
    description="Figure and ground.",
    license="Apache-2.0",
    origin="A test.",
    dim=0,
    input=InputSpec(size=(SIDE, SIDE), mean=(0, 0, 0), std=(1, 1, 1)),
)


class Shows:
    """A network that gives one mask for whatever it is shown."""

    def __init__(self, mask: ByteArray) -> None:
        self._mask = mask

    def run(self, inputs: FloatArray) -> FloatArray:
        """float32 ``[1, 1, h, w]``, 0-1."""
        assert inputs.shape == (1, 3, SIDE, SIDE)
        return (self._mask.astype(np.float32) / 255)[None, None]


def find(mask: ByteArray) -> tuple[Region, ...]:
    """The regions of a photo on which the network gives ``mask``."""
    return SaliencyFinder(card=CARD, model=Shows(mask)).find(photo_of(plain(90, 120)))


def test_one_product() -> None:
    """A figure becomes a region: its box with a margin, its mean saliency, and the whole photo's mask."""
    mask = mask_of(Box(0.25, 0.25, 0.75, 0.5), value=204)
    (found,) = find(mask)
    assert found.label == "product"
    assert found.score == pytest.approx(0.8)
    across, down = MARGIN * 0.5, MARGIN * 0.25
    assert found.box.as_list() == pytest.approx([0.25 - across, 0.25 - down, 0.75 + across, 0.5 + down], abs=1e-3)
    assert found.mask is not None
    np.testing.assert_array_equal(found.mask, mask)


@pytest.mark.parametrize("value", [0, 100, 255])
def test_nothing_stands_out(value: int) -> None:
    """An empty mask, a half-hearted one, and one that is all figure tell no product from the background."""
    assert find(np.full((SIDE, SIDE), value, dtype=np.uint8)) == ()


def test_several_products() -> None:
    """Separate products are several regions, the largest box first."""
    found = find(mask_of(Box(0, 0, 0.25, 0.25), Box(0.5, 0.5, 1, 1)))
    assert len(found) == 2
    assert found[0].box.area > found[1].box.area
    assert found[0].box.x2 == 1.0


def test_a_pair_is_one_product() -> None:
    """Parts that lie close together, such as two shoes, are one product."""
    (pair,) = products(mask_of(Box(0.2, 0.3, 0.45, 0.8), Box(0.52, 0.3, 0.8, 0.8)))
    assert (pair.x1, pair.x2) == (13, 51)


def test_a_chain_is_one_product() -> None:
    """Parts that are close through a third one are one product, whatever their sizes."""
    chain = [Box(0.0, 0.4, 0.2, 0.6), Box(0.8, 0.4, 1.0, 0.6), Box(0.26, 0.45, 0.74, 0.5)]
    assert len(products(mask_of(*chain))) == 1
    assert len(products(mask_of(*chain[:2]))) == 2


def test_specks_are_noise() -> None:
    """A speck neither is a product nor widens one, also where the product is small itself."""
    (product,) = products(mask_of(Box(0.3, 0.3, 0.6, 0.6), Box(0.97, 0.97, 1, 1)))
    assert product.x2 == 38
    assert products(mask_of(Box(0.5, 0.5, 0.53, 0.53))) == []


@pytest.mark.parametrize("shape", [(SIDE, SIDE), (1, SIDE, SIDE), (1, 1, 8, 8), (2, 1, SIDE, SIDE)])
def test_wrong_output(shape: tuple[int, ...]) -> None:
    """A network that gives no mask of its input's size is an error that names it."""

    class Wrong:
        def run(self, inputs: FloatArray) -> FloatArray:
            return np.zeros(shape, dtype=np.float32)

    with pytest.raises(ModelError, match=r"model figure gave \["):
        SaliencyFinder(card=CARD, model=Wrong()).find(photo_of(plain(9, 9)))


def test_values_outside_the_range() -> None:
    """What rounding lets slip below 0 or above 1 is cut, not wrapped around."""

    class Slips:
        def run(self, inputs: FloatArray) -> FloatArray:
            mask = np.full((1, 1, SIDE, SIDE), -0.01, dtype=np.float32)
            mask[..., :32] = 1.01
            return mask

    (found,) = SaliencyFinder(card=CARD, model=Slips()).find(photo_of(plain(90, 90)))
    assert found.mask is not None
    assert set(np.unique(found.mask)) == {0, 255}


def test_fingerprint() -> None:
    """Other weights are another fingerprint; the same card is the same."""
    model = Shows(mask_of())
    finder = SaliencyFinder(card=CARD, model=model)
    assert finder.fingerprint == SaliencyFinder(card=CARD, model=model).fingerprint
    assert finder.fingerprint != SaliencyFinder(card=CARD, model=model, fingerprint="w").fingerprint
    assert finder.short_side == SIDE
