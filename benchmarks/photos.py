"""Photos drawn by program: 1000 x 1000 JPEGs of about 200 KB, the same on every machine with the same libraries.

They are photo-like in what costs time (size, detail, file size, chroma subsampling), not in what they show.
"""

from __future__ import annotations

import math
import random
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageDraw

SIDE = 1000
MARGIN = 24
# Octaves of noise: cells a side, and how strongly each shows. The last one is the grain that makes up the file size.
OCTAVES = ((3, 60.0), (7, 34.0), (19, 18.0), (61, 13.0), (200, 20.0), (500, 26.0))
TEXTURES = 12
QUALITY = 88


def draw_catalog(folder: Path, photos: int, queries: int) -> tuple[Path, Path]:
    """Draw what is missing. Returns the folders of the gallery and of the queries.

    Query ``00007.jpg`` is gallery photo ``00007.jpg`` taken again: cropped by 24 pixels, darker, compressed again.
    """
    gallery, asked = folder / "gallery", folder / "queries"
    for made in (gallery, asked):
        made.mkdir(parents=True, exist_ok=True)
    for number in range(max(photos, queries)):
        name = f"{number:05d}.jpg"
        wanted = [path for path, last in ((gallery / name, photos), (asked / name, queries)) if number < last]
        if all(path.exists() for path in wanted):
            continue
        picture = _picture(number)
        if number < photos:
            _save(picture, gallery / name, QUALITY)
        if number < queries:
            _save(_again(picture), asked / name, QUALITY - 2)
    return gallery, asked


@cache
def _textures() -> tuple[Image.Image, ...]:
    """Gray-ish noise of several octaves: what all photos are cut from, because drawing one takes most of a second."""
    rng = np.random.default_rng(0)
    return tuple(_texture(rng) for _ in range(TEXTURES))


def _texture(rng: np.random.Generator) -> Image.Image:
    total = np.full((SIDE, SIDE, 3), 128, np.float32)
    for cells, strength in OCTAVES:
        noise = rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        smooth = Image.fromarray(noise).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        total += (np.asarray(smooth, np.float32) / 127.5 - 1.0) * np.float32(strength)
    return Image.fromarray(np.clip(total, 0, 255).astype(np.uint8))


def _picture(seed: int) -> Image.Image:
    """A background and a product-like blob, each with texture and color of its own."""
    rng = random.Random(seed)
    ground, figure = _colored(rng, 0.35), _colored(rng, 1.0)
    outline = [
        (SIDE * (0.5 + r * math.cos(a)), SIDE * (0.5 + r * math.sin(a)))
        for a in (math.tau * step / 48 for step in range(48))
        for r in (0.28 + 0.08 * math.cos(a * (2 + seed % 5) + seed) + 0.02 * rng.random(),)
    ]
    mask = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(mask).polygon(outline, fill=255)
    return Image.composite(figure, ground, mask)


def _colored(rng: random.Random, contrast: float) -> Image.Image:
    """A texture, shifted by a random distance and tinted."""
    texture = ImageChops.offset(rng.choice(_textures()), rng.randrange(SIDE), rng.randrange(SIDE))
    table: list[int] = []
    for _ in range(3):
        middle = rng.uniform(60, 200)
        table += [min(255, max(0, round(middle + (value - 128) * contrast))) for value in range(256)]
    return texture.point(table)


def _again(picture: Image.Image) -> Image.Image:
    """The same scene, framed and lit a little differently."""
    frame = (MARGIN, MARGIN, SIDE - MARGIN, SIDE - MARGIN)
    darker = [int(value * 0.95) for value in range(256)] * 3
    return picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=frame).point(darker)


def _save(picture: Image.Image, path: Path, quality: int) -> None:
    """Write it whole or not at all, so that an interrupted run leaves no half photo."""
    part = path.with_suffix(".part")
    picture.save(part, "JPEG", quality=quality)
    part.replace(path)
