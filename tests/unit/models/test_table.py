"""Reading tables key by key (``test_card`` shows the messages; here are the corners)."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitari.errors import ModelError
from nitari.models.table import Table, read_toml


def test_values_come_out_typed() -> None:
    """Each getter gives its type, and defaults only for what is absent."""
    table = Table(Path("c.toml"), "t", {"a": 1, "b": "x", "c": [1, 2.5], "d": False, "e": {}, "f": [{"g": 1}]})
    assert table.number("a", 0.5) == 1.0
    assert table.number("z", 0.5) == 0.5
    assert table.text("b") == "x"
    assert table.numbers("c") == (1.0, 2.5)
    assert table.boolean("d", default=True) is False
    assert not table.table("e").absent
    assert table.table("y", optional=True).absent
    assert table.tables("f")[0].integer("g", low=1) == 1
    table.finish()


@pytest.mark.parametrize(
    ("key", "value", "getter"),
    [("a", "  ", "text"), ("a", 3, "text"), ("a", [1, "x"], "numbers"), ("a", [1, True], "numbers")],
)
def test_wrong_values(key: str, value: object, getter: str) -> None:
    """Blank text, other types and mixed lists are refused under the table's name."""
    with pytest.raises(ModelError, match=r"t\.a is"):
        getattr(Table(Path("c.toml"), "t", {key: value}), getter)(key)


def test_not_a_list_of_tables() -> None:
    """A list of something else than tables is refused."""
    with pytest.raises(ModelError, match=r"expected tables \[\[w\]\]"):
        Table(Path("c.toml"), "", {"w": [1]}).tables("w")


def test_not_text(tmp_path: Path) -> None:
    """A file that is not UTF-8 is refused, not misread."""
    path = tmp_path / "c.toml"
    path.write_bytes(b'name = "\xff"')
    with pytest.raises(ModelError, match="cannot be read as TOML"):
        read_toml(path)
