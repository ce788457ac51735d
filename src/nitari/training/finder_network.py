"""The region finder's network as data: a list of layers that PyTorch trains and ONNX writes down, so that both agree.

A trunk of EfficientNet-Lite0's blocks; a neck that brings what the deep layers know to a finer grid
(feature pyramid, arXiv 1612.03144), with the photo's mean added; a tower of separable convolutions that answers for
each cell of that grid, without anchors (FCOS, arXiv 1904.01355), where a region is; a branch of its own that answers
what it is, from the trunk's last map down, since what tells a jacket from a shirt is not what finds a rim; and one that
tells product from ground, four times as fine. All that is answered for one cell lies in one column of one output, so
that the network has a single output like every other (``layout``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from nitari.models.architectures import ARCHITECTURES, Conv

Op: TypeAlias = Literal["conv", "add", "double", "mean", "fold", "join"]

TRUNK = "efficientnet-lite0"
# Blocks of the trunk after which its map is taken: at a quarter, an eighth, a sixteenth, a thirty-second of the side,
# and the last, at a thirty-second too.
_TAPS = (3, 5, 11, 15, 16)
OUTPUT = "grid"
"""Name of the last layer."""
STRIDE = 8
"""Pixels of the photo that a cell of the output stands for, across and down."""
MASK_CELLS = 4
"""Cells of the mask in a cell of the output, across and down."""
_NECK = 64
_TOWER = 96
_KIND = 128
_RIM = 32


@dataclass(frozen=True, slots=True)
class Layer:
    """One step: its output has its name.

    Args:
        name: Also the prefix of its parameters, ``NAME.weight`` and ``NAME.bias``.
        op: ``conv``; ``add`` two maps; ``double`` width and height by repetition; ``mean`` over all positions; ``fold``
            squares of positions into channels (row by row); ``join`` channels.
        inputs: Names of the layers, or ``images``, that it reads.
        channels: Of a convolution's input and output.
        kernel: Side of the kernel.
        stride: 1 or 2.
        depthwise: Whether each channel has its own kernel.
        relu6: Whether ReLU6 follows.
        factor: Side of the squares that ``fold`` folds.
        source: Where the trunk's weights come from: the convolution of the published network.
    """

    name: str
    op: Op
    inputs: tuple[str, ...]
    channels: tuple[int, int] = (0, 0)
    kernel: int = 1
    stride: int = 1
    depthwise: bool = False
    relu6: bool = False
    factor: int = 1
    source: Conv | None = None

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of a convolution's kernel: output channels, input channels a group, height, width."""
        before, after = self.channels
        return after, 1 if self.depthwise else before, self.kernel, self.kernel

    @property
    def groups(self) -> int:
        """Of a convolution."""
        return self.channels[1] if self.depthwise else 1

    @property
    def padding(self) -> tuple[int, int]:
        """Rows (and columns) of zeros before and after: at stride 2 one more after, as TensorFlow has it."""
        total = self.kernel - self.stride
        return total // 2, total - total // 2


def layout(labels: int) -> dict[str, slice]:
    """Which channels of the output are what.

    ``object``: logit that a region's middle is here. ``sides``: distances from the cell's middle to the region's left,
    top, right and bottom, log of cells. ``labels``: logits. ``mask``: logits, row by row of the cell.
    """
    cells = MASK_CELLS * MASK_CELLS
    return {
        "object": slice(0, 1),
        "sides": slice(1, 5),
        "labels": slice(5, 5 + labels),
        "mask": slice(5 + labels, 5 + labels + cells),
    }


def layers(labels: int) -> tuple[Layer, ...]:
    """The network for so many labels: from ``images`` (``[n, 3, h, w]``, sides multiples of 32) to ``OUTPUT``."""
    trunk, taps = _trunk()
    parts = (*_neck(taps), *_tower(), *_kinds(taps, labels), *_rim(taps[0]))
    return (*trunk, *parts, Layer(OUTPUT, "join", ("answers", "kinds", "mask")))


def _trunk() -> tuple[tuple[Layer, ...], tuple[tuple[str, int], ...]]:
    """The published network's first blocks; and the maps that are taken from it, finest first, with their channels."""
    made: list[Layer] = []
    taps = []
    value, channels = "images", 3
    for number, block in enumerate(ARCHITECTURES[TRUNK].blocks[: _TAPS[-1] + 1]):
        entry = value
        for step, conv in enumerate(block.convs):
            name = f"block{number}.{step}"
            made.append(
                Layer(
                    name,
                    "conv",
                    (value,),
                    (channels, conv.channels),
                    kernel=conv.kernel,
                    stride=conv.stride,
                    depthwise=conv.depthwise,
                    relu6=conv.relu6,
                    source=conv,
                )
            )
            value, channels = name, conv.channels
        if block.residual:
            made.append(Layer(f"block{number}.sum", "add", (value, entry)))
            value = f"block{number}.sum"
        if number in _TAPS:
            taps.append((value, channels))
    return tuple(made), tuple(taps)


def _neck(taps: tuple[tuple[str, int], ...]) -> Iterator[Layer]:
    """From the trunk's maps to ``neck``, at ``STRIDE``."""
    _, (middle, middle_channels), (coarse, coarse_channels), (deep, deep_channels), _ = taps
    yield Layer("deep", "conv", (deep,), (deep_channels, _NECK), relu6=True)
    yield Layer("photo.mean", "mean", ("deep",))
    yield Layer("photo", "conv", ("photo.mean",), (_NECK, _NECK))
    yield Layer("known", "add", ("deep", "photo"))
    yield Layer("known.double", "double", ("known",))
    yield Layer("coarse", "conv", (coarse,), (coarse_channels, _NECK))
    yield Layer("context.meet", "add", ("known.double", "coarse"))
    yield from _separable("context", "context.meet", (_NECK, _NECK), kernel=5)
    yield Layer("context.double", "double", ("context",))
    yield Layer("middle", "conv", (middle,), (middle_channels, _NECK))
    yield Layer("meet", "add", ("context.double", "middle"))
    yield from _separable("neck", "meet", (_NECK, _NECK), kernel=3)


def _tower() -> Iterator[Layer]:
    """Where regions are: a middle, and four sides."""
    yield from _separable("tower0", "neck", (_NECK, _TOWER), kernel=5)
    yield from _separable("tower1", "tower0", (_TOWER, _TOWER), kernel=5)
    yield Layer("answers", "conv", ("tower1",), (_TOWER, 5))


def _kinds(taps: tuple[tuple[str, int], ...], labels: int) -> Iterator[Layer]:
    """What regions are: from the trunk's last map, which knows ImageNet's kinds, to ``STRIDE`` by way of the others."""
    _, _, (coarse, coarse_channels), _, (last, last_channels) = taps
    yield Layer("kind.last", "conv", (last,), (last_channels, _KIND), relu6=True)
    yield Layer("kind.last.double", "double", ("kind.last",))
    yield Layer("kind.coarse", "conv", (coarse,), (coarse_channels, _KIND))
    yield Layer("kind.context.meet", "add", ("kind.last.double", "kind.coarse"))
    yield from _separable("kind.context", "kind.context.meet", (_KIND, _KIND), kernel=5)
    yield Layer("kind.context.double", "double", ("kind.context",))
    yield Layer("kind.neck", "conv", ("neck",), (_NECK, _KIND))
    yield Layer("kind.meet", "add", ("kind.context.double", "kind.neck"))
    yield from _separable("kind", "kind.meet", (_KIND, _KIND), kernel=3)
    yield Layer("kinds", "conv", ("kind",), (_KIND, labels))


def _rim(fine: tuple[str, int]) -> Iterator[Layer]:
    """The mask: what the neck knows, with the rims that the trunk's finest map sees."""
    name, channels = fine
    yield Layer("rim.neck", "conv", ("neck",), (_NECK, _RIM))
    yield Layer("rim.double", "double", ("rim.neck",))
    yield Layer("rim.fine", "conv", (name,), (channels, _RIM))
    yield Layer("rim.meet", "add", ("rim.double", "rim.fine"))
    yield from _separable("rim", "rim.meet", (_RIM, _RIM), kernel=3)
    # Four answers a position, then positions folded two by two: rows of the same square must stay together.
    yield Layer("mask.quarters", "conv", ("rim",), (_RIM, MASK_CELLS))
    yield Layer("mask", "fold", ("mask.quarters",), factor=2)


def _separable(name: str, value: str, channels: tuple[int, int], *, kernel: int) -> Iterator[Layer]:
    """A depthwise convolution and one that mixes channels, with ReLU6 at the end."""
    yield Layer(f"{name}.space", "conv", (value,), (channels[0], channels[0]), kernel=kernel, depthwise=True)
    yield Layer(name, "conv", (f"{name}.space",), channels, relu6=True)
