"""A network's ONNX file as plain data to be trained, and written back: the same graph with other numbers in it.

What runs in production is the graph; so it is the graph that is trained, node by node (``finetune_torch``), and not a
reimplementation that would have to be kept equal to it. Batch norms were folded into convolutions when the network was
converted; those that were not keep their statistics.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nitari.errors import ModelError
from nitari.types import FloatArray

LEARNED: Mapping[str, tuple[int, ...]] = {
    "BatchNormalization": (1, 2),  # scale and shift; mean and variance stay
    "Conv": (1, 2),
    "Gemm": (1, 2),
    "MatMul": (0, 1),
}
"""Operators that have weights, and which of their inputs these are."""
OPERATORS = frozenset(LEARNED) | {
    "Add",
    "AveragePool",
    "Clip",
    "Concat",
    "Div",
    "Flatten",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "HardSigmoid",
    "HardSwish",
    "LeakyRelu",
    "MaxPool",
    "Mul",
    "Pow",
    "ReduceMean",
    "Relu",
    "Reshape",
    "Sigmoid",
    "Sqrt",
    "Sub",
    "Tanh",
}
"""Operators that ``finetune_torch`` runs. Constants, casts and what only matters in training are gone by then."""
_ALIASES = ("Identity", "Dropout")
_KINDS = {1: np.float32, 6: np.int32, 7: np.int64, 10: np.float16, 11: np.float64}
# What ``models.convert`` calls the output of what it makes of a file: the file itself must not use that name.
_TAKEN = "features"


@dataclass(frozen=True, slots=True)
class Node:
    """One operation.

    Args:
        op: One of ``OPERATORS``.
        name: For messages.
        inputs: Names of values; empty where an optional one is left out.
        output: Name of the value that it makes.
        attributes: Numbers, texts and tuples of numbers.
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A network with one input and one output.

    Args:
        input: Name of the images, float32 ``[n, 3, height, width]``.
        output: Name of the features, float32 ``[n, dim]``.
        nodes: In an order in which they can be run.
        constants: What does not depend on the input, by name; floats as float32.
        layers: The constants that can be trained, layer by layer from the input to the output.
        sha256: Of the file.
    """

    input: str
    output: str
    nodes: tuple[Node, ...]
    constants: Mapping[str, NDArray[Any]]
    layers: tuple[tuple[str, ...], ...]
    sha256: str

    def last(self, count: int) -> tuple[str, ...]:
        """The names of what the last ``count`` layers hold; of all where there are fewer."""
        return tuple(dict.fromkeys(name for layer in self.layers[-count:] for name in layer))


def read_graph(path: Path) -> Graph:
    """A converted network (``models.store.Network.path``) as a graph.

    Raises:
        ModelError: not an ONNX file; an operator that is not known, by its name; nothing in it that can be trained.
    """
    data, model = _load(path)
    reader = _Reader(path)
    for tensor in model.graph.initializer:
        reader.keep(tensor.name, _array(tensor))
    for node in model.graph.node:
        reader.read(node)
    output = reader.of(model.graph.output[0].name)
    names = [value.name for value in model.graph.input if value.name not in reader.constants]
    if len(names) != 1:
        raise ModelError(f"model {path} takes {', '.join(names) or 'nothing'}, expected one input, the images")
    layers = [layer for node in reader.nodes if (layer := _layer(node, reader.constants))]
    if not layers:
        raise ModelError(f"model {path} holds no weights that can be trained", remedy="name another network's card")
    sha256 = hashlib.sha256(data).hexdigest()
    return Graph(names[0], output, tuple(reader.nodes), reader.constants, tuple(layers), sha256)


def rewritten(path: Path, values: Mapping[str, FloatArray]) -> bytes:
    """The same file with other weights, each stored as it was: in half precision where it had been.

    Its output is renamed where it has a name that the converter gives, so that it can be converted like any other.

    Args:
        path: What ``read_graph`` read.
        values: float32, by name of the constants.

    Raises:
        ModelError: a value that the precision it is stored in cannot hold.
    """
    _, model = _load(path)
    graph = model.graph
    homes = _homes(graph)
    for name, value in values.items():
        _store(homes[name], value, path)
    _without_last_identity(graph)
    if graph.output[0].name == _TAKEN:
        _rename_output(graph, _unused(graph))
    data: bytes = model.SerializeToString(deterministic=True)
    return data


class _Reader:
    """Goes through a file's nodes in order."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._same: dict[str, str] = {}
        self.constants: dict[str, NDArray[Any]] = {}
        self.nodes: list[Node] = []

    def keep(self, name: str, value: NDArray[Any]) -> None:
        """Remember a constant."""
        is_float = np.issubdtype(value.dtype, np.floating)
        self.constants[name] = value.astype(np.float32) if is_float else value

    def of(self, name: str) -> str:
        """The value that stands for this one: casts and identities change nothing."""
        return self._same.get(name, name)

    def read(self, node: Any) -> None:
        """Take in one node of the file."""
        attributes = {attribute.name: _attribute(attribute) for attribute in node.attribute}
        output = node.output[0]
        if node.op_type == "Constant" and "value" in attributes:
            self.keep(output, attributes["value"])
        elif node.op_type in _ALIASES or (node.op_type == "Cast" and attributes["to"] in (1, 10, 11)):
            self._same[output] = self.of(node.input[0])
        elif node.op_type == "Cast" and self.of(node.input[0]) in self.constants and attributes["to"] in _KINDS:
            self.constants[output] = self.constants[self.of(node.input[0])].astype(_KINDS[attributes["to"]])
        elif unknown := _unknown(node, attributes):
            raise ModelError(
                f"model {self._path} has the operator {unknown} (node {node.name or output}), which cannot be trained; "
                f"known are {', '.join(sorted(OPERATORS))}",
                remedy="fine-tune a convolutional network, or train heads alone: leave out --fine-tune",
                code="unknown-operator",
            )
        else:
            inputs = tuple(self.of(name) for name in node.input)
            self.nodes.append(Node(node.op_type, node.name or output, inputs, output, attributes))


def _unknown(node: Any, attributes: Mapping[str, Any]) -> str:
    """What a node does that is not known here; empty where it is."""
    operator = ".".join(filter(None, (node.domain, node.op_type)))
    if node.domain not in ("", "ai.onnx") or node.op_type not in OPERATORS:
        return operator
    if node.op_type.endswith("Pool") and (attributes.get("ceil_mode") or set(attributes.get("dilations", ())) - {1}):
        return f"{operator} with ceil_mode or dilations"
    return ""


def _layer(node: Node, constants: Mapping[str, NDArray[Any]]) -> tuple[str, ...]:
    """The names of a node's weights."""
    at = [place for place in LEARNED.get(node.op, ()) if place < len(node.inputs)]
    names = [node.inputs[place] for place in at]
    return tuple(name for name in names if name in constants and constants[name].dtype == np.float32)


def _load(path: Path) -> tuple[bytes, Any]:
    """The file's bytes, and what they say."""
    import onnx

    data = path.read_bytes()
    try:
        return data, onnx.load_from_string(data)
    except Exception as exc:
        if type(exc).__module__.split(".")[0] not in ("google", "onnx"):
            raise
        raise ModelError(f"{path} is not an ONNX file: {exc}") from exc


def _array(tensor: Any) -> NDArray[Any]:
    from onnx import numpy_helper

    found: NDArray[Any] = numpy_helper.to_array(tensor)
    return found


def _attribute(attribute: Any) -> Any:
    """An attribute's value as plain data, a tensor as an array."""
    from onnx import AttributeProto, helper

    value = helper.get_attribute_value(attribute)
    if attribute.type == AttributeProto.TENSOR:
        return _array(value)
    if isinstance(value, bytes):
        return value.decode()
    return tuple(value) if isinstance(value, list) or hasattr(value, "__len__") else value


def _homes(graph: Any) -> dict[str, Any]:
    """Where each constant is stored, by every name that it has: behind casts and identities it has several."""
    homes = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            homes |= dict.fromkeys(node.output, next((a.t for a in node.attribute if a.name == "value"), None))
        elif node.op_type in (*_ALIASES, "Cast") and node.input[0] in homes:
            homes[node.output[0]] = homes[node.input[0]]
    return homes


def _store(tensor: Any, value: FloatArray, path: Path) -> None:
    """Put a value into a tensor, in the precision that it has."""
    from onnx import numpy_helper

    before = _array(tensor)
    with np.errstate(over="ignore"):
        after = value.astype(before.dtype)
    if not np.isfinite(after).all():
        raise ModelError(
            f"training {path} led to weights of up to {np.abs(value).max():.3g} in {tensor.name}, more than "
            f"{before.dtype} holds",
            remedy="lower --fine-tune-rate",
        )
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(after.reshape(before.shape)), tensor.name))


def _without_last_identity(graph: Any) -> None:
    """Take away the node that only names the output."""
    output = graph.output[0]
    last = [node for node in graph.node if output.name in node.output]
    if last and last[0].op_type == "Identity":
        graph.node.remove(last[0])
        output.name = last[0].input[0]


def _unused(graph: Any) -> str:
    used = {name for node in graph.node for name in (*node.input, *node.output)}
    return next(name for name in ("output", *(f"output{n}" for n in range(len(used) + 1))) if name not in used)


def _rename_output(graph: Any, name: str) -> None:
    old = graph.output[0].name
    for node in graph.node:
        node.input[:] = [name if value == old else value for value in node.input]
        node.output[:] = [name if value == old else value for value in node.output]
    graph.output[0].name = name
