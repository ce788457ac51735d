"""Networks that are rebuilt from a ``.pth``: their layers as data, in order, with the names of their weights.

Both are chains of inverted residual blocks (MobileNetV2, arXiv 1801.04381): expand 1x1, depthwise kxk, project 1x1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

Padding: TypeAlias = Literal["symmetric", "same"]


@dataclass(frozen=True, slots=True)
class Conv:
    """A convolution with the batch norm that follows it.

    Args:
        weight: Name of the kernel; there is no bias.
        norm: Prefix of the batch norm's ``weight bias running_mean running_var``.
        kernel: Side of the kernel, as a check.
        channels: Output channels, as a check.
        stride: 1 or 2.
        depthwise: Whether each channel has its own kernel.
        relu6: Whether ReLU6 follows.
    """

    weight: str
    norm: str
    kernel: int
    channels: int
    stride: int = 1
    depthwise: bool = False
    relu6: bool = True


@dataclass(frozen=True, slots=True)
class Block:
    """Convolutions in a row; ``residual`` adds the block's input to its output."""

    convs: tuple[Conv, ...]
    residual: bool = False


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network up to its pooled features: blocks, then the mean over all positions.

    Args:
        blocks: In order.
        epsilon: Of every batch norm.
        padding: ``symmetric`` (PyTorch), or ``same`` (TensorFlow: at stride 2 one more on the bottom and right).
    """

    blocks: tuple[Block, ...]
    epsilon: float
    padding: Padding


@dataclass(frozen=True, slots=True)
class _Stage:
    """A row of the papers' tables: ``repeats`` blocks, the first with ``stride``."""

    expand: int
    kernel: int
    channels: int
    repeats: int
    stride: int


_STEM = 32
_HEAD = 1280
# MobileNetV2, table 2.
_MOBILENET_V2 = (
    _Stage(1, 3, 16, 1, 1),
    _Stage(6, 3, 24, 2, 2),
    _Stage(6, 3, 32, 3, 2),
    _Stage(6, 3, 64, 4, 2),
    _Stage(6, 3, 96, 3, 1),
    _Stage(6, 3, 160, 3, 2),
    _Stage(6, 3, 320, 1, 1),
)
# EfficientNet-B0 (arXiv 1905.11946, table 1) without squeeze-and-excitation, ReLU6 for swish.
_EFFICIENTNET_LITE0 = (
    _Stage(1, 3, 16, 1, 1),
    _Stage(6, 3, 24, 2, 2),
    _Stage(6, 5, 40, 2, 2),
    _Stage(6, 3, 80, 3, 2),
    _Stage(6, 5, 112, 3, 1),
    _Stage(6, 5, 192, 4, 2),
    _Stage(6, 3, 320, 1, 1),
)


def _blocks(stages: tuple[_Stage, ...], convs: Callable[[int, int, _Stage, int], tuple[Conv, ...]]) -> Iterator[Block]:
    """The inverted residual blocks; ``convs(number, channels in, stage, stride)`` names their weights."""
    number = 0
    channels = _STEM
    for stage in stages:
        for repeat in range(stage.repeats):
            stride = stage.stride if repeat == 0 else 1
            yield Block(convs(number, channels, stage, stride), residual=stride == 1 and channels == stage.channels)
            channels = stage.channels
            number += 1


def _mobilenet_convs(number: int, channels: int, stage: _Stage, stride: int) -> tuple[Conv, ...]:
    """The names of torchvision: expansion and depthwise are (conv, norm) pairs, the projection is not."""
    prefix = f"features.{number + 1}.conv"
    wide = channels * stage.expand
    at = 0
    convs = []
    if stage.expand > 1:
        convs.append(Conv(f"{prefix}.0.0.weight", f"{prefix}.0.1", 1, wide))
        at = 1
    convs.append(Conv(f"{prefix}.{at}.0.weight", f"{prefix}.{at}.1", stage.kernel, wide, stride, depthwise=True))
    convs.append(Conv(f"{prefix}.{at + 1}.weight", f"{prefix}.{at + 2}", 1, stage.channels, relu6=False))
    return tuple(convs)


def _efficientnet_convs(number: int, channels: int, stage: _Stage, stride: int) -> tuple[Conv, ...]:
    """The names of the PyTorch port by ML Illustrated."""
    prefix = f"_blocks.{number}"
    wide = channels * stage.expand
    convs = [Conv(f"{prefix}._expand_conv.weight", f"{prefix}._bn0", 1, wide)] if stage.expand > 1 else []
    convs.append(Conv(f"{prefix}._depthwise_conv.weight", f"{prefix}._bn1", stage.kernel, wide, stride, depthwise=True))
    convs.append(Conv(f"{prefix}._project_conv.weight", f"{prefix}._bn2", 1, stage.channels, relu6=False))
    return tuple(convs)


ARCHITECTURES: Mapping[str, Architecture] = {
    "mobilenet-v2": Architecture(
        blocks=(
            Block((Conv("features.0.0.weight", "features.0.1", 3, _STEM, 2),)),
            *_blocks(_MOBILENET_V2, _mobilenet_convs),
            Block((Conv("features.18.0.weight", "features.18.1", 1, _HEAD),)),
        ),
        epsilon=1e-5,
        padding="symmetric",
    ),
    "efficientnet-lite0": Architecture(
        blocks=(
            Block((Conv("_conv_stem.weight", "_bn0", 3, _STEM, 2),)),
            *_blocks(_EFFICIENTNET_LITE0, _efficientnet_convs),
            Block((Conv("_conv_head.weight", "_bn1", 1, _HEAD),)),
        ),
        epsilon=1e-3,
        padding="same",
    ),
}
