"""The file that says what a garment of one catalog is called in another."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitari.errors import DataError
from nitari.evaluate.protocols.kinds import FILE_NAME, read_kinds
from nitari.types import Item


def item(category: str, title: str = "", **attributes: str) -> Item:
    """An item of a category."""
    return Item("1", ("1.jpg",), title, "", {"product_type": category, **attributes})


def test_the_built_in_kinds_are_those_of_the_samples(tmp_path: Path) -> None:
    """Each type of luma's apparel has its name in flat; bras have none, gear has none."""
    kinds = read_kinds(tmp_path)
    assert (kinds.worn, kinds.flat) == ("luma", "flat")
    for category, name in (
        ("Men > Tops > Tees", "T-Shirt"),
        ("Women > Tops > Hoodies & Sweatshirts", "Hoodie"),
        ("Men > Tops > Jackets", "Outwear"),
        ("Men > Bottoms > Pants", "Pants"),
        ("Women > Bottoms > Shorts", "Shorts"),
        ("Men > Tops > Tanks", "Undershirt/Top"),
        ("Women > Tops > Bras & Tanks", "Undershirt/Top"),
        ("Gear > Bags", ""),
    ):
        assert kinds.of_worn(item(category)) == name
    assert kinds.of_worn(item("Women > Tops > Bras & Tanks", "Prima Compete Bra Top")) == ""
    assert kinds.of_worn(item("Women > Tops > Bras & Tanks", "Brasilia Tank")) == "Undershirt/Top"
    assert kinds.of_flat(item("Top")) == kinds.of_flat(item("Undershirt")) == "Undershirt/Top"
    assert kinds.of_flat(item("Hat")) == ""


def test_a_file_of_ones_own_wins(tmp_path: Path) -> None:
    """Other catalogs bring their folders and names along."""
    (tmp_path / FILE_NAME).write_text(
        'format = 1\ncatalogs = {worn = "shop", flat = "people"}\n[[types]]\nworn = ["Robes"]\nflat = ["Dress"]\n'
    )
    kinds = read_kinds(tmp_path)
    assert (kinds.worn, kinds.flat) == ("shop", "people")
    assert kinds.of_worn(item("Women > Robes")) == "Dress"
    assert kinds.color_of(item("", color="Blue / red ")) == {"blue", "red"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("format = 2", "its format is 2, expected 1"),
        ("format = ", "Invalid value"),
        ('format = 1\ncatalogs = {worn = "a", flat = "b"}', "types"),
        (
            'format = 1\ntypes = [{worn = ["x"], flat = ["y"]}, {worn = ["x"], flat = ["z"]}]\n',
            "worn type 'x' stands in two kinds",
        ),
    ],
)
def test_files_that_say_something_else_are_refused(tmp_path: Path, text: str, told: str) -> None:
    """The error names the file and says what is wrong in it."""
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(DataError, match=told) as caught:
        read_kinds(tmp_path)
    assert FILE_NAME in caught.value.message
