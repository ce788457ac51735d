"""What is written of a fine-tuned network: a card that reads back, its check, and the file of directions."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nitari.models.card import read_card
from nitari.models.head_spec import HeadSpec
from nitari.training.finetune_card import NetworkNaming, Parent, write_network
from support.training import DIM, write_small_card

OUTPUT = np.linspace(0, 3, DIM, dtype=np.float32)


@pytest.fixture
def parent(tmp_path: Path) -> Parent:
    """The small network."""
    return Parent(read_card(write_small_card(tmp_path / "parent")), tmp_path / "parent" / "small.onnx", "ab" * 32)


def test_the_card_reads_back(parent: Parent, tmp_path: Path) -> None:
    """The input to the last digit, what it gives, where it is from; and values that every runtime has to agree with."""
    path = write_network(tmp_path, b"weights", OUTPUT, parent, NetworkNaming("mine", "CC0-1.0", True), {"told": 1})
    card = read_card(path)
    assert card.input == parent.card.input
    assert card.dim == DIM
    assert card.weights[0].sha256 == hashlib.sha256(b"weights").hexdigest()
    assert "card small (Apache-2.0): Made by a test." in card.origin
    assert card.check is not None
    assert [OUTPUT[place] for place in card.check.indices] == pytest.approx(card.check.values, abs=1e-5)
    assert card.directions is None


def test_directions_go_with_it(parent: Parent, tmp_path: Path) -> None:
    """For the final network, so that it can be trained on like its parent; not for those of folds."""
    (tmp_path / "parent" / "far.npz").write_bytes(b"directions")
    told = HeadSpec("far.npz", hashlib.sha256(b"directions").hexdigest(), 7)
    own = replace(parent, card=replace(parent.card, directions=told))
    card = read_card(write_network(tmp_path, b"w", OUTPUT, own, NetworkNaming("mine", "CC0-1.0", True), {}))
    assert card.directions is not None
    assert (tmp_path / card.directions.file).read_bytes() == b"directions"
    assert (card.directions.sha256, card.directions.dim) == (told.sha256, 7)
    fold = read_card(write_network(tmp_path, b"w", OUTPUT, own, NetworkNaming("fold", "CC0-1.0", False), {}))
    assert fold.directions is None


def test_wide_outputs_are_checked_where_they_say_much(parent: Parent, tmp_path: Path) -> None:
    """Of many features a dozen of the large ones, and a tolerance that goes with how large they are."""
    output = np.random.default_rng(0).normal(size=500).astype(np.float32) * 40
    wide = replace(parent, card=replace(parent.card, dim=500))
    card = read_card(write_network(tmp_path, b"w", output, wide, NetworkNaming("mine", "CC0-1.0", False), {}))
    assert card.check is not None
    assert len(card.check.indices) == 12
    assert min(abs(value) for value in card.check.values) > np.median(np.abs(output))
    assert card.check.tolerance > 0.01
