"""Small models for tests: networks of a few numbers, the cards that describe them, the wheels that carry them."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 8
DIM = 5
MEMBER = "tiny/net.onnx"
WHEEL = "tiny-net==1.0"


def tiny_network(*, half: bool = False, batch: int | str = 1, tokens: bool = False, dim: int = DIM) -> onnx.ModelProto:
    """A network ``[batch, 3, 8, 8]`` -> ``dim``: the mean of each channel times a fixed matrix, then ReLU.

    It has a second output that nobody wants, and a dead node behind it. With ``tokens`` the first output is
    ``[batch, 3, dim]``: the vector times 1, 2 and 3.
    """
    number, dtype = (TensorProto.FLOAT16, np.float16) if half else (TensorProto.FLOAT, np.float32)
    matrix = tiny_matrix(dim).astype(dtype)
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["means"]),
        helper.make_node("Flatten", ["means"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "matrix"], ["product"]),
        helper.make_node("Relu", ["product"], ["vector"]),
        helper.make_node("Sigmoid", ["vector"], ["side"]),
    ]
    constants = [numpy_helper.from_array(matrix, "matrix")]
    first, shape = "vector", [batch, dim]
    if tokens:
        constants += [
            numpy_helper.from_array(np.array([1], np.int64), "axis"),
            numpy_helper.from_array(np.array([1, 2, 3], dtype).reshape(1, 3, 1), "factors"),
        ]
        nodes += [
            helper.make_node("Unsqueeze", ["vector", "axis"], ["row"]),
            helper.make_node("Mul", ["row", "factors"], ["tokens"]),
        ]
        first, shape = "tokens", [batch, 3, dim]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", number, [batch, 3, SIDE, SIDE])],
        [
            helper.make_tensor_value_info("side", number, [batch, dim]),
            helper.make_tensor_value_info(first, number, shape),
        ],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def tiny_matrix(dim: int = DIM) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The matrix of ``tiny_network``: float32 ``[3, dim]``, of either sign."""
    return (np.arange(3 * dim, dtype=np.float32).reshape(3, dim) % 7 - 2) / 4


def tiny_card(source: str, *, name: str = "tiny", dim: int = DIM, output: str = "vector", more: str = "") -> str:
    """A card for ``tiny_network``; ``source`` is the content of its ``[[weights]]``, less ``format``."""
    return f"""
format = 1
name = "{name}"
revision = "1"
kind = "embedder"
description = "Channel means."
license = "Apache-2.0"
origin = "Made by a test."
dim = {dim}

[input]
size = {SIDE}
mean = [0, 0, 0]
std = [1, 1, 1]
filter = "bicubic"
fit = "stretch"

[output]
name = "{output}"
nonnegative = true

[[weights]]
{source}
format = "onnx"

{more}
"""


def wheel_source(data: bytes, *, member: str = MEMBER) -> str:
    """The ``[[weights]]`` of a card whose weights are in ``write_wheel``'s wheel."""
    return f'wheel = "{WHEEL}"\nfile = "{member}"\nsha256 = "{hashlib.sha256(data).hexdigest()}"'


def write_wheel(folder: Path, data: bytes, *, member: str = MEMBER, requires_python: str = ">=3.8") -> Path:
    """A wheel that pip accepts, with ``data`` in it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tiny_net-1.0-py3-none-any.whl"
    info = "tiny_net-1.0.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: tiny-net\nVersion: 1.0\nRequires-Python: {requires_python}\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tiny/__init__.py", "raise SystemExit('the wheel was imported')\n")
        archive.writestr(member, data)
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return path
