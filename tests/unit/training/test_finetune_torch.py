"""The part that has PyTorch: graphs as modules, losses, devices. What it gives must be what production gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from nitari.errors import UsageError
from nitari.models.card import BUILT_IN
from nitari.models.store import ModelStore
from nitari.runtimes.onnx import OnnxModel
from nitari.training import head_losses
from nitari.training.finetune_graph import OPERATORS, read_graph
from support.torch import need_torch
from support.training import SIDE, write_small_card

DRAWS = np.random.default_rng(7)


@pytest.fixture(scope="module")
def tuning(missing: Callable[[str], None]) -> ModuleType:
    """The module."""
    need_torch(missing)
    from nitari.training import finetune_torch

    return finetune_torch


def constant(name: str, *shape: int) -> Any:
    """Numbers of either sign."""
    return numpy_helper.from_array(DRAWS.normal(size=shape).astype(np.float32) / 2, name)


def both(path: Path, tuning: ModuleType, *, side: int = SIDE) -> float:
    """The largest difference between what ONNX Runtime and PyTorch make of the same pictures."""
    images = np.random.default_rng(0).normal(size=(2, 3, side, side - 8)).astype(np.float32)
    runtime, torch = OnnxModel(path).run(images), tuning.features(read_graph(path), images)
    assert runtime.shape == torch.shape
    return float(np.abs(runtime - torch).max())


@pytest.mark.parametrize("card", [str(BUILT_IN / "nitari-lite0.toml"), "small"])
def test_the_same_as_in_production(card: str, tuning: ModuleType, tmp_path: Path) -> None:
    """The module gives what ONNX Runtime gives: of the network that is shipped, and of a small one."""
    store = ModelStore(cache=tmp_path / "cache", download=False)
    path = str(write_small_card(tmp_path)) if card == "small" else card
    (network,) = store.networks(store.card(path))
    assert both(network.path, tuning, side=64) < 1e-4


def of_operators(*nodes: Any, constants: list[Any], opset: int = 17) -> onnx.ModelProto:
    """A network of these nodes, ``x`` to ``y``."""
    graph = helper.make_graph(
        list(nodes),
        "operators",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


CONVOLUTION = helper.make_node("Conv", ["x", "w"], ["c"], dilations=[2, 1], pads=[2, 0, 1, 1], strides=[1, 2])
HALVES = {
    "LeakyRelu": {"alpha": 0.2},
    "Sigmoid": {},
    "Tanh": {},
    "HardSigmoid": {"alpha": 0.3},
    "HardSwish": {},
    "GlobalMaxPool": {},
    "MaxPool": {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
    "AveragePool": {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 1, 1, 1]},
    "ReduceMean": {"axes": [2, 3], "keepdims": 0},
    "Sqrt": {},
}


@pytest.mark.parametrize("op", HALVES)
def test_operators(op: str, tuning: ModuleType, tmp_path: Path) -> None:
    """Each operator, behind a convolution, is what ONNX Runtime takes it for."""
    before = [CONVOLUTION] if op != "Sqrt" else [CONVOLUTION, helper.make_node("Relu", ["c"], ["r"])]
    value = "r" if op == "Sqrt" else "c"
    model = of_operators(
        *before, helper.make_node(op, [value], ["y"], **HALVES[op]), constants=[constant("w", 5, 3, 3, 3)]
    )
    (tmp_path / "made.onnx").write_bytes(model.SerializeToString())
    assert both(tmp_path / "made.onnx", tuning) < 1e-4


def test_the_other_operators(tuning: ModuleType, tmp_path: Path) -> None:
    """Arithmetic, batch norm, concatenation, matrices and shapes together."""
    variance = numpy_helper.from_array(np.array([0.5, 1, 2, 3, 4], np.float32), "variance")
    shape = numpy_helper.from_array(np.array([0, -1], np.int64), "shape")
    model = of_operators(
        helper.make_node("Conv", ["x", "w"], ["c"], auto_pad="SAME_LOWER", strides=[2, 2]),
        helper.make_node("BatchNormalization", ["c", "scale", "shift", "mean", "variance"], ["n"], epsilon=1e-3),
        helper.make_node("Mul", ["n", "n"], ["square"]),
        helper.make_node("Sub", ["square", "scalar"], ["less"]),
        helper.make_node("Div", ["less", "scalar"], ["part"]),
        helper.make_node("Concat", ["part", "n"], ["wide"], axis=1),
        helper.make_node("Clip", ["wide"], ["held"]),
        helper.make_node("GlobalAveragePool", ["held"], ["pooled"]),
        helper.make_node("Reshape", ["pooled", "shape"], ["row"]),
        helper.make_node("Gemm", ["row", "matrix", "offset"], ["given"], transB=1, alpha=0.5, beta=2.0),
        helper.make_node("MatMul", ["given", "last"], ["y"]),
        constants=[
            variance,
            shape,
            *(constant(name, 5) for name in ("scale", "shift", "mean")),
            constant("w", 5, 3, 4, 4),
            constant("scalar", 1),
            constant("matrix", 6, 10),
            constant("offset", 6),
            constant("last", 6, 4),
        ],
    )
    (tmp_path / "made.onnx").write_bytes(model.SerializeToString())
    assert both(tmp_path / "made.onnx", tuning) < 1e-4
    assert [len(layer) for layer in read_graph(tmp_path / "made.onnx").layers] == [1, 2, 2, 1]


def test_every_operator_that_is_promised(tuning: ModuleType) -> None:
    """What can be read can be run."""
    assert set(tuning._RUN) == OPERATORS


def test_slopes_where_nothing_was_seen(tuning: ModuleType, tmp_path: Path) -> None:
    """The generalized mean has a root, whose slope at 0 is infinite; silent features must not ruin all weights."""
    import torch

    store = ModelStore(cache=tmp_path / "cache")
    (network,) = store.networks(store.card(str(write_small_card(tmp_path))))
    module = tuning.Network(read_graph(network.path), 2)
    with torch.no_grad():
        list(module.parameters())[-1].fill_(-100)
    module(torch.ones(1, 3, SIDE, SIDE)).sum().backward()
    assert all(bool(torch.isfinite(own.grad).all()) for own in module.parameters())


def test_only_the_last_layers_are_trained(tuning: ModuleType, tmp_path: Path) -> None:
    """As many as are asked for; the others have no gradient to pay for."""
    store = ModelStore(cache=tmp_path / "cache")
    (network,) = store.networks(store.card(str(write_small_card(tmp_path))))
    graph = read_graph(network.path)
    assert [len(list(tuning.Network(graph, count).parameters())) for count in (1, 3, 9)] == [2, 6, 8]
    assert set(tuning.Network(graph, 1).weights()) == set(graph.layers[-1])


def test_losses_are_those_of_the_heads(tuning: ModuleType) -> None:
    """Both write down the same losses: by hand for heads, for PyTorch to differentiate here."""
    import torch

    draws = np.random.default_rng(1)
    unit = head_losses.unit_rows(draws.normal(size=(14, 6)).astype(np.float32))[0]
    before = head_losses.unit_rows(draws.normal(size=(14, 9)).astype(np.float32))[0]
    centers = draws.normal(size=(3, 6)).astype(np.float32)
    labels = np.array([0, 0, 1, 1, 2, 2, -1, -1, 0, 1, 2, 0, 1, -1])
    alike = (labels[:, None] == labels) & (labels >= 0) & ~np.eye(14, dtype=bool)
    among = (np.arange(14) % 2)[:, None] != np.arange(14) % 2
    rows, same, others = torch.tensor(unit), torch.tensor(alike), torch.tensor(among)
    told = [
        (head_losses.contrast(unit, alike, 0.1)[0], tuning.contrast(rows, same, 0.1)),
        (head_losses.contrast(unit, alike, 0.1, among=among)[0], tuning.contrast(rows, same, 0.1, others)),
        (head_losses.contrast(unit, alike & False, 0.1)[0], tuning.contrast(rows, same & False, 0.1)),
        (
            head_losses.proxies(unit, centers, labels, 12.0)[0],
            tuning.proxies(rows, torch.tensor(centers), torch.tensor(labels), 12.0),
        ),
        (head_losses.agreement(unit, before)[0], tuning.agreement(rows, torch.tensor(before))),
    ]
    for by_hand, by_torch in told:
        assert float(by_torch) == pytest.approx(by_hand, abs=1e-5)


def test_devices(tuning: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """The best that is there by default; one that is not there is refused with those that are."""
    monkeypatch.setattr(tuning.torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(tuning.torch.backends.mps, "is_available", lambda: False)
    assert (tuning.device_of("auto"), tuning.device_of("cpu")) == ("cpu", "cpu")
    with pytest.raises(UsageError, match="finds no device cuda on this machine; it finds cpu"):
        tuning.device_of("cuda")
    monkeypatch.setattr(tuning.torch.cuda, "is_available", lambda: True)
    assert tuning.device_of("auto") == "cuda"
