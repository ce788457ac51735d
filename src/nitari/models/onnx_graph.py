"""ONNX models written node by node; the same calls make the same bytes on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_OPSET = 13
_IR_VERSION = 8


class OnnxGraph:
    """An ONNX graph under construction."""

    def __init__(self) -> None:
        from onnx import helper, numpy_helper

        self._helper = helper
        self._numpy_helper = numpy_helper
        self.nodes: list[Any] = []
        self._constants: list[Any] = []

    def add(self, op: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """Append a node; returns its output, ``name``."""
        self.nodes.append(self._helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """Add a constant; returns its name."""
        self._constants.append(self._numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def model(
        self, name: str, *, takes: tuple[str, Sequence[int | str]], gives: tuple[str, Sequence[int | str | None]]
    ) -> Any:
        """What was added as a model of one input and one output, both float32.

        Args:
            name: Of the graph.
            takes: The input's name and shape; a text stands for a side that is free, ``None`` for one not known.
            gives: The output's.
        """
        from onnx import TensorProto

        inputs, outputs = (
            [self._helper.make_tensor_value_info(value, TensorProto.FLOAT, list(shape))]
            for value, shape in (takes, gives)
        )
        graph = self._helper.make_graph(self.nodes, name, inputs, outputs, self._constants)
        opset = self._helper.make_opsetid("", _OPSET)
        return self._helper.make_model(graph, opset_imports=[opset], ir_version=_IR_VERSION)
