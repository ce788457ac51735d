"""What is measured is usable, kept whole, and used on this machine only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nitari.index.segments import tune
from nitari.index.segments.costs import Costs, default_costs
from nitari.index.segments.tune import FILE_NAME, load_costs, measure_costs, save_costs
from support.segments import ListEngine


def test_measured_costs_are_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """On little data, to be quick; with an engine and without."""
    for name, value in (("_ROWS", 512), ("_GATHERED", 64), ("_INDEXED", 512), ("_ROUNDS", 2)):
        monkeypatch.setattr(tune, name, value)
    for engine in (None, ListEngine()):
        assert isinstance(measure_costs(engine), Costs)


def test_costs_are_kept_and_read(tmp_path: Path) -> None:
    """In a folder that is made; nothing else is left in it."""
    folder = tmp_path / "index"
    assert load_costs(folder) == default_costs()
    costs = replace(default_costs(), scan_ns=0.5)
    path = save_costs(folder, costs)
    assert [path] == list(folder.iterdir())
    assert load_costs(folder) == costs
    save_costs(folder, default_costs())
    assert load_costs(folder) == default_costs()


def test_damaged_and_foreign_files_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual costs are."""
    costs = replace(default_costs(), scan_ns=0.5)
    path = save_costs(tmp_path, costs)
    good = path.read_bytes()
    for bad in (b"", good[:-9], good.replace(b"0.5", b"0.6"), b"[]"):
        path.write_bytes(bad)
        assert load_costs(tmp_path) == default_costs()
    path.write_bytes(good)
    monkeypatch.setattr(tune, "_machine", lambda: {"cores": 10_000})
    assert load_costs(tmp_path) == default_costs()
    assert path.name == FILE_NAME
