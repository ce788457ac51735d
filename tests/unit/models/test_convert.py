"""Conversion: rebuilt networks compute what the layers say, adopted ones give what their card says."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from nitari.errors import ModelError
from nitari.models.architectures import ARCHITECTURES, Architecture, Conv
from nitari.models.card import BUILT_IN, Card, OutputSpec, read_card
from nitari.models.convert import convert, external_files
from nitari.models.pth import StateDict
from nitari.runtimes.onnx import OnnxModel
from support.models import SIDE, tiny_card, tiny_matrix, tiny_network
from support.pth import legacy_of


def random_state(architecture: Architecture, rng: np.random.Generator) -> StateDict:
    """Weights of the right shapes that keep the activations' size from layer to layer."""
    state: StateDict = {}
    channels = 3
    for conv in (conv for block in architecture.blocks for conv in block.convs):
        fan_in = 1 if conv.depthwise else channels
        shape = (conv.channels, fan_in, conv.kernel, conv.kernel)
        state[conv.weight] = (rng.standard_normal(shape) * (2 / np.prod(shape[1:])) ** 0.5).astype(np.float32)
        state[f"{conv.norm}.weight"] = rng.uniform(0.5, 1.5, conv.channels).astype(np.float32)
        state[f"{conv.norm}.bias"] = rng.uniform(-0.5, 0.5, conv.channels).astype(np.float32)
        state[f"{conv.norm}.running_mean"] = rng.uniform(-0.5, 0.5, conv.channels).astype(np.float32)
        state[f"{conv.norm}.running_var"] = rng.uniform(0.5, 2.0, conv.channels).astype(np.float32)
        channels = conv.channels
    return state


def convolved(x: NDArray[Any], kernel: NDArray[Any], conv: Conv, padding: str) -> NDArray[Any]:
    """A convolution written out: ``x`` is ``[c, h, w]``, float64."""
    size, stride = conv.kernel, conv.stride
    sides = []
    for length in x.shape[1:]:
        if padding == "same":
            total = max((-(-length // stride) - 1) * stride + size - length, 0)
            sides.append((total // 2, total - total // 2))
        else:
            sides.append((size // 2, size // 2))
    x = np.pad(x, [(0, 0), *sides])
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))[:, ::stride, ::stride]
    if conv.depthwise:
        return np.einsum("chwij,cij->chw", windows, kernel[:, 0])
    return np.einsum("chwij,ocij->ohw", windows, kernel, optimize=True)


def forward(architecture: Architecture, state: StateDict, x: NDArray[Any], pooling: str) -> NDArray[Any]:
    """The network written out in float64, batch norms and all, for one image ``[3, h, w]``."""
    for block in architecture.blocks:
        entry = x
        for conv in block.convs:
            x = convolved(x, state[conv.weight].astype(np.float64), conv, architecture.padding)
            gain, bias, mean, variance = (
                state[f"{conv.norm}.{part}"].astype(np.float64)[:, None, None]
                for part in ("weight", "bias", "running_mean", "running_var")
            )
            x = (x - mean) / np.sqrt(variance + architecture.epsilon) * gain + bias
            if conv.relu6:
                x = np.clip(x, 0, 6)
        if block.residual:
            x = x + entry
    return np.asarray(np.cbrt((x**3).mean(axis=(1, 2))) if pooling == "gem" else x.mean(axis=(1, 2)))


@pytest.mark.parametrize(("height", "width", "pooling"), [(64, 64, "gem"), (33, 70, "gem"), (64, 64, "mean")])
@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_rebuilt_networks(name: str, height: int, width: int, pooling: Literal["gem", "mean"], tmp_path: Path) -> None:
    """A rebuilt network equals its layers written out, at any size and in any batch."""
    rng = np.random.default_rng(7)
    card = read_card(BUILT_IN / f"{name}.toml")
    card = dataclasses.replace(card, output=OutputSpec(pooling=pooling, nonnegative=True))
    state = random_state(ARCHITECTURES[name], rng)
    weights = tmp_path / "weights.pth"
    weights.write_bytes(legacy_of(state))
    converted = tmp_path / "net.onnx"
    data = convert(card, card.weights[0], weights)
    assert data == convert(card, card.weights[0], weights), "conversion is deterministic"
    converted.write_bytes(data)
    images = rng.standard_normal((2, 3, height, width)).astype(np.float32)
    found = OnnxModel(converted).run(images)
    expected = np.stack([forward(ARCHITECTURES[name], state, image.astype(np.float64), pooling) for image in images])
    assert expected.max() > 0.1, "the test's weights keep the signal alive"
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("features.18.1.bias"), "has no tensor features.18.1.bias"),
        (
            lambda state: state.update({"features.18.1.bias": np.zeros(3, np.float32)}),
            r"shape \(3,\), expected \(1280,\)",
        ),
        (lambda state: state["features.18.1.bias"].fill(np.nan), "features.18.1.bias has values that are not finite"),
    ],
)
def test_wrong_weights(change: Any, message: str, tmp_path: Path) -> None:
    """Weights that lack a tensor, or have one of another shape, or NaN, are refused by name."""
    card = read_card(BUILT_IN / "mobilenet-v2.toml")
    state = random_state(ARCHITECTURES["mobilenet-v2"], np.random.default_rng(0))
    change(state)
    weights = tmp_path / "weights.pth"
    weights.write_bytes(legacy_of(state))
    with pytest.raises(ModelError, match=message):
        convert(card, card.weights[0], weights)


def adopt(network: onnx.ModelProto, folder: Path, **card: Any) -> tuple[Card, Path]:
    """Convert ``network`` under the tiny card; returns card and converted file."""
    weights = folder / "net.onnx"
    weights.write_bytes(network.SerializeToString())
    path = folder / "tiny.toml"
    path.write_text(tiny_card('path = "net.onnx"', **card), encoding="utf-8")
    made = read_card(path)
    converted = folder / "converted.onnx"
    converted.write_bytes(convert(made, made.weights[0], weights))
    return made, converted


def expected(images: NDArray[Any]) -> NDArray[Any]:
    """What the tiny network makes of images."""
    return np.maximum(images.mean(axis=(2, 3)) @ tiny_matrix(), 0)


@pytest.mark.parametrize("half", [False, True])
def test_adopted_network(half: bool, tmp_path: Path) -> None:
    """An adopted network is float32 outside, gives the card's output first, and takes any batch and size."""
    _, converted = adopt(tiny_network(half=half, batch=1), tmp_path)
    model = OnnxModel(converted)
    assert model.input_shape == (None, 3, None, None)
    images = np.random.default_rng(0).standard_normal((3, 3, SIDE, SIDE + 2)).astype(np.float32)
    found = model.run(images)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected(images), atol=2e-3 if half else 1e-6)
    graph = onnx.load(str(converted)).graph
    assert [output.name for output in graph.output] == ["features"]
    assert "Sigmoid" not in {node.op_type for node in graph.node}, "what only the dropped output needs is gone"


@pytest.mark.parametrize(("pooling", "factor"), [("first", 1), ("mean", 2)])
def test_pooling(pooling: str, factor: int, tmp_path: Path) -> None:
    """An output of tokens is pooled inside the network, as the card says."""
    network = tiny_network(tokens=True, batch="n")
    text = f'tokens"\npooling = "{pooling}'
    _, converted = adopt(network, tmp_path, output=text)
    images = np.random.default_rng(0).standard_normal((2, 3, SIDE, SIDE)).astype(np.float32)
    np.testing.assert_allclose(OnnxModel(converted).run(images), factor * expected(images), atol=1e-6)


@pytest.mark.parametrize(("pooling", "exponent"), [("mean", 1), ("gem", 3)])
def test_pooling_a_map(pooling: str, exponent: int, tmp_path: Path) -> None:
    """An output [n, dim, h, w] is pooled to its mean, or its generalized mean, over all positions."""
    network = tiny_network(batch="n")
    del network.graph.output[:]
    network.graph.node.append(onnx.helper.make_node("Identity", ["x"], ["map"]))
    network.graph.output.append(onnx.helper.make_tensor_value_info("map", 1, ["n", 3, SIDE, SIDE]))
    _, converted = adopt(network, tmp_path, output=f'map"\npooling = "{pooling}', dim=3)
    images = np.random.default_rng(0).random((2, 3, SIDE, SIDE)).astype(np.float32)
    means = (images**exponent).mean(axis=(2, 3)) ** (1 / exponent)
    np.testing.assert_allclose(OnnxModel(converted).run(images), means, atol=1e-6)


def test_generalized_mean_of_tokens(tmp_path: Path) -> None:
    """Pooling gem wants a feature map, and says so to a card that has tokens."""
    with pytest.raises(ModelError, match="its output has 3 axes"):
        adopt(tiny_network(tokens=True, batch="n"), tmp_path, output='tokens"\npooling = "gem')


def test_wrong_networks(tmp_path: Path) -> None:
    """A file that is no network, lacks the card's output, or wants two inputs, says so."""
    with pytest.raises(ModelError, match=r"gives \['side', 'vector'\], the card wants 'pooler_output'"):
        adopt(tiny_network(), tmp_path, output="pooler_output")
    two = tiny_network()
    two.graph.input.append(onnx.helper.make_tensor_value_info("y", 1, [1]))
    with pytest.raises(ModelError, match=r"takes \['x', 'y'\], expected one input"):
        adopt(two, tmp_path)
    (tmp_path / "net.onnx").write_bytes(b"not a network")
    card = read_card(tmp_path / "tiny.toml")
    with pytest.raises(ModelError, match="cannot be converted"):
        convert(card, card.weights[0], tmp_path / "net.onnx")
    with pytest.raises(ModelError, match="not an ONNX file"):
        external_files(tmp_path / "net.onnx")


def test_external_data(tmp_path: Path) -> None:
    """Tensors that lie beside the file are found, named, and come into the converted network."""
    weights = tmp_path / "net.onnx"
    onnx.save(
        tiny_network(), str(weights), save_as_external_data=True, location="net.onnx_data", size_threshold=0,
    )  # fmt: skip
    assert external_files(weights) == (tmp_path / "net.onnx_data",)
    path = tmp_path / "tiny.toml"
    path.write_text(tiny_card('path = "net.onnx"'), encoding="utf-8")
    card = read_card(path)
    converted = tmp_path / "elsewhere" / "converted.onnx"
    converted.parent.mkdir()
    converted.write_bytes(convert(card, card.weights[0], weights))
    images = np.ones((1, 3, SIDE, SIDE), np.float32)
    np.testing.assert_allclose(OnnxModel(converted).run(images), expected(images), atol=1e-6)
    (tmp_path / "net.onnx_data").unlink()
    with pytest.raises(ModelError, match="not a file beside it"):
        external_files(weights)


@pytest.mark.parametrize("location", ["../secret", "/etc/hostname", "a/b"])
def test_external_data_stays_beside_the_file(location: str, tmp_path: Path) -> None:
    """A network that wants tensors from elsewhere is refused before anything is read from there."""
    network = tiny_network()
    tensor = network.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    weights = tmp_path / "net.onnx"
    weights.write_bytes(network.SerializeToString())
    with pytest.raises(ModelError, match="not a file beside it"):
        external_files(weights)


def test_dim_is_checked(tmp_path: Path) -> None:
    """A card that promises another width than the architecture has is refused."""
    text = (BUILT_IN / "mobilenet-v2.toml").read_text(encoding="utf-8").replace("dim = 1280", "dim = 1281")
    path = tmp_path / "mobilenet-v2.toml"
    path.write_text(text, encoding="utf-8")
    weights = tmp_path / "weights.pth"
    weights.write_bytes(legacy_of(random_state(ARCHITECTURES["mobilenet-v2"], np.random.default_rng(0))))
    card = read_card(path)
    with pytest.raises(ModelError, match="gives 1280 features, the card says dim = 1281"):
        convert(card, card.weights[0], weights)
