"""Writes items as feeds of every format, for tests that read them back."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias
from xml.sax.saxutils import escape

from nitari.catalog.base import Feed, FeedRow
from nitari.catalog.feed import open_feed
from nitari.types import Item, Rejection

GOOGLE = 'xmlns:g="http://base.google.com/ns/1.0"'
Source: TypeAlias = tuple[str, str | None]
"""What to open, and the query where it is a database."""
Writer: TypeAlias = Callable[[Sequence[Item], Path], Source]


def read(feed: Feed) -> tuple[list[Item], list[Rejection]]:
    """The items of a feed, and all its rejections in order, those of kept items included."""
    items: list[Item] = []
    rejections: list[Rejection] = []
    for entry in feed.read():
        if isinstance(entry, FeedRow):
            items.append(entry.item)
            rejections += entry.rejections
        else:
            rejections.append(entry)
    return items, rejections


def read_text(folder: Path, text: str | bytes, name: str = "feed") -> tuple[list[Item], list[Rejection]]:
    """Write a feed of one file and read it."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(open_feed(path))


def columns(items: Sequence[Item]) -> list[str]:
    """The columns that these items need."""
    attributes = dict.fromkeys(name for item in items for name in item.attributes)
    return ["id", "item_group_id", "title", "image_link", "additional_image_link", *attributes]


def fields(item: Item) -> dict[str, Any]:
    """An item's columns, typed."""
    return {
        "id": item.item_id,
        "item_group_id": item.group_id,
        "title": item.title,
        "image_link": item.image_links[0],
        "additional_image_link": list(item.image_links[1:]),
        **{name: list(v) if isinstance(v, tuple) else v for name, v in item.attributes.items()},
    }


def delimited(items: Sequence[Item], delimiter: str = ",", line_end: str = "\r\n") -> str:
    """A table as text."""
    names = columns(items)
    out = io.StringIO()
    # Minimal quoting minds only the line ends that it writes.
    old_mac = line_end == "\r"
    writer = csv.writer(
        out, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL if old_mac else csv.QUOTE_MINIMAL
    )
    writer.writerow(names)
    for item in items:
        row = fields(item) | {"additional_image_link": ",".join(item.image_links[1:])}
        writer.writerow([_cell(row.get(name, "")) for name in names])
    return out.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else str(value)


def json_lines(items: Sequence[Item]) -> str:
    """JSON lines as text."""
    return "".join(json.dumps(fields(item), ensure_ascii=False) + "\n" for item in items)


def rss(items: Sequence[Item], encoding: str = "utf-8") -> str:
    """RSS 2.0 as text, with an encoding declared."""
    body = "".join(f"<item>{''.join(_elements(item))}</item>\n" for item in items)
    return f'<?xml version="1.0" encoding="{encoding}"?>\n<rss version="2.0" {GOOGLE}><channel>\n{body}</channel></rss>'


def atom(items: Sequence[Item]) -> str:
    """Atom as text."""
    body = "".join(f"<entry>{''.join(_elements(item))}</entry>\n" for item in items)
    return f'<feed xmlns="http://www.w3.org/2005/Atom" {GOOGLE}>\n<title>Shop</title>{body}</feed>'


def _elements(item: Item) -> Iterator[str]:
    for name, value in fields(item).items():
        for entry in value if isinstance(value, list) else [value]:
            yield f"<g:{name}>{escape(_cell(entry))}</g:{name}>"


def _file(name: str, text: Callable[[Sequence[Item]], str], encoding: str = "utf-8", *, zipped: bool = False) -> Writer:
    def write(items: Sequence[Item], folder: Path) -> Source:
        data = text(items).encode(encoding)
        (folder / name).write_bytes(gzip.compress(data) if zipped else data)
        return str(folder / name), None

    return write


def _parquet(items: Sequence[Item], folder: Path) -> Source:
    import pyarrow
    import pyarrow.parquet

    names = columns(items)
    rows = [fields(item) for item in items]
    table = pyarrow.table({name: [row.get(name) for row in rows] for name in names})
    pyarrow.parquet.write_table(table, folder / "feed.parquet", row_group_size=2)
    return str(folder / "feed.parquet"), None


def _parquet_gz(items: Sequence[Item], folder: Path) -> Source:
    path = Path(_parquet(items, folder)[0])
    (folder / "feed.parquet.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    return str(folder / "feed.parquet.gz"), None


def _sqlite(items: Sequence[Item], folder: Path) -> Source:
    names = columns(items)
    with sqlite3.connect(folder / "shop.db") as database:
        database.execute(f"create table products ({', '.join(names)})")
        for item in items:
            row = [fields(item).get(name) for name in names]
            cells = [json.dumps(cell) if isinstance(cell, list) else cell for cell in row]
            marks = ", ".join("?" * len(names))
            database.execute(f"insert into products values ({marks})", cells)  # noqa: S608 - our own names
    database.close()
    return f"sqlite:///{folder / 'shop.db'}", "select * from products order by rowid;"


def _array(items: Sequence[Item]) -> str:
    return json.dumps([fields(item) for item in items], ensure_ascii=False, indent=1)


WRITERS: dict[str, Writer] = {
    "csv": _file("feed.csv", delimited),
    "csv-bom": _file("feed.csv", delimited, "utf-8-sig"),
    "csv-cp932": _file("feed.csv", delimited, "cp932"),
    "csv-utf16": _file("feed.csv", delimited, "utf-16"),
    "csv-semicolon": _file("feed.csv", lambda items: delimited(items, ";", "\n")),
    "csv-old-mac": _file("feed.csv", lambda items: delimited(items, ",", "\r")),
    "csv-excel-hint": _file("feed.csv", lambda items: "sep=|\r\n" + delimited(items, "|")),
    "csv-gzip": _file("feed.csv.gz", delimited, zipped=True),
    "csv-gzip-unnamed": _file("feed.csv", delimited, zipped=True),
    "tsv": _file("feed.tsv", lambda items: delimited(items, "\t")),
    "jsonl": _file("feed.jsonl", json_lines),
    "jsonl-cp932": _file("feed.jsonl", json_lines, "cp932"),
    "jsonl-gzip": _file("feed.jsonl.gz", json_lines, zipped=True),
    "json-array": _file("feed.json", _array),
    "json-array-utf16": _file("feed.json", _array, "utf-16"),
    "rss": _file("feed.xml", rss),
    "rss-bom": _file("feed.xml", rss, "utf-8-sig"),
    "rss-utf16": _file("feed.xml", lambda items: rss(items, "utf-16"), "utf-16"),
    "rss-shift-jis": _file("feed.xml", lambda items: rss(items, "Shift_JIS"), "cp932"),
    "rss-gzip": _file("feed.xml.gz", rss, zipped=True),
    "atom": _file("feed.xml", atom),
    "parquet": _parquet,
    "parquet-gzip": _parquet_gz,
    "sqlite": _sqlite,
}
"""Every format, by name."""
