"""Restoring files: whole or not at all, into a new home only."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections import namedtuple
from pathlib import Path

import pytest

from nitari.errors import DependencyError, StateError, UsageError
from nitari.snapshots.chunks import CHUNK_BYTES, cut, pack
from nitari.snapshots.manifest import File
from nitari.snapshots.repository import Repository
from nitari.snapshots.restore import check_target, fetch, new_home
from nitari.snapshots.storage import Storage
from support.snapshots import chunk_of

Disk = namedtuple("Disk", "total used free")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """An empty one."""
    return Repository(Storage.open(str(tmp_path / "store")))


def keep(repository: Repository, path: str, data: bytes) -> File:
    """A file that the store has."""
    chunks = [chunk_of(piece) for piece in cut(data)]
    for chunk, piece in zip(chunks, cut(data), strict=True):
        repository.storage.write(chunk.name, pack(piece))
    return File(path, len(data), tuple(chunks))


def test_fetch(tmp_path: Path, repository: Repository) -> None:
    """Files come back byte by byte, in folders of their own, empty ones too; settings are for this user alone."""
    wanted = {"a": os.urandom(2 * CHUNK_BYTES + 3), "b/c/d": b"small", "b/empty": b"", "nitari.toml": b"token"}
    files = [keep(repository, path, data) for path, data in wanted.items()]
    counted: list[int] = []
    (tmp_path / "home").mkdir()
    fetch(repository, files, tmp_path / "home", on_progress=counted.append)
    assert {path: (tmp_path / "home" / path).read_bytes() for path in wanted} == wanted
    assert sum(counted) == sum(map(len, wanted.values()))
    if sys.platform != "win32":
        assert stat.S_IMODE((tmp_path / "home" / "nitari.toml").stat().st_mode) == 0o600


def test_a_damaged_chunk_ends_it(tmp_path: Path, repository: Repository) -> None:
    """Nothing of a damaged snapshot becomes a home."""
    file = keep(repository, "a", b"content")
    repository.storage.write(file.chunks[0].name, pack(b"CONTENT"))
    with pytest.raises(StateError), new_home(tmp_path / "home", 7) as folder:
        fetch(repository, [file], folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store"]


def test_it_appears_at_the_end(tmp_path: Path) -> None:
    """The home is there when all of it is, with the rights of any new folder; an empty one may be there before."""
    target = tmp_path / "deep" / "home"
    with new_home(target, 1) as folder:
        (folder / "x").write_text("1")
        assert not target.exists()
    assert (target / "x").read_text() == "1"
    assert [path.name for path in target.parent.iterdir()] == ["home"]
    (tmp_path / "plain").mkdir()
    assert target.stat().st_mode == (tmp_path / "plain").stat().st_mode
    with new_home(tmp_path / "plain", 1) as folder:
        (folder / "x").write_text("2")
    assert (tmp_path / "plain" / "x").read_text() == "2"


def test_what_killed_restores_left_is_swept(tmp_path: Path) -> None:
    """A half-written home of days ago goes with the next restore; a young one may be in use, another's is not ours."""
    for name, age_s in ((".restoring-home-a", 1e6), (".restoring-home-b", 10), (".restoring-other-c", 1e6)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - age_s,) * 2)
    with new_home(tmp_path / "home", 1):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [".restoring-home-b", ".restoring-other-c", "home"]


def test_only_where_nothing_is(tmp_path: Path) -> None:
    """A folder with anything in it, and a file, are refused, also where they turn up meanwhile."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    for target in (tmp_path / "full", tmp_path / "full" / "x"):
        with pytest.raises(UsageError, match="is not empty") as error:
            check_target(target)
        assert error.value.code == "snapshot-target"
    check_target(tmp_path / "new")
    with pytest.raises(UsageError), new_home(tmp_path / "late", 1):
        (tmp_path / "late").mkdir()
        (tmp_path / "late" / "x").touch()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "late"]


def test_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk without room is told before anything travels."""
    monkeypatch.setattr("shutil.disk_usage", lambda _path: Disk(10, 5, 5))
    with pytest.raises(DependencyError, match="MiB free"), new_home(tmp_path / "home", 5):
        raise AssertionError
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fails(tmp_path: Path, repository: Repository) -> None:
    """An error of the disk becomes one of ours."""
    (tmp_path / "file").touch()
    with pytest.raises(DependencyError, match="cannot be written"), new_home(tmp_path / "file" / "home", 1):
        raise AssertionError
    with pytest.raises(DependencyError, match="cannot be written"):
        fetch(repository, [File("x", 0, ())], tmp_path / "file")
