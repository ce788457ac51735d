"""CSV and TSV: dialects, locations, and what is saved of a table with broken rows."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.catalog.base import FeedRow
from nitari.catalog.feed import open_feed
from nitari.catalog.feeds.tabular import guess_delimiter
from nitari.types import Item
from support.feed_items import items
from support.feeds import delimited, read, read_text


@given(items(), st.sampled_from(",;\t|"), st.sampled_from(["\n", "\r\n"]))
def test_items_survive(wanted: list[Item], delimiter: str, line_end: str) -> None:
    """What is written as a table in any dialect reads back equal."""
    with tempfile.TemporaryDirectory() as folder:
        assert read_text(Path(folder), delimited(wanted, delimiter, line_end)) == (wanted, [])


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [
        ("id,title,image_link", ","),
        ("id;title;image_link", ";"),
        ("id\ttitle, short\timage_link", "\t"),
        ('"id";"title, long, longer, longest";"image_link"', ";"),
        ("a,b;id;image_link", ";"),
        ("id|image_link", "|"),
        ("id", ","),
    ],
)
def test_the_delimiter_is_the_one_that_makes_sense_of_the_header(header: str, delimiter: str) -> None:
    """Known columns count more than many columns."""
    assert guess_delimiter(header + "\r\n") == delimiter


def locations(folder: Path, text: str) -> list[tuple[str, str | None]]:
    """Where each row and rejection of a table stands, and its item."""
    (folder / "feed.csv").write_text(text, newline="")
    return [
        (entry.location, entry.item.item_id) if isinstance(entry, FeedRow) else (f"!{entry.location}", entry.item_id)
        for entry in open_feed(folder / "feed.csv").read()
    ]


def test_locations_are_physical_lines(tmp_path: Path) -> None:
    """Quoted line ends and blank lines count, as they do in an editor."""
    text = 'id,title,image_link\r\na,"one\r\ntwo",a.jpg\r\n\r\nb,B,b.jpg\r\nc,C\r\n'
    assert locations(tmp_path, text) == [("line 2", "a"), ("line 5", "b"), ("!line 6", "c")]


def test_an_open_quote_costs_its_own_row_only(tmp_path: Path) -> None:
    """The rows that it swallowed are read, with their own line numbers."""
    text = 'id,title,image_link\n1,"open,1.jpg\n2,Two,2.jpg\n3,"Three, quoted",3.jpg\n4,Four,4.jpg\n'
    assert locations(tmp_path, text) == [("!line 2", "1"), ("line 3", "2"), ("line 4", "3"), ("line 5", "4")]


def test_open_quotes_one_after_another(tmp_path: Path) -> None:
    """Each is rejected under its own line, each good row between them is read."""
    rows = [f'b{n},"open,{n}.jpg\ng{n},Good,{n}.jpg\n' for n in range(50)]
    found = locations(tmp_path, "id,title,image_link\n" + "".join(rows))
    assert [item for _, item in found if item and item.startswith("g")] == [f"g{n}" for n in range(50)]
    assert sum(place.startswith("!") for place, _ in found) == 50


def test_a_ragged_row_with_line_ends_inside_is_one_rejection(tmp_path: Path) -> None:
    """Lines of a quoted text are not taken for rows of their own; the reason says which lines they are."""
    items, rejections = read_text(tmp_path, 'id,title,image_link\na,"one\ntwo\nthree",a.jpg,more\nb,B,b.jpg\n')
    assert [item.item_id for item in items] == ["b"]
    assert [(r.code, r.location, r.item_id) for r in rejections] == [("ragged-row", "line 2", "a")]
    assert "lines 2 to 4" in rejections[0].reason
    assert "4 cells where the header has 3" in rejections[0].reason


def test_empty_cells_at_the_end_are_no_fault(tmp_path: Path) -> None:
    """Delimiters at the ends of lines, in the header or below it, add nothing."""
    for text in ("id,image_link,,\na,a.jpg,,\n", "id,image_link\na,a.jpg,, ,\n", "id,image_link,\na,a.jpg\n"):
        items, rejections = read_text(tmp_path, text)
        assert [item.item_id for item in items] == ["a"]
        assert rejections == []


def test_empty_rows_are_left_out(tmp_path: Path) -> None:
    """Blank lines and rows of empty cells are no items and no faults, before the header and after it."""
    items, rejections = read_text(tmp_path, "\n\nid,image_link\n\n,\n  ,\t\na,a.jpg\n\n")
    assert ([item.item_id for item in items], rejections) == (["a"], [])


def test_a_header_alone_is_an_empty_feed(tmp_path: Path) -> None:
    """No rows, no error."""
    assert read_text(tmp_path, "id,image_link\n") == ([], [])


def test_excels_hint_names_the_delimiter(tmp_path: Path) -> None:
    """The line sep=; is no header."""
    items, _ = read_text(tmp_path, 'sep=;\nid;image_link\n"a;b";a.jpg\n')
    assert [item.item_id for item in items] == ["a;b"]


def test_a_header_may_hold_line_ends(tmp_path: Path) -> None:
    """A quoted name on two lines is one column."""
    items, _ = read_text(tmp_path, 'id,image_link,"fit\nguide"\na,a.jpg,slim\n')
    assert items[0].attributes == {"fit_guide": "slim"}


def test_quotes_inside_plain_cells_are_text(tmp_path: Path) -> None:
    """A cell that does not start with a quote may hold some: 5" heel."""
    items, rejections = read_text(tmp_path, 'id,title,image_link\na,5" heel,a.jpg\n')
    assert (items[0].title, rejections) == ('5" heel', [])


def test_the_last_line_needs_no_end(tmp_path: Path) -> None:
    """A file that does not end in a line end is whole."""
    assert [item.item_id for item in read_text(tmp_path, "id,image_link\na,a.jpg")[0]] == ["a"]


def test_a_broken_rows_id_is_an_id_or_nothing(tmp_path: Path) -> None:
    """Neither a huge cell nor one with control characters is passed off as an id."""
    long = "x" * 600
    _, rejections = read_text(tmp_path, f"id,image_link,title\n{long},a\na\x01,b\nok,c\n,d\n")
    assert [r.item_id for r in rejections] == [None, None, "ok", None]


@given(st.text(st.sampled_from('a1,"\n\r;\x00 '), max_size=60))
def test_any_table_is_read_to_its_end(body: str) -> None:
    """Whatever stands below a good header, reading it neither raises nor hangs, and the last good row is found."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "feed.csv"
        path.write_text(f"id,image_link,title\n{body}\nlast,last.jpg,Last\n", newline="")
        found, rejections = read(open_feed(path))
        assert all(rejection.location for rejection in rejections)
        assert "last" in [item.item_id for item in found] or any("line" in r.reason for r in rejections)
