"""What clients may ask to be imported."""

from __future__ import annotations

import pytest

from nitari.errors import UsageError
from nitari.ingest.job_request import ImportRequest, shown_url


@pytest.mark.parametrize(
    "url",
    [
        "/etc/passwd", "feed.csv", "file:///etc/passwd", "FILE:/etc/passwd", "postgresql://u@h/db", "sqlite:///x.db",
        "", "ftp://x/feed.csv", "//x/feed.csv", "http://", "http:///x", "https://x/\nfeed", "https://x/a b",
        "http://[::1/a", "javascript:alert(1)", "https://x/" + "a" * 5000, "https://x/\ud800", " https://x/a",
    ],
)  # fmt: skip
def test_only_http_urls(url: str) -> None:
    """No file, folder or database of the server, and nothing that is no URL; the message can be shown."""
    with pytest.raises(UsageError) as caught:
        ImportRequest(url)
    assert caught.value.code == "feed-url"
    caught.value.message.encode()


def test_good_urls() -> None:
    """They are kept as they are."""
    for url in ("http://x/feed.csv", "HTTPS://u:p@x.example:8080/feed?a=b", "https://[::1]/a", "https://例え.jp/a"):
        assert ImportRequest(url).feed == url


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("feed.csv", "feed.csv"), ("../../etc/passwd", "passwd"), ("C:\\data\\feed.tsv", "feed.tsv"), ("/a/b/", "feed"),
        ("..", "feed"), ("", "feed"), ("a\x00b.csv", "feed"), ("商品.jsonl.gz", "商品.jsonl.gz"),
        ("x" * 999 + ".xml", None),
    ],
)  # fmt: skip
def test_a_files_name_is_no_path(given: str, name: str | None) -> None:
    """Only its last part counts, short and printable; the ending stays."""
    feed = ImportRequest(given, data=b"id").feed
    assert feed == name if name is not None else len(feed) == 128 and feed.endswith(".xml")


def test_an_empty_file_is_no_feed() -> None:
    """It is refused before it is queued."""
    with pytest.raises(UsageError, match="empty"):
        ImportRequest("feed.csv", data=b"")


@pytest.mark.parametrize("feed_id", ["", "x" * 257, "a\nb", "\ud800"])
def test_feed_ids(feed_id: str) -> None:
    """A feed's name is short and printable."""
    with pytest.raises(UsageError, match="feed_id"):
        ImportRequest("https://x/feed.csv", feed_id=feed_id)


def test_shown_urls_hold_no_secrets() -> None:
    """User, password and query are left out."""
    assert shown_url("https://u:p@ss@x.example/feed?token=1") == "https://x.example/feed?..."
    assert shown_url("https://x.example/feed") == "https://x.example/feed"
