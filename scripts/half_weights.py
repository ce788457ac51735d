"""Store an ONNX model's weights in half precision, cast up when it is loaded: python scripts/half_weights.py IN OUT."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SMALLEST = 1024
"""Numbers; shorter constants (biases, exponents) cost nothing and keep their precision."""
_RENAMED = {"features": "output"}


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with its large constants as 16-bit floats, each behind a Cast that the runtime does once."""
    casts = []
    for tensor in list(model.graph.initializer):
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < SMALLEST:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], name=f"{name}.whole", to=TensorProto.FLOAT))
    nodes = list(model.graph.node)
    for node in nodes:  # free of the names that Nitari's converter gives
        node.name = f"inner.{node.name}"
        node.output[:] = [_RENAMED.get(name, name) for name in node.output]
        node.input[:] = [_RENAMED.get(name, name) for name in node.input]
    for value in model.graph.output:
        value.name = _RENAMED.get(value.name, value.name)
    del model.graph.node[:]
    model.graph.node.extend([*casts, *nodes])
    onnx.checker.check_model(model)
    return model


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:3])
    target.write_bytes(halved(onnx.load(source)).SerializeToString(deterministic=True))
    print(f"{target}: {target.stat().st_size} bytes")
