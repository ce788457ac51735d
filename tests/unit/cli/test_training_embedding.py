"""``nitari train embedding``: from drawn photos to a card that searches, again and again the same."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from nitari.cli.main import cli
from nitari.errors import UsageError
from nitari.recipes import Extractors
from nitari.settings import Settings, load_settings
from support.training import write_feed


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


def train(feed: Path, out: Path, *more: str) -> dict[str, object]:
    """Run the command; what it printed."""
    options = ("--out", str(out), "--folds", "2", "--steps", "20", "--dim", "16", "--color-dim", "12", "--json")
    options = (*options, "--frozen-dim", "80", *more)
    done = CliRunner().invoke(cli, ["train", "embedding", str(feed / "feed.csv"), *options])
    assert done.exception is None, done.output
    told: dict[str, object] = json.loads(done.stdout)
    return told


def with_embedder(card: Path) -> Settings:
    """The settings with this card."""
    settings = load_settings()
    return settings.model_copy(update={"models": settings.models.model_copy(update={"embedder": str(card)})})


def test_whole(feed: Path, tmp_path: Path) -> None:
    """A card for the model and one for each fold come out; they embed; the report compares, and names what was lost."""
    out = tmp_path / "out"
    told = train(feed, out, "--color-weight", "0.5", "--apart", "Tees", "--name", "mine", "--license", "CC0-1.0")
    assert told["unusable"] == {"broken.png": told["unusable"]["broken.png"]}  # type: ignore[index]  # JSON
    extractor = Extractors(with_embedder(out / "mine.toml")).build()
    assert (extractor.collection, extractor.dim) == ("mine", 108)
    assert [(block.name, block.start, block.stop) for block in extractor.blocks] == [
        ("shape", 0, 16),
        ("shape", 16, 96),
        ("color", 96, 108),
    ]
    assert extractor.gate is not None
    vector = extractor.extract((feed / "3-0.png").read_bytes()).views[0].vector
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    for fold in range(2):
        own = Extractors(with_embedder(out / "folds" / str(fold) / "card.toml")).build()
        assert own.fingerprint != extractor.fingerprint
    report = json.loads((out / "report.json").read_text())
    assert set(report["measures"]) == {"frozen, the same weights", "shared head", "apart: Tees"}
    provenance = json.loads((out / "mine.provenance.json").read_text())
    assert provenance["feeds"][0]["photos"] == 31
    assert str(tmp_path) not in json.dumps(provenance)
    assert 'license = "CC0-1.0"' in (out / "mine.toml").read_text()


def test_again(feed: Path, tmp_path: Path) -> None:
    """The same feeds give the same card, from the beginning and where everything was done; one without a gate."""
    out = tmp_path / "out"
    train(feed, out, "--frozen-dim", "0")
    first = (out / "trained.toml").read_bytes()
    assert b"[gate]" not in first
    train(feed, out, "--frozen-dim", "0")
    assert (out / "trained.toml").read_bytes() == first
    train(feed, tmp_path / "other", "--frozen-dim", "0")
    assert (tmp_path / "other" / "trained.toml").read_bytes() == first


def test_apart_of_nothing(feed: Path, tmp_path: Path) -> None:
    """A category that the feeds do not have is refused, with those that they have."""
    arguments = ["train", "embedding", str(feed / "feed.csv"), "--out", str(tmp_path / "out"), "--apart", "Hats"]
    done = CliRunner().invoke(cli, arguments)
    assert isinstance(done.exception, UsageError)
    assert "Pants, Tees" in done.exception.message
