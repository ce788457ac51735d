"""Processes over one home that are to be killed: one writes, one saves snapshots, one reads; and what they must hold.

Run as ``python -m support.recovering ROLE HOME ...``. What maintains the index is ``nitari index maintain``.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import numpy as np

from nitari.catalog.base import Edit, ItemDelete
from nitari.catalog.sql import FILE_NAME, SqlCatalog
from nitari.errors import StateError
from nitari.indexes import open_index
from nitari.search.gallery import Gallery
from nitari.settings import Settings
from nitari.types import FloatArray
from support.catalogs import COLLECTION, DIM, photo, put, ready, vector_of
from support.snapshots import snapshots_of
from support.vectors import brute_force, random_units

SEAL_ROWS = 256
ITEMS = 1600
"""How many different items there are at most."""
PAUSE = "pause"
"""While a file of this name is in the home, the writer waits between two edits."""
CHECKED = 25
# Two rows of fp16 precision are compared.
PRECISION = 2e-3

State = dict[str, str]
"""The digest of each item's photo."""


@contextmanager
def gallery(home: Path) -> Iterator[Gallery]:
    """A gallery as a server opens it."""
    settings = Settings(home=home)
    catalog = SqlCatalog.open(home / FILE_NAME)
    index, editions = open_index(settings, catalog, COLLECTION)
    opened = Gallery.open(catalog=catalog, index=index, collection=COLLECTION.name, editions=editions)
    try:
        yield opened
    finally:
        opened.close()


def queries(seed: int) -> FloatArray:
    """What is searched for in a check: float32 ``[CHECKED, DIM]``."""
    return random_units(CHECKED, DIM, seed=seed)


def answers(opened: Gallery, seed: int) -> dict[str, Any]:
    """What a gallery holds, and how it answers."""
    opened.refresh()
    with opened.reading() as holding:
        found = holding.index.query(queries(seed), 10)
        return {
            "seq": holding.seq,
            "keys": holding.index.keys().tolist(),
            "known": sorted(holding.items.keys().tolist()),
            "found": [[match.keys.tolist(), match.distances.tolist()] for match in found],
        }


def check(home: Path, answered: Mapping[str, Any], seed: int, *, exact: bool = True) -> None:
    """Hold answers against brute force over the catalog, in which nothing changes meanwhile.

    Args:
        home: Whose catalog.
        answered: What ``answers`` gave.
        seed: The same.
        exact: Whether all rows were compared, so that nothing may be missed.
    """
    with SqlCatalog.open(home / FILE_NAME) as catalog:
        items = {item.item_id: item.keys for item in catalog.indexed_items(collection=COLLECTION.name)}
        parts = list(catalog.vectors(collection=COLLECTION.name))
        assert answered["seq"] == catalog.seq()
    keys = np.concatenate([np.empty(0, np.int64), *(part for part, _ in parts)])
    rows = np.concatenate([np.empty((0, DIM), np.float32), *(some for _, some in parts)])
    named = sorted(int(key) for some in items.values() for key in some)
    assert answered["known"] == named
    assert answered["keys"] == sorted(keys.tolist()) == named
    row_of = dict(zip(keys.tolist(), rows, strict=True))
    for query, (found, distances) in zip(queries(seed), answered["found"], strict=True):
        _, wanted = brute_force(keys, rows, query, 10)
        assert len(set(found)) == len(found) == len(wanted)
        if exact:
            np.testing.assert_allclose(distances, wanted, atol=PRECISION)
        own = [1.0 - float(row_of[key] @ query) for key in found]  # of rows that the catalog has: nothing deleted
        np.testing.assert_allclose(distances, own, atol=PRECISION)


def held(home: Path) -> State:
    """What the catalog holds, and that each vector is its photo's."""
    with SqlCatalog.open(home / FILE_NAME) as catalog:
        row_of: dict[int, FloatArray] = {}
        for keys, rows in catalog.vectors(collection=COLLECTION.name):
            row_of.update(zip(keys.tolist(), rows, strict=True))
        state = {}
        items = list(catalog.indexed_items(collection=COLLECTION.name))
        known = catalog.known([item.item_id for item in items], collection=COLLECTION.name)
        for item in items:
            (image,) = known[item.item_id].images
            (key,) = item.keys.tolist()
            assert image.digest is not None
            np.testing.assert_array_less(np.abs(row_of[key] - vector_of(image.digest)), PRECISION)
            state[item.item_id] = image.digest
    return state


def after(state: Mapping[str, str], batch: Mapping[str, str | None]) -> State:
    """What there is after a batch of edits (``None``: deleted)."""
    merged = {**state, **batch}
    return {item_id: digest for item_id, digest in merged.items() if digest is not None}


def _edits(batch: Mapping[str, str | None]) -> Sequence[Edit]:
    return [
        ItemDelete(item_id) if digest is None else put(item_id, photo(f"{digest}.jpg", digest))
        for item_id, digest in batch.items()
    ]


def write(home: Path, seed: int) -> None:
    """Edit without end: puts, replacements, deletes. Says what it is about to do, and once it is done, ``done``."""
    with SqlCatalog.open(home / FILE_NAME) as catalog:
        ready(catalog)
        chance = random.Random(f"{seed} {catalog.seq()}")  # started again, it goes on with other edits
        _say("ready")
        while True:
            if (home / PAUSE).exists():
                _say("paused")
                while (home / PAUSE).exists():
                    time.sleep(0.005)
            chosen = chance.sample(range(ITEMS), chance.randint(1, 120))
            batch = {f"i{n}": None if chance.random() < 0.3 else f"{chance.getrandbits(64):016x}" for n in chosen}
            _say(json.dumps(batch))
            catalog.apply(_edits(batch), collection=COLLECTION.name)
            _say("done")
            time.sleep(chance.uniform(0.0, 0.02))  # the others want the processor, too


def save(home: Path, url: str) -> None:
    """Save snapshots without end; says the number of each."""
    _say("ready")
    while True:
        _say(str(snapshots_of(home, url).save().snapshot.number))
        time.sleep(0.1)


def read(home: Path) -> None:
    """Follow without end, and search all the while; a number on standard input asks for ``answers``."""
    asked: SimpleQueue[str] = SimpleQueue()
    Thread(target=lambda: [asked.put(line) for line in sys.stdin], daemon=True).start()
    with gallery(home) as opened:
        _say("ready")
        while True:
            try:
                seed = int(asked.get(timeout=0.03))
            except Empty:
                _search(opened)
            else:
                _say(json.dumps(answers(opened, seed)))


def _search(opened: Gallery) -> None:
    """Refresh, and see that what is there is found by its own vector, whatever happens meanwhile."""
    opened.refresh()
    with opened.reading() as holding:
        keys = holding.index.keys()
        assert holding.items.known(keys).all()
        assert len(holding.items.keys()) == keys.size
        some = keys[np.random.default_rng().integers(0, keys.size, min(8, keys.size))]
        found = holding.index.query(holding.index.vectors(some), 1) if some.size else ()
        assert [int(match.keys[0]) for match in found] == some.tolist()


def _say(line: str) -> None:
    # One write: a kill leaves a line or nothing (it is far shorter than what a pipe takes at once).
    try:
        os.write(sys.stdout.fileno(), line.encode() + b"\n")
    except BrokenPipeError as exc:
        raise StateError("nobody listens any more") from exc


if __name__ == "__main__":
    role, folder = sys.argv[1], Path(sys.argv[2])
    if role == "write":
        write(folder, int(sys.argv[3]))
    elif role == "save":
        save(folder, sys.argv[3])
    else:
        read(folder)
