"""Settings: where they come from, which source wins, and what a mistake says."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from nitari.errors import ConfigurationError
from nitari.settings import load_settings


def test_environment_beats_file_and_arguments_beat_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments, then variables, then nitari.toml in the home folder, then defaults."""
    (tmp_path / "nitari.toml").write_text("[server]\nport = 1111\nhost = '127.0.0.2'\n[ingest]\nworkers = 3\n")
    monkeypatch.setenv("NITARI__SERVER__PORT", "2222")
    settings = load_settings(home=tmp_path)
    assert (settings.server.port, settings.server.host, settings.ingest.workers) == (2222, "127.0.0.2", 3)
    assert load_settings(home=tmp_path, server={"port": 3333}).server.port == 3333


def test_home_comes_from_its_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``NITARI__HOME`` names the home, and its nitari.toml is read."""
    (tmp_path / "nitari.toml").write_text("[index]\nengine = 'exact'\n")
    monkeypatch.setenv("NITARI__HOME", str(tmp_path))
    settings = load_settings()
    assert (settings.home, settings.index.engine) == (tmp_path, "exact")


def test_a_preset_sets_what_nothing_else_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A preset comes from wherever settings come from, and gives way to any of them."""
    assert load_settings(home=tmp_path).extract.views == "mean"
    (tmp_path / "nitari.toml").write_text("preset = 'fast'\n[extract]\nlowlevel = false\n")
    fast = load_settings(home=tmp_path).extract
    assert (fast.views, fast.detail, fast.lowlevel) == ("box", "low", False)
    assert load_settings(home=tmp_path, preset="accurate").extract.views == "mean"
    monkeypatch.setenv("NITARI__EXTRACT__VIEWS", "both")
    assert load_settings(home=tmp_path).extract.views == "both"
    monkeypatch.setenv("NITARI__PRESET", "quick")
    with pytest.raises(ConfigurationError, match="preset is 'quick'"):
        load_settings(home=tmp_path)


def test_mistake_names_setting_value_and_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that does not fit says where it stands and what was found."""
    monkeypatch.setenv("NITARI__SERVER__PORT", "many")
    with pytest.raises(ConfigurationError, match=r"server\.port is 'many'") as caught:
        load_settings()
    assert "NITARI__SERVER__PORT" in caught.value.remedy


def test_unknown_setting_is_refused(tmp_path: Path) -> None:
    """A misspelled setting is not silently without effect."""
    (tmp_path / "nitari.toml").write_text("[server]\nprot = 1\n")
    with pytest.raises(ConfigurationError, match=r"server\.prot"):
        load_settings(home=tmp_path)


def test_broken_file_is_named(tmp_path: Path) -> None:
    """TOML that does not parse is an error, not a traceback."""
    (tmp_path / "nitari.toml").write_text("[server\n")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_settings(home=tmp_path)


def test_named_file_must_exist(tmp_path: Path) -> None:
    """A config file that was named but is not there is an error."""
    with pytest.raises(ConfigurationError, match="does not exist"):
        load_settings(config=tmp_path / "absent.toml")


def test_settings_are_frozen(tmp_path: Path) -> None:
    """Nobody changes a setting on the way."""
    settings = load_settings(home=tmp_path)
    with pytest.raises(ValidationError):
        settings.home = tmp_path
