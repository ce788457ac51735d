"""Where query photos come from: given or behind a link, and which extractor reads them."""

from __future__ import annotations

import pytest

from nitari.errors import ConfigurationError, UsageError
from nitari.images.base import NotModified, Original, Validators
from nitari.search.photos import PhotoReader
from support.catalogs import COLLECTION, DIM
from support.extraction import PRODUCT, text_extractor


class Echo:
    """A source in which every link leads to the link's own text."""

    closed = False

    def fetch(self, link: str, *, known: Validators | None = None) -> Original | NotModified:
        """The link as bytes."""
        return Original(link.encode(), "digest")

    def close(self) -> None:
        """Be closed."""
        self.closed = True


def _reader(*, source: Echo | None = None, collection: str = COLLECTION.name, remembered: int = 4) -> PhotoReader:
    return PhotoReader(
        extractor=lambda: text_extractor(PRODUCT),
        collection=collection,
        dim=DIM,
        source=source,
        remembered=remembered,
    )


def test_given_or_behind_a_link() -> None:
    """Both are read the same way and remembered as the same photo; only a fetch is timed as one."""
    reader = _reader(source=Echo())
    linked = reader.extract(None, "https://x.example/a", "auto")
    assert list(linked.timing_ms) == ["fetch", "decode", "regions", "embed"]
    given = reader.extract(b"https://x.example/a", None, "auto")
    assert given.timing_ms == {}
    assert given.views == linked.views
    assert list(reader.detect(None, "https://x.example/a").timing_ms) == ["fetch", "total"]


def test_nothing_remembered() -> None:
    """With no memory, every stage runs each time."""
    reader = _reader(remembered=0)
    for _ in range(2):
        assert list(reader.extract(b"a", None, "auto").timing_ms) == ["decode", "regions", "embed"]


def test_no_photo() -> None:
    """Neither a photo nor a link is a mistake."""
    with pytest.raises(UsageError, match="there is no photo"):
        _reader().extract(None, None, "auto")


def test_another_collection() -> None:
    """An extractor of another collection is refused."""
    with pytest.raises(ConfigurationError, match="but the gallery holds 'other'"):
        _reader(collection="other").extract(b"a", None, "auto")


def test_closes_its_source() -> None:
    """Closing closes the source, where there is one."""
    source = Echo()
    _reader(source=source).close()
    assert source.closed
    _reader().close()
