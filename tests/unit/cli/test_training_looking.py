"""Looking at photos for training: once, whoever looks, and never at what was not sent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nitari.cli import training_looking
from nitari.cli.training_looking import Looking
from nitari.errors import DataError
from nitari.images.base import NotModified
from nitari.settings import load_settings
from nitari.training.head_examples import read_examples
from nitari.wiring import open_feed
from support.training import SIDE, write_feed, write_small_card


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home of its own, and no network to find regions with."""
    monkeypatch.setenv("NITARI__HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NITARI__MODELS__CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NITARI__EXTRACT__REGIONS", "whole")


def test_seen_and_gathered(tmp_path: Path) -> None:
    """All usable photos are seen, and again without running the network; gathered, they have a digest each."""
    settings = load_settings()
    feed = open_feed(settings, str(write_feed(tmp_path) / "feed.csv"))
    examples = read_examples([feed], {})
    looking = Looking(settings, [feed.image_base], tmp_path / "out", quiet=True)
    card = str(write_small_card(tmp_path / "small"))
    kept, sights, unusable = looking.see(examples, looking.eye(card))
    assert len(kept) == len(examples) - 1
    assert list(unusable) == ["broken.png"]
    _, again, _ = looking.see(kept, looking.eye(card), again=True)
    assert np.array_equal(again.shape, sights.shape)
    shots, digests = looking.gather(kept, SIDE)
    assert len(set(digests)) == len(kept)
    assert shots.take(digests[0]).pixels.shape == (64, 64, 3)


def test_what_was_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that says that nothing has changed, though nobody asked, has sent no photo."""

    class Empty:
        def fetch(self, link: str) -> NotModified:
            return NotModified()

        def close(self) -> None:
            pass

    monkeypatch.setattr(training_looking, "open_photos", lambda *_: Empty())
    settings = load_settings()
    feed = open_feed(settings, str(write_feed(tmp_path) / "feed.csv"))
    looking = Looking(settings, [None], tmp_path / "out", quiet=True)
    with pytest.raises(DataError, match="was not sent"):
        looking.see(read_examples([feed], {}), looking.eye(str(write_small_card(tmp_path / "small"))))
