"""The check of a converted network against its card."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from nitari.errors import ModelError
from nitari.models.card import Card, Check, read_card, synthetic_image
from nitari.models.check import check_network
from nitari.models.convert import convert
from support.models import SIDE, tiny_card, tiny_matrix, tiny_network


@pytest.fixture
def card(tmp_path: Path) -> Card:
    """The tiny card with the right known values."""
    path = tmp_path / "tiny.toml"
    path.write_text(tiny_card('path = "net.onnx"'), encoding="utf-8")
    image = synthetic_image((SIDE, SIDE)).astype(np.float32) / 255
    values = np.maximum(image.mean(axis=(0, 1)) @ tiny_matrix(), 0)
    check = Check(indices=(0, 4), values=(float(values[0]), float(values[4])), tolerance=1e-5)
    return dataclasses.replace(read_card(path), check=check)


def converted(card: Card, network: onnx.ModelProto, folder: Path) -> Path:
    """The converted network's file."""
    weights = folder / "net.onnx"
    weights.write_bytes(network.SerializeToString())
    path = folder / "converted.onnx"
    path.write_bytes(convert(card, card.weights[0], weights))
    return path


def test_right_network(card: Card, tmp_path: Path) -> None:
    """A network that is what its card says passes, with known values and without."""
    path = converted(card, tiny_network(), tmp_path)
    check_network(card, path)
    check_network(dataclasses.replace(card, check=None), path)


def test_wrong_values(card: Card, tmp_path: Path) -> None:
    """Other values than the known ones are told with index, value and tolerance."""
    assert card.check is not None
    wrong = dataclasses.replace(card.check, values=(card.check.values[0], card.check.values[1] + 0.5))
    path = converted(card, tiny_network(), tmp_path)
    with pytest.raises(ModelError, match=r"at index 4 of its output, expected .* ± 1e-05"):
        check_network(dataclasses.replace(card, check=wrong), path)
    beyond = dataclasses.replace(card.check, indices=(0, 9))
    with pytest.raises(ModelError, match="gives 5 values, the card's check looks at index 9"):
        check_network(dataclasses.replace(card, check=beyond), path)


def test_wrong_shape(card: Card, tmp_path: Path) -> None:
    """An output of another width than the card's is refused."""
    path = converted(card, tiny_network(dim=6), tmp_path)
    with pytest.raises(ModelError, match=r"shape \[1, 6\], expected \[1, 5\]"):
        check_network(card, path)


def with_last(node: onnx.NodeProto, *constants: onnx.TensorProto) -> onnx.ModelProto:
    """The tiny network with ``node`` after its vector, giving the output ``other``."""
    network = tiny_network(batch="n")
    network.graph.node.append(node)
    network.graph.initializer.extend(constants)
    network.graph.output.append(helper.make_tensor_value_info("other", 1, None))
    return network


@pytest.mark.parametrize(
    ("op", "message"),
    [("Neg", "the card says that no value is negative"), ("Acosh", "not finite"), ("CumSum", "when a second one")],
)
def test_misbehaving_network(op: str, message: str, card: Card, tmp_path: Path) -> None:
    """Negative or infinite features are refused, and so are those that depend on the rest of the batch."""
    axis = onnx.numpy_helper.from_array(np.array(0, np.int64), "axis")
    node = helper.make_node(op, ["vector", "axis"] if op == "CumSum" else ["vector"], ["other"])
    assert card.output is not None
    changed = dataclasses.replace(card, check=None, output=dataclasses.replace(card.output, name="other"))
    path = converted(changed, with_last(node, axis), tmp_path)
    with pytest.raises(ModelError, match=message):
        check_network(changed, path)
