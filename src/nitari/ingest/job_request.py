"""What a client asks to be imported: a feed at a URL, or one that comes along. Never a file of this machine."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from nitari.errors import UsageError
from nitari.types import is_printable_id

MAX_NAME = 256
MAX_URL = 4096
_URL = re.compile(r"https?://[^\s/?#]\S*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What to import.

    Args:
        feed: An ``http(s)`` URL; beside ``data``, the uploaded file's name, of which only the last part counts.
        data: The uploaded feed.
        feed_id: Its name, 1-256 printable characters; where not given, the URL without credentials, or
            ``upload:`` and the file's name.
        sync: Also delete this feed's items that are no longer in it.
        allow_delete: Even where that is a large share of them.

    Raises:
        UsageError: no such URL or name, or an empty file.
    """

    feed: str
    data: bytes | None = field(default=None, repr=False)
    feed_id: str | None = None
    sync: bool = False
    allow_delete: bool = False

    def __post_init__(self) -> None:
        if self.data is None:
            _check_url(self.feed)
        else:
            object.__setattr__(self, "feed", _file_name(self.feed))
            if not self.data:
                raise UsageError(f"uploaded feed {self.feed!r} is empty", remedy="upload a feed", code="feed")
        name = self.feed_id
        if name is not None and not (0 < len(name) <= MAX_NAME and is_printable_id(name)):
            raise UsageError(
                f"feed_id {name[:80]!r} ({len(name)} characters) is not 1-{MAX_NAME} printable characters",
                remedy="give the feed a short name, or none",
                code="feed-id",
            )


def _check_url(url: str) -> None:
    """See that this is an ``http(s)`` URL.

    Raises:
        UsageError: it is not.
    """
    try:
        good = len(url) <= MAX_URL and url.isprintable() and bool(_URL.fullmatch(url) and urlsplit(url).hostname)
    except ValueError:  # [ without ]
        good = False
    if not good:
        raise UsageError(
            f"feed {shown_url(url)[:300]!r} is not an http or https URL",
            remedy="give the feed's URL, or upload the file; a server's own files are not read for clients",
            code="feed-url",
        )


def shown_url(url: str) -> str:
    """The URL without what may be a secret: user, password, query."""
    head, query, _ = url.partition("?")
    scheme, mark, rest = head.partition("://")
    place, slash, path = rest.partition("/")
    return f"{scheme}{mark}{place.rpartition('@')[2]}{slash}{path}{'?...' if query else ''}"


def _file_name(given: str) -> str:
    """The last part of a file's name or path, made harmless; it is shown, and its ending tells the format."""
    name = re.split(r"[/\\]", given)[-1].strip()[-MAX_NAME // 2 :]
    return name if name.strip(".") and name.isprintable() else "feed"
