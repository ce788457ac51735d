"""The store shows readers whole states only, whoever is killed while publishing, and keeps what they read."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nitari.errors import StateError
from nitari.index.base import Edition
from nitari.index.segments.maintain import Maintainer
from nitari.index.segments.manifest import Manifest, SegmentEntry
from nitari.index.segments.scrub import check_all
from nitari.index.segments.sealed import SealedSegment, write_segment
from nitari.index.segments.store import IndexStore
from support.maintaining import SMALL
from support.truths import DIM, ORIGIN, Truth, row_of

TESTS = Path(__file__).parents[3]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[IndexStore]:
    """An empty store, whose lease the test holds."""
    store = IndexStore(tmp_path / "card", origin=ORIGIN, engines={})
    lease = store.lease()
    assert lease is not None
    with lease:
        yield store


def _segment(store: IndexStore, *keys: int) -> SegmentEntry:
    """A segment of these keys, in its place."""
    with store.writing() as folder:
        rows = np.stack([row_of(key) for key in keys])
        count = write_segment(folder, [(np.asarray(keys, np.int64), rows)], dim=DIM)
        return store.keep_segment(folder, count)


def _close(edition: Edition | None) -> None:
    for segment in edition.segments if edition else ():
        segment.close()
    if edition and edition.table:
        edition.table.close()


def _check(store: IndexStore) -> int:
    """What a reader sees is whole and right; returns how many keys there are."""
    edition = store.open()
    count = 0
    for segment in edition.segments if edition else ():
        assert isinstance(segment, SealedSegment)
        keys = segment.keys.tolist()
        assert (segment.rows.astype(np.float32) == np.stack([row_of(key) for key in keys])).all()
        count += len(keys)
    _close(edition)
    return count


def test_nothing_is_there_before_something_is_published(store: IndexStore) -> None:
    """A segment in its place is nothing to readers until a manifest names it."""
    entry = _segment(store, 1, 2)
    assert store.open() is None
    before = store.newest()
    store.publish(Manifest(ORIGIN, 1, 7, (entry,)))
    assert store.newest() != before
    edition = store.open()
    assert edition is not None
    assert (edition.number, edition.seq, edition.segments[0].keys.tolist()) == (1, 7, [1, 2])
    _close(edition)


def test_what_is_held_is_taken_over(store: IndexStore) -> None:
    """A newer edition has the same objects where it names what is open already."""
    one, two = _segment(store, 1, 2), _segment(store, 3)
    store.publish(Manifest(ORIGIN, 1, 1, (one,)))
    first = store.open()
    assert first is not None
    store.publish(Manifest(ORIGIN, 2, 2, (one, two)))
    second = store.open(first.segments)
    assert second is not None
    assert second.segments[0] is first.segments[0]
    _close(second)


def test_what_is_read_is_not_removed(store: IndexStore) -> None:
    """A segment that no manifest names goes when its last reader does; one that is named stays."""
    one, two = _segment(store, 1, 2), _segment(store, 3)
    store.publish(Manifest(ORIGIN, 1, 1, (one, two)))
    first, second = store.open(), store.open()
    store.publish(Manifest(ORIGIN, 2, 2, (two,)))
    _close(first)
    store.sweep()
    assert (store.folder / "segments" / one.name).exists()
    _close(second)
    store.sweep()
    assert not (store.folder / "segments" / one.name).exists()
    assert (store.folder / "segments" / two.name).exists()
    with pytest.raises(StateError) as gone:
        store.segment(one)
    assert gone.value.code == "index-gone"


def test_a_missing_segment_is_left_out(store: IndexStore) -> None:
    """Where a segment is gone or another one's, the rest is opened."""
    one, two, three = _segment(store, 1), _segment(store, 2), _segment(store, 3)
    store.publish(Manifest(ORIGIN, 1, 1, (one, two, replace(three, seal="0" * 64))))
    store.set_aside(one)
    assert store.rejected() == (one.name,)
    edition = store.open()
    assert edition is not None
    assert [segment.keys.tolist() for segment in edition.segments] == [[2]]
    _close(edition)


@pytest.mark.parametrize("field", ["collection", "fingerprint", "catalog", "dim", "metric"])
def test_an_index_of_another_origin_is_not_used(store: IndexStore, field: str) -> None:
    """Vectors of another model, catalog, collection, width or metric are nothing to this one."""
    store.publish(Manifest(ORIGIN, 1, 1, (_segment(store, 1),)))
    other = replace(ORIGIN, **{field: 7 if field == "dim" else "other"})
    stranger = IndexStore(store.folder, origin=other, engines={})
    assert stranger.open() is None
    with pytest.raises(StateError, match=field) as foreign:
        stranger.manifest()
    assert foreign.value.code == "index-foreign"


def test_one_holds_the_lease(store: IndexStore) -> None:
    """Nobody else gets the lease while it is held."""
    other = IndexStore(store.folder, origin=ORIGIN, engines={})
    assert other.lease() is None


def test_leftovers_are_swept(store: IndexStore) -> None:
    """What was not finished or not published goes; what was set aside stays for a week."""
    _segment(store, 1)
    kept = _segment(store, 2)
    (store.folder / "tmp-1").mkdir()
    (store.folder / "tmp-1" / "rows.npy").touch()
    (store.folder / "tmp-manifest.json").touch()
    (store.folder / "rejected-1").mkdir()
    store.publish(Manifest(ORIGIN, 1, 1, (kept,)))
    store.sweep()
    names = {path.name for path in store.folder.iterdir()}
    assert names == {"segments", "tables", "manifest.json", "maintain.lock", "rejected-1"}
    assert [path.name for path in (store.folder / "segments").iterdir()] == [kept.name]


def test_notes_outlast_damage(store: IndexStore) -> None:
    """What was noted is told, and a damaged file of notes is no notes."""
    assert store.noted() == {}
    store.note(done="sealed")
    store.note(damaged="segment 1", problem="a byte")
    noted = store.noted()
    assert (noted["done"], noted["problem"]) == ("sealed", "")
    assert noted["damaged"][0]["part"] == "segment 1"
    store.note(problem="disk full")
    assert store.noted()["problem"] == "disk full"
    (store.folder / "maintainer.json").write_text("{")
    assert store.noted() == {}


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is not known there")
def test_readers_see_whole_states_while_maintainers_are_killed(tmp_path: Path) -> None:
    """Twenty maintainers are killed at random moments; whoever reads meanwhile finds every row right."""
    store = IndexStore(tmp_path / "card", origin=ORIGIN, engines={})
    chance = random.Random(4)
    seen = set()
    for number in range(1, 21):
        command = [sys.executable, "-m", "support.maintaining", str(store.folder), str(number)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=TESTS) as process:
            assert process.stdout is not None
            process.stdout.readline()
            until = time.monotonic() + chance.uniform(0.0, 0.25)
            while True:
                seen.add(_check(store))
                if time.monotonic() > until:
                    break
            process.kill()
        seen.add(_check(store))
    assert len(seen) > 5
    truth = Truth(range(10**6, 10**6 + 100))
    truth.at = 10**9
    maintainer = Maintainer(store=store, truth=truth, policy=SMALL, tables=truth)
    assert maintainer.run_once(settle=True)
    assert _check(store) == 100
    assert not [found for found in check_all(store) if not isinstance(found, int)]
    maintainer.close()
    names = {path.name for path in store.folder.iterdir()}
    assert names <= {"segments", "tables", "manifest.json", "maintain.lock", "maintainer.json"}
    assert len(list((store.folder / "segments").iterdir())) == 1
