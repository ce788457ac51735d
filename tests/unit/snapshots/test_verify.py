"""Verifying: every damaged or missing object is found, with what it breaks."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitari.snapshots.repository import Repository
from nitari.snapshots.storage import Storage
from nitari.snapshots.verify import LISTS, verify
from support.snapshots import edit_to, snapshots_of


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Three snapshots of a home: two of one state, one of another."""
    home = tmp_path / "home"
    (home / "judgments").mkdir(parents=True)
    (home / "judgments" / "one").write_text("1")
    snapshots = snapshots_of(home, str(tmp_path / "store"))
    for seq in (20, 20, 25):
        edit_to(home, seq)
        snapshots.save()
    return tmp_path / "store"


def repository(store: Path) -> Repository:
    """The store's."""
    return Repository(Storage.open(str(store)))


def chunk_path(store: Path, number: int, path: str) -> Path:
    """The object of a file's first chunk; of the list of files for ``LISTS``."""
    snapshot = repository(store).snapshot(number)
    if path == LISTS:
        return store / snapshot.listing[0].name
    (file,) = (file for file in repository(store).files(snapshot) if file.path == path)
    return store / file.chunks[0].name


@pytest.mark.parametrize("quick", [False, True])
def test_all_is_well(store: Path, quick: bool) -> None:
    """Nothing is reported of a whole store, and progress ends where it should."""
    counted: list[tuple[int, int]] = []
    found = verify(repository(store), quick=quick, on_progress=lambda done, total: counted.append((done, total)))
    assert found.problems == ()
    assert found.snapshots == 3
    assert counted[-1] == (found.chunks, found.chunks)
    assert bool(found.bytes) is not quick


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("damage", ["missing", "short", "long"])
def test_damage_that_shows(store: Path, quick: bool, damage: str) -> None:
    """A missing object and one of another length are found even by a quick look, with all that they break."""
    path = chunk_path(store, 1, "judgments/one")
    data = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(data[:-1] if damage == "short" else data + b"x")
    found = verify(repository(store), quick=quick)
    (problem,) = found.problems
    assert problem.what.endswith(path.name)
    assert problem.snapshots == found.broken == (1, 2, 3)
    assert problem.files == ("judgments/one",)
    assert ("missing" in problem.reason) == (damage == "missing")


def test_damage_inside(store: Path) -> None:
    """Another byte is found by reading, and breaks only the snapshots that need it."""
    path = chunk_path(store, 3, "catalog.sqlite")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert verify(repository(store), quick=True).problems == ()
    found = verify(repository(store))
    assert found.broken == (3,)
    assert found.problems[0].files == ("catalog.sqlite",)


def test_damaged_lists_and_manifests(store: Path) -> None:
    """A list of files that is gone, and a manifest that does not parse, break their snapshots."""
    chunk_path(store, 3, LISTS).unlink()
    (store / "manifests" / "00000001.json").write_text("{")
    found = verify(repository(store))
    assert found.broken == (1, 3)
    assert {files for problem in found.problems for files in problem.files} == {LISTS}


def test_what_is_pruned_meanwhile_is_no_damage(store: Path) -> None:
    """Chunks of a snapshot that goes away while it is looked at are not reported."""
    chunk_path(store, 3, "catalog.sqlite").unlink()

    def prune(done: int, _total: int) -> None:
        if done == 1:
            (store / "manifests" / "00000003.json").unlink()

    assert verify(repository(store), on_progress=prune).problems == ()
