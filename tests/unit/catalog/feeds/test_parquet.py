"""Parquet: types, row groups, damage, and the extra that it needs."""

from __future__ import annotations

import datetime
import sys
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from nitari.catalog.feed import open_feed
from nitari.catalog.feeds import parquet
from nitari.errors import FeedError, MissingExtraError
from nitari.types import Item
from support.feed_items import items
from support.feeds import WRITERS, read

pyarrow = pytest.importorskip("pyarrow", reason="no pyarrow: pip install 'nitari[parquet]'")
pq = pytest.importorskip("pyarrow.parquet")


def written(folder: Path, **columns: Any) -> Path:
    """A Parquet file of these columns."""
    pq.write_table(pyarrow.table(columns), folder / "feed.parquet", row_group_size=2)
    return folder / "feed.parquet"


@given(items())
def test_items_survive(wanted: list[Item]) -> None:
    """What is written as Parquet reads back equal."""
    with tempfile.TemporaryDirectory() as folder:
        assert read(open_feed(WRITERS["parquet"](wanted, Path(folder))[0])) == (wanted, [])


def test_types_become_ours(tmp_path: Path) -> None:
    """Decimals are numbers, dates text, whole ids digits, nulls absent; nanoseconds are cut, not an error."""
    path = written(
        tmp_path,
        id=[1, 2],
        image_link=["a.jpg", "b.jpg"],
        weight=[Decimal("1.50"), None],
        day=[datetime.date(2026, 11, 23), None],
        at=pyarrow.array([1_000_000_001, None], pyarrow.timestamp("ns")),
        brand=pyarrow.array(["x", "x"]).dictionary_encode(),
        nan=[float("nan"), 2.0],
        blob=[b"x", None],
        dims=[{"w": 3}, None],
    )
    (first, second), (problem,) = read(open_feed(path))
    assert first.attributes == {
        "weight": 1.5,
        "day": "2026-11-23",
        "at": "1970-01-01T00:00:01",
        "brand": "x",
        "dims_w": 3,
    }
    assert second.attributes == {"brand": "x", "nan": 2.0}
    assert (first.item_id, problem.code, problem.item_id, problem.location) == ("1", "attribute", "1", "row 1")


def test_rows_are_counted_over_row_groups(tmp_path: Path) -> None:
    """The hint is exact, and locations go on counting."""
    feed = open_feed(written(tmp_path, id=["a", "b", "c", "a"], image_link=["x"] * 4))
    assert feed.size_hint == 4
    assert [(r.code, r.location) for r in read(feed)[1]] == [("duplicate-id", "row 4")]


def test_columns_are_checked(tmp_path: Path) -> None:
    """A file without an id column is one error."""
    with pytest.raises(FeedError, match="no column 'id'"):
        read(open_feed(written(tmp_path, image_link=["a.jpg"])))


def test_row_groups_too_large_to_hold_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What would not fit into memory is refused before it is read."""
    path = written(tmp_path, id=["a"], image_link=["a.jpg"])
    feed = open_feed(path)
    monkeypatch.setattr(parquet, "MAX_ROW_GROUP", 10)
    with pytest.raises(FeedError, match="row group") as caught:
        read(feed)
    assert "smaller" in caught.value.remedy


def test_without_the_extra_it_says_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error comes when the feed is opened, and names what to install."""
    path = written(tmp_path, id=["a"], image_link=["a.jpg"])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError) as caught:
        open_feed(path)
    assert "nitari[parquet]" in caught.value.remedy
