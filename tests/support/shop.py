"""A small shop on disk: a feed of little photos made by program, to edit and import again and again."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

COLUMNS = ("id", "item_group_id", "title", "image_link", "additional_image_link", "color", "price")


def write_photo(path: Path, seed: int, *, side: int = 96) -> None:
    """A JPEG unlike that of any other seed: a few colored rectangles on white."""
    random = np.random.default_rng(seed)
    pixels = np.full((side, side, 3), 255, dtype=np.uint8)
    for _ in range(4):
        x, y = random.integers(0, side * 3 // 4, size=2)
        w, h = random.integers(side // 8, side // 2, size=2)
        pixels[y : y + h, x : x + w] = random.integers(0, 256, size=3)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=90)


@dataclass
class Shop:
    """Rows by item id, written as ``feed.csv`` beside ``images/``."""

    folder: Path
    rows: dict[str, dict[str, str]] = field(default_factory=dict)

    def put(self, item_id: str, *, photos: list[str], price: float = 10.0, color: str = "red", title: str = "") -> None:
        """Insert or replace a row."""
        self.rows[item_id] = {
            "id": item_id,
            "item_group_id": item_id.split("-")[0],
            "title": title or f"Item {item_id}",
            "image_link": photos[0] if photos else "",
            "additional_image_link": ",".join(photos[1:]),
            "color": color,
            "price": f"{price:.2f} USD",
        }

    def write(self) -> Path:
        """Write ``feed.csv``; returns the shop's folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "feed.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(self.rows.values())
        return self.folder


def make_shop(folder: Path, items: int, *, photos: int = 1) -> Shop:
    """A shop with ``items`` items of ``photos`` photos each."""
    shop = Shop(folder)
    for number in range(items):
        links = [f"images/{number:04}-{photo}.jpg" for photo in range(photos)]
        for photo, link in enumerate(links):
            write_photo(folder / link, number * 100 + photo)
        shop.put(f"i{number:04}", photos=links, price=10 + number % 50, color=("red", "blue", "green")[number % 3])
    shop.write()
    return shop
