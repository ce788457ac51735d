"""Networks of folds: none learns from what it is judged by, and the final one from all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nitari.folds import fold_of
from nitari.images.decode import ImageDecoder
from nitari.models.card import read_card
from nitari.regions.whole import WholeFinder
from nitari.training import finetune_folds
from nitari.training.finetune_batches import Tuning
from nitari.training.finetune_card import NetworkNaming, Parent
from nitari.training.finetune_folds import Photos, Work, tuned_networks
from nitari.training.finetune_shots import Shots
from nitari.training.finetune_train import Material
from nitari.training.head_examples import Example
from nitari.training.head_features import Sights
from nitari.training.head_fit import Plan
from nitari.training.head_losses import unit_rows
from nitari.training.head_train import Wish
from support.training import write_small_card

PHOTOS, FOLDS = 60, 3


def photos(folder: Path) -> Photos:
    """Of sellers with two photos each."""
    draws = np.random.default_rng(0)
    examples = [
        Example(0, str(n), str(n), f"g{n // 2}", f"seller {n // 2}", f"kind {n // 2 % 2}", "", n % 2 == 0)
        for n in range(PHOTOS)
    ]
    views = [unit_rows(draws.normal(size=(PHOTOS, 8)).astype(np.float32))[0] for _ in range(6)]
    sights = Sights(np.stack(views), np.stack(views[:2]), np.stack(views[:2]), np.stack(views[:2]))
    shots = Shots(folder, decoder=ImageDecoder(), regions=WholeFinder(), side=8)
    return Photos(examples, sights, [f"digest {n}" for n in range(PHOTOS)], shots)


def test_nothing_held_out_is_learned_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fold's network and heads are given all photos but those of its sellers; progress counts all networks."""
    given: list[tuple[Material, NetworkNaming, dict[str, Any]]] = []

    def tuned(_parent: Parent, material: Material, tuning: Tuning, naming: NetworkNaming, **more: Any) -> Path:
        given.append((material, naming, more))
        more["on_step"](tuning.steps, tuning.steps, 1.5)
        return Path(more["folder"]) / f"{naming.name}.toml"

    monkeypatch.setattr(finetune_folds, "tune", tuned)
    parent = Parent(read_card(write_small_card(tmp_path)), tmp_path / "small.onnx", "0" * 64)
    wish = Wish("mine", "small", "CC0-1.0", 4, 0, FOLDS, None, (), {"feeds": []})
    told: list[tuple[str, int, int, float]] = []
    seen = photos(tmp_path)
    cards, earlier = tuned_networks(
        parent,
        seen,
        Plan(dim=4, color_dim=4, steps=3, groups=4, singles=4),
        Tuning(steps=10),
        wish,
        Work(tmp_path / "out", "cpu", 1),
        on_heads=lambda *_: None,
        on_tuned=lambda *step: told.append(step),
    )
    assert len(given) == len(cards) == FOLDS + 1
    for fold, (material, naming, more) in enumerate(given[:FOLDS]):
        rows = [n for n in range(PHOTOS) if fold_of(seen.examples[n].key, FOLDS) != fold]
        assert list(material.digests) == [f"digest {n}" for n in rows]
        assert np.array_equal(material.lessons.shape, seen.sights.shape[:, rows])
        assert (naming.name, more["told"]["held out"]) == (f"mine-fold{fold}-network", fold)
        assert 0 < len(rows) < PHOTOS
        assert material.heads is earlier.heads[fold]
    final, naming, more = given[FOLDS]
    assert len(final.digests) == PHOTOS
    assert (naming.name, naming.with_directions, more["folder"]) == ("mine-network", True, tmp_path / "out")
    assert len(earlier.heads) == FOLDS
    assert [step[:3] for step in told] == [
        ("fold0", 10, 40),
        ("fold1", 20, 40),
        ("fold2", 30, 40),
        ("final", 40, 40),
    ]
