"""A feed behind an http(s) URL: fetched to disk by whoever knows how to do that safely, then read as a file."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, TypeAlias
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from nitari.catalog.base import Feed, FeedRow
from nitari.errors import FeedError
from nitari.types import Rejection

Opener: TypeAlias = Callable[[str], AbstractContextManager[BinaryIO]]
"""Opens a URL for reading. Where links may lead, redirects and timeouts are its affair."""

MAX_BYTES = 16 * 2**30
_SECRET = re.compile(
    r"(?:.*[-_.])?(?:token|key|secret|password|passwd|pwd|sig|signature|auth|credential)s?", re.IGNORECASE
)


class RemoteFeed:
    """Fetches the feed anew each time it is read; nothing of it stays on disk.

    Args:
        url: Where it is.
        opener: Opens the URL.
        reading: Opens the file that it was fetched to, as a feed.
        feed_id: Its name; the URL without credentials where not given.
    """

    size_hint: int | None = None
    image_base: str | None = None

    def __init__(
        self, url: str, *, opener: Opener, reading: Callable[[Path], Feed], feed_id: str | None = None
    ) -> None:
        self._url = url
        self._opener = opener
        self._reading = reading
        self._shown = public_url(url)
        self._feed_id = feed_id or self._shown

    @property
    def feed_id(self) -> str:
        """The URL without credentials, or the name that was given."""
        return self._feed_id

    def read(self) -> Iterator[FeedRow | Rejection]:
        """Rows in the feed's order; relative image links are taken relative to the feed's URL.

        Raises:
            FetchError: what the opener raises.
            FeedError: a feed that cannot be read at all, or not any further.
        """
        with tempfile.TemporaryDirectory(prefix="nitari-feed-") as folder:
            path = Path(folder).resolve() / "feed"
            self._fetch(path)
            try:
                for entry in self._reading(path).read():
                    yield entry if isinstance(entry, Rejection) else self._absolute(entry)
            except FeedError as exc:
                message = exc.message.replace(str(path), self._shown)
                raise FeedError(message, remedy=exc.remedy, code=exc.code) from exc

    def _fetch(self, path: Path) -> None:
        size = 0
        with self._opener(self._url) as source, path.open("wb") as target:
            while piece := source.read(2**20):
                size += len(piece)
                if size > MAX_BYTES:
                    raise FeedError(
                        f"{self._shown} is larger than {MAX_BYTES} bytes",
                        remedy="split the feed, or download and import it as a file",
                        code="too-large",
                    )
                target.write(piece)

    def _absolute(self, row: FeedRow) -> FeedRow:
        # Links are stored and shown, so they must not inherit the feed's password.
        links = tuple(dict.fromkeys(urljoin(self._shown, link) for link in row.item.image_links))
        return row if links == row.item.image_links else replace(row, item=replace(row.item, image_links=links))


def public_url(url: str) -> str:
    """The URL without user, password, and whatever in its query looks like a secret."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    query = [
        (name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if not _SECRET.fullmatch(name)
    ]
    return urlunsplit((parts.scheme, host, parts.path, urlencode(query), ""))
