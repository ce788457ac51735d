"""The ``[transform]`` table of a card."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitari.errors import ModelError
from nitari.models.card import read_card
from nitari.models.transform_spec import TransformSpec

CARD = """format = 1
name = "mine"
revision = "1"
kind = "composite"
description = "x"
license = "x"
origin = "x"
dim = 300
[[parts]]
descriptor = "lowlevel-300"
dim = 300
"""
DIGEST = "ab" * 32


def card_with(folder: Path, table: str) -> Path:
    """A card with a further table."""
    path = folder / "mine.toml"
    path.write_text(CARD + table, encoding="utf-8")
    return path


def test_table(tmp_path: Path) -> None:
    """The file and its checksum are read, and a strength where there is one; without the table there is none."""
    assert read_card(card_with(tmp_path, "")).transform is None
    plain = f'[transform]\nfile = "t.npz"\nsha256 = "{DIGEST}"\n'
    assert read_card(card_with(tmp_path, plain)).transform == TransformSpec("t.npz", DIGEST)
    assert read_card(card_with(tmp_path, plain + "strength = 0.3\n")).transform == TransformSpec("t.npz", DIGEST, 0.3)


def test_fingerprint(tmp_path: Path) -> None:
    """A transform shapes no stored vector, so a collection stays as it is when its card gets another one."""
    before = read_card(card_with(tmp_path, "")).fingerprint
    table = f'[transform]\nfile = "t.npz"\nsha256 = "{DIGEST}"\n'
    assert read_card(card_with(tmp_path, table)).fingerprint == before


@pytest.mark.parametrize(
    ("table", "named"),
    [
        (f'[transform]\nsha256 = "{DIGEST}"\n', "file"),
        ('[transform]\nfile = "t.npz"\nsha256 = "1234"\n', "sha256"),
        (f'[transform]\nfile = "t.npz"\nsha256 = "{DIGEST}"\nstrength = 2\n', "strength"),
        (f'[transform]\nfile = "t.npz"\nsha256 = "{DIGEST}"\nforce = 1\n', "force"),
    ],
)
def test_bad_table(tmp_path: Path, table: str, named: str) -> None:
    """What is missing or out of range is named."""
    with pytest.raises(ModelError, match=named):
        read_card(card_with(tmp_path, table))
