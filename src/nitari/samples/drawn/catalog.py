"""Writes the drawn catalog: photos, ``feed.csv``, ``queries.csv`` and ``qrels.txt``."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from nitari.errors import UsageError
from nitari.raster import encode
from nitari.samples.drawn.assortment import Style, seeded, styles
from nitari.samples.drawn.kinds import KINDS
from nitari.samples.drawn.scenes import Garment, product_photo, snapshot, worn_photo
from nitari.types import ByteArray

ITEMS = 240
COLORS = 4
COLUMNS = (
    *("id", "item_group_id", "title", "description", "product_type", "gender", "age_group", "color", "pattern"),
    *("material", "price", "availability", "condition", "brand", "link", "image_link", "additional_image_link"),
)
QUERY_COLUMNS = ("query_id", "image_link", "box", "exclude", "category")
_ROOTS = {"female": "Women", "male": "Men", "unisex": "Unisex"}


@dataclass(frozen=True, slots=True)
class DrawnItem:
    """An item of the drawn shop: a style in a color."""

    item_id: str
    style: Style
    color: str

    def row(self) -> dict[str, str]:
        """Its row in the feed."""
        style = self.style
        available = seeded("stock", self.item_id).integers(12) > 0
        article = (
            "a pair of" if style.kind.name in ("Jeans", "Sneakers", "Shorts", "Chinos", "Joggers", "Boots") else "a"
        )
        described = "" if style.pattern == "plain" else f", {style.pattern}"
        return {
            "id": self.item_id,
            "item_group_id": style.group_id,
            "title": f"{style.name}, {self.color.title()}",
            "description": f"{style.name}: {article} {style.kind.name.lower()} in {self.color}{described}, "
            f"{style.kind.material.lower()}. Drawn by program; not for sale.",
            "product_type": f"{_ROOTS[style.gender]} > {style.kind.path}",
            "gender": style.gender,
            "age_group": "adult",
            "color": self.color,
            "pattern": style.pattern,
            "material": style.kind.material,
            "price": f"{style.price}.00 USD",
            "availability": "in_stock" if available else "out_of_stock",
            "condition": "new",
            "brand": style.brand,
            "link": f"https://drawn.example/{self.item_id}",
            "image_link": f"images/{self.item_id}.jpg",
            "additional_image_link": f"images/{self.item_id}_worn.jpg",
        }

    def photo(self, kind: str, seed: int) -> ByteArray:
        """``product``, ``worn`` or ``snapshot``: uint8 ``[576, 432, 3]``, the same for the same seed."""
        take: Callable[[Garment, np.random.Generator], ByteArray]
        take = {"product": product_photo, "worn": worn_photo, "snapshot": snapshot}[kind]
        return take(self.style.garment(self.color), seeded(kind, seed, self.item_id))


def assortment(count: int, *, seed: int = 0) -> tuple[DrawnItem, ...]:
    """The first ``count`` items: all kinds of garments early on, each style in up to 4 colors."""
    if count < 1:
        raise UsageError(f"{count} items are not a catalog", remedy="give at least 1")
    colors = max(1, min(COLORS, count // len(KINDS)))
    items = (
        DrawnItem(f"{style.group_id}-{color.replace(' ', '-')}", style, color) for style, color in _sold(seed, colors)
    )
    return tuple(islice(items, count))


def _sold(seed: int, colors: int) -> Iterator[tuple[Style, str]]:
    for style in styles(seed=seed, colors=colors):
        for color in style.colors:
            yield style, color


def write_catalog(
    folder: Path,
    *,
    items: int = ITEMS,
    seed: int = 0,
    workers: int = 1,
    on_photo: Callable[[int, int], None] | None = None,
) -> None:
    """Draw the catalog into ``folder``: about 60 KB and a quarter of a second an item.

    ``feed.csv`` is written last, so a folder that has one is complete. One item of each style is also photographed as a
    shopper would; those are the queries, for which the item itself is judged 2 and its style's other colors 1.

    Args:
        folder: Exists; files of the same names are replaced.
        items: How many.
        seed: Another seed, another shop.
        workers: Photos drawn at a time.
        on_photo: Called with how many photos are written, and how many there will be.
    """
    sold = assortment(items, seed=seed)
    asked = _asked(sold)
    for name in ("images", "queries"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    jobs = [(item, "product", folder / "images" / f"{item.item_id}.jpg", 90) for item in sold]
    jobs += [(item, "worn", folder / "images" / f"{item.item_id}_worn.jpg", 90) for item in sold]
    jobs += [(item, "snapshot", folder / "queries" / f"{item.item_id}.jpg", 80) for item in asked]

    def draw(item: DrawnItem, kind: str, path: Path, quality: int) -> None:
        path.write_bytes(encode(item.photo(kind, seed), "jpeg", quality=quality))

    window: deque[Future[None]] = deque()
    done = 0
    with ThreadPoolExecutor(workers, thread_name_prefix="nitari-draw") as pool:
        try:
            for job in jobs:
                window.append(pool.submit(draw, *job))
                while len(window) >= 2 * workers or (job is jobs[-1] and window):
                    window.popleft().result()
                    done += 1
                    if on_photo is not None:
                        on_photo(done, len(jobs))
        finally:
            for future in window:
                future.cancel()
    _write_csv(folder / "queries.csv", QUERY_COLUMNS, [_query_row(item) for item in asked])
    judged = [
        f"{item.item_id}\t0\t{other.item_id}\t{2 if other is item else 1}\n"
        for item in asked
        for other in sold
        if other.style.group_id == item.style.group_id
    ]
    (folder / "qrels.txt").write_text("".join(judged), encoding="utf-8", newline="\n")
    _write_csv(folder / "feed.csv", COLUMNS, [item.row() for item in sold])


def _asked(sold: tuple[DrawnItem, ...]) -> tuple[DrawnItem, ...]:
    """One item of each style, not always its first color."""
    groups: dict[str, list[DrawnItem]] = {}
    for item in sold:
        groups.setdefault(item.style.group_id, []).append(item)
    return tuple(items[number % len(items)] for number, items in enumerate(groups.values()))


def _query_row(item: DrawnItem) -> dict[str, str]:
    path = f"queries/{item.item_id}.jpg"
    return {"query_id": item.item_id, "image_link": path, "box": "", "exclude": "", "category": item.style.kind.name}


def _write_csv(path: Path, columns: tuple[str, ...], rows: list[dict[str, str]]) -> None:
    """Write a table whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    partial.replace(path)
