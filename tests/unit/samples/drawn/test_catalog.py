"""The drawn catalog as a whole: feed, photos, queries and judgments fit together."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from nitari.catalog.feed import open_feed
from nitari.errors import UsageError
from nitari.evaluate.protocols import Materials, qrels
from nitari.samples.drawn.catalog import COLORS, COLUMNS, ITEMS, assortment, write_catalog
from nitari.samples.drawn.kinds import KINDS
from support.feeds import read


def rows(path: Path) -> list[dict[str, str]]:
    """A table's rows."""
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_the_catalog_is_complete(tmp_path: Path) -> None:
    """Every photo is there, the feed reads without a rejection, the protocol qrels takes it, progress is told."""
    told: list[tuple[int, int]] = []
    write_catalog(tmp_path, items=5, workers=2, on_photo=lambda *said: told.append(said))
    feed = open_feed(tmp_path)
    items, rejections = read(feed)
    assert (len(items), rejections) == (5, [])
    for item in items:
        assert all((tmp_path / link).is_file() for link in item.image_links)
        assert isinstance(item.attributes["price"], float)
    assert tuple(rows(tmp_path / "feed.csv")[0]) == COLUMNS
    protocol = qrels(tmp_path, Materials(lambda folder: feed))
    assert protocol.judgments is not None
    for query in protocol.queries:
        assert (tmp_path / query.image_link).is_file()
        assert protocol.judgments[query.query_id][query.query_id] == 2
    assert told[-1] == (10 + len(protocol.queries), 10 + len(protocol.queries))
    assert [done for done, _ in told] == list(range(1, len(told) + 1))


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    """Two catalogs of one seed are equal to the byte, whatever the number of workers; another seed differs."""
    for name, seed, workers in (("a", 0, 1), ("b", 0, 3), ("c", 1, 1)):
        (tmp_path / name).mkdir()
        write_catalog(tmp_path / name, items=2, seed=seed, workers=workers)
    a, b, c = (
        {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.*")}
        for name in "abc"
    )
    assert a == b != c


def test_assortments_begin_alike() -> None:
    """The default has every kind of garment in four colors; a small one has many kinds; ids are unique."""
    whole = assortment(ITEMS)
    assert len({item.item_id for item in whole}) == ITEMS
    assert {item.style.kind.name for item in whole} == {kind.name for kind in KINDS}
    groups = {item.style.group_id for item in whole}
    assert len(groups) == ITEMS // COLORS
    assert len({item.style.kind.name for item in assortment(24)}) == 24
    with pytest.raises(UsageError, match="0 items"):
        assortment(0)


def test_rows_speak_google_merchant_center() -> None:
    """Prices, availability, links and paths are in the form the feed specification gives."""
    for item in assortment(60):
        row = item.row()
        assert row["price"].endswith(".00 USD")
        assert row["availability"] in ("in_stock", "out_of_stock")
        assert row["product_type"].split(" > ")[0] in ("Women", "Men", "Unisex")
        assert row["item_group_id"] == item.style.group_id
        assert item.color.title() in row["title"]
        assert all(row.values())
