"""The contract of feeds: the same items come out of every format."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitari.catalog.base import FeedRow
from nitari.catalog.feed import open_feed
from nitari.types import Item
from support.feeds import WRITERS, read

ITEMS = (
    Item(
        "tee-red",
        ("images/tee red.jpg", "images/tee-back.jpg", "https://cdn.example/w_300%2Ch_400/tee.jpg"),
        "Tee, red",
        "tee",
        {"color": "Red", "price": 52.0, "price_currency": "USD", "gtin": "04006381333931", "adult": False},
    ),
    Item("tee-blue", ("images/tee-blue.jpg",), "Tee “blue”", "tee", {"color": "Blue", "price": 12.99, "adult": True}),
    Item(
        "3", ("https://cdn.example/3.jpg",), "赤いワンピース", attributes={"brand": "7", "description": "a\nb\t<c> & d"}
    ),
    Item("00123", ("a/b/c.jpg",), attributes={"quantity": 4.0, "waist": 71.5, "labels": ("new", "linen, washed")}),
    Item("id with space", ("x.png", "y.webp"), 'He said "no"; then | left', attributes={"size": "38"}),
)
"""The last line of each table ends in empty cells, one cell holds every delimiter, another a line end."""


@pytest.fixture(params=WRITERS)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str | None]:
    """The five items in one format."""
    if "parquet" in request.param:
        pytest.importorskip("pyarrow", reason="no pyarrow: pip install 'nitari[parquet]'")
    return WRITERS[request.param](ITEMS, tmp_path)


def test_every_format_yields_the_same_items(source: tuple[str, str | None]) -> None:
    """What is written is what is read, typed the same, without a rejection."""
    items, rejections = read(open_feed(source[0], query=source[1]))
    assert rejections == []
    assert items == list(ITEMS)


def test_a_feed_can_be_read_again(source: tuple[str, str | None]) -> None:
    """Reading twice yields the same rows; stopping in the middle harms nothing."""
    feed = open_feed(source[0], query=source[1])
    stopped = feed.read()
    next(stopped)
    stopped.close()  # type: ignore[attr-defined]
    assert list(feed.read()) == list(feed.read())


def test_rows_say_where_they_stand(source: tuple[str, str | None]) -> None:
    """Every row has a location of its own, in one unit, ascending."""
    rows = list(open_feed(source[0], query=source[1]).read())
    places = [row.location.split() for row in rows if isinstance(row, FeedRow)]
    numbers = [int(number) for _, number in places]
    assert {unit for unit, _ in places} <= {"line", "row", "element"}
    assert len({unit for unit, _ in places}) == 1
    assert numbers == sorted(set(numbers))
    assert len(numbers) == len(ITEMS)


def test_feed_id_is_stable_and_can_be_given(source: tuple[str, str | None]) -> None:
    """The id is the same at every opening, absolute, and what the user says where they say it."""
    first, second = (open_feed(source[0], query=source[1]) for _ in range(2))
    assert first.feed_id == second.feed_id
    assert Path(first.feed_id.partition("#")[0].removeprefix("sqlite:///")).is_absolute()
    assert open_feed(source[0], query=source[1], feed_id="autumn").feed_id == "autumn"


def test_size_hint_is_about_right_or_none(source: tuple[str, str | None]) -> None:
    """The hint is None, or within the few lines that quoted line ends add."""
    hint = open_feed(source[0], query=source[1]).size_hint
    assert hint is None or hint == 0 or len(ITEMS) <= hint <= len(ITEMS) + 3


def test_image_base_is_the_feeds_folder_or_what_is_given(source: tuple[str, str | None], tmp_path: Path) -> None:
    """Relative links start at the feed's folder; a database has none; the user's word goes first."""
    feed = open_feed(source[0], query=source[1])
    assert feed.image_base == (None if source[1] else str(tmp_path.resolve()))
    assert open_feed(source[0], query=source[1], image_base=tmp_path / "photos").image_base == str(
        (tmp_path / "photos").resolve()
    )
