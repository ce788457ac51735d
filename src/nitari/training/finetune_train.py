"""Fine-tunes a network: from heads that were trained behind it to a card of its own. PyTorch is in ``finetune_torch``.

Killed at any line, the same call goes on from the last checkpoint, ``SAVE_EVERY`` steps back at most, and comes to the
same weights.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from nitari.embeddings.head import head_bytes
from nitari.errors import MissingExtraError
from nitari.models.card import synthetic_image
from nitari.training.finetune_batches import Batches, Tuning
from nitari.training.finetune_card import NetworkNaming, Parent, write_network
from nitari.training.finetune_graph import Graph, read_graph, rewritten
from nitari.training.finetune_shots import Shots
from nitari.training.head_fit import Heads, Lessons, Plan, mark_of

if TYPE_CHECKING:
    from types import ModuleType

SAVE_EVERY = 20
FEATURE = "fine-tuning a network"

OnStep: TypeAlias = Callable[[int, int, float], None]
"""Told the step, how many there are, and the loss."""


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What one network learns from.

    Args:
        lessons: Photos with their groups, categories and feeds, and how the network saw them before.
        digests: Of the photos, in the lessons' order.
        shots: Where they are kept.
        heads: Trained on the lessons, before they are narrowed.
        plan: How they were trained.
    """

    lessons: Lessons
    digests: Sequence[str]
    shots: Shots
    heads: Heads
    plan: Plan


def ready(device: str, parent: Path) -> tuple[str, str]:
    """See that fine-tuning is possible at all, before anything that takes long.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        parent: The converted network.

    Returns:
        The device that it stands for, and PyTorch's version.

    Raises:
        MissingExtraError: PyTorch is not installed.
        UsageError: the device is not there.
        ModelError: the network has an operator that is not known, or nothing that can be trained.
    """
    torch = _torch()
    read_graph(parent)
    return torch.device_of(device), torch.VERSION


def tune(
    parent: Parent,
    material: Material,
    tuning: Tuning,
    naming: NetworkNaming,
    *,
    folder: Path,
    checkpoint: Path,
    device: str,
    workers: int,
    told: dict[str, Any],
    on_step: OnStep = lambda _step, _steps, _loss: None,
) -> Path:
    """Fine-tune, or go on with it, and write the network with its card. Returns the card's path.

    Args:
        parent: The network to begin with.
        material: What it learns from.
        tuning: How.
        naming: What its card is to say.
        folder: Where network and card go.
        checkpoint: The file that says how far training is.
        device: From ``ready``.
        workers: Threads that prepare batches.
        told: For the provenance: plain values.
        on_step: Told after each step.

    Raises:
        MissingExtraError: PyTorch is not installed.
        DataError: too little to learn from.
        StateError: a checkpoint or a kept photo that is damaged.
        ModelError: weights that left what they can be stored in.
    """
    torch = _torch()
    graph = read_graph(parent.path)
    spec = parent.card.network_input
    batches = Batches(material.shots, material.digests, material.lessons, spec, tuning)
    beginning = torch.Beginning(graph, material.heads, material.lessons, material.plan)
    tuner = torch.Tuner(beginning, tuning, device=device, mark=_mark(graph, material, tuning))
    tuner.restore(checkpoint)
    with closing(batches.after(tuner.step, workers=workers)) as coming:
        for batch in coming:
            loss = tuner.learn(batch)
            if tuner.step % SAVE_EVERY == 0 or tuner.step == tuning.steps:
                tuner.save(checkpoint)
            on_step(tuner.step, tuning.steps, loss)
    data = rewritten(parent.path, tuner.weights())
    told = {**told, "tuning": asdict(tuning), "device": device, "torch": torch.VERSION}
    draft = checkpoint.with_suffix(".onnx")
    draft.write_bytes(data)
    image = spec.tensor(synthetic_image(spec.size))[None]
    output = torch.features(read_graph(draft), image)[0]
    draft.unlink()
    return write_network(folder, data, output, parent, naming, told)


def _mark(graph: Graph, material: Material, tuning: Tuning) -> str:
    """Changes with all that decides what is learned, but for the device."""
    whole = hashlib.sha256(json.dumps(asdict(tuning), sort_keys=True).encode())
    whole.update(graph.sha256.encode())
    whole.update(mark_of(material.lessons, material.plan).encode())
    whole.update("\n".join(material.digests).encode())
    for head in (material.heads.shape, material.heads.color):
        whole.update(head_bytes(head))
    return whole.hexdigest()


def _torch() -> ModuleType:
    """The module that has PyTorch.

    Raises:
        MissingExtraError: PyTorch is not installed.
    """
    try:
        from nitari.training import finetune_torch
    except ModuleNotFoundError as exc:
        if (exc.name or "").split(".")[0] != "torch":
            raise
        raise MissingExtraError(FEATURE, "train") from exc
    return finetune_torch
