"""The scrub reads everything at its speed, finds what is damaged, and begins anew after a while."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nitari.index.segments.manifest import Manifest
from nitari.index.segments.scrub import Damage, Scrub, check_all
from nitari.index.segments.sealed import write_segment
from nitari.index.segments.store import IndexStore
from support.truths import ORIGIN


def _store(folder: Path) -> IndexStore:
    """A store with two segments of two blocks and more, and a table."""
    store = IndexStore(folder / "card", origin=ORIGIN, engines={})
    lease = store.lease()
    assert lease is not None
    entries = []
    with lease:
        for first in (0, 10**6):
            with store.writing() as written:
                rows = np.ones((70_000, ORIGIN.dim), np.float16)
                count = write_segment(written, [(first + np.arange(70_000), rows)], dim=ORIGIN.dim)
                entries.append(store.keep_segment(written, count))
        with store.writing() as written:
            (written / "items").write_bytes(b"x" * 100)
            table = store.keep_table(written, 1)
        store.publish(Manifest(ORIGIN, 1, 1, tuple(entries), table))
    return store


def test_goes_at_its_speed(tmp_path: Path) -> None:
    """A turn reads what is due, a pause is not made up for, and after the last byte there is a rest."""
    store = _store(tmp_path)
    size = sum(block for block in check_all(store) if isinstance(block, int))
    scrub = Scrub(store, bytes_s=2**20, every_s=100.0)
    now, turns = 1000.0, 0
    while not scrub.finished:
        now += 0.5 if turns % 2 else 60.0
        assert scrub.turn(now) == []
        turns += 1
    assert size / 2**20 / 1.01 <= turns <= size / 2**20 / 0.5 + 4
    assert scrub.turn(now + 99) == []
    assert scrub._blocks is None
    scrub.turn(now + 101)
    assert scrub._blocks is not None


def test_finds_all_that_is_damaged(tmp_path: Path) -> None:
    """One damaged part does not keep the others from being checked."""
    store = _store(tmp_path)
    for path in [*store.folder.rglob("rows.npy"), store.folder / "tables"]:
        files = [path] if path.is_file() else list(path.rglob("items"))
        for file in files:
            data = bytearray(file.read_bytes())
            data[-1] ^= 1
            file.write_bytes(data)
    manifest = store.manifest()
    assert manifest is not None
    found = [damage.entry for damage in check_all(store) if isinstance(damage, Damage)]
    assert found == list(manifest.parts)


def test_checks_nothing_where_it_must_not(tmp_path: Path) -> None:
    """With no speed nothing is read; with a damaged manifest there is nothing to read."""
    store = _store(tmp_path)
    scrub = Scrub(store, bytes_s=0.0, every_s=0.0)
    for now in range(10):
        assert scrub.turn(now) == []
    assert not scrub.finished
    (store.folder / "manifest.json").write_text("{}")
    assert list(check_all(store)) == []
