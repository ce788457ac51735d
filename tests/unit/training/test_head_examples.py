"""Feeds as examples: groups, categories in shared words, colors, folds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nitari.catalog.base import FeedRow
from nitari.errors import DataError, UsageError
from nitari.training.head_examples import read_examples, read_mapping
from nitari.types import AttributeValue, Item, Rejection


class Rows:
    """A feed of these rows."""

    feed_id = "rows"
    image_base = None
    size_hint = None

    def __init__(self, *items: Item) -> None:
        self._items = items

    def read(self) -> Iterator[FeedRow | Rejection]:
        """A rejected row first, then the items."""
        yield Rejection("bad", "no id")
        for item in self._items:
            yield FeedRow(item, "line")


def item(item_id: str, *links: str, group: str = "", **attributes: AttributeValue) -> Item:
    """An item; one photo by its id if none is given."""
    return Item(item_id, links or (f"{item_id}.jpg",), group_id=group, attributes=attributes)


def test_examples() -> None:
    """Every photo becomes an example; ids of two feeds stay apart, their categories meet in the mapping's words."""
    studio = Rows(item("1", "a.jpg", "b.jpg", group="g", product_type="Men > Tees", color="Red "))
    private = Rows(item("1", product_type=("T-Shirt",), seller_id=7), item("2"))
    found = read_examples([studio, private], {"Tees": "T-Shirt"})
    told = [(e.feed, e.link, e.item, e.group, e.key, e.category, e.color, e.main) for e in found]
    assert told == [
        (0, "a.jpg", "0:1", "0:g", "g", "T-Shirt", "red", True),
        (0, "b.jpg", "0:1", "0:g", "g", "T-Shirt", "red", False),
        (1, "1.jpg", "1:1", "1:1", "7", "T-Shirt", "", True),
        (1, "2.jpg", "1:2", "1:2", "2", "", "", True),
    ]


def test_nothing_to_learn() -> None:
    """One item, or items that nothing joins, are refused with what is missing."""
    with pytest.raises(DataError, match="fewer than two items"):
        read_examples([Rows(item("1", "a.jpg", "b.jpg"))], {})
    with pytest.raises(DataError, match="nothing says what is alike"):
        read_examples([Rows(item("1"), item("2"))], {})


def test_mapping(tmp_path: Path) -> None:
    """The file of categories is a table of texts."""
    path = tmp_path / "names.toml"
    path.write_text('format = 1\n[categories]\n"Men > Tees" = "T-Shirt"\n')
    assert read_mapping(path) == {"Men > Tees": "T-Shirt"}
    for text in (
        "",
        "format = 1",
        "format = 2\n[categories]",
        "format = 1\n[categories]\na = 1",
        "x",
        "format = 1\nb = 2",
    ):
        path.write_text(text)
        with pytest.raises(UsageError):
            read_mapping(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_mapping(tmp_path / "none.toml")
