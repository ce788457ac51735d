"""Fine-tuning with PyTorch: a network's graph as a module, the heads' losses over it, and a step. Imports ``torch``.

The losses are those of ``head_losses``, which has them with gradients by hand; here PyTorch differentiates them, down
into the network. The heads that stand behind the network to begin with were trained before it (Kumar et al., ICLR 2022:
a network under heads that begin at random is bent out of shape before they tell it anything).
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  # as PyTorch's own documents call it
from numpy.typing import NDArray
from torch import Tensor, nn

from nitari.errors import StateError, UsageError
from nitari.training.finetune_batches import Batch, Tuning
from nitari.training.finetune_graph import Graph, Node
from nitari.training.head_fit import Heads, Lessons, Plan
from nitari.training.head_losses import unit_rows
from nitari.types import FloatArray

VERSION = str(torch.__version__)
_CLIP = 5.0
_NEVER = -1e9
# Below this a root is taken of this: its slope at 0 is infinite, and where ReLUs are silent there are zeros.
_ROOT_FROM = 1e-18
_MAP_RANK = 4


def device_of(name: str) -> str:
    """The device that ``auto``, ``cpu``, ``cuda`` or ``mps`` stands for here.

    Raises:
        UsageError: this machine, or its PyTorch, does not have it.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return next(device for device, is_there in there.items() if is_there)
    if not there[name]:
        raise UsageError(
            f"PyTorch {VERSION} finds no device {name} on this machine; it finds "
            f"{', '.join(device for device, is_there in there.items() if is_there)}",
            remedy="leave out --device, or install the build of PyTorch that is made for it",
        )
    return name


class Network(nn.Module):  # type: ignore[misc]  # torch is not there where types are checked
    """A graph that can be trained: float32 ``[n, 3, h, w]`` in, ``[n, dim]`` out.

    Args:
        graph: The network.
        layers: How many of its last layers are trained; the others stay as they are.
    """

    def __init__(self, graph: Graph, layers: int) -> None:
        super().__init__()
        self._graph = graph
        self._trained = {name: f"w{number}" for number, name in enumerate(graph.last(layers))}
        self._constants: dict[str, NDArray[Any]] = {}
        self._buffer_of: dict[str, str] = {}
        for name, value in graph.constants.items():
            if name in self._trained:
                self.register_parameter(self._trained[name], nn.Parameter(torch.tensor(value)))
            elif value.dtype == np.float32:
                self._buffer_of[name] = f"c{len(self._buffer_of)}"
                self.register_buffer(self._buffer_of[name], torch.tensor(value), persistent=False)
            else:
                self._constants[name] = value
        self._done_with = _last_uses(graph)

    def forward(self, images: Tensor) -> Tensor:
        """The features of images."""
        values: dict[str, Tensor] = {self._graph.input: images}
        for number, node in enumerate(self._graph.nodes):
            inputs = [self._value(name, values) for name in node.inputs]
            values[node.output] = _RUN[node.op](node, inputs)
            for name in self._done_with.get(number, ()):
                values.pop(name, None)
        return values[self._graph.output]

    def weights(self) -> dict[str, FloatArray]:
        """What is trained, by the names of the graph's constants."""
        return {name: getattr(self, key).detach().cpu().numpy().copy() for name, key in self._trained.items()}

    def _value(self, name: str, values: Mapping[str, Tensor]) -> Any:
        """A node's input: a tensor, an array of whole numbers, or ``None`` where it is left out."""
        if name in values:
            return values[name]
        if name in self._trained:
            return getattr(self, self._trained[name])
        if name in self._buffer_of:
            return getattr(self, self._buffer_of[name])
        return self._constants[name] if name else None


@torch.no_grad()  # type: ignore[untyped-decorator]  # torch has no types here
def features(graph: Graph, images: FloatArray) -> FloatArray:
    """What a network gives for images: float32 ``[n, 3, h, w]`` to float32 ``[n, dim]``, on the CPU."""
    given: FloatArray = Network(graph, 1)(torch.from_numpy(images)).numpy()
    return given


def _last_uses(graph: Graph) -> dict[int, list[str]]:
    """Which values nobody reads after each node: kept, the maps of all layers would fill the memory."""
    last = {name: number for number, node in enumerate(graph.nodes) for name in node.inputs}
    gone: dict[int, list[str]] = {}
    for name, number in last.items():
        if name != graph.output:
            gone.setdefault(number, []).append(name)
    return gone


# Operators, as ONNX defines them for the opsets that networks come in.


def _pads(node: Node, value: Tensor, kernel: tuple[int, ...]) -> list[int]:
    """Zeros to add, as ``F.pad`` wants them: left, right, top, bottom."""
    mode = node.attributes.get("auto_pad", "NOTSET")
    if mode == "VALID":
        return [0, 0, 0, 0]
    if mode == "NOTSET":
        top, left, bottom, right = node.attributes.get("pads", (0, 0, 0, 0))
        return [left, right, top, bottom]
    strides, dilations = node.attributes.get("strides", (1, 1)), node.attributes.get("dilations", (1, 1))
    pads: list[int] = []
    for axis in (1, 0):
        size, reach = value.shape[2 + axis], dilations[axis] * (kernel[axis] - 1) + 1
        total = max(0, (math.ceil(size / strides[axis]) - 1) * strides[axis] + reach - size)
        first = total // 2 if mode == "SAME_UPPER" else total - total // 2
        pads += [first, total - first]
    return pads


def _conv(node: Node, inputs: list[Any]) -> Tensor:
    value, weight, bias = (*inputs, None)[:3]
    left, right, top, bottom = _pads(node, value, tuple(weight.shape[2:]))
    padding = (top, left)
    if (left, top) != (right, bottom):
        value, padding = F.pad(value, (left, right, top, bottom)), (0, 0)
    told = node.attributes
    return F.conv2d(
        value, weight, bias, told.get("strides", (1, 1)), padding, told.get("dilations", (1, 1)), told.get("group", 1)
    )


def _pool(node: Node, inputs: list[Any]) -> Tensor:
    (value,) = inputs
    told = node.attributes
    kernel, strides = told["kernel_shape"], told.get("strides", (1, 1))
    pads = _pads(node, value, kernel)
    if node.op == "MaxPool":
        return F.max_pool2d(F.pad(value, pads, value=-math.inf), kernel, strides)
    total = F.avg_pool2d(F.pad(value, pads), kernel, strides)
    if told.get("count_include_pad", 0) or not any(pads):
        return total
    return total / F.avg_pool2d(F.pad(torch.ones_like(value[:1, :1]), pads), kernel, strides)


def _clip(node: Node, inputs: list[Any]) -> Tensor:
    value, low, high = (*inputs, None, None)[:3]
    low = node.attributes.get("min") if low is None else low
    high = node.attributes.get("max") if high is None else high
    return value if low is None and high is None else torch.clamp(value, low, high)


def _pow(_node: Node, inputs: list[Any]) -> Tensor:
    value, exponent = inputs
    if not exponent.requires_grad and bool((exponent < 1).all()):
        value = value.clamp_min(_ROOT_FROM)
    return torch.pow(value, exponent)


def _gemm(node: Node, inputs: list[Any]) -> Tensor:
    first, second, bias = (*inputs, None)[:3]
    first = first.T if node.attributes.get("transA", 0) else first
    second = second.T if node.attributes.get("transB", 0) else second
    product = node.attributes.get("alpha", 1.0) * (first @ second)
    return product if bias is None else product + node.attributes.get("beta", 1.0) * bias


def _norm(node: Node, inputs: list[Any]) -> Tensor:
    value, scale, shift, mean, variance = inputs
    return F.batch_norm(value, mean, variance, scale, shift, eps=node.attributes.get("epsilon", 1e-5))


def _mean(node: Node, inputs: list[Any]) -> Tensor:
    axes = inputs[1] if len(inputs) > 1 and inputs[1] is not None else node.attributes.get("axes")
    every = range(inputs[0].ndim) if axes is None else axes
    return inputs[0].mean(tuple(int(axis) for axis in every), keepdim=bool(node.attributes.get("keepdims", 1)))


def _reshape(_node: Node, inputs: list[Any]) -> Tensor:
    value, shape = inputs
    return value.reshape([value.shape[at] if side == 0 else int(side) for at, side in enumerate(shape)])


def _flatten(node: Node, inputs: list[Any]) -> Tensor:
    axis = node.attributes.get("axis", 1)
    return inputs[0].reshape(math.prod(inputs[0].shape[:axis]), -1)


def _hard_sigmoid(node: Node, inputs: list[Any]) -> Tensor:
    return torch.clamp(node.attributes.get("alpha", 0.2) * inputs[0] + node.attributes.get("beta", 0.5), 0, 1)


_RUN: Mapping[str, Callable[[Node, list[Any]], Tensor]] = {
    "Add": lambda _node, inputs: inputs[0] + inputs[1],
    "AveragePool": _pool,
    "BatchNormalization": _norm,
    "Clip": _clip,
    "Concat": lambda node, inputs: torch.cat(inputs, node.attributes["axis"]),
    "Conv": _conv,
    "Div": lambda _node, inputs: inputs[0] / inputs[1],
    "Flatten": _flatten,
    "Gemm": _gemm,
    "GlobalAveragePool": lambda _node, inputs: inputs[0].mean(tuple(range(2, inputs[0].ndim)), keepdim=True),
    "GlobalMaxPool": lambda _node, inputs: inputs[0].amax(tuple(range(2, inputs[0].ndim)), keepdim=True),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": lambda _node, inputs: F.hardswish(inputs[0]),
    "LeakyRelu": lambda node, inputs: F.leaky_relu(inputs[0], node.attributes.get("alpha", 0.01)),
    "MatMul": lambda _node, inputs: inputs[0] @ inputs[1],
    "MaxPool": _pool,
    "Mul": lambda _node, inputs: inputs[0] * inputs[1],
    "Pow": _pow,
    "ReduceMean": _mean,
    "Relu": lambda _node, inputs: F.relu(inputs[0]),
    "Reshape": _reshape,
    "Sigmoid": lambda _node, inputs: torch.sigmoid(inputs[0]),
    "Sqrt": lambda _node, inputs: inputs[0].clamp_min(_ROOT_FROM).sqrt(),
    "Sub": lambda _node, inputs: inputs[0] - inputs[1],
    "Tanh": lambda _node, inputs: torch.tanh(inputs[0]),
}


# Losses over unit rows ``[n, dim]``; see ``head_losses`` for what each of them is.


def contrast(unit: Tensor, alike: Tensor, temperature: float, among: Tensor | None = None) -> Tensor:
    """See ``head_losses.contrast``."""
    allowed = ~torch.eye(len(unit), dtype=torch.bool, device=unit.device) if among is None else among
    alike = alike & allowed
    scores = (unit @ unit.T / temperature).masked_fill(~allowed, _NEVER)
    told = scores - scores.logsumexp(1, keepdim=True)
    positives = alike.sum(1)
    each = -(told * alike).sum(1) / positives.clamp_min(1)
    return each.sum() / (positives > 0).sum().clamp_min(1)


def proxies(unit: Tensor, centers: Tensor, labels: Tensor, scale: float) -> Tensor:
    """See ``head_losses.proxies``."""
    known = labels >= 0
    told = F.log_softmax(scale * (unit @ F.normalize(centers).T), 1)
    each = -told.gather(1, labels.clamp_min(0)[:, None])[:, 0]
    return (each * known).sum() / known.sum().clamp_min(1)


def agreement(unit: Tensor, before: Tensor) -> Tensor:
    """See ``head_losses.agreement``."""
    moved = (unit @ unit.T - before @ before.T).fill_diagonal_(0)
    return moved.square().sum() / len(unit) ** 2


@dataclass(frozen=True, slots=True, eq=False)
class Beginning:
    """What training starts from.

    Args:
        graph: The network.
        heads: Trained behind it as it is.
        lessons: What they were trained on; batches name its rows.
        plan: How, which says what each loss counts.
    """

    graph: Graph
    heads: Heads
    lessons: Lessons
    plan: Plan


class Tuner:
    """A network in training with a shape head and centers behind it, which can be stopped and gone on with.

    Args:
        beginning: What it starts from.
        tuning: How.
        device: As ``device_of`` has it.
        mark: Of all that decides what is learned; a checkpoint with another one is not gone on with.
    """

    def __init__(self, beginning: Beginning, tuning: Tuning, *, device: str, mark: str) -> None:
        # The same numbers again on the same machine, at some cost on a GPU.
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.allow_tf32 = False
        self.step = 0
        self._plan, self._tuning, self._device, self._mark = beginning.plan, tuning, device, mark
        network = Network(beginning.graph, tuning.layers)
        self._network = network.to(device=device, memory_format=torch.channels_last)
        lessons = beginning.lessons
        plain = lessons.shape[: lessons.plain_views]
        self._middle = self._tensor(plain.mean(axis=(0, 1), dtype=np.float64).astype(np.float32))
        self._before = self._tensor(unit_rows(plain.mean(axis=0) - self._middle.cpu().numpy())[0])
        tinted = [unit_rows(beginning.heads.color(rows))[0] for rows in lessons.color]
        self._tinted = self._tensor(np.stack(tinted))
        names = ("category", "group", "feed")
        self._labels = {name: self._tensor(getattr(lessons, name).astype(np.int64)) for name in names}
        head = beginning.heads.shape
        self._head = nn.ParameterDict(
            {"matrix": _own(head.matrix), "bias": _own(head.bias), "centers": _own(_centers(lessons, beginning.heads))}
        ).to(device)
        groups = [
            {"params": list(self._network.parameters()), "rate": tuning.rate},
            {"params": list(self._head.parameters()), "rate": tuning.head_rate},
        ]
        self._optimizer = torch.optim.Adam(groups, lr=tuning.rate)

    def learn(self, batch: Batch) -> float:
        """One step; returns the batch's loss."""
        for group in self._optimizer.param_groups:
            group["lr"] = group["rate"] * self._tuning.share(self.step)
        self._optimizer.zero_grad(set_to_none=True)
        loss = self.loss(batch)
        loss.backward()
        nn.utils.clip_grad_norm_([*self._network.parameters(), *self._head.parameters()], _CLIP)
        self._optimizer.step()
        self.step += 1
        return float(loss.detach())

    def loss(self, batch: Batch) -> Tensor:
        """Of a batch, as the network and the heads are now."""
        plan = self._plan
        rows = self._tensor(batch.rows.astype(np.int64))
        images = self._tensor(batch.images).contiguous(memory_format=torch.channels_last)
        features = F.normalize(self._network(images))
        seen = F.normalize(features @ self._head["matrix"] + self._head["bias"])
        tinted = self._tinted[self._tensor(batch.color_views.astype(np.int64)), rows]
        together = F.normalize(torch.cat((seen, plan.color_weight * tinted), 1))
        category, group, feed = (self._labels[name][rows] for name in ("category", "group", "feed"))
        other = ~torch.eye(len(rows), dtype=torch.bool, device=rows.device)
        same_group = (group[:, None] == group) & other
        same = (category[:, None] == category) & (category >= 0) & other
        apart = feed[:, None] != feed
        before = self._before[rows]
        return (
            plan.by_group * contrast(together, same_group, plan.group_temperature)
            + plan.by_group_shape * contrast(seen, same_group, plan.group_temperature)
            + plan.by_category * contrast(seen, same, plan.category_temperature)
            + plan.across * contrast(seen, same, plan.category_temperature, among=apart)
            + plan.by_center * proxies(seen, self._head["centers"], category, plan.scale)
            + plan.keep * agreement(seen, before)
            + self._tuning.keep * agreement(F.normalize(features - self._middle), before)
        )

    def weights(self) -> dict[str, FloatArray]:
        """What was trained of the network, by the names of the graph's constants."""
        weights: dict[str, FloatArray] = self._network.weights()
        return weights

    def save(self, path: Path) -> None:
        """Write all that is needed to go on; the file appears whole and synced, or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
        state = {
            "mark": self._mark,
            "step": self.step,
            "network": self._network.state_dict(),
            "head": self._head.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }
        with draft.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)

    def restore(self, path: Path) -> bool:
        """Go on from where ``save`` was; ``False`` where that was another training, or is not there.

        Raises:
            StateError: a file that is damaged.
        """
        if not path.is_file():
            return False
        try:
            state = torch.load(path, weights_only=True, map_location=self._device)
            if state["mark"] != self._mark:
                return False
            self._network.load_state_dict(state["network"])
            self._head.load_state_dict(state["head"])
            self._optimizer.load_state_dict(state["optimizer"])
            self.step = int(state["step"])
        except Exception as exc:  # whatever the zip file, the pickle or the state dictionaries complain of
            raise StateError(
                f"the checkpoint {path} cannot be read: {exc}", remedy=f"remove {path}; training begins anew"
            ) from exc
        return True

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self._device)


def _own(array: FloatArray) -> nn.Parameter:
    return nn.Parameter(torch.tensor(array, dtype=torch.float32))


def _centers(lessons: Lessons, heads: Heads) -> FloatArray:
    """Each category's mean, as the heads see it: float32 ``[categories, dim]``."""
    seen = unit_rows(heads.shape(lessons.shape[0]))[0]
    centers = np.zeros((max(int(lessons.category.max(initial=-1)) + 1, 1), seen.shape[1]), dtype=np.float32)
    for label in range(len(centers)):
        there = seen[lessons.category == label]
        # A category that only stands in other folds still needs a direction to be normalized.
        centers[label] = there.mean(axis=0) if len(there) else 1.0
    return unit_rows(centers)[0]
