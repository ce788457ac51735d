"""The contract of ``nitari.embeddings.base.Embedder``, for every adapter."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from nitari.embeddings.base import Embedder
from nitari.embeddings.composite import CompositeEmbedder, DescriptorEmbedder
from nitari.embeddings.lowlevel import LowLevelDescriptor
from nitari.embeddings.onnx import OnnxEmbedder
from nitari.models.store import ModelStore
from nitari.runtimes.onnx import OnnxModel
from nitari.types import WHOLE, Box
from support.scenes import BLUE, RED, garment, mask_of, photo_of, plain, region


def _network(name: str) -> Callable[[pytest.FixtureRequest], Embedder]:
    def make(request: pytest.FixtureRequest) -> Embedder:
        store: ModelStore = request.getfixturevalue("model_store")
        (network,) = store.networks(store.card(name))
        return OnnxEmbedder(card=network.card, model=OnnxModel(network.path), fingerprint=network.fingerprint)

    return make


def _descriptor(request: pytest.FixtureRequest) -> Embedder:
    return DescriptorEmbedder(LowLevelDescriptor())


def _composite(request: pytest.FixtureRequest) -> Embedder:
    parts = [(_network("efficientnet-lite0")(request), 1.0), (_descriptor(request), 0.3)]
    return CompositeEmbedder(name="composite", parts=parts)


ADAPTERS: dict[str, Callable[[pytest.FixtureRequest], Embedder]] = {
    "efficientnet-lite0": _network("efficientnet-lite0"),
    "mobilenet-v2": _network("mobilenet-v2"),
    "descriptor": _descriptor,
    "composite": _composite,
}
PHOTO = photo_of(garment())
REGIONS = [
    region(),
    region(Box(0.2, 0.2, 0.8, 0.9)),
    region(Box(0.2, 0.2, 0.8, 0.9), mask_of(Box(0.25, 0.25, 0.75, 0.8))),
    region(Box(0.0, 0.0, 1e-6, 1.0)),
]


@pytest.fixture(params=sorted(ADAPTERS))
def embedder(request: pytest.FixtureRequest) -> Embedder:
    """Each embedder in turn."""
    return ADAPTERS[request.param](request)


def test_unit_rows(embedder: Embedder) -> None:
    """Regions become finite unit rows of the promised width, however thin a region is."""
    found = embedder.embed(PHOTO, REGIONS)
    assert found.shape == (len(REGIONS), embedder.dim)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


def test_blocks(embedder: Embedder) -> None:
    """Blocks with names follow each other from the vector's first place to its last."""
    blocks = embedder.blocks
    assert [block.start for block in blocks] == [0, *(block.stop for block in blocks[:-1])]
    assert blocks[-1].stop == embedder.dim
    assert {block.name for block in blocks} <= {"shape", "color", "texture", "aspect"}


def test_no_regions(embedder: Embedder) -> None:
    """No regions give no rows."""
    assert embedder.embed(PHOTO, []).shape == (0, embedder.dim)


def test_rows_do_not_depend_on_each_other(embedder: Embedder) -> None:
    """A region's vector is the same alone, in company, in another order, and from several threads at once."""
    together = embedder.embed(PHOTO, REGIONS)
    np.testing.assert_array_equal(embedder.embed(PHOTO, REGIONS[::-1]), together[::-1])
    with ThreadPoolExecutor(4) as pool:
        alone = list(pool.map(lambda r: embedder.embed(PHOTO, [r])[0], REGIONS * 2))
    np.testing.assert_array_equal(np.stack(alone), np.concatenate([together, together]))


def test_labels_and_scores_do_not_matter(embedder: Embedder) -> None:
    """Only box and mask shape a vector."""
    plain_region = REGIONS[1]
    other = type(plain_region)(plain_region.box, "chosen", 0.1)
    np.testing.assert_array_equal(embedder.embed(PHOTO, [plain_region]), embedder.embed(PHOTO, [other]))


def test_alike_is_near(embedder: Embedder) -> None:
    """A garment a little off the middle is nearer than another thing of another color."""
    red, moved, other = (
        embedder.embed(photo_of(pixels), [region()])[0]
        for pixels in (garment(color=RED), garment(color=RED, x=0.53), plain(300, 400, BLUE))
    )
    assert red @ moved > 0.9
    assert red @ moved > red @ other + 0.1


def test_photo_is_left_alone(embedder: Embedder) -> None:
    """Embedding does not change the photo's pixels."""
    before = PHOTO.pixels.copy()
    embedder.embed(PHOTO, [region(WHOLE)])
    np.testing.assert_array_equal(PHOTO.pixels, before)


def test_identity(embedder: Embedder) -> None:
    """An embedder has a name, a width, a fingerprint, and an input size that a photo can have."""
    assert embedder.name
    assert embedder.fingerprint
    assert embedder.dim > 0
    assert embedder.short_side >= 0
