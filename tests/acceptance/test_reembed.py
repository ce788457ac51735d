"""Another model beside the one in use, with real networks on drawn garments: killed, edited, switched, back."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nitari.search.query import Query
from nitari.search.searcher import Searcher
from nitari.settings import Settings, load_settings
from nitari.wiring import open_catalog, open_searcher
from support.dump import dump_catalog

OLD, NEW = "mobilenet-v2", "efficientnet-lite0"
ITEMS = 40
FAST = {"NITARI__MODELS__EMBEDDER": OLD, "NITARI__EXTRACT__REGIONS": "whole", "NITARI__EXTRACT__VIEWS": "whole"}


@dataclass(frozen=True)
class Home:
    """A home and the shop that is imported into it; every command is a process of its own."""

    folder: Path
    shop: Path

    @property
    def settings(self) -> Settings:
        """As the commands have them."""
        return load_settings(home=self.folder, models={"embedder": OLD}, extract={"regions": "whole", "views": "whole"})

    def start(self, *words: str | Path, embedder: str = OLD) -> subprocess.Popen[str]:
        """Start a command."""
        command = [sys.executable, "-m", "nitari", "--home", str(self.folder), *map(str, words)]
        env = os.environ | FAST | {"NITARI__MODELS__EMBEDDER": embedder, "NITARI__INGEST__COMMIT_ITEMS": "4"}
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)

    def json(self, *words: str | Path, code: int = 0, embedder: str = OLD) -> Any:
        """Run a command to its end, and parse what it says."""
        with self.start(*words, "--json", embedder=embedder) as process:
            out, err = process.communicate()
        assert process.returncode == code, out + err
        return json.loads(out)

    def content(self, collection: str) -> dict[str, Any]:
        """Items with the vectors that a collection has of them."""
        with open_catalog(self.settings) as catalog:
            return dump_catalog(catalog, collection=collection)

    def embedded(self, collection: str) -> int:
        """How many photos a collection has."""
        with open_catalog(self.settings) as catalog:
            return next((info.photos for info in catalog.collections() if info.name == collection), 0)


@dataclass
class Asked:
    """What a searcher answered again and again while others wrote."""

    answers: int = 0
    failures: list[BaseException] = field(default_factory=list)


@contextmanager
def asking(searcher: Searcher, item_ids: list[str]) -> Iterator[Asked]:
    """Ask without a pause, following the catalog, until the block ends."""
    asked, stop = Asked(), threading.Event()

    def ask() -> None:
        while not stop.is_set():
            for item_id in item_ids:
                try:
                    searcher.refresh()
                    assert searcher.search(Query(item_id=item_id, k=5)).hits
                except BaseException as exc:  # noqa: BLE001 - whatever it is, no question may fail
                    asked.failures.append(exc)
                asked.answers += 1
                stop.wait(0.02)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield asked
    finally:
        stop.set()
        thread.join()


def answers(home: Home, photos: list[Path]) -> dict[str, list[tuple[str, float]]]:
    """What each photo finds, by the collection in use."""
    with open_searcher(home.settings) as searcher:
        found = {photo.name: searcher.search(Query(photo=photo.read_bytes(), k=10)).hits for photo in photos}
    return {name: [(hit.item_id, round(hit.score, 5)) for hit in hits] for name, hits in found.items()}


def edit_feed(shop: Path) -> None:
    """Take two items out of the feed, give one a changed photo, and bring a new one."""
    feed = shop / "feed.csv"
    with feed.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    kept = rows[2:]
    shutil.copy(shop / rows[0]["image_link"], shop / kept[-1]["image_link"])
    kept.append({**rows[1], "id": "newcomer", "item_group_id": "newcomer"})
    with feed.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(kept)


def test_another_model_without_a_pause(tmp_path: Path, model_store: object) -> None:
    """No question fails meanwhile; in the end both collections are what one import into an empty home would make."""
    home = Home(tmp_path / "home", tmp_path / "shop")
    home.json("sample", "drawn", home.shop, "--items", ITEMS)
    home.json("import", home.shop)
    photos = sorted((home.shop / "queries").glob("*.jpg"))[:6]
    before = answers(home, photos)
    lasting = [item_id for item_id in home.content(OLD) if item_id not in list(home.content(OLD))[:2]][:5]

    with open_searcher(home.settings) as searcher, asking(searcher, lasting) as asked:
        for killed_at in (1, 20):
            with home.start("reembed", NEW) as process:
                while home.embedded(NEW) < killed_at and process.poll() is None:
                    threading.Event().wait(0.05)
                process.send_signal(signal.SIGKILL)
            counted = home.embedded(NEW)
            assert counted >= killed_at
        edit_feed(home.shop)
        with home.start("reembed", NEW) as rest:
            imported = home.json("import", home.shop, "--sync")
            rest.communicate()
            assert rest.returncode in (0, 3)  # a photo may have changed before it was read: the import brings it
        assert (imported["deleted"], imported["indexed"]) == (2, 2)
    assert asked.failures == []
    assert asked.answers > 10

    report = home.json("reembed", NEW, "--switch")
    assert (report["lacking"], report["lacks"], report["in_use"]) == (0, [], True)

    for collection in (OLD, NEW):
        fresh = Home(tmp_path / collection, home.shop)
        fresh.json("import", home.shop, embedder=collection)
        assert home.content(collection) == fresh.content(collection)

    switched = answers(home, photos)
    assert switched != before
    assert switched == answers(Home(tmp_path / NEW, home.shop), photos)
    assert home.json("alias", "back")["collection"] == OLD
    back = answers(home, photos)
    assert back == answers(Home(tmp_path / OLD, home.shop), photos)
    assert home.json("import", home.shop)["photos"] == 0
    assert home.json("collection", "drop", NEW)["vectors"] > 0
    assert answers(home, photos) == back
