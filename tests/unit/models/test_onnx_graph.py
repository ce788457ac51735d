"""Models written node by node."""

from __future__ import annotations

import numpy as np
import onnx

from nitari.models.onnx_graph import OnnxGraph


def test_what_was_added_is_in_the_model() -> None:
    """Nodes in order, constants, one input and one output; the same calls make the same bytes."""

    def made() -> bytes:
        graph = OnnxGraph()
        assert graph.add("Add", ["x", graph.constant("one", np.ones(3, np.float32))], "more") == "more"
        graph.add("Concat", ("more", "more"), "twice", axis=1)
        data: bytes = graph.model("g", takes=("x", ("n", 3)), gives=("twice", ("n", None))).SerializeToString(
            deterministic=True
        )
        return data

    assert made() == made()
    model = onnx.load_from_string(made())
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["Add", "Concat"]
    assert [tensor.name for tensor in model.graph.initializer] == ["one"]
    assert [value.name for value in (*model.graph.input, *model.graph.output)] == ["x", "twice"]
    sides = [(side.dim_param or side.dim_value) for side in model.graph.input[0].type.tensor_type.shape.dim]
    assert sides == ["n", 3]
