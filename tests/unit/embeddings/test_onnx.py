"""The embedder of one network: what it is shown, and networks that break their card's word."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from nitari.embeddings.onnx import OnnxEmbedder
from nitari.errors import ModelError
from nitari.models.card import Card, InputSpec
from nitari.types import Box, Detail, FloatArray
from support.scenes import BLUE, RED, photo_of, plain, put, region

SIDE = 8
CARD = Card(
    name="means",
    revision="1",
    kind="embedder",
    description="Channel means.",
    license="Apache-2.0",
    origin="A test.",
    dim=3,
    input=InputSpec(size=(SIDE, SIDE), mean=(0, 0, 0), std=(1, 1, 1)),
)


class ChannelMeans:
    """A network that gives each channel's mean, and remembers the batches it was given."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def run(self, inputs: FloatArray) -> FloatArray:
        """float32 ``[n, 3]``."""
        self.batches.append(len(inputs))
        means: FloatArray = inputs.mean(axis=(2, 3))
        return means


class Answers:
    """A network that always gives the same."""

    def __init__(self, answer: list[list[float]]) -> None:
        self._answer = np.array(answer, dtype=np.float32)

    def run(self, inputs: FloatArray) -> FloatArray:
        """The answer."""
        return self._answer


def test_regions_in_order() -> None:
    """Each region's box becomes one unit vector, in order, one call a box."""
    photo = photo_of(put(plain(40, 40, BLUE), Box(0, 0, 0.5, 1), RED))
    network = ChannelMeans()
    found = OnnxEmbedder(card=CARD, model=network).embed(
        photo, [region(Box(0, 0, 0.4, 1)), region(Box(0.6, 0, 1, 1)), region(Box(0, 0, 0.4, 1))]
    )
    np.testing.assert_allclose(found[0], np.array(RED) / np.linalg.norm(RED), atol=1e-6)
    np.testing.assert_allclose(found[1], np.array(BLUE) / np.linalg.norm(BLUE), atol=1e-6)
    np.testing.assert_array_equal(found[0], found[2])
    assert found.dtype == np.float32
    assert network.batches == [1, 1, 1]


def test_no_regions() -> None:
    """Nothing to embed gives no rows, of the right width."""
    assert OnnxEmbedder(card=CARD, model=ChannelMeans()).embed(photo_of(plain(4, 4)), []).shape == (0, 3)


def test_card_speaks() -> None:
    """Name, width, input size and fingerprint are the card's, unless the store knows the weights better."""
    embedder = OnnxEmbedder(card=CARD, model=ChannelMeans())
    assert (embedder.name, embedder.dim, embedder.short_side) == ("means", 3, SIDE)
    assert embedder.fingerprint == CARD.fingerprint
    assert OnnxEmbedder(card=CARD, model=ChannelMeans(), fingerprint="f").fingerprint == "f"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([[1, 2]], r"model means gave \[1, 2\], its card says \[1, 3\]"),
        ([[1, 2, 3], [4, 5, 6]], r"gave \[2, 3\]"),
        ([[0, 0, 0]], "length 0.0"),
        ([[1, float("nan"), 0]], "length nan"),
        ([[1, float("inf"), 0]], "length inf"),
    ],
)
def test_wrong_answers(answer: list[list[float]], message: str) -> None:
    """A network that gives another shape, zeros or what is no number, is an error and never a vector."""
    with pytest.raises(ModelError, match=message):
        OnnxEmbedder(card=CARD, model=Answers(answer)).embed(photo_of(plain(4, 4)), [region()])


def test_card_without_network() -> None:
    """A composite's card has no input and is refused."""
    with pytest.raises(ModelError, match="composite"):
        OnnxEmbedder(card=dataclasses.replace(CARD, kind="composite", input=None), model=ChannelMeans())


@pytest.mark.parametrize(("small", "detail", "side"), [(0, "low", SIDE), (4, "low", 4), (4, "full", SIDE)])
def test_detail(small: int, detail: Detail, side: int) -> None:
    """A network sees a smaller box at low detail, where its card has a size for that; its fingerprint stays."""
    shapes = []

    class Watching(ChannelMeans):
        def run(self, inputs: FloatArray) -> FloatArray:
            shapes.append(inputs.shape[2:])
            return super().run(inputs)

    card = dataclasses.replace(CARD, input=dataclasses.replace(CARD.network_input, small=small))
    embedder = OnnxEmbedder(card=card, model=Watching(), detail=detail)
    embedder.embed(photo_of(plain(40, 40, RED)), [region(Box(0, 0, 1, 1))])
    assert shapes == [(side, side)]
    assert embedder.short_side == side
    assert embedder.fingerprint == OnnxEmbedder(card=CARD, model=ChannelMeans()).fingerprint
