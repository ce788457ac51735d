"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nitari import disk
from nitari.disk import Usage, find_files, reserve, usage, write_whole


@pytest.mark.parametrize("durable", [True, False])
def test_written_and_replaced(tmp_path: Path, *, durable: bool) -> None:
    """The file holds what was written last, in folders made for it, and nothing else is left there."""
    path = tmp_path / "a" / "b" / "file"
    for data in (b"first", b"second"):
        write_whole(path, data, durable=durable)
        assert path.read_bytes() == data
    assert list(path.parent.iterdir()) == [path]


def test_private_and_dated(tmp_path: Path) -> None:
    """Only this user can read the file, and it bears the time it was given."""
    path = tmp_path / "file"
    write_whole(path, b"x", modified_at=1_000_000_000.5)
    assert path.stat().st_mtime == 1_000_000_000.5
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk fails before the rename, what was there is there still, and nothing beside it."""
    path = tmp_path / "file"
    write_whole(path, b"old")

    def fail(_handle: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_files_take(tmp_path: Path) -> None:
    """Files of all folders below are counted, folders themselves are not, and no folder is no files."""
    for name, size in (("a", 3), ("b/c", 4), ("b/.hidden", 5)):
        write_whole(tmp_path / name, b"x" * size)
    assert usage(tmp_path) == Usage(3, 12)
    assert usage(tmp_path / "nowhere") == Usage(0, 0)
    assert [found.path.name for found in find_files(tmp_path, "*")] == ["a"]


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="no such call here")
def test_reserve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with a hole keeps its size and content, and takes all of its room; a full disk is an error."""
    path = tmp_path / "x"
    with path.open("wb") as file:
        file.write(b"head")
        file.truncate(10_000_000)
    reserve(path)
    assert path.stat().st_size == 10_000_000
    assert path.stat().st_blocks * 512 >= 10_000_000
    assert path.read_bytes()[:5] == b"head\0"

    def full(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space"):
        reserve(path)


def test_sync_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file and each folder, empty ones and the outermost one included."""
    synced: list[Path] = []
    monkeypatch.setattr(disk, "sync_file", synced.append)
    monkeypatch.setattr(disk, "sync_folder", synced.append)
    inner, file = tmp_path / "a" / "b", tmp_path / "a" / "x"
    inner.mkdir(parents=True)
    file.write_bytes(b"1")
    disk.sync_tree(tmp_path)
    assert sorted(synced) == sorted([tmp_path, tmp_path / "a", inner, file])
    monkeypatch.undo()
    disk.sync_tree(tmp_path)  # and each can be synced
