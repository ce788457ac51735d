"""The region finder's network as an ONNX file: weights in half precision, cast up when the file is loaded."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nitari.models.onnx_graph import OnnxGraph
from nitari.training.finder_network import Layer, layers
from nitari.types import FloatArray

# Half precision keeps 11 bits: far below what moves a box by a pixel, at half the bytes.
_HALF_FROM = 64


def export(parameters: Mapping[str, FloatArray], *, labels: int, name: str) -> bytes:
    """The network with these parameters as an ONNX file's bytes: ``images`` in, ``grid`` out, free batch and sides.

    Args:
        parameters: float32, ``LAYER.weight`` and ``LAYER.bias`` of every convolution.
        labels: How many.
        name: Of the graph.

    Raises:
        KeyError: a parameter that is missing.
        ValueError: one of another shape.
    """
    graph = _Graph()
    network = layers(labels)
    for layer in network:
        graph.add(layer, parameters)
    takes, gives = ("images", ("n", 3, "height", "width")), (network[-1].name, ("n", None, "rows", "columns"))
    model = graph.written.model(name, takes=takes, gives=gives)
    model.producer_name = "nitari"
    data: bytes = model.SerializeToString(deterministic=True)
    return data


class _Graph:
    """A network under construction, layer by layer."""

    def __init__(self) -> None:
        self.written = OnnxGraph()
        self.written.constant("zero", np.array(0, np.float32))
        self.written.constant("six", np.array(6, np.float32))
        self.written.constant("none", np.array([], np.float32))
        self.written.constant("double", np.array([1, 1, 2, 2], np.float32))

    def add(self, layer: Layer, parameters: Mapping[str, FloatArray]) -> None:
        """Append a layer."""
        ops = {"add": "Add", "mean": "GlobalAveragePool"}
        if layer.op == "conv":
            self._conv(layer, parameters)
        elif layer.op == "double":
            self.written.add(
                "Resize", [layer.inputs[0], "none", "double"], layer.name, mode="nearest",
                coordinate_transformation_mode="asymmetric", nearest_mode="floor",
            )  # fmt: skip
        elif layer.op == "fold":
            self.written.add("SpaceToDepth", layer.inputs, layer.name, blocksize=layer.factor)
        elif layer.op == "join":
            self.written.add("Concat", layer.inputs, layer.name, axis=1)
        else:
            self.written.add(ops[layer.op], layer.inputs, layer.name)

    def _conv(self, layer: Layer, parameters: Mapping[str, FloatArray]) -> None:
        weight, bias = parameters[f"{layer.name}.weight"], parameters[f"{layer.name}.bias"]
        if weight.shape != layer.shape or bias.shape != layer.shape[:1]:
            raise ValueError(f"layer {layer.name} has weights {weight.shape} and {bias.shape}, expected {layer.shape}")
        before, after = layer.padding
        inputs = [layer.inputs[0], self._half(f"{layer.name}.weight", weight), f"{layer.name}.bias"]
        self.written.constant(f"{layer.name}.bias", bias.astype(np.float32))
        self.written.add(
            "Conv", inputs, f"{layer.name}.conv" if layer.relu6 else layer.name,
            kernel_shape=[layer.kernel, layer.kernel], strides=[layer.stride, layer.stride], group=layer.groups,
            pads=[before, before, after, after],
        )  # fmt: skip
        if layer.relu6:
            self.written.add("Clip", [f"{layer.name}.conv", "zero", "six"], layer.name)

    def _half(self, name: str, value: FloatArray) -> str:
        """A constant in half precision with the cast that undoes it, which the runtime does once, while loading."""
        if value.size < _HALF_FROM:
            return self.written.constant(name, value.astype(np.float32))
        self.written.constant(f"{name}.half", value.astype(np.float16))
        self.written.add("Cast", [f"{name}.half"], name, to=1)
        return name
