"""Several embedders side by side: widths, weights, fingerprints."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from nitari.embeddings.composite import CompositeEmbedder, DescriptorEmbedder
from nitari.embeddings.head import Head, HeadedEmbedder
from nitari.embeddings.lowlevel import LowLevelDescriptor
from nitari.errors import ModelError
from nitari.models.gate_spec import GateSpec
from nitari.types import Block, Box, FloatArray, Photo, Region
from support.scenes import garment, photo_of, region

PHOTO = photo_of(garment())


class Fixed:
    """An embedder that gives the same vectors for whatever it is shown."""

    def __init__(self, *vectors: tuple[float, ...], name: str = "fixed", short_side: int = 10) -> None:
        self._vectors = np.array(vectors, dtype=np.float32)
        self.name = name
        self.dim = len(vectors[0])
        self.fingerprint = f"{name} {vectors}"
        self.short_side = short_side
        self.blocks = (Block("shape", 0, self.dim),)

    def embed(self, photo: Photo, regions: Sequence[Region]) -> FloatArray:
        """The vectors it was made with, one a region."""
        return self._vectors[: len(regions)]


def test_concatenation() -> None:
    """Parts stand side by side in order; the whole has unit length; squares of the weights share it."""
    parts = [(Fixed((1, 0), short_side=20), 3.0), (Fixed((0, 0, 1)), 4.0)]
    composite = CompositeEmbedder(name="both", parts=parts)
    assert (composite.name, composite.dim, composite.short_side) == ("both", 5, 20)
    assert composite.blocks == (Block("shape", 0, 2), Block("shape", 2, 5))
    np.testing.assert_allclose(composite.embed(PHOTO, [region()]), [[0.6, 0, 0, 0, 0.8]], atol=1e-6)


def test_cosine_is_the_weighted_mean() -> None:
    """The cosine of two composites is the mean of the parts' cosines, weighted by squared weights."""
    parts = [(Fixed((1, 0), (0.6, 0.8)), 1.0), (Fixed((1, 0), (0, 1)), 0.5)]
    first, second = CompositeEmbedder(name="c", parts=parts).embed(PHOTO, [region(), region(Box(0, 0, 0.5, 1))])
    assert first @ second == pytest.approx((1.0 * 0.6 + 0.25 * 0.0) / 1.25)


def test_fingerprint() -> None:
    """A part's fingerprint, its weight and the order count; a common factor of all weights does not."""

    def fingerprint(*parts: tuple[Fixed, float]) -> str:
        return CompositeEmbedder(name="c", parts=parts).fingerprint

    a, b = Fixed((1, 0), name="a"), Fixed((0, 1), name="b")
    made = {fingerprint((a, 1), (b, 1)), fingerprint((b, 1), (a, 1)), fingerprint((a, 1), (b, 2)), fingerprint((a, 1))}
    assert len(made) == 4
    assert fingerprint((a, 2), (b, 4)) == fingerprint((a, 1), (b, 2))


@pytest.mark.parametrize("weights", [[], [1.0, 0.0], [-1.0], [float("nan")]])
def test_bad_weights(weights: list[float]) -> None:
    """No parts, or a weight that is not above 0, is refused by name."""
    with pytest.raises(ModelError, match="composite c"):
        CompositeEmbedder(name="c", parts=[(Fixed((1, 0)), weight) for weight in weights])


def test_descriptor_as_a_part() -> None:
    """A descriptor embeds each region by describing it, and asks for no resolution of its own."""
    descriptor = LowLevelDescriptor()
    part = DescriptorEmbedder(descriptor)
    assert (part.name, part.dim, part.short_side) == ("lowlevel-300", 300, 0)
    assert part.fingerprint == descriptor.fingerprint
    regions = [region(), region(Box(0.2, 0.2, 0.6, 0.9))]
    found = part.embed(PHOTO, regions)
    np.testing.assert_array_equal(found, [descriptor.describe(PHOTO, r) for r in regions])
    assert part.embed(PHOTO, []).shape == (0, 300)


GATE = GateSpec(part=1, directions=1, middle=0.7, slope=40.0, familiar=(1.0, 0.0), unfamiliar=(0.0, 1.0))


class Counting(Fixed):
    """Counts how often it is asked."""

    asked = 0

    def embed(self, photo: Photo, regions: Sequence[Region]) -> FloatArray:
        """As ``Fixed``."""
        self.asked += 1
        return super().embed(photo, regions)


def test_parts_share_a_network() -> None:
    """Heads behind the same network, even if built apart, have it run once."""
    one, again = Counting((0.6, 0.8)), Counting((0.6, 0.8))
    turned = Head(np.array([[0, 1], [1, 0]], np.float32), np.zeros(2, np.float32), "turned")
    parts = [(HeadedEmbedder(one, turned), 1.0), (again, 1.0)]
    vector = CompositeEmbedder(name="c", parts=parts).embed(PHOTO, [region()])
    np.testing.assert_allclose(vector * np.sqrt(2), [[0.8, 0.6, 0.6, 0.8]], atol=1e-6)
    assert one.asked + again.asked == 1


def test_a_gate() -> None:
    """With one, each part is a block of a fixed share, the vectors' fingerprint is another, and queries have gains."""
    parts = [(Fixed((1, 0)), 3.0), (Fixed((0, 1)), 4.0)]
    plain, gated = (CompositeEmbedder(name="c", parts=parts, gate=gate) for gate in (None, GATE))
    assert (plain.gate, gated.gate is None) == (None, False)
    assert [block.share for block in plain.blocks] == [None, None]
    assert [block.share for block in gated.blocks] == pytest.approx([0.36, 0.64])
    assert plain.fingerprint != gated.fingerprint
    assert gated.gate is not None
    np.testing.assert_allclose(gated.gate.gains(gated.embed(PHOTO, [region()])), [[0, 1 / 0.64]], atol=1e-3)


def test_a_gate_wants_parts_of_one_block() -> None:
    """A part of several, whose shares differ from photo to photo, cannot be weighed by one number."""
    parts = [(DescriptorEmbedder(LowLevelDescriptor()), 1.0), (Fixed((0, 1)), 1.0)]
    with pytest.raises(ModelError, match="several blocks"):
        CompositeEmbedder(name="c", parts=parts, gate=GATE)
