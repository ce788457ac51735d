"""Which format a file is, by what it starts with; its name is not looked at."""

from __future__ import annotations

import codecs
from enum import Enum
from pathlib import Path

from nitari.catalog.feeds.text import detect_encoding, is_gzip, known_encoding, open_binary, read_up_to, translated
from nitari.errors import FeedError

HEAD = 4096
_SAVE_AS_CSV = "save the sheet as CSV (UTF-8) and import that"
_UNPACK = "unpack it and import the feed inside"
_FOLDER = "import the folder that holds the photos, or a feed that names them"
# What people hand over by mistake: the first bytes, what it is, what to do.
_NOT_FEEDS = (
    (b"PK\x03\x04", "a zip file or an Excel workbook (xlsx)", "save the sheet as CSV (UTF-8), or unpack the zip file"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (xls)", _SAVE_AS_CSV),
    (b"%PDF", "a PDF", "export the list as CSV and import that"),
    (b"\x89PNG", "a PNG image", _FOLDER),
    (b"\xff\xd8\xff", "a JPEG image", _FOLDER),
    (b"GIF8", "a GIF image", _FOLDER),
    (b"RIFF", "a WebP image or another RIFF file", _FOLDER),
    (b"BZh", "a bzip2 file", _UNPACK),
    (b"\xfd7zXZ", "an xz file", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file", _UNPACK),
    (b"7z\xbc\xaf", "a 7-Zip file", _UNPACK),
    (b"\x1f\x8b", "gzip inside gzip", "unpack it once and import that"),
    (b"version https://git-lfs", "a pointer to a file in Git LFS", "fetch the file itself: git lfs pull"),
    (b"SQLite format 3", "an SQLite database", "import it as sqlite:///PATH with --query 'select ...'"),
)


class Format(Enum):
    """A family of formats, one reader each."""

    TABLE = "table"
    JSON_LINES = "json lines"
    JSON_ARRAY = "json array"
    XML = "xml"
    PARQUET = "parquet"


def sniff(path: Path, encoding: str | None = None) -> Format:
    """The format of a file.

    Raises:
        FeedError: an empty file, or one that is no feed; it says what the file is and what to do.
    """
    with translated(path):
        with open_binary(path) as file:
            head = read_up_to(file, HEAD)
        if not head:
            what = "is a gzip file with nothing in it that can be read" if is_gzip(path) else "is empty"
            raise FeedError(f"{path} {what}", remedy="export the feed again", code="empty")
        if head.startswith(b"PAR1"):
            return Format.PARQUET
        for magic, what, remedy in _NOT_FEEDS:
            if head.startswith(magic):
                raise FeedError(f"{path} is {what}, not a feed", remedy=remedy, code="not-a-feed")
        if head[4:8] == b"ftyp":
            raise FeedError(
                f"{path} is an AVIF or HEIC image or a video, not a feed", remedy=_FOLDER, code="not-a-feed"
            )
        start = _text(path, head, encoding).lstrip("\ufeff \t\r\n").lower()
    if start.startswith(("<!doctype html", "<html")):
        raise FeedError(
            f"{path} is a web page, not a feed", remedy="download the feed itself; a login may be in the way",
            code="not-a-feed",
        )  # fmt: skip
    if start.startswith("<"):
        return Format.XML
    if start.startswith("["):
        return Format.JSON_ARRAY
    if start.startswith("{"):
        return Format.JSON_LINES
    return Format.TABLE


def _text(path: Path, head: bytes, encoding: str | None) -> str:
    """The beginning as text, as well as it can be read."""
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return head.decode("latin-1").lstrip("\xef\xbb\xbf")  # XML names its own encoding
    name = known_encoding(encoding) if encoding else detect_encoding(path)
    return codecs.getincrementaldecoder(name)("replace").decode(head)
