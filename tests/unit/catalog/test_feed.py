"""Opening feeds: what a source is, ids that come twice, and feeds that are bad."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.catalog.base import FeedRow
from nitari.catalog.feed import RecordFeed, SeenIds, UploadedFeed, open_feed
from nitari.catalog.feeds.folder import FolderFeed
from nitari.errors import FeedError, UsageError
from support.bad_feeds import CUT_OFF, FEEDS, ROWS, BadFeed
from support.feeds import read, read_text

FEED = "id,image_link\na,a.jpg\n"


@pytest.mark.parametrize("bad", ROWS, ids=lambda bad: bad.name)
def test_bad_rows_are_rejected_and_good_ones_are_read(bad: BadFeed, tmp_path: Path) -> None:
    """Each bad row is one rejection with its code, a reason, a remedy and a place; the rows around it are items."""
    items, rejections = read(open_feed(bad.write(tmp_path)))
    assert tuple(rejection.code for rejection in rejections) == bad.rejections
    assert tuple(item.item_id for item in items) == bad.good
    for rejection in rejections:
        assert rejection.reason
        assert rejection.remedy
        assert rejection.location
        assert len(rejection.reason) < 400
        str(rejection).encode()


@pytest.mark.parametrize("bad", FEEDS, ids=lambda bad: bad.name)
def test_bad_feeds_are_one_clear_error(bad: BadFeed, tmp_path: Path) -> None:
    """The error names the feed, says what was found and what to do; what came before it is read."""
    if bad.name.endswith(".parquet"):
        pytest.importorskip("pyarrow", reason="no pyarrow: pip install 'nitari[parquet]'")
    source = bad.write(tmp_path)
    good = []
    with pytest.raises(FeedError) as caught:
        for entry in open_feed(source).read():
            good.append(entry.item.item_id if isinstance(entry, FeedRow) else entry.code)  # noqa: PERF401
    assert caught.value.code == bad.error
    assert str(source) in caught.value.message
    assert caught.value.remedy
    assert len(caught.value.message) < 600
    assert tuple(good) == bad.good


def test_a_feed_that_breaks_off_is_read_up_to_there(tmp_path: Path) -> None:
    """A truncated gzip file yields whole rows, none of them cut short, and then an error."""
    seen = []
    with pytest.raises(FeedError, match="ends too early"):
        for entry in open_feed(CUT_OFF.write(tmp_path)).read():
            assert isinstance(entry, FeedRow)
            seen.append((entry.item.item_id, entry.item.image_links))
    assert len(seen) > 2000
    assert seen == [(f"i{n}", (f"{n}.jpg",)) for n in range(len(seen))]


@pytest.mark.parametrize(
    ("name", "start", "unit"),
    [
        ("csv", b"id,image_link\na,", b"x" * 2**20),
        ("csv-quoted", b'id,image_link\na,"', (b"x" * 65_535 + b"\n") * 16),
        ("jsonl", b'{"id": "', b"x" * 2**20),
        ("json", b'[{"id": "', b"x" * 2**20),
        ("xml", b"<rss><channel><item><id>", b"x" * 2**20),
        ("xml-elements", b"<rss><channel><item>", b"<a/>" * 2**18),
        ("xml-nothing", b"<rss><channel>", (b"<a>" + b"x" * 1017 + b"</a>") * 2**10),
    ],
)
def test_a_bomb_does_not_eat_memory(name: str, start: bytes, unit: bytes, tmp_path: Path) -> None:
    """A small gzip file that unpacks to 48 MiB of one cell, line or element costs a few MiB to refuse."""
    path = tmp_path / name
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(start)
        for _ in range(48):
            file.write(unit)
    tracemalloc.start()
    try:
        with pytest.raises(FeedError):
            assert read(open_feed(path))[0]
            raise FeedError("nothing was read, and that was said in a rejection")
    except AssertionError:
        pass  # no items: the bomb became a rejection
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 40 * 2**20


@pytest.mark.parametrize(("catalog", "rows"), [("luma", 461), ("flat", 5096)])
def test_real_catalogs_are_read_without_a_rejection(data_dir: Path, catalog: str, rows: int) -> None:
    """Both sample catalogs come in whole, by their folder and by their file."""
    items, rejections = read(open_feed(data_dir / catalog))
    assert (len(items), rejections) == (rows, [])
    assert items == read(open_feed(data_dir / catalog / "feed.csv"))[0]


def test_a_folder_with_a_feed_is_that_feed(tmp_path: Path) -> None:
    """Folder and file are one feed, with one id, and links start at the folder."""
    (tmp_path / "feed.csv").write_text(FEED)
    (tmp_path / "other.jpg").write_bytes(b"")
    by_folder, by_file = open_feed(tmp_path), open_feed(tmp_path / "feed.csv")
    assert by_folder.feed_id == by_file.feed_id == (tmp_path / "feed.csv").resolve().as_posix()
    assert by_folder.image_base == str(tmp_path.resolve())
    assert [item.item_id for item in read(by_folder)[0]] == ["a"]


@pytest.mark.parametrize("name", ["FEED.CSV", "feed.csv.gz", "feed.json", "Feed.Xml.GZ"])
def test_the_name_of_a_feed_does_not_tell_its_format(name: str, tmp_path: Path) -> None:
    """Any feed.* in a folder is found in any case, and read by what is in it."""
    (tmp_path / name).write_text(FEED)
    assert [item.item_id for item in read(open_feed(tmp_path))[0]] == ["a"]


def test_any_other_folder_is_a_folder_of_photos(tmp_path: Path) -> None:
    """A table of another name is no feed of its folder."""
    (tmp_path / "list.csv").write_text(FEED)
    (tmp_path / "b.jpg").write_bytes(b"")
    feed = open_feed(tmp_path)
    assert isinstance(feed, FolderFeed)
    assert [item.item_id for item in read(feed)[0]] == ["b.jpg"]


def test_a_linked_feed_is_the_feed_it_leads_to(tmp_path: Path) -> None:
    """Links are resolved, so that a feed has one id however it is reached."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "products.csv").write_text(FEED)
    (tmp_path / "feed.csv").symlink_to(tmp_path / "real" / "products.csv")
    assert open_feed(tmp_path).feed_id == open_feed(tmp_path / "real" / "products.csv").feed_id
    assert open_feed(tmp_path).image_base == str((tmp_path / "real").resolve())


def test_a_file_url_is_a_path(tmp_path: Path) -> None:
    """file:// with percent-encoding leads to the file."""
    (tmp_path / "my feed.csv").write_text(FEED)
    assert open_feed((tmp_path / "my feed.csv").as_uri()).feed_id == (tmp_path / "my feed.csv").resolve().as_posix()


@pytest.mark.parametrize(
    ("source", "query", "says"),
    [
        ("sqlite:///shop.db", None, "needs a query"),
        ("feed.csv", "select 1", "a query needs a database"),
        ("https://user:hunter2@shop.example/feed.csv", None, "cannot be fetched"),
    ],
)
def test_sources_that_cannot_be(source: str, query: str | None, says: str) -> None:
    """A database without a query, a query without a database, a URL that nobody can fetch."""
    with pytest.raises(UsageError, match=says) as caught:
        open_feed(source, query=query)
    assert caught.value.remedy
    assert "hunter2" not in caught.value.message + caught.value.remedy


def test_an_encoding_can_be_said(tmp_path: Path) -> None:
    """What is not detected is read as the user says; a name that Python does not know is a usage error."""
    path = tmp_path / "feed.csv"
    path.write_bytes("id,title,image_link\na,Été à la plage,a.jpg\n".encode("latin-1"))
    assert read(open_feed(path, encoding="latin-1"))[0][0].title == "Été à la plage"
    with pytest.raises(UsageError, match="'latein'"):
        open_feed(path, encoding="latein")


def test_the_first_row_of_an_id_counts(tmp_path: Path) -> None:
    """The rejection of the second names the place of the first; a bad first row does not take the id."""
    items, rejections = read_text(tmp_path, "id,image_link\na,\nb,b.jpg\na,1.jpg\na,2.jpg\n")
    assert [(item.item_id, item.image_links) for item in items] == [("b", ("b.jpg",)), ("a", ("1.jpg",))]
    assert [(r.code, r.location, r.item_id) for r in rejections] == [
        ("no-image-link", "line 2", "a"),
        ("duplicate-id", "line 5", "a"),
    ]
    assert "line 4" in rejections[1].reason


def test_rejections_of_a_kept_item_come_with_it(tmp_path: Path) -> None:
    """A bad attribute is left out of the item and reported on its row."""
    (tmp_path / "feed.csv").write_text("id,image_link,price,brand\na,a.jpg,free,B\n")
    (row,) = open_feed(tmp_path).read()
    assert isinstance(row, FeedRow)
    assert row.item.attributes == {"brand": "B"}
    assert [(r.code, r.item_id, r.location) for r in row.rejections] == [("attribute", "a", "line 2")]


@given(st.lists(st.text(min_size=1, max_size=3), max_size=3000))
def test_seen_ids_remembers_as_a_dict_does(ids: list[str]) -> None:
    """The compact table answers what a dict from id to first place would."""
    seen, model = SeenIds(), dict[str, int]()
    for place, item_id in enumerate(ids, start=1):
        assert seen.first(item_id, place) == model.get(item_id)
        model.setdefault(item_id, place)


def test_seen_ids_grows() -> None:
    """Many thousands of ids are held apart, in the few bytes each that are promised."""
    tracemalloc.start()
    seen = SeenIds()
    assert all(seen.first(f"item-{n}", n) is None for n in range(50_000))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert all(seen.first(f"item-{n}", 0) == n for n in range(50_000))
    assert held < 49 * 50_000


def test_open_feed_knows_records(tmp_path: Path) -> None:
    """A file is a feed of records."""
    (tmp_path / "x.csv").write_text(FEED)
    assert isinstance(open_feed(tmp_path / "x.csv"), RecordFeed)


def test_an_uploaded_feed_has_no_folder(tmp_path: Path) -> None:
    """Whatever lies beside the file, its links are relative to nothing; it is called as the client calls it."""
    path = tmp_path / "0123.feed.csv"
    path.write_text(FEED)
    feed = UploadedFeed(path, name="shop.csv", feed_id="upload:shop.csv")
    assert (feed.image_base, feed.feed_id) == (None, "upload:shop.csv")
    assert [item.item_id for item in read(feed)[0]] == ["a"]


@pytest.mark.parametrize("text", ["", "nonsense\n", '{"id": "a", "image_link": "a.jpg"}\n{"id'])
def test_an_uploaded_feeds_errors_do_not_tell_where_it_is_kept(tmp_path: Path, text: str) -> None:
    """They name the client's file."""
    path = tmp_path / "0123.feed"
    path.write_text(text)
    try:
        _, rejections = read(UploadedFeed(path, name="shop.csv", feed_id=None))
        messages = [rejection.reason for rejection in rejections]
    except FeedError as exc:
        messages = [exc.message + exc.remedy]
    assert messages
    assert all(str(tmp_path) not in message for message in messages)
