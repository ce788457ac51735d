"""What the catalog of ``ann_live.py`` holds at the start, and what is written into it while it is searched."""

from __future__ import annotations

import hashlib
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import ann_data
from ann_protocol import Array
from nitari.catalog.base import (
    CollectionSpec,
    Edit,
    ImagePut,
    ItemDelete,
    ItemPut,
    PhotoFeatures,
    StoredRegion,
    StoredView,
)
from nitari.catalog.sql import SqlCatalog
from nitari.settings import CONFIG_NAME, IndexSettings, Settings, load_settings
from nitari.types import WHOLE, Item
from nitari.wiring import open_catalog

DIM = 128
COLLECTION = CollectionSpec("benchmark", DIM, "benchmark")
UPSERTS, DELETES, STEPS = 500, 50, 10
"""A second; and in so many commits."""
SEAL_ROWS = IndexSettings().seal_rows
SMALL_SEGMENTS = 3
"""That were sealed before it begins; as many rows as half of one are in none."""
FILL_AT_ONCE = 2000


class Plan:
    """What is written when: half of the upserts are new products, half replace some.

    Args:
        rows: Products at the start, ``p0`` on.
        seconds: How long.
    """

    def __init__(self, rows: int, seconds: float) -> None:
        self.steps = int(seconds * STEPS)
        self.puts, self.deletes = UPSERTS // STEPS, max(1, DELETES // STEPS)
        self.vectors: Array = np.concatenate(
            [
                ann_data.manifold()(2 * 10**6 + start, ann_data.BLOCK)
                for start in range(-(-self.steps * self.puts // ann_data.BLOCK))
            ]
        )
        self._victims = np.random.default_rng(5).permutation(rows)

    def put_id(self, number: int) -> str:
        """The product of an upsert."""
        return f"u{number}" if number % 2 else f"p{self._victims[number // 2]}"

    def deleted(self, step: int) -> list[str]:
        """Products that a step deletes: never those that are replaced."""
        return [f"p{self._victims[-1 - at]}" for at in range(step * self.deletes, (step + 1) * self.deletes)]

    def numbers(self, step: int) -> range:
        """Upserts of a step."""
        return range(step * self.puts, (step + 1) * self.puts)

    def edits(self, step: int) -> list[Edit]:
        """One commit."""
        puts: list[Edit] = [put(self.put_id(number), self.vectors[number], "2") for number in self.numbers(step)]
        return puts + [ItemDelete(item_id) for item_id in self.deleted(step)]


def put(item_id: str, vector: Array, version: str) -> ItemPut:
    """A product of one photo."""
    digest = hashlib.sha256(f"{item_id}/{version}".encode()).hexdigest()
    region = StoredRegion(box=WHOLE, label="whole", score=1.0)
    features = PhotoFeatures(100, 100, (region,), (StoredView(region, vector),), None)
    link = f"{item_id}.jpg"
    return ItemPut(Item(item_id, (link,)), None, digest, (ImagePut(link, digest, features=features),))


def settings_of(home: Path, seal_rows: int = SEAL_ROWS) -> Settings:
    """Nitari's settings for a home; in its file, so that the maintainer has them, too."""
    (home / CONFIG_NAME).write_text(f"[index]\nseal_rows = {seal_rows}\n", encoding="utf-8")
    return load_settings(home=home)


def filled(work: Path, rows: int) -> Path:
    """A home of so many products, without an index; made now if it is not there."""
    home = work / "live" / f"home-{rows}"
    if home.exists():
        return home
    making = home.with_suffix(".making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    settings, draw = settings_of(making), ann_data.manifold()
    with open_catalog(settings) as catalog:
        prepare(catalog)
        for number, start in enumerate(range(0, rows, ann_data.BLOCK)):
            block = draw(number, min(ann_data.BLOCK, rows - start))
            fill(catalog, block, [f"p{start + at}" for at in range(len(block))])
            print(f"filled {start + len(block)} of {rows}", file=sys.stderr, flush=True)
    making.replace(home)
    return home


def fill(catalog: SqlCatalog, vectors: Array, item_ids: Sequence[str]) -> None:
    """Put products of these ids."""
    for start in range(0, len(vectors), FILL_AT_ONCE):
        some = slice(start, start + FILL_AT_ONCE)
        edits = [put(item_id, vector, "1") for item_id, vector in zip(item_ids[some], vectors[some], strict=True)]
        catalog.apply(edits, collection=COLLECTION.name)


def newcomers(seal_rows: int) -> Array:
    """Products that came after the index was built, ``e0`` on: the rows of some small segments, and half of one."""
    count = SMALL_SEGMENTS * seal_rows + seal_rows // 2
    blocks = [ann_data.manifold()(3 * 10**6 + at, ann_data.BLOCK) for at in range(-(-count // ann_data.BLOCK))]
    return np.concatenate(blocks)[:count]


def prepare(catalog: SqlCatalog) -> None:
    """Register the collection and have it kept up to date."""
    catalog.register_collection(COLLECTION)
    catalog.maintain(COLLECTION.name)


def write(home: Path, rows: int, seconds: float) -> None:
    """The writing process: a line a commit, with its number and when it was acknowledged."""
    plan = Plan(rows, seconds)
    with open_catalog(load_settings(home=home)) as catalog:
        print("ready", flush=True)
        sys.stdin.readline()
        begin = time.monotonic()
        for step in range(plan.steps):
            time.sleep(max(0.0, begin + step / STEPS - time.monotonic()))
            catalog.apply(plan.edits(step), collection=COLLECTION.name)
            print(step, time.monotonic(), flush=True)
