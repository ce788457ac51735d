"""Weights to the network that runs: one float32 input with free batch, height and width; one pooled float32 output.

What comes out is the same bytes for the same input, on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nitari.errors import ModelError
from nitari.models.architectures import ARCHITECTURES, Architecture, Conv
from nitari.models.card import CHANNELS, Card, Source
from nitari.models.onnx_graph import OnnxGraph
from nitari.models.pth import StateDict, read_state_dict

CONVERTER_VERSION = 1
"""Goes up whenever this module makes something else of the same weights; then models are converted again."""

INPUT = "images"
OUTPUT = {"embedder": "features", "saliency": "mask", "detector": "cells"}
# Of an output [n, dim, h, w], as opposed to [n, tokens, dim].
_MAP_RANK = 4
# Above the mean (1) and the maximum (infinity) in docs/accuracy.md; 3 is also where the paper ends up.
_GEM_EXPONENT = 3.0
# Protocol buffers end at 2 GiB; converted networks are stored in one file.
_MAX_BYTES = 2 * 10**9


def convert(card: Card, source: Source, weights: Path) -> bytes:
    """The converted network, as an ONNX file's bytes.

    Args:
        card: What the network is.
        source: How to read ``weights``: its format and architecture.
        weights: The file, its checksum already verified. An ONNX file's external data lie beside it.

    Raises:
        ModelError: weights that cannot be read, or that are not what card and architecture say.
    """
    with _translated(card, weights):
        if source.format == "pth":
            model = _rebuild(card, ARCHITECTURES[source.architecture], read_state_dict(weights))
        else:
            model = _adopt(card, weights)
        model.producer_name = "nitari"
        model.producer_version = str(CONVERTER_VERSION)
        data: bytes = model.SerializeToString(deterministic=True)
    if len(data) > _MAX_BYTES:
        raise ModelError(f"model {card.name} is {len(data)} bytes converted, more than {_MAX_BYTES}")
    return data


def external_files(weights: Path) -> tuple[Path, ...]:
    """The files beside an ONNX file that hold its large tensors, by name; mostly there are none.

    Raises:
        ModelError: not an ONNX file, or one that points outside its own folder.
    """
    import onnx
    from onnx.external_data_helper import uses_external_data

    try:
        model = onnx.load(str(weights), load_external_data=False)
    except Exception as exc:
        if type(exc).__module__.split(".")[0] not in ("google", "onnx"):
            raise
        raise ModelError(f"{weights} is not an ONNX file: {exc}") from exc
    names = {
        entry.value
        for tensor in model.graph.initializer
        if uses_external_data(tensor)
        for entry in tensor.external_data
        if entry.key == "location"
    }
    for name in sorted(names):
        if Path(name).name != name or not (weights.parent / name).is_file():
            raise ModelError(
                f"{weights} keeps tensors in {name!r}, which is not a file beside it",
                remedy="give a folder that holds both files",
            )
    return tuple(weights.parent / name for name in sorted(names))


@contextmanager
def _translated(card: Card, weights: Path) -> Iterator[None]:
    """What onnx and protobuf raise about a file that is no model, as ours."""
    try:
        yield
    except Exception as exc:
        theirs = type(exc).__module__.split(".")[0] in ("google", "onnx")
        if not theirs and not isinstance(exc, OSError | KeyError | ValueError | TypeError):
            raise
        reason = str(exc).strip() or type(exc).__name__
        raise ModelError(
            f"model {card.name}: {weights} cannot be converted: {reason}",
            remedy="check that it is the file that the card describes (`nitari model show` tells which)",
        ) from exc


def _rebuild(card: Card, architecture: Architecture, state: StateDict) -> Any:
    """An architecture with its weights as an ONNX model: batch norms folded, features pooled inside."""
    graph = OnnxGraph()
    clip = [graph.constant("zero", np.array(0, np.float32)), graph.constant("six", np.array(6, np.float32))]
    value, channels = INPUT, CHANNELS
    for number, block in enumerate(architecture.blocks):
        entry = value
        for step, conv in enumerate(block.convs):
            name = f"block{number}.{step}"
            weight, bias = folded(conv, channels, architecture.epsilon, state)
            inputs = [value, graph.constant(f"{name}.weight", weight), graph.constant(f"{name}.bias", bias)]
            value = graph.add("Conv", inputs, f"{name}.conv", **_conv_attributes(conv, architecture.padding))
            if conv.relu6:
                value = graph.add("Clip", [value, *clip], f"{name}.relu6")
            channels = conv.channels
        if block.residual:
            value = graph.add("Add", [value, entry], f"block{number}.sum")
    _pool(graph, card, value)
    if channels != card.dim:
        raise ValueError(f"it gives {channels} features, the card says dim = {card.dim}")
    takes = (INPUT, ("n", CHANNELS, "height", "width"))
    return graph.model(card.name, takes=takes, gives=(OUTPUT["embedder"], ("n", channels)))


def _pool(graph: OnnxGraph, card: Card, value: str) -> None:
    """From the last map to the features, as the card says."""
    pooling = card.network_output.pooling
    if pooling == "gem":
        graph.nodes.extend(_gem(value))
        graph.add("Identity", ["pooled"], OUTPUT["embedder"])
    elif pooling in ("none", "mean"):
        pooled = graph.add("GlobalAveragePool", [value], "pooled")
        graph.add("Flatten", [pooled], OUTPUT["embedder"], axis=1)
    else:
        raise ValueError(f"its architecture ends in a feature map, which has no pooling {pooling!r}")


def folded(conv: Conv, channels: int, epsilon: float, state: StateDict) -> tuple[NDArray[Any], NDArray[Any]]:
    """A convolution's kernel and bias with the batch norm after it multiplied in (in float64, once)."""
    shape = (conv.channels, 1 if conv.depthwise else channels, conv.kernel, conv.kernel)
    kernel = _tensor(state, conv.weight, shape)
    vector = (conv.channels,)
    scale = _tensor(state, f"{conv.norm}.weight", vector)
    shift = _tensor(state, f"{conv.norm}.bias", vector)
    mean = _tensor(state, f"{conv.norm}.running_mean", vector)
    variance = _tensor(state, f"{conv.norm}.running_var", vector)
    factor = scale / np.sqrt(variance + epsilon)
    return (kernel * factor[:, None, None, None]).astype(np.float32), (shift - mean * factor).astype(np.float32)


def _tensor(state: StateDict, name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """A tensor of the state dictionary, if it is there, finite and of this shape."""
    found = state.get(name)
    if found is None:
        raise ValueError(f"it has no tensor {name}")
    if found.shape != shape:
        raise ValueError(f"its tensor {name} has shape {found.shape}, expected {shape}")
    value = found.astype(np.float64)
    if not np.isfinite(value).all():
        raise ValueError(f"its tensor {name} has values that are not finite")
    return value


def _conv_attributes(conv: Conv, padding: str) -> dict[str, Any]:
    """Kernel, strides, groups and padding as ONNX has them."""
    attributes: dict[str, Any] = {
        "kernel_shape": [conv.kernel, conv.kernel],
        "strides": [conv.stride, conv.stride],
        "group": conv.channels if conv.depthwise else 1,
    }
    if padding == "same" and conv.stride > 1:
        # How much TensorFlow pads depends on the input's size, so the runtime works it out.
        attributes["auto_pad"] = "SAME_UPPER"
    else:
        attributes["pads"] = [conv.kernel // 2] * 4
    return attributes


def _adopt(card: Card, weights: Path) -> Any:
    """Somebody's ONNX model, reduced to the card's input and output, float32, with free dimensions."""
    import onnx
    from onnx import TensorProto, helper

    model = onnx.load(str(weights))
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    if len(inputs) != 1:
        raise ValueError(f"it takes {[value.name for value in inputs]}, expected one input, the images")
    wanted = card.network_output.name
    outputs = [value for value in graph.output if wanted in ("", value.name)]
    if not outputs:
        raise ValueError(f"it gives {[value.name for value in graph.output]}, the card wants {wanted!r}")
    output = outputs[0]
    image, half = inputs[0], TensorProto.FLOAT16
    ours = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["n", CHANNELS, "height", "width"])
    before: list[Any] = []
    if image.type.tensor_type.elem_type == half:
        before.append(helper.make_node("Cast", [INPUT], [image.name], name="as_half", to=half))
    else:
        _rename(graph, image.name, INPUT)
    after, result = _pooling(card, output.name, len(output.type.tensor_type.shape.dim))
    if output.type.tensor_type.elem_type != TensorProto.FLOAT:
        after.append(helper.make_node("Cast", [result], ["as_float"], name="as_float", to=TensorProto.FLOAT))
        result = "as_float"
    name = OUTPUT[card.kind]
    after.append(helper.make_node("Identity", [result], [name], name=name))
    nodes = _needed([*before, *graph.node, *after], name)
    dims: list[Any] = ["n", card.dim] if card.kind == "embedder" else ["n", 1, "height", "width"]
    if card.detector is not None:
        dims = ["n", card.detector.channels, "rows", "columns"]
    used = {value for node in nodes for value in node.input} | _inner(nodes)
    made = helper.make_graph(
        nodes,
        card.name,
        [ours],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)],
        [tensor for tensor in graph.initializer if tensor.name in used],
    )
    kept = helper.make_model(made, opset_imports=list(model.opset_import), ir_version=max(model.ir_version, 4))
    kept.functions.extend(model.functions)
    return kept


def _gem(value: str) -> list[Any]:
    """Nodes from a map ``[n, dim, h, w]`` without negative values to its generalized mean, ``pooled``."""
    from onnx import helper, numpy_helper

    exponents = {"gem.up": _GEM_EXPONENT, "gem.down": 1 / _GEM_EXPONENT}
    nodes = [
        helper.make_node("Constant", [], [name], name=name, value=numpy_helper.from_array(np.array([e], np.float32)))
        for name, e in exponents.items()
    ]
    return [
        *nodes,
        helper.make_node("Pow", [value, "gem.up"], ["gem.powers"], name="gem.powers"),
        helper.make_node("GlobalAveragePool", ["gem.powers"], ["gem.mean"], name="gem.mean"),
        helper.make_node("Pow", ["gem.mean", "gem.down"], ["gem.root"], name="gem.root"),
        helper.make_node("Flatten", ["gem.root"], ["pooled"], name="pooled", axis=1),
    ]


def _pooling(card: Card, value: str, rank: int) -> tuple[list[Any], str]:
    """Nodes that reduce an output to one vector an image, as the card says; and what they give.

    ``mean`` is the mean over tokens (``[n, tokens, dim]``) or over positions (``[n, dim, h, w]``).
    """
    from onnx import TensorProto, helper

    pooling = card.network_output.pooling
    if pooling == "none":
        return [], value
    if pooling == "gem":
        if rank != _MAP_RANK:
            raise ValueError(f"its output has {rank} axes; pooling gem wants a feature map, [n, dim, h, w]")
        return _gem(value), "pooled"
    if pooling == "mean":
        # GlobalAveragePool means the same in every opset; ReduceMean does not.
        nodes = []
        if rank != _MAP_RANK:
            nodes.append(helper.make_node("Transpose", [value], ["by_channel"], name="by_channel", perm=[0, 2, 1]))
            value = "by_channel"
        nodes.append(helper.make_node("GlobalAveragePool", [value], ["mean"], name="mean"))
        nodes.append(helper.make_node("Flatten", ["mean"], ["pooled"], name="pooled", axis=1))
        return nodes, "pooled"
    index = helper.make_tensor("first", TensorProto.INT64, [], [0])
    first = helper.make_node("Constant", [], ["first"], name="first", value=index)
    return [first, helper.make_node("Gather", [value, "first"], ["pooled"], name="pooled", axis=1)], "pooled"


def _rename(graph: Any, old: str, new: str) -> None:
    """Let every node that reads ``old`` read ``new``, inside branches and loops too."""
    for node in graph.node:
        for position, name in enumerate(node.input):
            if name == old:
                node.input[position] = new
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _rename(attribute.g, old, new)


def _needed(nodes: list[Any], output: str) -> list[Any]:
    """Those nodes that ``output`` depends on, in order."""
    wanted = {output}
    kept = []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(node.input)
            wanted.update(_inner([node]))
    return kept[::-1]


def _inner(nodes: list[Any]) -> set[str]:
    """Names that branches and loops of these nodes read, which may come from outside them."""
    names: set[str] = set()
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                names.update(name for inner in attribute.g.node for name in inner.input)
                names |= _inner(list(attribute.g.node))
    return names
