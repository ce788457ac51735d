"""Fine-tuning a network: it learns, it can be killed at any step, and what comes out is a model like any other."""

from __future__ import annotations

import builtins
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nitari.embeddings.onnx import OnnxEmbedder
from nitari.errors import MissingExtraError, ModelError, StateError
from nitari.images.decode import ImageDecoder
from nitari.models.card import Card
from nitari.models.store import ModelStore
from nitari.regions.whole import WholeFinder
from nitari.runtimes.onnx import OnnxModel
from nitari.training.finetune_batches import Tuning
from nitari.training.finetune_card import NetworkNaming, Parent
from nitari.training.finetune_shots import Shots
from nitari.training.finetune_train import SAVE_EVERY, Material, ready, tune
from nitari.training.head_fit import Lessons, Plan, Trainer
from nitari.types import WHOLE, FloatArray, Region
from support.torch import need_torch
from support.training import COLORS, DIM, SIDE, draw, small_network, write_small_card

TUNING = Tuning(steps=30, batch=12, layers=3, rate=3e-3, head_rate=3e-3)
PLAN = Plan(dim=8, color_dim=4, steps=20, groups=4, singles=8)


@pytest.fixture
def torch_is_there(missing: Callable[[str], None]) -> None:
    """Skips without PyTorch."""
    need_torch(missing)


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Parent:
    """The small network, converted."""
    folder = tmp_path_factory.mktemp("parent")
    store = ModelStore(cache=folder / "cache")
    (network,) = store.networks(store.card(str(write_small_card(folder))))
    return Parent(network.card, network.path, network.weights_sha256)


@pytest.fixture(scope="module")
def material(parent: Parent, tmp_path_factory: pytest.TempPathFactory) -> Material:
    """Drawn shirts and trousers, two photos a style, with heads behind the network as it is."""
    folder = tmp_path_factory.mktemp("photos")
    shots = Shots(folder / "shots", decoder=ImageDecoder(), regions=WholeFinder(), side=SIDE)
    embedder = OnnxEmbedder(card=parent.card, model=OnnxModel(parent.path))
    digests, rows = [], []
    for number in range(24):
        path = folder / f"{number}.png"
        draw(path, number // 2 % 2, COLORS[number // 4 % 4], number)
        digests.append(shots.keep(path.read_bytes()))
        photo = ImageDecoder().decode(path.read_bytes(), short_side=0)
        rows.append(embedder.embed(photo, [Region(WHOLE, "whole", 1.0)])[0])
    shape = np.stack([np.stack(rows)] * 2)
    color = np.abs(np.random.default_rng(0).normal(size=(2, 24, 6))).astype(np.float32)
    group = np.arange(24) // 2
    zeros = np.zeros(24, np.intp)
    lessons = Lessons(shape, color, np.array([0, 1]), 2, group % 2, group, zeros, zeros)
    return Material(lessons, digests, shots, Trainer(lessons, PLAN).run(), PLAN)


def run(parent: Parent, material: Material, folder: Path, tuning: Tuning = TUNING, **more: Any) -> Path:
    """Fine-tune in this folder; the card."""
    return tune(
        parent,
        material,
        tuning,
        NetworkNaming("tuned", "CC0-1.0", with_directions=True),
        folder=folder / "out",
        checkpoint=folder / "work" / "network.pt",
        device="cpu",
        workers=2,
        told={"feeds": ["drawn"]},
        **more,
    )


def output(card: Card, folder: Path) -> FloatArray:
    """What a card's network gives for a picture, as the product loads it."""
    (network,) = ModelStore(cache=folder / "cache").networks(card)
    image = np.random.default_rng(2).normal(size=(1, 3, SIDE, SIDE)).astype(np.float32)
    return OnnxModel(network.path).run(image)


@pytest.mark.usefixtures("torch_is_there")
def test_it_learns_and_is_a_model(parent: Parent, material: Material, tmp_path: Path) -> None:
    """The loss falls; card and network pass all that the store checks, and give other features than before."""
    losses: list[float] = []
    path = run(parent, material, tmp_path, on_step=lambda _step, _steps, loss: losses.append(loss))
    assert len(losses) == TUNING.steps
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.2
    card = ModelStore(cache=tmp_path / "cache").card(str(path))
    assert (card.name, card.kind, card.dim, card.license) == ("tuned", "embedder", DIM, "CC0-1.0")
    assert card.input == parent.card.input
    assert card.network_output.nonnegative
    assert card.check is not None
    assert np.abs(output(card, tmp_path) - output(parent.card, tmp_path)).max() > 0.01
    told = json.loads((path.parent / "tuned.provenance.json").read_text())
    data = (path.parent / "tuned.onnx").read_bytes()
    assert told["files"] == {"tuned.onnx": hashlib.sha256(data).hexdigest()}
    assert told["from"]["weights_sha256"] == parent.weights_sha256
    assert (told["feeds"], told["tuning"]["steps"]) == (["drawn"], 30)


@pytest.mark.usefixtures("torch_is_there")
def test_fine_tuned_again(parent: Parent, material: Material, tmp_path: Path) -> None:
    """What came out can be fine-tuned further, like any card."""
    few = replace(TUNING, steps=2)
    store = ModelStore(cache=tmp_path / "cache")
    (network,) = store.networks(store.card(str(run(parent, material, tmp_path, few))))
    second = Parent(network.card, network.path, network.weights_sha256)
    path = run(second, material, tmp_path / "again", few)
    assert output(store.card(str(path)), tmp_path).shape == (1, DIM)


@pytest.mark.usefixtures("torch_is_there")
@pytest.mark.parametrize("at", [SAVE_EVERY - 3, SAVE_EVERY, SAVE_EVERY + 6])
def test_interrupted(at: int, parent: Parent, material: Material, tmp_path: Path) -> None:
    """Stopped before, at and after a checkpoint and gone on with, it comes to the same bytes."""

    def stop(step: int, _steps: int, _loss: float) -> None:
        if step == at:
            raise KeyboardInterrupt

    whole = run(parent, material, tmp_path / "whole").with_suffix(".onnx").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        run(parent, material, tmp_path / "parts", on_step=stop)
    steps: list[int] = []
    path = run(parent, material, tmp_path / "parts", on_step=lambda step, _steps, _loss: steps.append(step))
    assert steps[0] == (SAVE_EVERY + 1 if at >= SAVE_EVERY else 1)
    assert path.with_suffix(".onnx").read_bytes() == whole
    done: list[int] = []
    assert run(parent, material, tmp_path / "parts", on_step=lambda step, *_: done.append(step)) == path
    assert done == []


@pytest.mark.usefixtures("torch_is_there")
def test_checkpoints_of_other_trainings(parent: Parent, material: Material, tmp_path: Path) -> None:
    """Another plan begins anew; a checkpoint that is damaged is named."""
    run(parent, material, tmp_path, replace(TUNING, steps=3))
    steps: list[int] = []
    run(parent, material, tmp_path, replace(TUNING, steps=4), on_step=lambda step, *_: steps.append(step))
    assert steps[0] == 1
    checkpoint = tmp_path / "work" / "network.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:500])
    with pytest.raises(StateError, match=r"network\.pt") as caught:
        run(parent, material, tmp_path, replace(TUNING, steps=4))
    assert "remove" in caught.value.remedy


@pytest.mark.usefixtures("torch_is_there")
def test_ready(parent: Parent, tmp_path: Path) -> None:
    """Before anything that takes long: the device is there, and the network is one that can be trained."""
    assert ready("cpu", parent.path)[0] == "cpu"
    (tmp_path / "odd.onnx").write_bytes(small_network(operator="Softplus").SerializeToString())
    with pytest.raises(ModelError, match="Softplus"):
        ready("cpu", tmp_path / "odd.onnx")


def test_without_pytorch(parent: Parent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PyTorch is not installed, the error says which extra brings it."""
    there = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "nitari.training" and "finetune_torch" in (args[2] or ()):
            raise ModuleNotFoundError("no torch", name="torch")
        return there(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError) as caught:
        ready("cpu", parent.path)
    assert caught.value.remedy == "pip install 'nitari[train]'"
