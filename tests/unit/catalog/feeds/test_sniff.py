"""What a file is, by what it starts with."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from nitari.catalog.feeds.sniff import Format, sniff
from nitari.errors import FeedError


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"id,image_link\n", Format.TABLE),
        (b"\xef\xbb\xbfid,image_link\n", Format.TABLE),
        ('{"id": 1}'.encode("utf-16"), Format.JSON_LINES),
        (b'\xef\xbb\xbf\n {"id": 1}', Format.JSON_LINES),
        (b" [\n{}]", Format.JSON_ARRAY),
        (b'<?xml version="1.0"?><rss/>', Format.XML),
        (b"\xef\xbb\xbf\n<rss/>", Format.XML),
        ("<rss/>".encode("utf-16"), Format.XML),
        (b"PAR1....PAR1", Format.PARQUET),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_formats_are_told_by_content(data: bytes, kind: Format, zipped: bool, tmp_path: Path) -> None:
    """Marks, space and gzip do not hide what a feed is; its name does not matter."""
    (tmp_path / "feed.dat").write_bytes(gzip.compress(data) if zipped else data)
    assert sniff(tmp_path / "feed.dat") is kind


@pytest.mark.parametrize(
    ("data", "says", "remedy"),
    [
        (b"PK\x03\x04....", "Excel", "CSV"),
        (b"\x89PNG\r\n\x1a\n", "PNG", "folder"),
        (b"\x00\x00\x00\x20ftypavif", "AVIF", "folder"),
        (b"SQLite format 3\x00", "SQLite", "sqlite:///"),
        (b"  <!DOCTYPE HTML>", "web page", "login"),
        (b"BZh91AY", "bzip2", "unpack"),
        (b"version https://git-lfs.github.com/spec/v1", "Git LFS", "git lfs pull"),
    ],
)
def test_what_is_no_feed_is_named(data: bytes, says: str, remedy: str, tmp_path: Path) -> None:
    """The error says what the file is, and what to do with it."""
    (tmp_path / "feed.csv").write_bytes(data)
    with pytest.raises(FeedError, match=says) as caught:
        sniff(tmp_path / "feed.csv")
    assert remedy in caught.value.remedy
