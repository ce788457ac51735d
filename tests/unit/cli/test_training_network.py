"""``nitari train embedding --fine-tune``: from drawn photos to cards with networks of their own, and back to work."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from nitari.cli import training_network
from nitari.cli.main import cli
from nitari.errors import MissingExtraError, ModelError, UsageError
from nitari.models.store import ModelStore
from nitari.recipes import Extractors
from nitari.settings import load_settings
from nitari.training import finetune_train
from support.torch import need_torch
from support.training import write_feed, write_small_card

STEPS = 4


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 styles of two photos each; one photo is broken."""
    return write_feed(tmp_path_factory.mktemp("feed"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home of its own, and no network to find regions with."""
    monkeypatch.setenv("NITARI__HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NITARI__MODELS__CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NITARI__EXTRACT__REGIONS", "whole")
    monkeypatch.setenv("NITARI__MODELS__DOWNLOAD", "false")


def train(feed: Path, card: Path, out: Path, *more: str) -> Any:
    """Run the command."""
    options = ["--out", str(out), "--folds", "2", "--steps", "10", "--dim", "8", "--color-dim", "12"]
    options += ["--frozen-dim", "10", "--color-weight", "0.5", "--network", str(card), "--fine-tune-batch", "12"]
    options += ["--fine-tune", str(STEPS), "--fine-tune-layers", "3", "--fine-tune-rate", "0.003", *more]
    return CliRunner().invoke(cli, ["train", "embedding", str(feed / "feed.csv"), *options])


def vector(card: Path, photo: Path) -> Any:
    """What the product makes of a photo with this card."""
    settings = load_settings()
    models = settings.models.model_copy(update={"embedder": str(card)})
    return (
        Extractors(settings.model_copy(update={"models": models})).build().extract(photo.read_bytes()).views[0].vector
    )


def test_whole(feed: Path, tmp_path: Path, missing: Callable[[str], None]) -> None:
    """Each fold and the result have a network of their own; all of them embed, from any folder; twice is once."""
    need_torch(missing)
    small = write_small_card(tmp_path / "small")
    done = train(feed, small, tmp_path / "out", "--json")
    assert done.exception is None, done.output
    told = json.loads(done.stdout)
    assert set(told["report"]["measures"]) == {
        "frozen, the same weights",
        "shared head, frozen",
        "fine-tuned, no head",
        "shared head, fine-tuned",
    }
    assert told["report"]["fine_tuning"]["steps"] == STEPS
    out = tmp_path / "out"
    cards = [out / "trained.toml", *(out / "folds" / str(fold) / "card.toml" for fold in range(2))]
    rows = [vector(card, feed / "3-0.png") for card in cards]
    assert all(np.linalg.norm(row) == pytest.approx(1, abs=1e-5) for row in rows)
    store = ModelStore(cache=tmp_path / "cache")
    networks = {store.networks(store.card(str(card)))[0].weights_sha256 for card in cards}
    assert len(networks) == 3
    assert store.networks(store.card(str(small)))[0].weights_sha256 not in networks
    files = sorted(
        path for path in out.rglob("*") if path.suffix in (".toml", ".onnx", ".npz") and "work" not in str(path)
    )
    before = {path: path.read_bytes() for path in files}
    again = train(feed, small, out)
    assert again.exception is None, again.output
    assert "fine-tuning on cpu" in again.output
    assert {path: path.read_bytes() for path in files} == before
    assert not any(str(tmp_path).encode() in path.read_bytes() for path in out.rglob("*.*") if path.suffix != ".pt")


def test_without_pytorch(feed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said at once, before any photo is looked at, and with the extra to install."""

    def none() -> None:
        raise MissingExtraError(finetune_train.FEATURE, "train")

    monkeypatch.setattr(finetune_train, "_torch", none)
    done = train(feed, write_small_card(tmp_path / "small"), tmp_path / "out")
    assert isinstance(done.exception, MissingExtraError)
    assert "nitari[train]" in done.exception.remedy
    assert not (tmp_path / "out").exists()


def test_a_network_that_cannot_be_trained(feed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its operator is named at once; likewise a device that is not there."""
    torch = SimpleNamespace(device_of=lambda name: name, VERSION="2")
    monkeypatch.setattr(finetune_train, "_torch", lambda: torch)
    done = train(feed, write_small_card(tmp_path / "small", operator="Softplus"), tmp_path / "out")
    assert isinstance(done.exception, ModelError)
    assert "Softplus" in done.exception.message

    def refuse(name: str) -> str:
        raise UsageError(f"no {name}")

    torch.device_of = refuse
    done = train(feed, write_small_card(tmp_path / "other"), tmp_path / "out", "--device", "cuda")
    assert isinstance(done.exception, UsageError)
    assert done.exception.message == "no cuda"
    assert not (tmp_path / "out").exists()


def test_a_file_as_the_network(feed: Path, tmp_path: Path) -> None:
    """Heads alone are trained behind a card by its name, as the card that comes out has to find it."""
    done = train(feed, write_small_card(tmp_path / "small"), tmp_path / "out", "--fine-tune", "0")
    assert isinstance(done.exception, UsageError)
    assert "models.cards" in done.exception.remedy


def test_how_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of an earlier run and the time that heads take count for nothing."""
    now = iter([100.0, 110.0, 200.0, 204.0])
    monkeypatch.setattr(training_network, "perf_counter", lambda: next(now))
    clock = training_network._Clock()
    assert "no telling" in clock.step("fold0", 41, 100, 2.0).note
    told = clock.step("fold0", 46, 100, 1.75)
    assert (told.rate, told.note) == (0.5, "fold0, loss 1.750, 0:01:48 left")
    told = clock.heads("before-fold1", 3.0)
    assert (told.done, told.total, told.note) == (46, 100, "before-fold1, heads, loss 3.00")
    clock.step("fold1", 51, 100, 2.0)
    assert clock.step("fold1", 55, 100, 2.0).rate == 1.0
