"""Bad feeds of every kind, made by program: each must become specific rejections or one clear error, never a crash."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from support.feeds import GOOGLE


@dataclass(frozen=True)
class BadFeed:
    """One kind of bad feed.

    Args:
        name: The file to write; for a test's name, too.
        data: Its bytes, or a function that sets up a folder and returns the source.
        rejections: Codes of all rejections, in order, those of kept items included.
        error: Code of the ``FeedError`` that ends the reading, if one does.
        good: Ids of the items that are read all the same.
    """

    name: str
    data: bytes | Callable[[Path], Path]
    rejections: tuple[str, ...] = ()
    error: str | None = None
    good: tuple[str, ...] = ()

    def write(self, folder: Path) -> Path:
        """Write it; returns what to open."""
        if not isinstance(self.data, bytes):
            return self.data(folder)
        path = folder / self.name
        path.write_bytes(self.data)
        return path


def _csv(*rows: str, header: str = "id,title,image_link,price") -> bytes:
    return "\n".join((header, *rows, "")).encode()


def _rss(*items: str, start: str = "") -> bytes:
    body = "".join(f"<item>{item}</item>" for item in items)
    return f'{start}<rss version="2.0" {GOOGLE}><channel>{body}</channel></rss>'.encode()


GOOD = "good,Good,good.jpg,1.00 USD"
GOOD_JSON = json.dumps({"id": "good", "image_link": "good.jpg"}) + "\n"
GOOD_XML = "<g:id>good</g:id><g:image_link>good.jpg</g:image_link>"
BILLION = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n else "ha"}">' for n in range(10))


def _two_feeds(folder: Path) -> Path:
    (folder / "feed.csv").write_bytes(_csv(GOOD))
    (folder / "feed.xml").write_bytes(_rss(GOOD_XML))
    return folder


def _no_photos(folder: Path) -> Path:
    (folder / "notes").mkdir()
    (folder / "notes" / "a.txt").write_text("no photo")
    (folder / ".hidden.jpg").write_bytes(b"")
    return folder


def _linked_folders(folder: Path) -> Path:
    (folder / "shop").mkdir()
    (folder / "shop" / "good.jpg").write_bytes(b"")
    (folder / "shop" / "loop").symlink_to(folder / "shop", target_is_directory=True)
    return folder / "shop"


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.csv")
    return folder / "pipe.csv"


def _many(count: int = 5_000) -> bytes:
    """Rows that do not compress to nothing."""
    return _csv(*(f"i{n},{zlib.crc32(str(n).encode()):x},{n}.jpg," for n in range(count)))


ROWS = (
    BadFeed("no-id.csv", _csv(",Shirt,a.jpg,", GOOD), ("no-id",), good=("good",)),
    BadFeed("long-id.csv", _csv("x" * 513 + ",Shirt,a.jpg,", GOOD), ("item-id",), good=("good",)),
    BadFeed("control-in-id.csv", _csv("a\x07b,Shirt,a.jpg,", GOOD), ("item-id",), good=("good",)),
    BadFeed("nul-in-id.csv", _csv("a\x00b,Shirt,a.jpg,", GOOD), ("item-id",), good=("good",)),
    BadFeed("nul-in-title.csv", _csv("a,Sh\x00irt,a.jpg,", GOOD), good=("a", "good")),
    BadFeed("no-photo.csv", _csv("a,Shirt,,", GOOD), ("no-image-link",), good=("good",)),
    BadFeed("control-in-link.csv", _csv("a,Shirt,a\x01.jpg,", GOOD), ("image-link",), good=("good",)),
    BadFeed("long-link.csv", _csv(f"a,Shirt,{'x' * 4097},", GOOD), ("image-link",), good=("good",)),
    BadFeed("twice.csv", _csv("a,1,a.jpg,", "b,2,b.jpg,", "a,3,c.jpg,"), ("duplicate-id",), good=("a", "b")),
    BadFeed("bad-price.csv", _csv("a,Shirt,a.jpg,cheap", GOOD), ("attribute",), good=("a", "good")),
    BadFeed("two-way-price.csv", _csv("a,Shirt,a.jpg,1.234 EUR", GOOD), ("attribute",), good=("a", "good")),
    BadFeed("short-row.csv", _csv("a,Shirt", GOOD), ("ragged-row",), good=("good",)),
    BadFeed("long-row.csv", _csv("a,Shirt, red,a.jpg,1 USD", GOOD), ("ragged-row",), good=("good",)),
    BadFeed("open-quote.csv", _csv('a,"Shirt,a.jpg,', GOOD, "b,B,b.jpg,"), ("broken-row",), good=("good", "b")),
    BadFeed("open-quote-last.csv", _csv(GOOD, 'a,"Shirt,a.jpg,'), ("broken-row",), good=("good",)),
    BadFeed("inner-quote.csv", _csv('a,"5" heel",a.jpg,', GOOD), ("broken-row",), good=("good",)),
    BadFeed("endless-line.csv", _csv(f"a,{'x' * 3_000_000},a.jpg,", GOOD), ("broken-row",), good=("good",)),
    BadFeed(
        "long-text.csv", _csv(f"a,{'x' * 5000},a.jpg,", f"b,B,b.jpg,{'9' * 70_000}", GOOD),
        ("attribute", "attribute"), good=("a", "b", "good"),
    ),
    BadFeed(
        "some-bad-bytes.csv",
        _csv(*(f"i{n},赤い靴,a.jpg," for n in range(3))) + b"a,caf\xe9,a.jpg,\n\xe9,Caf,b.jpg,\n",
        ("encoding", "item-id"), good=("i0", "i1", "i2", "a"),
    ),
    BadFeed("broken.jsonl", f'{{"id": "a", "image_\n{GOOD_JSON}'.encode(), ("json-line",), good=("good",)),
    BadFeed("not-objects.jsonl", f'{GOOD_JSON}[1]\n"a"\nnull\n7\n'.encode(), ("json-type",) * 4, good=("good",)),
    BadFeed("deep.jsonl", f'{GOOD_JSON}{{"id": {"[" * 100_000}\n'.encode(), ("json-line",), good=("good",)),
    BadFeed("huge-number.jsonl", f'{GOOD_JSON}{{"id": {"9" * 5_000}}}\n'.encode(), ("json-line",), good=("good",)),
    BadFeed(
        "endless-line.jsonl", f'{{"id": "{"x" * 3_000_000}"}}\n{GOOD_JSON}'.encode(), ("json-line",), good=("good",),
    ),
    BadFeed(
        "wrong-types.jsonl",
        b'{"id": true, "image_link": "a.jpg"}\n{"id": ["a", "b"], "image_link": "a.jpg"}\n'
        b'{"id": "c", "image_link": 7}\n'
        b'{"id": "d", "image_link": "d.jpg", "price": ["1 USD", "2 USD"], "x": [[1]], '
        b'"y": {"z": {"w": 1}}, "r": 1e999}',
        ("item-id", "item-id", "image-link", *("attribute",) * 4), good=("d",),
    ),
    BadFeed(
        "half-surrogate.jsonl", b'{"id": "a", "title": "\\ud800", "image_link": "a.jpg"}\n{"id": "\\ud800"}\n',
        ("encoding", "item-id"), good=("a",),
    ),
    BadFeed(
        "bad-element.json", b'[{"id": "a", "image_link": "a.jpg"}, 7, {"title": "x"}]',
        ("json-type", "no-id"), good=("a",),
    ),
    BadFeed("no-id.xml", _rss("<g:image_link>a.jpg</g:image_link>", GOOD_XML), ("no-id",), good=("good",)),
    BadFeed("two-ids.xml", _rss("<g:id>a</g:id><g:id>b</g:id>", GOOD_XML), ("item-id",), good=("good",)),
    BadFeed("linked-folders", _linked_folders, ("folder-link",), good=("good.jpg",)),
)  # fmt: skip
"""Feeds with bad rows: the others are read."""

FEEDS = (
    BadFeed("empty.csv", b"", error="empty"),
    BadFeed("empty.csv.gz", gzip.compress(b""), error="empty"),
    BadFeed("blank.csv", b"\n \n\r\n", error="empty"),
    BadFeed(
        "no-header.csv", b"7,Shirt,https://shop.example/7.jpg\n8,Skirt,https://shop.example/8.jpg\n", error="header"
    ),
    BadFeed("other-columns.csv", _csv("7,a", header="ident,picture_link"), error="header"),
    BadFeed("two-ids.csv", _csv("7,8,a.jpg", header="product_id,sku,image"), error="header"),
    BadFeed("id-twice.csv", _csv("7,8,a.jpg", header="id,ID,image_link"), error="header"),
    BadFeed("open-header.csv", b'id,"image_link\n7,a.jpg\n', error="header"),
    BadFeed("endless.csv", b"x" * 3_000_000, error="header"),
    BadFeed("latin.csv", _csv("a,Été à la plage,a.jpg,").decode().encode("latin-1"), error="encoding"),
    BadFeed("gbk.csv", _csv("a,红色连衣裙,a.jpg,").decode().encode("gbk"), error="encoding"),
    BadFeed("euc.csv", _csv("a,赤いワンピース,a.jpg,").decode().encode("euc_jp"), error="encoding"),
    BadFeed("odd-utf16.csv", _csv(GOOD, "b,B,b.jpg,").decode().encode("utf-16")[:-1], error="encoding", good=("good",)),
    BadFeed("sheet.csv", b"PK\x03\x04" + bytes(100), error="not-a-feed"),
    BadFeed("old-sheet.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), error="not-a-feed"),
    BadFeed("photo.csv", b"\xff\xd8\xff\xe0" + bytes(100), error="not-a-feed"),
    BadFeed("document.csv", b"%PDF-1.7\n", error="not-a-feed"),
    BadFeed("pointer.csv", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", error="not-a-feed"),
    BadFeed("twice.csv.gz", gzip.compress(gzip.compress(_csv(GOOD))), error="not-a-feed"),
    BadFeed("login.csv", b"\xef\xbb\xbf\n<!DOCTYPE html><html><body>Log in</body></html>", error="not-a-feed"),
    BadFeed("damaged.csv.gz", gzip.compress(_csv(GOOD))[:-6] + b"broken", error="gzip", good=("good",)),
    BadFeed("one-object.json", b'{"products": [{"id": "a", "image_link": "a.jpg"}]}', error="json"),
    BadFeed("wrapped.json", b'{\n  "products": [\n    {"id": "a"}\n  ]\n}\n', error="json"),
    BadFeed("cut-off.json", b'[{"id": "a", "image_link": "a.jpg"}, {"id": "b"', error="json", good=("a",)),
    BadFeed("no-comma.json", b'[{"id": "a", "image_link": "a.jpg"} {"id": "b"}]', error="json", good=("a",)),
    BadFeed("cut-off.xml", _rss(GOOD_XML)[:-10], error="xml", good=("good",)),
    BadFeed("ampersand.xml", _rss(GOOD_XML, "<g:id>a & b</g:id>"), error="xml", good=("good",)),
    BadFeed("no-namespace.xml", b"<rss><channel><item><g:id>a</g:id></item></channel></rss>", error="xml"),
    BadFeed("laughs.xml", _rss("<g:id>&a9;</g:id>", start=f"<!DOCTYPE rss [{BILLION}]>"), error="xml-entities"),
    BadFeed(
        "outside.xml",
        _rss("<g:id>&a;</g:id>", start='<!DOCTYPE rss [<!ENTITY a SYSTEM "file:///etc/hostname">]>'),
        error="xml-entities",
    ),
    BadFeed("nested.xml", _rss("<a>" * 5_000 + "</a>" * 5_000), error="xml"),
    BadFeed("endless.xml", _rss(GOOD_XML, f"<g:id>{'x' * 5_000_000}</g:id>"), error="xml", good=("good",)),
    BadFeed("other.xml", b"<orders><order/></orders>", error="not-a-feed"),
    BadFeed("unknown-encoding.xml", b'<?xml version="1.0" encoding="x-martian"?><rss/>', error="encoding"),
    BadFeed("damaged.parquet", b"PAR1" + bytes(100) + b"PAR1", error="parquet"),
    BadFeed("missing", lambda folder: folder / "missing.csv", error="not-found"),
    BadFeed("two-feeds", _two_feeds, error="two-feeds"),
    BadFeed("no-photos", _no_photos, error="no-photos"),
    BadFeed("pipe", _pipe, error="file"),
)
"""Feeds that cannot be read, or not to their end."""

CUT_OFF = BadFeed("cut-off.csv.gz", gzip.compress(_many())[:-2000], error="gzip")
"""A download that broke off: all rows that came are read, and then it is said."""
