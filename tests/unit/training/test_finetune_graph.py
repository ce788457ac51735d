"""A network's file as a graph: what is read, what is refused, and that the same graph is written back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from nitari.errors import ModelError
from nitari.models.store import ModelStore
from nitari.runtimes.onnx import OnnxModel
from nitari.training.finetune_graph import read_graph, rewritten
from support.training import DIM, SIDE, small_network, write_small_card


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A network as the model store converted it."""
    store = ModelStore(cache=tmp_path / "cache")
    (network,) = store.networks(store.card(str(write_small_card(tmp_path))))
    return network.path


def write(folder: Path, nodes: list[onnx.NodeProto], constants: list[onnx.TensorProto] = []) -> Path:  # noqa: B006
    """A network ``x`` -> ``y`` of these nodes."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, "h", "w"]) for name in "xy"]
    graph = helper.make_graph(nodes, "made", values[:1], values[1:], constants)
    (folder / "made.onnx").write_bytes(helper.make_model(graph).SerializeToString())
    return folder / "made.onnx"


def test_what_is_read(path: Path) -> None:
    """Casts and identities are gone, weights are in full precision and belong to layers, from first to last."""
    graph = read_graph(path)
    assert [node.op for node in graph.nodes].count("Conv") == len(graph.layers) == 4
    assert not {"Cast", "Identity", "Constant"} & {node.op for node in graph.nodes}
    assert {value.dtype for value in graph.constants.values()} == {np.dtype(np.float32)}
    assert graph.last(1) == graph.layers[-1]
    assert len(graph.last(2)) == 4
    assert graph.last(99) == tuple(name for layer in graph.layers for name in layer)
    assert dict(graph.nodes[0].attributes) == {"strides": (2, 2), "auto_pad": "SAME_UPPER"}


def test_the_same_graph_is_written_back(path: Path, tmp_path: Path) -> None:
    """With other weights each in the precision that it had, and an output that can be converted once more."""
    graph = read_graph(path)
    weight, bias = graph.layers[-1]
    changed = {weight: np.full_like(graph.constants[weight], 0.1), bias: np.ones(DIM, np.float32)}
    (tmp_path / "written.onnx").write_bytes(rewritten(path, changed))
    again = read_graph(tmp_path / "written.onnx")
    assert np.array_equal(again.constants[bias], changed[bias])
    assert np.allclose(again.constants[weight], 0.1, atol=1e-4)
    assert not np.array_equal(again.constants[weight], changed[weight])  # half precision has no 0.1
    same = set(graph.constants) - {weight, bias}
    assert all(np.array_equal(again.constants[name], graph.constants[name]) for name in same)
    assert again.output != "features"
    image = np.ones((1, 3, SIDE, SIDE), np.float32)
    assert OnnxModel(tmp_path / "written.onnx").run(image).shape == (1, DIM)


def test_nothing_changed(path: Path, tmp_path: Path) -> None:
    """The same weights give the same features to the bit."""
    graph = read_graph(path)
    values = {name: graph.constants[name] for layer in graph.layers for name in layer}
    (tmp_path / "same.onnx").write_bytes(rewritten(path, values))
    image = np.random.default_rng(1).normal(size=(2, 3, SIDE, SIDE)).astype(np.float32)
    assert np.array_equal(OnnxModel(tmp_path / "same.onnx").run(image), OnnxModel(path).run(image))


def test_weights_in_constants(tmp_path: Path) -> None:
    """Weights that a file has as nodes, and not as initializers, are found and written where they were."""
    weight = numpy_helper.from_array(np.ones((3, 3, 1, 1), np.float32), "w")
    nodes = [helper.make_node("Constant", [], ["w"], value=weight), helper.make_node("Conv", ["x", "w"], ["y"])]
    path = write(tmp_path, nodes)
    assert read_graph(path).layers == (("w",),)
    path.write_bytes(rewritten(path, {"w": np.full((3, 3, 1, 1), 2, np.float32)}))
    assert read_graph(path).constants["w"].max() == 2


def test_an_unknown_operator_is_named(tmp_path: Path) -> None:
    """With the node that has it, and what can be done instead."""
    (tmp_path / "odd.onnx").write_bytes(small_network(operator="Softplus").SerializeToString())
    with pytest.raises(ModelError, match=r"operator Softplus \(node space\.relu\)") as caught:
        read_graph(tmp_path / "odd.onnx")
    assert caught.value.code == "unknown-operator"
    assert "--fine-tune" in caught.value.remedy


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], ceil_mode=1), "MaxPool with ceil_mode"),
        (helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft"), "com.microsoft.Gelu"),
        (helper.make_node("Cast", ["x"], ["y"], to=TensorProto.INT64), "operator Cast"),
        (helper.make_node("Relu", ["x"], ["y"]), "no weights"),
    ],
)
def test_what_cannot_be_trained(tmp_path: Path, node: onnx.NodeProto, said: str) -> None:
    """Each is refused in so many words."""
    with pytest.raises(ModelError, match=said):
        read_graph(write(tmp_path, [node]))


def test_no_network(tmp_path: Path) -> None:
    """A file that is something else is named."""
    (tmp_path / "text.onnx").write_bytes(b"\xff\xffno network")
    with pytest.raises(ModelError, match=r"text\.onnx is not an ONNX file"):
        read_graph(tmp_path / "text.onnx")


def test_weights_too_large_for_what_they_are_stored_in(path: Path) -> None:
    """Half precision ends at 65,504; training that got there says so."""
    graph = read_graph(path)
    weight = graph.layers[-1][0]
    with pytest.raises(ModelError, match="more than float16 holds") as caught:
        rewritten(path, {weight: np.full_like(graph.constants[weight], 1e6)})
    assert "--fine-tune-rate" in caught.value.remedy
