"""A client's attributes are read like a feed's columns, and refused where a feed's would be left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.catalog.base import FeedRow
from nitari.catalog.feed import open_feed
from nitari.catalog.feeds.submitted import read_submitted
from nitari.errors import UsageError
from support.feed_items import items


def test_columns_mean_what_they_mean_in_feeds() -> None:
    """Names, prices with their currency, lists of colors, numbers and booleans."""
    title, attributes = read_submitted(
        " Two\nlines ",
        {
            "Sale Price": "¥1,980", "price": 12, "colour": "Red/Blue", "adult": "no", "quantity": "3", "gtin": "007",
            "note": "12", "labels": ("a", "", "b"), "empty": "", "none": (), "link": "https://x/a",
        },
    )  # fmt: skip
    assert title == "Two lines"
    assert attributes == {
        "sale_price": 1980.0, "sale_price_currency": "JPY", "price": 12.0, "color": ("Red", "Blue"), "adult": False,
        "quantity": 3.0, "gtin": "007", "note": "12", "labels": ("a", "b"), "link": "https://x/a",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("attributes", "named"),
    [
        ({"id": "a"}, "id"), ({"Item ID": "a"}, "Item ID"), ({"title": "a"}, "title"),
        ({"imageLink": "a"}, "imageLink"),
        ({"image_links": "a"}, "image_links"), ({"item_group_id": "a"}, "item_group_id"), ({"!": "a"}, "!"),
        ({"a b": "1", "a_b": "2"}, "a_b"), ({"weight": float("nan")}, "weight"), ({"weight": float("inf")}, "weight"),
        ({"price": "cheap"}, "price"), ({"price": -1.0}, "price"), ({"price": ("1 USD", "2 USD")}, "price"),
        ({"link": "javascript:alert(1)"}, "link"), ({"mobile_link": "a.html"}, "mobile_link"),
        ({"quantity": "many"}, "quantity"), ({"note": "\ud800"}, "note"), ({"\ud800": "a"}, "ud800"),
        ({"x" * 200: "a"}, "xxx"), ({f"a{n}": "a" for n in range(300)}, "300 attributes"),
        ({"note": "x" * 70_000}, "note"),
    ],
)  # fmt: skip
def test_what_a_feed_would_leave_out_is_refused(attributes: dict[str, Any], named: str) -> None:
    """The message names the attribute, and can be written down."""
    with pytest.raises(UsageError) as caught:
        read_submitted("", attributes)
    assert named in caught.value.message
    caught.value.message.encode()


def test_a_title_can_be_too_long() -> None:
    """Titles have the limit that feeds have."""
    with pytest.raises(UsageError, match="title"):
        read_submitted("x" * 5000, {})


@given(items())
def test_reads_what_json_lines_read(tmp_path_factory: pytest.TempPathFactory, given_items: list[Any]) -> None:
    """Whatever a JSON lines feed makes of an item's columns, an edit makes of them."""
    path: Path = tmp_path_factory.mktemp("feed") / "feed.jsonl"
    lines = [
        {"id": item.item_id, "title": item.title, "image_link": "a.jpg", **item.attributes} for item in given_items
    ]
    path.write_text("\n".join(json.dumps(line) for line in lines) + "\n", "utf-8")
    rows = [row for row in open_feed(path).read() if isinstance(row, FeedRow)]
    assert [(row.item.title, dict(row.item.attributes)) for row in rows] == [
        (title, dict(attributes))
        for title, attributes in (read_submitted(item.title, item.attributes) for item in given_items)
    ]


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.floats(), st.booleans(), st.lists(st.text()).map(tuple))))
def test_reads_or_refuses(attributes: dict[str, Any]) -> None:
    """Whatever is submitted is read into well-formed attributes, or refused as the caller's fault."""
    try:
        _, read = read_submitted("", attributes)
    except UsageError:
        return
    assert all(name and name == name.casefold() for name in read)
    json.dumps(dict(read), allow_nan=False).encode()
