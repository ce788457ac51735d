"""Feeds behind URLs: fetched each time, named without secrets."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from nitari.catalog.feed import open_feed
from nitari.catalog.feeds import remote
from nitari.catalog.feeds.remote import Opener, public_url
from nitari.errors import FeedError, FetchError
from support.feeds import read

URL = "https://user:hunter2@shop.example/feeds/all.csv?lang=ja&token=hunter3"


def serving(data: bytes, asked: list[str]) -> Opener:
    """An opener that answers with these bytes and notes what it was asked for."""

    @contextmanager
    def opener(url: str) -> Iterator[BinaryIO]:
        asked.append(url)
        yield io.BytesIO(data)

    return opener


def test_a_feed_is_fetched_each_time_it_is_read() -> None:
    """Opening fetches nothing; relative links are taken relative to the feed; nothing is left on disk."""
    asked: list[str] = []
    before = set(Path(tempfile.gettempdir()).glob("nitari-feed-*"))
    feed = open_feed(URL, opener=serving(b"id,image_link\na,../img/a.jpg\nb,https://cdn.example/b.jpg\n", asked))
    assert asked == []
    for _ in range(2):
        links = [item.image_links[0] for item in read(feed)[0]]
        assert links == ["https://shop.example/img/a.jpg", "https://cdn.example/b.jpg"]
    assert asked == [URL, URL]
    assert feed.image_base is None
    assert feed.size_hint is None
    assert set(Path(tempfile.gettempdir()).glob("nitari-feed-*")) <= before


def test_names_and_messages_hold_no_secrets() -> None:
    """Neither password nor token is in the id or in an error; the rest of the query is, since it names the feed."""
    feed = open_feed(URL, opener=serving(b"%PDF-1.7", []))
    assert feed.feed_id == "https://shop.example/feeds/all.csv?lang=ja"
    with pytest.raises(FeedError) as caught:
        read(feed)
    assert caught.value.message.startswith("https://shop.example/feeds/all.csv?lang=ja is a PDF")
    assert "hunter" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://x/f.csv", "https://x/f.csv"),
        ("https://u@x:8443/f?a=1&api_key=2&X-Amz-Signature=3&key=4#part", "https://x:8443/f?a=1"),
        ("https://x/f?monkey=1&keyword=2", "https://x/f?monkey=1&keyword=2"),
    ],
)
def test_public_urls(url: str, shown: str) -> None:
    """What looks like a secret goes, what only contains such letters stays."""
    assert public_url(url) == shown


def test_feeds_too_large_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cap holds while fetching."""
    monkeypatch.setattr(remote, "MAX_BYTES", 10)
    with pytest.raises(FeedError, match="larger than 10 bytes"):
        read(open_feed(URL, opener=serving(b"id,image_link\n", [])))


def test_what_the_opener_raises_comes_through() -> None:
    """A feed that cannot be fetched is the opener's error."""

    @contextmanager
    def failing(url: str) -> Iterator[BinaryIO]:
        raise FetchError("shop.example answered 404")
        yield io.BytesIO(url.encode())

    with pytest.raises(FetchError, match="404"):
        read(open_feed(URL, opener=failing))
