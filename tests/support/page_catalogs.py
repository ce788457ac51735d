"""Small catalogs for tests of the search page: garments drawn by program, some of a sample, and a hostile one."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from nitari.raster import encode
from nitari.samples.drawn.catalog import COLUMNS, DrawnItem, assortment
from support.page import Site
from support.server import PATIENCE_S, run_cli, serving
from support.shop import write_photo

SMALL = {
    "NITARI__MODELS__EMBEDDER": "mobilenet-v2",
    "NITARI__EXTRACT__REGIONS": "saliency",
    "NITARI__EXTRACT__VIEWS": "mean",
    "NITARI__EXTRACT__LOWLEVEL": "false",
}
"""One small network, and products found on photos."""

TELLING_COLOR = {"NITARI__EXTRACT__LOWLEVEL": "false"}
"""The default card, whose vectors tell color from shape."""

ITEMS = 36
COLORED = 260
COLORS = ("red", "green", "navy", "yellow")
SAMPLED = 40
EVIL_TITLES = (
    "<script>window.hacked = 1</script>",
    '"><img src=x onerror="window.hacked = 2">',
    "</h3></article><h1>Free money</h1>",
    "\u202eesrever ni si siht\u202c",
    "Wow " * 1000,
    "M" * 4096,
    "W" * 10_000,
    "👗👠🧦 👩‍👩‍👧‍👦 ÅÉ東京のワンピース‏",
    "${window.hacked = 3}{{constructor.constructor('window.hacked = 4')()}}",
    "",
    "   ",
    "\u0000\u0007 bell",
    "&lt;b&gt;bold&lt;/b&gt; &amp;",
)
EVIL_LINKS = (
    "javascript:window.hacked = 5",
    "JaVaScRiPt:window.hacked = 5",
    " javascript:window.hacked=5",
    "data:text/html,<script>window.hacked = 6</script>",
    'https://shop.example/"onmouseover="window.hacked=7',
    "vbscript:msgbox(1)",
    "https://shop.example/x?y=<script>window.hacked=8</script>",
)
EVIL_COLUMNS = ("id", "title", "image_link", "link", "color", "price", "brand", "<script>window.hacked=9</script>")


def write_drawn(folder: Path) -> dict[str, Path]:
    """Twelve styles in three colors, one photo each; returns the photos by item."""
    return _write_items(folder, assortment(3 * 24)[:ITEMS])


def write_colored(folder: Path) -> dict[str, Path]:
    """Garments, shoes and bags of many styles in four colors, one photo each; returns the photos by item."""
    return _write_items(folder, [item for item in assortment(COLORED) if item.color in COLORS])


def _write_items(folder: Path, sold: Sequence[DrawnItem]) -> dict[str, Path]:
    rows, photos = [], {}
    (folder / "images").mkdir(parents=True)
    for item in sold:
        row = item.row() | {"additional_image_link": ""}
        path = folder / row["image_link"]
        path.write_bytes(encode(item.photo("product", 0), "jpeg", quality=85))
        rows.append(row)
        photos[item.item_id] = path
    _write_feed(folder, COLUMNS, rows)
    return photos


def write_some(sample: Path, folder: Path) -> dict[str, Path]:
    """Items of a sample catalog from all over it, one photo each."""
    with (sample / "feed.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rows = [row | {"additional_image_link": ""} for row in rows[:: max(1, len(rows) // SAMPLED)]][:SAMPLED]
    (folder / "images").mkdir(parents=True)
    photos = {}
    for row in rows:
        photos[row["id"]] = Path(shutil.copy(sample / row["image_link"], folder / row["image_link"]))
    _write_feed(folder, list(rows[0]), rows)
    return photos


def write_hostile(folder: Path) -> dict[str, Path]:
    """Whatever a shop's feed may hold that a page must only ever show."""
    rows, photos = [], {}
    for number, title in enumerate(EVIL_TITLES):
        link = f"images/{number}.jpg"
        write_photo(folder / link, 900 + number)
        item_id = f'evil/{number}?"><script>window.hacked=10</script>&#{number}'
        evil = EVIL_TITLES[(number + 1) % len(EVIL_TITLES)]
        row = dict.fromkeys(EVIL_COLUMNS, evil[:900])
        rows.append(
            row
            | {"id": item_id, "title": title, "image_link": link, "price": f"{10**number}.00 USD"}
            | {"link": EVIL_LINKS[number % len(EVIL_LINKS)]}
        )
        photos[item_id] = folder / link
    _write_feed(folder, EVIL_COLUMNS, rows)
    return photos


def _write_feed(folder: Path, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
    with (folder / "feed.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


@contextmanager
def site(folder: Path, photos: dict[str, Path], *, env: Mapping[str, str] = SMALL, code: int = 0) -> Iterator[Site]:
    """Import a catalog's folder, and serve it.

    Args:
        folder: Of the catalog; the home lies beside it.
        photos: By item.
        env: Of the import and the server.
        code: What the import ends with.
    """
    home = folder.with_name(f"{folder.name}-home")
    run_cli(home, "import", str(folder), env=env, code=code)
    with serving(home, env=env) as server, httpx.Client(base_url=server.url, timeout=PATIENCE_S) as api:
        yield Site(server, folder, photos, api)
