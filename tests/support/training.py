"""For tests of training: drawn garments as a feed, and a small convolutional network with its card."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

COLORS = ((200, 40, 40), (40, 40, 200), (40, 160, 60), (200, 160, 40))
KINDS = ("Tees", "Pants")
SIDE = 32
DIM = 12
SMALL_CARD = """
format = 1
name = "small"
revision = "1"
kind = "embedder"
description = "A few convolutions."
license = "Apache-2.0"
origin = "Made by a test."
dim = {dim}

[input]
size = {side}
mean = [0.485, 0.456, 0.40612345678]
std = [0.229, 0.224, 0.225]
filter = "bicubic"
fit = "letterbox"
trim = 8

[output]
nonnegative = true

[[weights]]
path = "small.onnx"
sha256 = "{sha256}"
format = "onnx"
"""


def draw(path: Path, kind: int, color: tuple[int, int, int], seed: int) -> None:
    """Wide shirts and long trousers before white."""
    random = np.random.default_rng(seed)
    pixels = np.full((64, 64, 3), 245, dtype=np.int64)
    left, top = random.integers(2, 10, 2)
    pixels[top + 10 : top + 34, left : left + 48] = color if kind == 0 else 245
    pixels[top : top + 54, left + 18 : left + 34] = color
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((pixels + random.integers(-6, 6, pixels.shape)).clip(0, 255).astype(np.uint8)).save(path)


def write_feed(folder: Path, *, broken: bool = True) -> Path:
    """16 styles of two photos each, in two kinds and four colors; with ``broken``, one photo is."""
    with (folder / "feed.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "item_group_id", "title", "product_type", "color", "image_link", "additional_image_link"])
        for number in range(16):
            kind, color = number % 2, COLORS[number // 2 % 4]
            for photo in range(2):
                draw(folder / f"{number}-{photo}.png", kind, color, 2 * number + photo)
            more = "broken.png" if broken and not number else f"{number}-1.png"
            rows.writerow([number, f"g{number}", "x", f"All > {KINDS[kind]}", number // 2 % 4, f"{number}-0.png", more])
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


def small_network(*, half: bool = True, operator: str = "Relu") -> onnx.ModelProto:
    """A network like those that are shipped, ``[n, 3, h, w]`` -> ``DIM`` features of no negative values.

    Padded as TensorFlow does, depthwise convolutions, a residual, ReLU6, generalized mean; with ``half``, its larger
    weights are stored in half precision.

    Args:
        half: See there.
        operator: In the place of its first ReLU.
    """
    draws = np.random.default_rng(3)
    constants: list[Any] = [
        numpy_helper.from_array(np.array(value, np.float32), name)
        for name, value in {"zero": 0, "six": 6, "up": [3], "down": [1 / 3]}.items()
    ]
    nodes: list[Any] = []

    def conv(name: str, value: str, shape: tuple[int, int, int, int], **more: Any) -> str:
        weight = draws.normal(size=shape) * (2 / np.prod(shape[1:])) ** 0.5
        stored = weight.astype(np.float16 if half and weight.size >= 64 else np.float32)
        constants.append(numpy_helper.from_array(stored, f"{name}.stored"))
        nodes.append(helper.make_node("Cast", [f"{name}.stored"], [f"{name}.weight"], to=TensorProto.FLOAT))
        bias = (0.1 * draws.normal(size=shape[0])).astype(np.float32)
        constants.append(numpy_helper.from_array(bias, f"{name}.bias"))
        nodes.append(helper.make_node("Conv", [value, f"{name}.weight", f"{name}.bias"], [name], name=name, **more))
        return name

    def add(op: str, inputs: list[str], name: str, **more: Any) -> str:
        nodes.append(helper.make_node(op, inputs, [name], name=name, **more))
        return name

    stem = conv("stem", "x", (16, 3, 3, 3), strides=[2, 2], auto_pad="SAME_UPPER")
    entry = add("Clip", [stem, "zero", "six"], "stem.relu6")
    space = conv("space", entry, (16, 1, 3, 3), group=16, pads=[1, 1, 1, 1])
    mixed = conv("mixed", add(operator, [space], "space.relu"), (16, 16, 1, 1))
    total = add("Add", [mixed, entry], "sum")
    wide = conv("wide", total, (DIM, 16, 3, 3), strides=[2, 2], pads=[0, 0, 1, 1])
    powers = add("Pow", [add("Relu", [wide], "wide.relu"), "up"], "powers")
    root = add("Pow", [add("GlobalAveragePool", [powers], "mean"), "down"], "root")
    add("Identity", [add("Flatten", [root], "flat", axis=1)], "vector")
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["n", DIM])],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def write_small_card(folder: Path, **options: Any) -> Path:
    """``small_network`` as a card with its weights beside it; returns the card's path."""
    folder.mkdir(parents=True, exist_ok=True)
    data = small_network(**options).SerializeToString()
    (folder / "small.onnx").write_bytes(data)
    card = folder / "small.toml"
    card.write_text(SMALL_CARD.format(dim=DIM, side=SIDE, sha256=hashlib.sha256(data).hexdigest()))
    return card
