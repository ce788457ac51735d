"""JSON lines and JSON arrays."""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given

from nitari.catalog.base import FeedRow
from nitari.catalog.feed import open_feed
from nitari.errors import FeedError
from nitari.types import Item
from support.feed_items import items
from support.feeds import fields, json_lines, read_text


@given(items())
def test_items_survive(wanted: list[Item]) -> None:
    """What is written as lines, as an array, or as an array over many lines reads back equal."""
    rows = [fields(item) for item in wanted]
    with tempfile.TemporaryDirectory() as folder:
        for text in (json_lines(wanted), json.dumps(rows), json.dumps(rows, indent=2, ensure_ascii=False)):
            assert read_text(Path(folder), text) == (wanted, [])


def test_types_are_what_json_says(tmp_path: Path) -> None:
    """The text "7" and the number 7 are told apart; null, NaN and empty values are absent."""
    line = (
        '{"id": 1, "image_link": "a.jpg", "a": "7", "b": 7, "c": "true", "d": true, "e": ["x", 2], "f": null, '
        '"g": NaN, "h": "", "i": [], "j": "[1]"}'
    )
    (item,), rejections = read_text(tmp_path, line)
    assert item.attributes == {"a": "7", "b": 7.0, "c": "true", "d": True, "e": ("x", "2"), "j": "[1]"}
    assert rejections == []


def test_merchant_api_names(tmp_path: Path) -> None:
    """Google's API writes offerId, imageLink, and prices as objects."""
    line = {
        "offerId": "a", "imageLink": "a.jpg", "additionalImageLinks": ["b,c.jpg"], "itemGroupId": "g",
        "price": {"value": "52.00", "currency": "USD"},
    }  # fmt: skip
    (item,), _ = read_text(tmp_path, json.dumps(line))
    assert item == Item("a", ("a.jpg", "b,c.jpg"), "", "g", {"price": 52.0, "price_currency": "USD"})


def test_a_broken_line_names_its_place_and_likely_item(tmp_path: Path) -> None:
    """The id is fished out of what is not JSON, so that a sync does not take the item for gone."""
    _, rejections = read_text(tmp_path, '\n{"title": "x", "id": "a-7", "image\n{"id": 12345, }\n{oops}\n')
    assert [(r.location, r.item_id) for r in rejections] == [("line 2", "a-7"), ("line 3", "12345"), ("line 4", None)]
    assert "column" in rejections[0].reason


def test_an_array_is_read_past_odd_elements(tmp_path: Path) -> None:
    """Elements are counted from 1; what is no object is rejected; space and line ends do not matter."""
    (tmp_path / "feed").write_text(' [ {"id":"a","image_link":"a"} ,\n\n "x" , {"id":"b","image_link":"b"} ] \n')
    found = [
        (entry.location, entry.item.item_id if isinstance(entry, FeedRow) else entry.code)
        for entry in open_feed(tmp_path / "feed").read()
    ]
    assert found == [("element 1", "a"), ("element 2", "json-type"), ("element 3", "b")]


@pytest.mark.parametrize("text", ["[]", " [ ] ", "\ufeff[]"])
def test_an_empty_array_is_an_empty_feed(text: str, tmp_path: Path) -> None:
    """No rows, no error."""
    assert read_text(tmp_path, text) == ([], [])


def test_a_large_array_is_read_in_pieces(tmp_path: Path) -> None:
    """Elements that straddle what is read at once, multi-byte characters included, come out whole."""
    rows = [{"id": f"{n}", "title": "赤い" * (n % 700), "image_link": "a.jpg"} for n in range(2_000)]
    found, rejections = read_text(tmp_path, json.dumps(rows, ensure_ascii=False))
    assert rejections == []
    assert [(item.item_id, item.title) for item in found] == [(row["id"], row["title"]) for row in rows]


def test_a_broken_array_says_the_line(tmp_path: Path) -> None:
    """The error has the line of the fault, and the elements before it were read."""
    (tmp_path / "feed").write_text('[\n{"id":"a","image_link":"a"},\n{"id":"b","image_link":"b"},\n{"id": oops}\n]')
    seen = []
    with pytest.raises(FeedError, match="line 4: element 3") as caught:
        for entry in open_feed(tmp_path / "feed").read():
            seen.append(entry)  # noqa: PERF402 - what came before the error counts
    assert len(seen) == 2
    assert "ends there" not in caught.value.message


def test_a_truncated_zipped_array_is_read_up_to_there(tmp_path: Path) -> None:
    """Every element that could be unpacked whole is read, then the error says what happened."""
    rows = [{"id": f"{n}-{n * 7919 % 10007}", "image_link": f"{n}.jpg"} for n in range(5_000)]
    packed = gzip.compress(json.dumps(rows).encode())
    (tmp_path / "feed").write_bytes(packed[: len(packed) * 3 // 4])
    seen = []
    with pytest.raises(FeedError, match="ends too early"):
        for entry in open_feed(tmp_path / "feed").read():
            assert isinstance(entry, FeedRow)
            seen.append(entry.item.item_id)
    assert len(seen) > 3_000
    assert seen == [row["id"] for row in rows[: len(seen)]]
