"""How soon an index answers after kill -9, and what several processes that read it take of memory together.

    python benchmarks/index_start.py [--items N] [--home DIR] [--rounds R] [--json FILE] [--markdown FILE]

Makes a home of N items x 128 without a model (synthetic vectors of low intrinsic dimension, written through the
catalog; minutes a million), or uses the one that is in DIR, and has its index settled. Then, R times: a process opens
it and answers one query, and is killed with kill -9; with warm files, and with files that were put out of the page
cache (Linux). Then one process and four read it, and the kernel says what the mappings of the index take (``Pss``:
pages that several processes map count for each of them in part).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import ann_data
import harness
from nitari.catalog.base import CollectionSpec, ImagePut, ItemPut, PhotoFeatures, StoredRegion, StoredView
from nitari.catalog.sql import FILE_NAME, SqlCatalog
from nitari.indexes import INDEXES, maintain_once, open_index
from nitari.search.gallery import Gallery
from nitari.settings import Settings
from nitari.types import WHOLE, FloatArray, Item

DIM = 128
SPEC = CollectionSpec("card", DIM, "f")
BATCH = 2000
READERS = 4
QUERIES = 200
"""Each reader answers so many before memory is looked at: pages count once they were touched."""


def main() -> int:
    """Measure, print, write."""
    given = _arguments()
    if given.reader:
        _read(given.home)
        return 0
    with ExitStack() as stack:
        home = given.home or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        made_s = _fill(home, given.items)
        began = time.perf_counter()
        done = maintain_once(Settings(home=home), stack.enter_context(_catalog(home)), settle=True)
        maintained_s = time.perf_counter() - began
        found = {
            "items": given.items,
            "dim": DIM,
            "import_s": round(made_s, 1),
            "maintain_s": round(maintained_s, 1),
            "maintained": {name: list(steps) for name, steps in done.items()},
            "warm": _starts(home, given.rounds, cold=False),
            "cold": _starts(home, given.rounds, cold=True) if hasattr(os, "posix_fadvise") else None,
            "memory": _memory(home) if sys.platform.startswith("linux") else None,
            "machine": harness.machine("numpy"),
        }
    print(_table(found))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    if given.markdown:
        given.markdown.write_text(_table(found), "utf-8")
    return 0


def _fill(home: Path, items: int) -> float:
    """Write what is missing into the catalog. Returns how long that took, seconds."""
    began = time.perf_counter()
    home.mkdir(parents=True, exist_ok=True)
    draw = ann_data.manifold(dim=DIM)
    with _catalog(home) as catalog:
        catalog.register_collection(SPEC)
        catalog.register_feed("feed", None)
        have = catalog.stats().items
        for block in range(have // ann_data.BLOCK, -(-items // ann_data.BLOCK)):
            start = block * ann_data.BLOCK
            rows = draw(block + 1, min(ann_data.BLOCK, items - start))
            for first in range(max(have - start, 0), len(rows), BATCH):
                some = enumerate(rows[first : first + BATCH], start + first)
                catalog.apply([_put(number, row) for number, row in some], collection=SPEC.name)
    return time.perf_counter() - began


def _put(number: int, row: NDArray[Any]) -> ItemPut:
    """An item with one photo, as a shop has it."""
    link = f"{number}.jpg"
    attributes = {
        "price": float(number % 97),
        "color": ("red", "blue", "green")[number % 3],
        "brand": f"b{number % 50}",
    }
    item = Item(
        f"item-{number}", (link,), title=f"title {number % 1000}", group_id=f"g{number // 3}", attributes=attributes
    )
    unit = (row / np.linalg.norm(row)).astype(np.float32)
    view = StoredView(StoredRegion(WHOLE, "whole", 1.0), unit)
    return ItemPut(
        item, "feed", str(number), (ImagePut(link, f"d{number}", features=PhotoFeatures(100, 100, (), (view,), None)),)
    )


def _read(home: Path) -> None:
    """Open, answer once, say how long both took; answer some more, say so, and wait to be killed."""
    rows = _queries()
    began = time.perf_counter()
    catalog = SqlCatalog.open(home / FILE_NAME)
    index, editions = open_index(Settings(home=home), catalog, SPEC)
    gallery = Gallery.open(catalog=catalog, index=index, collection=SPEC.name, editions=editions)
    opened = time.perf_counter()
    _ask(gallery, rows[:1])
    answered = time.perf_counter()
    _say({"open_s": opened - began, "answer_s": answered - opened, "rows": len(index)})
    for row in rows:
        _ask(gallery, row[None])
    _say({"asked": len(rows)})
    time.sleep(3600)


def _ask(gallery: Gallery, rows: FloatArray) -> None:
    with gallery.reading() as holding:
        (found,) = holding.index.query(rows, 10)
        holding.items.hits(holding.items.views(found.keys), found.distances.tolist())


def _queries() -> FloatArray:
    rows = np.asarray(ann_data.manifold(dim=DIM)(0, QUERIES), np.float32)
    unit: FloatArray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def _say(values: dict[str, Any]) -> None:
    print(json.dumps(values), flush=True)


@contextmanager
def _reader(home: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A process that opened the index and answered once; killed in the end."""
    command = [sys.executable, __file__, "--reader", "--home", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def _starts(home: Path, rounds: int, *, cold: bool) -> dict[str, Any]:
    """Starts after kill -9."""
    found = []
    for _ in range(rounds + 1):  # the first is not counted: it may read what the import left
        if cold:
            _forget(home)
        began = time.perf_counter()
        with _reader(home) as (_, said):
            found.append({**said, "process_s": time.perf_counter() - began})
    return {name: round(statistics.median(one[name] for one in found[1:]), 4) for name in found[0]}


def _forget(home: Path) -> None:
    """Put all files of the home out of the page cache, as after a power cut."""
    os.sync()
    for path in home.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _memory(home: Path) -> dict[str, Any]:
    """MiB that one process and several take: the index's mappings alone, and everything."""
    found: dict[str, Any] = {}
    for count in (1, READERS):
        with ExitStack() as stack:
            processes = [stack.enter_context(_reader(home))[0] for _ in range(count)]
            for process in processes:
                assert process.stdout is not None
                process.stdout.readline()
            parts = [_pss(process.pid, home / INDEXES) for process in processes]
        found[str(count)] = {
            "index_mib": round(sum(index for index, _ in parts), 1),
            "all_mib": round(sum(everything for _, everything in parts), 1),
        }
    found["ratio"] = round(found[str(READERS)]["index_mib"] / max(found["1"]["index_mib"], 1e-9), 3)
    return found


def _pss(pid: int, folder: Path) -> tuple[float, float]:
    """What a process takes, MiB: of files below ``folder``, and altogether."""
    inside, index, everything = False, 0, 0
    for line in Path(f"/proc/{pid}/smaps").read_text("utf-8").splitlines():
        words = line.split()
        if not words[0].endswith(":"):
            inside = len(words) > 5 and words[5].startswith(str(folder.resolve()))
        elif words[0] == "Pss:":
            everything += int(words[1])
            index += int(words[1]) if inside else 0
    return index / 1024, everything / 1024


@contextmanager
def _catalog(home: Path) -> Iterator[SqlCatalog]:
    with SqlCatalog.open(home / FILE_NAME) as catalog:
        yield catalog


def _table(found: dict[str, Any]) -> str:
    """Markdown."""
    lines = [
        f"{found['items']:,} items x {found['dim']}",
        "",
        "| after kill -9 | open | first answer |",
        "|---|---|---|",
    ]
    lines += [
        f"| {name} files | {found[name]['open_s']:.3f} s | {found[name]['answer_s'] * 1e3:.1f} ms |"
        for name in ("warm", "cold")
        if found[name]
    ]
    if found["memory"]:
        lines += ["", "| readers | the index's mappings | everything |", "|---|---|---|"]
        for count in ("1", str(READERS)):
            memory = found["memory"][count]
            lines.append(f"| {count} | {memory['index_mib']} MiB | {memory['all_mib']} MiB |")
    return "\n".join(lines) + "\n"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument(
        "--home", type=Path, help="a home that this made before, or a folder for it; default: a new one"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--reader", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
