"""A home's own calibration wins over its card's, belongs to its vectors, and is never half written."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from nitari.calibrations import calibration_path, keep_calibration, open_calibration
from nitari.catalog.base import CollectionSpec
from nitari.errors import StateError
from nitari.search.calibration import Calibration
from nitari.settings import Settings, load_settings

SPEC = CollectionSpec("mine", 16, "0123456789abcdef", {"embedder": "own-card"})
CARD = """
format = 1
name = "own-card"
revision = "1"
kind = "composite"
description = "d"
license = "Apache-2.0"
origin = "o"
dim = 300
[[parts]]
descriptor = "lowlevel-300"
dim = 300
[calibration]
slope = 20.0
offset = -15.0
recommended = 0.4
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home with a card of its own that has a calibration."""
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "own-card.toml").write_text(CARD)
    return load_settings(home=tmp_path / "home", models={"cards": tmp_path / "cards"})


def test_the_card_says_it(settings: Settings) -> None:
    """Without a fit of the home's own, the embedder's card has the say; without a card, nobody has."""
    assert open_calibration(settings, SPEC) == Calibration(20.0, -15.0, 0.4)
    assert open_calibration(settings, replace(SPEC, recipe={"embedder": "mobilenet-v2"})) is None
    assert open_calibration(settings, replace(SPEC, name="own-card", recipe=None)) == Calibration(20.0, -15.0, 0.4)


def test_a_card_that_is_gone(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """A card that cannot be read costs the calibration, not the search."""
    with caplog.at_level(logging.WARNING):
        assert open_calibration(settings, replace(SPEC, recipe={"embedder": "gone"})) is None
    assert "cannot be read for its calibration" in caplog.text


def test_the_homes_own_wins(settings: Settings) -> None:
    """What was kept is used, and the card's again once it is deleted; nothing else is left in the folder."""
    kept = Calibration(11.0, -7.5, 0.5)
    path = keep_calibration(settings, SPEC, kept, {"pairs": 1000})
    assert path == calibration_path(settings, SPEC)
    assert json.loads(path.read_text())["told"] == {"pairs": 1000}
    assert [entry.name for entry in path.parent.iterdir()] == ["mine.json"]
    assert open_calibration(settings, SPEC) == kept
    path.unlink()
    assert open_calibration(settings, SPEC) == Calibration(20.0, -15.0, 0.4)


def test_it_can_be_switched_off(settings: Settings) -> None:
    """``search.calibrated`` off means scores by the cosine."""
    keep_calibration(settings, SPEC, Calibration(11.0, -7.5, 0.5), {})
    off = load_settings(home=settings.home, models={"cards": settings.models.cards}, search={"calibrated": False})
    assert open_calibration(off, SPEC) is None


def test_made_with_other_vectors(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """A fit for another fingerprint is not used, and the log says what to do."""
    keep_calibration(settings, SPEC, Calibration(11.0, -7.5, 0.5), {})
    with caplog.at_level(logging.WARNING):
        assert open_calibration(settings, replace(SPEC, fingerprint="f" * 16)) == Calibration(20.0, -15.0, 0.4)
    assert "nitari calibrate again" in caplog.text


@pytest.mark.parametrize(
    "text", ["", "[]", '{"format": 9}', '{"format": 1, "fingerprint": "0123456789abcdef", "slope": "x"}']
)
def test_damaged(settings: Settings, text: str) -> None:
    """A file that is no calibration is an error that names it."""
    path = calibration_path(settings, SPEC)
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(StateError, match=r"mine\.json"):
        open_calibration(settings, SPEC)


def test_numbers_that_turn_rankings_around(settings: Settings) -> None:
    """A slope below 0 is refused by name."""
    path = keep_calibration(settings, SPEC, Calibration(11.0, -7.5, 0.5), {})
    path.write_text(path.read_text().replace("11.0", "-11.0"))
    with pytest.raises(StateError, match="slope"):
        open_calibration(settings, SPEC)
