"""An index with segments of all kinds, ways to damage its files, and a process that searches what is damaged.

Run as ``python -m support.damaging FOLDER SEED COUNT`` (see ``search_damaged``).
"""

from __future__ import annotations

import contextlib
import faulthandler
import random
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import numpy as np

from nitari.catalog.sql import FILE_NAME, SqlCatalog
from nitari.errors import NitariError
from nitari.index import seal
from nitari.index.calibrate import calibrate_searcher
from nitari.index.segments.costs import Costs
from nitari.index.segments.maintain import Maintainer
from nitari.index.segments.policy import Policy
from nitari.index.segments.store import IndexStore
from nitari.index.segments.tune import save_costs
from nitari.indexes import INDEXES, open_index_store
from nitari.search.gallery import Gallery
from nitari.search.query import Query
from nitari.search.searcher import Searcher
from nitari.search.tables import TableKeeper
from nitari.settings import Settings
from support.catalogs import COLLECTION, DIM, photo, put, ready
from support.recovering import answers, check, gallery
from support.vectors import random_units

LARGE, SMALL = 2100, 300
BLOCK = 512
"""Bytes that have a checksum of their own where most of a small file shall not be looked at before it is used."""
DEAR = Costs(1e6, 1e6, 1e6, 1e6, 1e6, 1e3, 1.0, 1.0)
"""Of a machine on which an engine is asked wherever there is one."""
CHEAP = Costs(1e-6, 1e-6, 1e-6, 1e-6, 1e-6, 1e9, 1e3, 1e-6)
"""Of a machine on which all rows are compared, so that answers are exact."""
TOLERATED = (NitariError, ArithmeticError, LookupError, ValueError)
"""What a search may raise that comes across damage which nobody had noticed."""
_POLICY = Policy(seal_rows=256, engine_numbers=1, table_changes=1)


def open_store(home: Path, catalog: SqlCatalog) -> IndexStore:
    """The index of a home."""
    return open_index_store(Settings(home=home), catalog, COLLECTION)


@contextmanager
def maintainer(home: Path) -> Iterator[Maintainer]:
    """What keeps it: an engine in each large segment."""
    with SqlCatalog.open(home / FILE_NAME) as catalog:
        tables = TableKeeper(catalog, COLLECTION.name)
        store = open_store(home, catalog)
        made = Maintainer(
            store=store, truth=catalog, policy=_POLICY, engine="ivf", calibrate=calibrate_searcher, tables=tables
        )
        with closing(made):
            yield made


def build(home: Path) -> Path:
    """A home whose index has two segments with an engine, one without, and a table."""
    first = 0
    for count in (LARGE, LARGE, SMALL):
        with SqlCatalog.open(home / FILE_NAME) as catalog:
            ready(catalog)
            edits = [
                put(
                    f"i{n}",
                    photo(f"{n}.jpg", f"{n:08x}"),
                    title=f"title {n}",
                    attributes={"price": n, "color": COLORS[n % 3]},
                )
                for n in range(first, first + count)
            ]
            catalog.apply(edits, collection=COLLECTION.name)
        first += count
        with maintainer(home) as keeper:
            keeper.run_once()
    save_costs(home / INDEXES, CHEAP)
    return home


COLORS = ("red", "green", "blue")


def folder_of(home: Path) -> Path:
    """The folder of the collection's index."""
    return home / INDEXES / COLLECTION.name


def files_of(home: Path) -> list[Path]:
    """All files of the index that have something in them and that somebody reads, relative to its folder."""
    folder = folder_of(home)
    found = (path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    return sorted(path.relative_to(folder) for path in found if path.name != "maintainer.json")


def _flipped(data: bytes, chance: random.Random, *, after: int = 0) -> bytes:
    at = chance.randrange(after, len(data))
    return data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]


DAMAGES: Mapping[str, Callable[[bytes, random.Random], bytes | None]] = {
    "flipped": _flipped,
    "cut off": lambda data, chance: data[: chance.randrange(len(data))],
    "grown": lambda data, chance: data + b"\0" * chance.randint(1, 4096),
    "deleted": lambda data, chance: None,
    "zeroed": lambda data, chance: bytes(len(data)),
}
"""By name: from what is in a file, and chance, to what is in it then; ``None``: there is no file."""


def damage(path: Path, how: str, chance: random.Random) -> None:
    """Damage a file in this way. It becomes another file: what somebody has mapped of it stays."""
    data = DAMAGES[how](path.read_bytes(), chance)
    path.unlink()
    if data is not None:
        path.write_bytes(data)


def search_damaged(work: Path, seed: int, count: int) -> None:
    """Damage blocks that nobody checks before they are used, search, heal; ``count`` times. A crash ends the process.

    What is answered before the scrub came by may be wrong, or an error; afterwards it is right.
    """
    seal.BLOCK_BYTES = BLOCK
    template = build(work / "template")
    chance = random.Random(seed)
    save_costs(template / INDEXES, DEAR)
    long = [path for path in files_of(template) if (folder_of(template) / path).stat().st_size > 2 * BLOCK]
    long = [path for path in long if path.suffix in {".npy", ".table"}]
    for number in range(count):
        home = Path(shutil.copytree(template, work / str(number)))
        path = folder_of(home) / long[number % len(long)]
        _damage_tail(path, chance, number)
        sys.stdout.write(f"{number} {path.relative_to(home)}\n")
        sys.stdout.flush()
        with ExitStack() as stack:
            opened = None
            with contextlib.suppress(*TOLERATED):  # what is damaged may refuse to be opened
                opened = stack.enter_context(gallery(home))
            failed = _search(opened) if opened is not None else -1
            with maintainer(home) as keeper:
                found = keeper.scrub()
                assert found, f"{path} is damaged, and nobody saw"
                keeper.run_once()
            sys.stdout.write(f"  {failed} searches failed\n")
            if opened is not None:  # who lives on
                check(home, answers(opened, number), number, exact=False)
        save_costs(home / INDEXES, CHEAP)
        with gallery(home) as fresh:
            check(home, answers(fresh, number), number)
        shutil.rmtree(home)


def _damage_tail(path: Path, chance: random.Random, number: int) -> None:
    """Change something behind the first block: a bit, or numbers to what is no number, or very large."""
    data = path.read_bytes()
    if number % 2:
        path.write_bytes(_flipped(data, chance, after=BLOCK))
        return
    some = chance.choice([b"\xff", b"\x7f", b"\x80", b"\x00\x00\x80\x7f", b"\x00\x00\xc0\x7f", b"\x00\x7c"])
    begin = BLOCK + 4 * chance.randrange(0, (len(data) - BLOCK) // 8)
    end = min(len(data), begin + 4 * chance.randint(1, 64))
    changed = (some * (end - begin))[: end - begin]
    if changed == data[begin:end]:
        changed = bytes(255 - byte for byte in changed)
    path.write_bytes(data[:begin] + changed + data[end:])


def _search(opened: Gallery) -> int:
    """Ask what goes through all that is mapped. Returns how often that failed."""
    searcher = Searcher(gallery=opened, extractor=_no_extractor)
    questions = [
        Query(vector=vector, k=k, filter=wanted, facets=("color", "price"))
        for vector in random_units(3, DIM, seed=1)
        for k, wanted in ((10, None), (100, {"color": "red"}), (5, {"price": {"lt": 500}}), (1000, None))
    ]
    failed = 0
    for question in (*questions, *(Query(item_id=f"i{n}") for n in range(0, 4500, 300))):
        try:
            searcher.search(question)
        except TOLERATED:
            failed += 1
    return failed


def _no_extractor() -> object:
    raise AssertionError("no photo is searched by")


if __name__ == "__main__":
    faulthandler.enable()
    np.seterr(all="ignore")
    search_damaged(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
