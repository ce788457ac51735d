"""The region finder's network, written down."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nitari.runtimes.onnx import OnnxModel
from nitari.training.finder_network import OUTPUT, STRIDE, layers, layout
from nitari.training.finder_onnx import export
from nitari.types import FloatArray


def parameters(labels: int) -> dict[str, FloatArray]:
    """Some."""
    rng = np.random.default_rng(0)
    made: dict[str, FloatArray] = {}
    for layer in layers(labels):
        if layer.op == "conv":
            scale = (2 / np.prod(layer.shape[1:])) ** 0.5
            made[f"{layer.name}.weight"] = (rng.normal(size=layer.shape) * scale).astype(np.float32)
            made[f"{layer.name}.bias"] = rng.normal(size=layer.shape[0]).astype(np.float32)
    return made


def test_layers() -> None:
    """Every layer reads what is there before it, names are unique, and the trunk is the published one's."""
    network = layers(3)
    there = {"images"}
    for layer in network:
        assert set(layer.inputs) <= there
        assert layer.name not in there
        there.add(layer.name)
    assert network[-1].name == OUTPUT
    assert sum(layer.source is not None for layer in network) == 48


@pytest.mark.parametrize(("height", "width"), [(64, 64), (96, 64)])
def test_network(height: int, width: int, tmp_path: Path) -> None:
    """It runs at any size of multiples of 32, gives a column for each cell, and images do not see each other."""
    path = tmp_path / "net.onnx"
    path.write_bytes(export(parameters(3), labels=3, name="tiny"))
    model = OnnxModel(path)
    images = np.random.default_rng(1).normal(size=(2, 3, height, width)).astype(np.float32)
    both = model.run(images)
    assert both.shape == (2, layout(3)["mask"].stop, height // STRIDE, width // STRIDE)
    assert np.isfinite(both).all()
    np.testing.assert_allclose(model.run(images[1:])[0], both[1], atol=1e-3)


def test_half_the_bytes() -> None:
    """Weights take two bytes each, and the same parameters make the same file."""
    made = parameters(3)
    count = sum(value.size for value in made.values())
    data = export(made, labels=3, name="tiny")
    assert len(data) < 2.2 * count
    assert data == export(made, labels=3, name="tiny")


def test_wrong_parameters() -> None:
    """A parameter of another shape is refused by its layer's name, a missing one too."""
    made = parameters(3)
    made["kinds.weight"] = made["kinds.weight"][:, :5]
    with pytest.raises(ValueError, match="layer kinds"):
        export(made, labels=3, name="tiny")
    with pytest.raises(KeyError, match=r"answers.weight"):
        export({k: v for k, v in made.items() if k != "answers.weight"}, labels=3, name="tiny")
