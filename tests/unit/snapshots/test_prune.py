"""Retention: what goes, and that nothing goes that a snapshot needs."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.errors import StateError, UsageError
from nitari.snapshots.chunks import object_name
from nitari.snapshots.leases import Purpose, hold
from nitari.snapshots.prune import GRACE_S, Retention, garbage, prune, to_drop
from nitari.snapshots.repository import Repository
from nitari.snapshots.storage import Storage, StoredObject
from nitari.snapshots.verify import verify
from support.snapshots import START, BreakingStorage, BrokenError, edit_to, manifest_of, snapshots_of

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("retention", "dropped"),
    [
        (Retention(1), [1, 2, 3, 4]),
        (Retention(3), [1, 2]),
        (Retention(9), []),
        (Retention(1, days=2.5), [1, 2]),
        (Retention(2, days=0), [1, 2, 3]),
        (Retention(1, days=100), []),
    ],
)
def test_to_drop(retention: Retention, dropped: list[int]) -> None:
    """What is among the newest stays, and what is young enough."""
    snapshots = [manifest_of(number) for number in (3, 1, 5, 2, 4)]
    assert to_drop(snapshots, retention, now=START + 5 * DAY) == dropped


@given(st.lists(st.integers(1, 50), unique=True), st.integers(1, 60), st.none() | st.floats(0, 60), st.integers(0, 99))
def test_the_newest_always_stays(numbers: list[int], keep: int, days: float | None, today: int) -> None:
    """Whatever the rule and the clock say, the newest ``keep`` stay."""
    dropped = to_drop([manifest_of(number) for number in numbers], Retention(keep, days), now=START + today * DAY)
    assert not set(sorted(numbers)[-keep:]) & set(dropped)
    assert dropped == sorted(dropped)


@pytest.mark.parametrize(("keep", "days"), [(0, None), (-1, 5), (1, -1)])
def test_rules_that_keep_nothing(keep: int, days: float | None) -> None:
    """Such a rule is refused."""
    with pytest.raises(UsageError):
        Retention(keep, days)


digests = st.integers(0, 20).map(lambda number: f"{number:064x}")
ages = st.none() | st.floats(0, 3 * GRACE_S)


@given(st.dictionaries(digests, ages), st.sets(digests))
def test_nothing_that_is_named_is_garbage(stored: dict[str, float | None], named: set[str]) -> None:
    """Garbage is never what a snapshot names, never young, and all else."""
    now = 1e9
    objects = [
        StoredObject(object_name(digest), 1, None if age is None else now - age) for digest, age in stored.items()
    ]
    gone = {found.name for found in garbage(objects, named, now=now)}
    assert not gone & {object_name(digest) for digest in named}
    for digest, age in stored.items():
        if digest not in named and (age is None or age > GRACE_S + 1):
            assert object_name(digest) in gone
        if age is not None and age < GRACE_S - 1:
            assert object_name(digest) not in gone


def test_unfinished_writes_are_garbage() -> None:
    """What killed writers left goes when it is old; what is not ours stays."""
    old = [StoredObject(f"chunks/00/{name}", 1, 0.0) for name in (".writing-abc", "readme.txt")]
    assert [found.name for found in garbage(old, set(), now=1e9)] == ["chunks/00/.writing-abc"]
    assert garbage(old, set(), now=100.0) == []


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Four snapshots of a growing home."""
    for seq in (10, 20, 30, 40):
        snapshots_of(edit_to(tmp_path / "home", seq), str(tmp_path / "store")).save()
    return tmp_path / "store"


def repository(store: Path) -> Repository:
    """The store's."""
    return Repository(Storage.open(str(store)))


def make_old(store: Path) -> None:
    """As if all of it were written days ago."""
    for path in store.rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() - 2 * GRACE_S,) * 2)


def test_prune(store: Path) -> None:
    """Old snapshots go, then the chunks only they needed; those that stay are whole; a second time nothing goes."""
    make_old(store)
    before = len(repository(store).stored_chunks())
    pruned = prune(repository(store), Retention(2), now=START)
    assert (pruned.snapshots, pruned.kept) == ((1, 2), (3, 4))
    assert pruned.chunks > 0
    assert pruned.bytes > 0
    assert len(repository(store).stored_chunks()) == before - pruned.chunks
    assert verify(repository(store)).problems == ()
    assert prune(repository(store), Retention(2), now=START).chunks == 0


def test_what_killed_publishers_left_goes(store: Path) -> None:
    """A manifest that was never whole goes when it is old; it counts as none before."""
    (store / "manifests" / ".writing-abc").write_text("{")
    assert prune(repository(store), Retention(9), now=START).chunks == 0
    assert (store / "manifests" / ".writing-abc").exists()
    make_old(store)
    prune(repository(store), Retention(9), now=START)
    assert not (store / "manifests" / ".writing-abc").exists()


def test_young_chunks_stay(store: Path) -> None:
    """Chunks that nobody names yet may belong to a save that is run again: they stay for a day."""
    pruned = prune(repository(store), Retention(1), now=START)
    assert (len(pruned.snapshots), pruned.chunks) == (3, 0)
    make_old(store)
    assert prune(repository(store), Retention(1), now=START).chunks > 0
    assert verify(repository(store)).problems == ()


def test_not_while_a_save_is_at_work(store: Path) -> None:
    """A prune beside a save is refused, and removes nothing."""
    make_old(store)
    with hold(repository(store).storage, Purpose.SAVE), pytest.raises(StateError) as error:
        prune(repository(store), Retention(1), now=START)
    assert error.value.code == "snapshot-busy"
    assert len(repository(store).snapshots()) == 4


def test_not_with_a_manifest_that_cannot_be_read(store: Path) -> None:
    """What a damaged snapshot needs nobody knows: nothing goes."""
    make_old(store)
    (store / "manifests" / "00000002.json").write_text("{")
    before = repository(store).stored_chunks()
    with pytest.raises(StateError, match=r"snapshot 2 is damaged.*nobody knows what it needs") as error:
        prune(repository(store), Retention(1), now=START)
    assert "manifests/00000002.json" in error.value.remedy
    assert repository(store).stored_chunks() == before


def test_a_list_that_cannot_be_read(store: Path) -> None:
    """Nor does anything go where the list of a snapshot that stays is damaged."""
    make_old(store)
    (chunk,) = repository(store).snapshot(4).listing
    (store / chunk.name).write_bytes(b"x")
    before = {path for path in store.rglob("*") if path.is_file()}
    with pytest.raises(StateError):
        prune(repository(store), Retention(1), now=START)
    assert {path for path in store.rglob("*") if path.is_file()} == before


def test_orphans_of_a_killed_save_go_in_the_end(store: Path, tmp_path: Path) -> None:
    """What a save sent that was never published is removed when it is old."""
    edit_to(tmp_path / "home", 60)
    with pytest.raises(BrokenError):
        snapshots_of(tmp_path / "home", BreakingStorage(str(store), after=4)).save()
    assert len(repository(store).snapshots()) == 4
    make_old(store)
    assert prune(repository(store), Retention(9), now=START).chunks > 0
    assert verify(repository(store)).problems == ()
