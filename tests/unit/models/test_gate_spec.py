"""The table of a gate: what it holds, and what is told of one that holds something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitari.errors import ModelError
from nitari.models.gate_spec import GateSpec, read_gate
from nitari.models.table import read_toml

GOOD = "part = 1\ndirections = 3\nmiddle = 0.8\nslope = 60\nfamiliar = [1, 0, 0.9]\nunfamiliar = [0, 1.0, 0.2]\n"


def read(tmp_path: Path, text: str) -> GateSpec | None:
    """The gate of a card with these lines in its table."""
    path = tmp_path / "card.toml"
    path.write_text(text, encoding="utf-8")
    return read_gate(read_toml(path).table("gate", optional=True), parts=3)


def test_a_gate(tmp_path: Path) -> None:
    """Every key says what it is called; no table is no gate."""
    assert read(tmp_path, f"[gate]\n{GOOD}") == GateSpec(1, 3, 0.8, 60.0, (1.0, 0.0, 0.9), (0.0, 1.0, 0.2))
    assert read(tmp_path, "") is None


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("part = 3", "at most 2"),
        ("directions = 0", "at least 1"),
        ("middle = 1", "between 0 and 1"),
        ("slope = 0", "above 0"),
        ("unfamiliar = [0, 0, 0]", "not all 0"),
        ("familiar = [0, 0, 0]", "not all 0"),
        ("unfamiliar = [1, -1, 0]", "0 or more"),
        ("unfamiliar = [1, 1]", "3 numbers"),
        ("other = 1", "other"),
    ],
)
def test_a_gate_that_is_wrong(tmp_path: Path, line: str, told: str) -> None:
    """The key is named, with what was expected."""
    key = line.split(" ", 1)[0]
    kept = "".join(f"{own}\n" for own in GOOD.splitlines() if not own.startswith(f"{key} "))
    with pytest.raises(ModelError, match="gate") as caught:
        read(tmp_path, f"[gate]\n{kept}{line}\n")
    assert told in str(caught.value)


@pytest.mark.parametrize("key", ["part", "directions", "middle", "slope", "familiar", "unfamiliar"])
def test_a_gate_lacks_something(tmp_path: Path, key: str) -> None:
    """Nothing has a default: a gate is measured."""
    kept = "".join(f"{own}\n" for own in GOOD.splitlines() if not own.startswith(f"{key} "))
    with pytest.raises(ModelError, match=key):
        read(tmp_path, f"[gate]\n{kept}")
