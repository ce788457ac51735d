"""Training the region finder: all of it that needs no PyTorch."""

from __future__ import annotations

import builtins
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nitari.errors import MissingExtraError, ModelError, UsageError
from nitari.folds import fold_of
from nitari.models.card import read_card
from nitari.models.store import ModelStore
from nitari.training.finder_judge import Judgment
from nitari.training.finder_labels import Labels, read_labels
from nitari.training.finder_network import layers
from nitari.training.finder_photos import Gathered, Kept
from nitari.training.finder_train import (
    FOLDS,
    NAME,
    Training,
    judged,
    numbers,
    train,
    trunk_parameters,
    write_judgment,
    write_model,
)
from nitari.types import Box, FloatArray, Photo, Region
from support.shots import flat_shot

PROVENANCE = {"license": "Apache-2.0", "origin": 'A "test".'}


def gathered(owners: Sequence[str]) -> Gathered:
    """A T-shirt or pants of each of these sellers."""
    shots = [flat_shot(0) for _ in owners]
    kept = [
        Kept(f"{i}.jpg", owner, ("T-Shirt", "Pants")[i % 2], 0.75, (0.2, 0.15, 0.8, 0.85))
        for i, owner in enumerate(owners)
    ]
    return Gathered(tuple(kept), tuple(np.dstack([shot.pixels, shot.mask]) for shot in shots), ())


def some_parameters(labels: Labels) -> Mapping[str, FloatArray]:
    """Weights that begin at random."""
    rng = np.random.default_rng(0)
    made: dict[str, FloatArray] = {}
    for layer in layers(len(labels.names)):
        if layer.op == "conv":
            scale = (1 / np.prod(layer.shape[1:])) ** 0.5
            made[f"{layer.name}.weight"] = (rng.normal(size=layer.shape) * scale).astype(np.float32)
            made[f"{layer.name}.bias"] = np.zeros(layer.shape[0], np.float32)
    return made


def test_sellers_are_on_one_side() -> None:
    """What is learned from and what is held out share no seller, and are all there is."""
    photos, labels, training = gathered([str(i % 20) for i in range(60)]), read_labels(), Training(held_out=2)
    learned, held = (numbers(photos, labels, training, learn=learn) for learn in (True, False))
    assert sorted(learned + held) == list(range(60))
    assert held
    assert all(fold_of(photos.kept[number].owner, FOLDS) == 2 for number in held)
    assert not {photos.kept[n].owner for n in learned} & {photos.kept[n].owner for n in held}


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"batch": 0}, {"held_out": 5}, {"held_out": -1}])
def test_wrong_training(wrong: dict[str, int]) -> None:
    """Training of nothing, or of a fold that there is not, is refused."""
    with pytest.raises(UsageError):
        Training(**wrong)


def test_the_written_model_is_a_model(tmp_path: Path) -> None:
    """Card and network that come out pass all that the store checks, and the card can be used as it lies there."""
    labels = read_labels()
    path = write_model(some_parameters(labels), labels, folder=tmp_path, provenance=PROVENANCE)
    card = read_card(path)
    assert (card.name, card.kind, card.origin) == (NAME, "detector", 'A "test".')
    assert card.network_detector.labels == labels.names
    (network,) = ModelStore(cache=tmp_path / "cache", download=False).networks(card)
    assert network.path.is_file()


def test_without_pytorch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PyTorch is not installed, the error says which extra brings it."""
    there = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.split(".")[0] == "torch" or name == "nitari.training.finder_torch":
            raise ModuleNotFoundError("no torch", name="torch")
        return there(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError) as caught:
        train(
            gathered(["1", "2"]),
            read_labels(),
            Training(),
            trunk=tmp_path / "x",
            folder=tmp_path,
            provenance=PROVENANCE,
        )
    assert caught.value.remedy == "pip install 'nitari[train]'"


def test_a_wrong_trunk(tmp_path: Path) -> None:
    """A file that does not hold the trunk's weights is refused by its name."""
    path = tmp_path / "trunk.pth"
    path.write_bytes(b"nonsense")
    with pytest.raises(ModelError, match=r"trunk\.pth"):
        trunk_parameters(path, 3)


def test_judged(tmp_path: Path) -> None:
    """A finder is judged on the fold held out, and what was measured is written down."""

    class Finds:
        fingerprint = "x"
        short_side = 0

        def find(self, photo: Photo) -> tuple[Region, ...]:
            return (Region(Box(0.2, 0.15, 0.8, 0.85), "top", 0.9),)

    photos, training = gathered([str(i) for i in range(30)]), Training(held_out=1)
    told: list[tuple[str, int, int]] = []
    judgment = judged(
        photos,
        read_labels(),
        training,
        finder=Finds(),
        doubtful=Finds(),
        margin=0.05,
        pictures=5,
        on_done=lambda *what: told.append(what),
    )
    assert judgment.photos == len(numbers(photos, read_labels(), training, learn=False))
    assert judgment.iou == pytest.approx(1, abs=0.01)
    assert 0 < judgment.labeled < 1
    assert judgment.pictures == 5
    assert told[-1] == ("pictures", 5, 5)
    written = json.loads(write_judgment(judgment, tmp_path, training=training).read_text("utf-8"))
    assert written["measured"]["photos"] == judgment.photos
    assert written["training"]["held_out"] == 1
    assert Judgment().map50 == 0
