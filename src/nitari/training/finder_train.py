"""Trains the region finder: from gathered photos to a folder with the network, its card, and what it was judged to be.

Everything here is numpy; PyTorch is behind ``finder_torch``. A run can be killed at any line and gone on with: photos
are kept as they are gathered, the network every ``SAVE_EVERY`` steps, and what is learned in step 700 does not depend
on where the run was stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nitari.errors import MissingExtraError, ModelError, UsageError
from nitari.folds import fold_of
from nitari.models.architectures import ARCHITECTURES
from nitari.models.card import InputSpec
from nitari.models.convert import folded
from nitari.models.pth import read_state_dict
from nitari.training.finder_judge import Judgment, Taught, against_teacher, against_truth
from nitari.training.finder_labels import Labels
from nitari.training.finder_network import MASK_CELLS, OUTPUT, STRIDE, TRUNK, layers
from nitari.training.finder_onnx import export
from nitari.training.finder_photos import Gathered, split
from nitari.training.finder_scenes import Pools
from nitari.training.finder_targets import learned_from
from nitari.types import Box, FloatArray

if TYPE_CHECKING:
    from nitari.regions.base import RegionFinder

NAME = "nitari-regions"
FOLDS = 5
SAVE_EVERY = 100
THRESHOLD = 0.3
INPUT = InputSpec(size=(192, 192), range=255, mean=(127.0,) * 3, std=(128.0,) * 3, filter="bilinear")
"""As the trunk was trained: TensorFlow's preprocessing of the Lite networks."""
_LEVELING = 0.7
"""Labels that are rare are learned from oftener than they are judged on: every label's precision counts the same."""
_SETTLED_ON = 32
# Of the seeds of made-up pictures: those that are judged on, those that the first step is settled on.
_JUDGED, _SETTLING = 99, 10**6


@dataclass(frozen=True, slots=True)
class Training:
    """How to train.

    Args:
        steps: Batches.
        batch: Pictures in each.
        seed: Of everything that is drawn.
        held_out: The fold (of ``FOLDS``) that is not learned from, by which the result is judged.
    """

    steps: int = 1500
    batch: int = 24
    seed: int = 1
    held_out: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1:
            raise UsageError(f"training of {self.steps} steps of {self.batch} pictures learns nothing")
        if not 0 <= self.held_out < FOLDS:
            raise UsageError(f"there is no fold {self.held_out}; there are 0 to {FOLDS - 1}")


@dataclass(frozen=True, slots=True)
class Told:
    """How far training has come.

    Args:
        done: Steps.
        total: Steps.
        losses: Means over the last steps, by name.
    """

    done: int
    total: int
    losses: Mapping[str, float]


def train(
    photos: Gathered,
    labels: Labels,
    training: Training,
    *,
    trunk: Path,
    folder: Path,
    provenance: Mapping[str, str],
    on_step: Callable[[Told], None] = lambda _told: None,
) -> Path:
    """Train, or go on training, and write ``nitari-regions.onnx`` and its card. Returns the card's path.

    Args:
        photos: To learn from; those of the fold held out are left alone.
        labels: What their types are.
        training: How.
        trunk: The published weights (``.pth``) of the trunk.
        folder: Where checkpoints, network and card go.
        provenance: ``license`` and ``origin`` for the card.
        on_step: Told after each step.

    Raises:
        MissingExtraError: PyTorch is not installed.
        UsageError: too little to learn from, or a checkpoint of another training.
    """
    try:
        from nitari.training.finder_torch import Plan, Trainer, pictures
    except ModuleNotFoundError as exc:
        if (exc.name or "").split(".")[0] != "torch":
            raise
        raise MissingExtraError("training the region finder", "train") from exc
    shots = [shot for number in numbers(photos, labels, training, learn=True) if (shot := photos.shot(number, labels))]
    pools = Pools.of(shots, leveling=_LEVELING)
    if not len(pools.flat):
        raise UsageError(
            "no photo shows something whole that nobody wears, before a ground",
            remedy="give feeds with photos of garments lying flat or hanging",
        )
    count = len(labels.names)
    trainer = Trainer(
        labels=count,
        plan=Plan(steps=training.steps, batch=training.batch, side=INPUT.height),
        start=trunk_parameters(trunk, count),
        seed=training.seed,
        below=labels.below,
        tensor=INPUT.tensor,
    )

    def make(rng: np.random.Generator) -> Any:
        return learned_from(rng, pools, side=INPUT.height)

    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / f"checkpoint-{_digest(photos, labels, training)}.pt"
    if checkpoint.exists():
        trainer.restore(checkpoint)
    else:
        trainer.settle([make(np.random.default_rng([training.seed, _SETTLING, n])) for n in range(_SETTLED_ON)])
    batches = pictures(make, seed=training.seed, step=trainer.step, batch=training.batch)
    names = ("middles", "boxes", "labels", "mask")
    while trainer.step < training.steps:
        trainer.learn(next(batches))
        if trainer.step % SAVE_EVERY == 0 or trainer.step == training.steps:
            trainer.save(checkpoint)
        losses = dict(zip(names, trainer.losses, strict=True))
        on_step(Told(trainer.step, training.steps, losses))
    return write_model(trainer.parameters(), labels, folder=folder, provenance=provenance)


def numbers(photos: Gathered, labels: Labels, training: Training, *, learn: bool) -> list[int]:
    """Which photos are learned from; or those held out."""
    return [
        number
        for number, kept in enumerate(photos.kept)
        if (fold_of(kept.owner, FOLDS) != training.held_out) == learn and labels.of(kept.product_type)
    ]


def judged(
    photos: Gathered,
    labels: Labels,
    training: Training,
    *,
    finder: RegionFinder,
    doubtful: RegionFinder,
    margin: float,
    pictures: int = 400,
    on_done: Callable[[str, int, int], None] = lambda _what, _done, _total: None,
) -> Judgment:
    """How good a finder is on the photos held out.

    Args:
        photos: As for training.
        labels: As for training.
        training: Says what was held out.
        finder: As it is used.
        doubtful: The same with a threshold near 0: precision is measured at every threshold.
        margin: By how much of its sides the finder grows its boxes.
        pictures: How many to make up.
        on_done: Told what is done of what.
    """
    held = numbers(photos, labels, training, learn=False)
    shots = {number: shot for number in held if (shot := photos.shot(number, labels))}
    judgment = Judgment()
    alone = []
    for number, shot in shots.items():
        box = photos.kept[number].box
        if box and not shot.worn:  # on figures the teacher marks the person
            image, _ = split(photos.pixels[number])
            alone.append(Taught(image, Box(*box), labels.names[int(shot.regions[0, 4])]))
    against_teacher(finder, alone, labels.names, judgment, lambda done: on_done("photos", done, len(alone)))
    pools = Pools.of(list(shots.values()))
    if len(pools.flat):
        against_truth(
            doubtful,
            pools,
            labels.names,
            judgment,
            pictures=pictures,
            side=INPUT.height,
            seed=_JUDGED,
            margin=margin,
            on_done=lambda done: on_done("pictures", done, pictures),
        )
    return judgment


def trunk_parameters(trunk: Path, labels: int) -> dict[str, FloatArray]:
    """The trunk's published convolutions with their batch norms multiplied in.

    Raises:
        ModelError: a file that is not those weights.
    """
    state = read_state_dict(trunk)
    epsilon = ARCHITECTURES[TRUNK].epsilon
    made: dict[str, FloatArray] = {}
    for layer in layers(labels):
        if layer.source is not None:
            try:
                weight, bias = folded(layer.source, layer.channels[0], epsilon, state)
            except ValueError as exc:
                raise ModelError(f"{trunk} is not {TRUNK}: {exc}", remedy=f"nitari model pull {TRUNK}") from exc
            made[f"{layer.name}.weight"], made[f"{layer.name}.bias"] = weight, bias
    return made


def write_model(
    parameters: Mapping[str, FloatArray], labels: Labels, *, folder: Path, provenance: Mapping[str, str]
) -> Path:
    """Write the network, and a card that names it. Returns the card's path."""
    data = export(parameters, labels=len(labels.names), name=NAME)
    sha256 = hashlib.sha256(data).hexdigest()
    _replace(folder / f"{NAME}.onnx", data)
    card = folder / f"{NAME}.toml"
    _replace(card, _card(labels.names, sha256, provenance).encode())
    return card


def write_judgment(judgment: Judgment, folder: Path, *, training: Training) -> Path:
    """Write what was measured as JSON. Returns its path."""
    path = folder / "judgment.json"
    told = {"training": asdict(training), "folds": FOLDS, "measured": asdict(judgment)}
    _replace(path, json.dumps(told, indent=1).encode())
    return path


def _card(labels: Sequence[str], sha256: str, provenance: Mapping[str, str]) -> str:
    words = ", ".join(f'"{label}"' for label in labels)
    mean, std = (", ".join(f"{v:g}" for v in values) for values in (INPUT.mean, INPUT.std))
    return f"""\
format = 1
name = "{NAME}"
revision = "{sha256[:8]}"
kind = "detector"
description = "Garments and other products, many on a photo, worn or lying flat: box, label, and one mask for all."
license = {json.dumps(provenance["license"])}
origin = {json.dumps(provenance["origin"])}

[input]
size = {INPUT.height}
range = {INPUT.range:g}
mean = [{mean}]
std = [{std}]
filter = "{INPUT.filter}"
fit = "{INPUT.fit}"

[output]
name = "{OUTPUT}"

[detector]
labels = [{words}]
stride = {STRIDE}
mask_cells = {MASK_CELLS}
threshold = {THRESHOLD}

[[weights]]
path = "{NAME}.onnx"
sha256 = "{sha256}"
format = "onnx"
"""


def _digest(photos: Gathered, labels: Labels, training: Training) -> str:
    """Of all that decides what is learned: another training never goes on from a checkpoint of this one."""
    lines: Iterable[str] = (f"{kept.link} {kept.owner} {kept.product_type} {kept.box}" for kept in photos.kept)
    network = str(layers(len(labels.names)))
    text = "\n".join((str(training), str(labels.names), str(sorted(labels.rules.items(), key=str)), network, *lines))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _replace(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    draft = path.with_name(f"{path.name}.draft")
    draft.write_bytes(data)
    draft.replace(path)
