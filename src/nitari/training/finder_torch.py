"""Training of the region finder with PyTorch, on one machine without a GPU. The only file of it that imports ``torch``.

The published trunk's batch norms are folded into its convolutions before training, so that there is nothing but
convolutions to train, to write down and to run; its first blocks stay as they are. Weights are averaged over the last
steps (Polyak), and it is the average that is used.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  # as PyTorch's own documents call it
from torch import Tensor, nn

from nitari.training.finder_network import MASK_CELLS, STRIDE, Layer, layers, layout
from nitari.training.finder_scenes import Picture
from nitari.training.finder_shots import BELOW
from nitari.training.finder_targets import target
from nitari.types import FloatArray

# Blocks of the trunk that keep their published weights: edges and textures are the same everywhere, and it is on
# their large maps that backpropagation spends most of its time.
_FROZEN = 6
_TRUNK_RATE = 0.25
# What is answered to begin with is this times noise.
_TIMID = 0.2
_AVERAGE = 0.998
_CLIP = 5.0
_DECAY = 0.01
# Weights of the losses.
_BOX, _LABEL, _MASK = 2.0, 2.0, 2.5
_SMOOTHING = 0.03
_MOST_LOG = 4.0
_REMEMBERED = 50


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how fast.

    Args:
        steps: Batches.
        batch: Pictures in each.
        rate: Highest learning rate.
        warmup: Batches until it is reached; it then falls along a cosine.
        side: Of a picture, pixels.
    """

    steps: int = 1500
    batch: int = 24
    rate: float = 2e-3
    warmup: int = 60
    side: int = 192


class Network(nn.Module):  # type: ignore[misc]  # torch is not there where types are checked
    """The network of ``finder_network.layers``."""

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.plan = layers(labels)
        self.parameters_by_name = nn.ParameterDict()
        for layer in self.plan:
            if layer.op == "conv":
                weight = torch.empty(layer.shape)
                nn.init.kaiming_normal_(weight, mode="fan_in" if layer.depthwise else "fan_out")
                self.parameters_by_name[_key(f"{layer.name}.weight")] = nn.Parameter(weight)
                self.parameters_by_name[_key(f"{layer.name}.bias")] = nn.Parameter(torch.zeros(layer.shape[0]))

    def forward(self, images: Tensor) -> Tensor:
        """Cells ``[n, channels, h / 8, w / 8]`` of images ``[n, 3, h, w]``."""
        values = {"images": images}
        for layer in self.plan:
            values[layer.name] = self._run(layer, [values[name] for name in layer.inputs])
        return values[self.plan[-1].name]

    @torch.no_grad()  # type: ignore[untyped-decorator]  # torch has no types here
    def settle(self, images: Tensor, given: Collection[str]) -> None:
        """Scale what begins at random so that each channel has mean 0 and variance 1 on these images.

        The trunk's maps have standard deviations of 6 to 20; without this, half of what reads them is saturated and
        learns little. Data-dependent initialization of Salimans and Kingma (arXiv 1602.07868, section 3).

        Args:
            images: A batch.
            given: Names of the layers that do not begin at random.
        """
        values = {"images": images}
        for layer in self.plan:
            inputs = [values[name] for name in layer.inputs]
            if layer.op == "conv" and layer.name not in given:
                weight, bias = (self.parameters_by_name[_key(f"{layer.name}.{kind}")] for kind in ("weight", "bias"))
                before = self._conv(replace(layer, relu6=False), inputs[0])
                spread = before.std((0, 2, 3)).clamp_min(1e-3)
                weight.div_(spread[:, None, None, None])
                bias.copy_(-before.mean((0, 2, 3)) / spread)
                if layer.name in ("answers", "kinds", "mask.quarters"):
                    weight.mul_(_TIMID)
                    bias.mul_(_TIMID)
                if layer.name == "answers":
                    # A middle is rare: to begin with, every cell says no (RetinaNet, arXiv 1708.02002).
                    bias[0], bias[1:5] = -3.5, 1.0
            values[layer.name] = self._run(layer, inputs)

    def _run(self, layer: Layer, inputs: list[Tensor]) -> Tensor:
        value = inputs[0]
        if layer.op == "conv":
            return self._conv(layer, value)
        if layer.op == "add":
            return value + inputs[1]
        if layer.op == "double":
            return F.interpolate(value, scale_factor=2, mode="nearest")
        if layer.op == "mean":
            return value.mean((2, 3), keepdim=True)
        if layer.op == "join":
            return torch.cat(inputs, 1)
        n, channels, height, width = value.shape
        side = layer.factor
        squares = value.view(n, channels, height // side, side, width // side, side).permute(0, 3, 5, 1, 2, 4)
        return squares.reshape(n, channels * side * side, height // side, width // side)

    def _conv(self, layer: Layer, value: Tensor) -> Tensor:
        before, after = layer.padding
        if before != after:
            value = F.pad(value, (before, after, before, after))
            before = 0
        weight = self.parameters_by_name[_key(f"{layer.name}.weight")]
        bias = self.parameters_by_name[_key(f"{layer.name}.bias")]
        value = F.conv2d(value, weight, bias, layer.stride, before, 1, layer.groups)
        return F.relu6(value) if layer.relu6 else value


class Trainer:
    """A network in training, which can be stopped and gone on with.

    Args:
        labels: How many.
        plan: How long and how fast.
        start: Parameters to begin with, by name (``block0.0.weight``); those not named begin at random.
        seed: Of what begins at random.
        below: Numbers of the labels that ``BELOW`` stands for.
        tensor: From uint8 ``[n, h, w, 3]`` to the network's input.
    """

    def __init__(
        self,
        *,
        labels: int,
        plan: Plan,
        start: Mapping[str, FloatArray],
        seed: int,
        below: Sequence[int],
        tensor: Callable[[np.ndarray[Any, Any]], FloatArray],
    ) -> None:
        torch.manual_seed(seed)
        self.plan = plan
        self.step = 0
        self._tensor = tensor
        self._below = list(below)
        self._layout = layout(labels)
        self._network = Network(labels).to(memory_format=torch.channels_last)
        self._given = frozenset(name.rpartition(".")[0] for name in start)
        by_name = self._network.parameters_by_name
        with torch.no_grad():
            for name, value in start.items():
                by_name[_key(name)].copy_(torch.from_numpy(value))
        frozen = tuple(f"block{number}_" for number in range(_FROZEN))
        trunk: list[nn.Parameter] = []
        fresh: list[nn.Parameter] = []
        for key, parameter in by_name.items():
            if key.startswith(frozen):
                parameter.requires_grad_(False)
            else:
                (trunk if key.startswith("block") else fresh).append(parameter)
        groups = [{"params": fresh, "share": 1.0}, {"params": trunk, "share": _TRUNK_RATE}]
        self._optimizer = torch.optim.AdamW(groups, lr=plan.rate, weight_decay=_DECAY)
        self._average = {key: parameter.detach().clone() for key, parameter in by_name.items()}
        self._losses: list[tuple[float, ...]] = []

    def settle(self, pictures: list[Picture]) -> None:
        """See ``Network.settle``; to be called once, before the first step."""
        self._network.settle(self._images(pictures), self._given)
        self._average = {key: value.detach().clone() for key, value in self._network.parameters_by_name.items()}

    def learn(self, pictures: list[Picture]) -> None:
        """One step on a batch."""
        cells = self._network(self._images(pictures))
        parts = self._loss(cells, pictures)
        total = parts[0] + parts[1] + parts[2] + parts[3]
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate() * group["share"]
        self._optimizer.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(self._network.parameters(), _CLIP)
        self._optimizer.step()
        self.step += 1
        keep = min(_AVERAGE, self.step / (self.step + 10))
        with torch.no_grad():
            for key, parameter in self._network.parameters_by_name.items():
                self._average[key].lerp_(parameter, 1 - keep)
        self._losses = [*self._losses[1 - _REMEMBERED :], tuple(float(part.detach()) for part in parts)]

    @property
    def losses(self) -> tuple[float, ...]:
        """Means over the last steps: of the middles, the boxes, the labels and the mask."""
        return tuple(np.mean(self._losses, axis=0)) if self._losses else ()

    def parameters(self) -> dict[str, FloatArray]:
        """The averaged weights, by name."""
        return {_name(key): value.numpy().copy() for key, value in self._average.items()}

    def save(self, path: Path) -> None:
        """Write all that is needed to go on; the file appears whole or not at all."""
        draft = path.with_suffix(".draft")
        state = {
            "step": self.step,
            "network": self._network.state_dict(),
            "average": self._average,
            "optimizer": self._optimizer.state_dict(),
        }
        torch.save(state, draft)
        draft.replace(path)

    def restore(self, path: Path) -> None:
        """Go on from where ``save`` was."""
        state = torch.load(path, weights_only=True)
        self.step = int(state["step"])
        self._network.load_state_dict(state["network"])
        self._average = state["average"]
        self._optimizer.load_state_dict(state["optimizer"])

    def _images(self, pictures: list[Picture]) -> Tensor:
        images = torch.from_numpy(self._tensor(np.stack([p.pixels for p in pictures])))
        return images.contiguous(memory_format=torch.channels_last)

    def _rate(self) -> float:
        plan = self.plan
        if self.step < plan.warmup:
            return plan.rate * (self.step + 1) / plan.warmup
        done = (self.step - plan.warmup) / max(1, plan.steps - plan.warmup)
        return float(plan.rate * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * min(1.0, done)))))

    def _loss(self, cells: Tensor, pictures: list[Picture]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        grid = self.plan.side // STRIDE
        targets = [target(picture.regions, grid) for picture in pictures]
        hills = torch.from_numpy(np.stack([t.hills for t in targets]))
        weight = torch.from_numpy(np.stack([t.weight for t in targets]))
        sides = torch.from_numpy(np.stack([t.sides for t in targets]))
        labels = torch.from_numpy(np.stack([t.labels for t in targets]))
        count = max(1, sum(len(picture.regions) for picture in pictures))
        boxes = cells[:, self._layout["sides"]]
        return (
            _middles(cells[:, 0], hills) / count,
            _BOX * _boxes(boxes, sides, weight),
            _LABEL * _labels(cells[:, self._layout["labels"]], labels, weight, self._below),
            _MASK * _mask(cells[:, self._layout["mask"]], pictures),
        )


def pictures(
    make: Callable[[np.random.Generator], Picture], *, seed: int, step: int, batch: int
) -> Iterator[list[Picture]]:
    """Batches from ``step`` on, for ever. What is in batch 700 does not depend on where training was stopped."""
    while True:
        rng = np.random.default_rng([seed, step])
        yield [make(rng) for _ in range(batch)]
        step += 1


def _middles(logits: Tensor, hills: Tensor) -> Tensor:
    """The focal loss of CornerNet and CenterNet (arXiv 1904.07850, equation 1): a hill's flank is half forgiven."""
    found = torch.sigmoid(logits).clamp(1e-5, 1 - 1e-5)
    peak = hills >= 0.9999
    hit = -torch.log(found) * (1 - found) ** 2
    miss = -torch.log(1 - found) * found**2 * (1 - hills) ** 4
    return torch.where(peak, hit, miss).sum()


def _boxes(logs: Tensor, sides: Tensor, weight: Tensor) -> Tensor:
    """Generalized intersection over union (arXiv 1902.09630) of boxes around the same cell, and log distances."""
    at = weight > 0
    if not at.any():
        return logs.sum() * 0
    weights = weight[at]
    logs = logs.permute(0, 2, 3, 1)[at].clamp(-_MOST_LOG, _MOST_LOG)
    sides = sides.permute(0, 2, 3, 1)[at]
    found = logs.exp()
    overlap = torch.minimum(found, sides)
    hull = torch.maximum(found, sides)
    shared = (overlap[:, 0] + overlap[:, 2]) * (overlap[:, 1] + overlap[:, 3])
    areas = [(s[:, 0] + s[:, 2]) * (s[:, 1] + s[:, 3]) for s in (found, sides, hull)]
    union = areas[0] + areas[1] - shared
    gain = shared / union - (areas[2] - union) / areas[2]
    distance = F.smooth_l1_loss(logs, sides.log(), reduction="none", beta=0.2).sum(1)
    return ((1 - gain + 0.25 * distance) * weights).sum() / weights.sum()


def _labels(logits: Tensor, labels: Tensor, weight: Tensor, below: list[int]) -> Tensor:
    """Cross entropy where the label is known; where it is one of a few, that of their sum."""
    known, among = (weight > 0) & (labels >= 0), (weight > 0) & (labels == BELOW)
    total, count = logits.sum() * 0, logits.new_tensor(0.0)
    by_cell = logits.permute(0, 2, 3, 1)
    if known.any():
        each = F.cross_entropy(by_cell[known], labels[known], reduction="none", label_smoothing=_SMOOTHING)
        total, count = total + (each * weight[known]).sum(), count + weight[known].sum()
    if among.any():
        odds = F.log_softmax(by_cell[among], dim=1)[:, below].logsumexp(1)
        total, count = total - (odds * weight[among]).sum(), count + weight[among].sum()
    return total / count.clamp_min(1e-6)


def _mask(logits: Tensor, pictures: list[Picture]) -> Tensor:
    """Cross entropy with the teacher's mask, and Dice, which looks at the figure whatever its size."""
    n, _, rows, columns = logits.shape
    half = MASK_CELLS // 2
    # Channels hold squares of squares, see finder_network: out to [n, rows * 4, columns * 4].
    fine = logits.view(n, half, half, half, half, rows, columns).permute(0, 5, 1, 3, 6, 2, 4)
    fine = fine.reshape(n, rows * MASK_CELLS, columns * MASK_CELLS)
    masks = torch.from_numpy(np.stack([picture.mask for picture in pictures]).astype(np.float32) / 255)
    wanted = F.adaptive_avg_pool2d(masks[:, None], (rows * MASK_CELLS, columns * MASK_CELLS))[:, 0]
    found = torch.sigmoid(fine)
    shared = (found * wanted).sum((1, 2))
    dice = 1 - (2 * shared + 1) / (found.sum((1, 2)) + wanted.sum((1, 2)) + 1)
    return F.binary_cross_entropy_with_logits(fine, wanted) + 0.3 * dice.mean()


def _key(name: str) -> str:
    """Modules may not have dots in the names of their parameters."""
    return name.replace(".", "_")


def _name(key: str) -> str:
    """The name of a parameter: its dots back."""
    return _NAMES[key]


_NAMES = {
    _key(f"{layer.name}.{kind}"): f"{layer.name}.{kind}"
    for layer in layers(1)
    if layer.op == "conv"
    for kind in ("weight", "bias")
}
