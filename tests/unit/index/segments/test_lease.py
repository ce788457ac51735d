"""Leases: one holder of a lock, any number of readers, and nothing that is read is removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitari.errors import StateError
from nitari.index.segments.lease import READERS_NAME, hold_folder, remove_unread, take


def test_one_takes_a_lock(tmp_path: Path) -> None:
    """A second one gets it when the first lets go."""
    first = take(tmp_path / "lock")
    assert first is not None
    assert take(tmp_path / "lock") is None
    first.release()
    first.release()
    second = take(tmp_path / "lock")
    assert second is not None
    with second:
        assert take(tmp_path / "lock") is None


def test_what_is_read_is_not_removed(tmp_path: Path) -> None:
    """Not while one of several reads it; then nobody can begin to."""
    folder, trash = tmp_path / "a", tmp_path / "trash"
    folder.mkdir()
    (folder / READERS_NAME).touch()
    with hold_folder(folder):
        with hold_folder(folder):
            assert not remove_unread(folder, trash)
        assert not remove_unread(folder, trash)
    assert remove_unread(folder, trash)
    assert not folder.exists()
    with pytest.raises(StateError) as gone:
        hold_folder(folder)
    assert gone.value.code == "index-gone"


def test_what_was_never_whole_is_removed(tmp_path: Path) -> None:
    """A folder without the readers' file cannot be read, and goes."""
    folder = tmp_path / "a"
    folder.mkdir()
    with pytest.raises(StateError):
        hold_folder(folder)
    assert remove_unread(folder, tmp_path / "trash")


def test_a_dead_file_is_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that goes between opening and locking is gone, though the lock was had."""
    folder = tmp_path / "a"
    folder.mkdir()
    path = folder / READERS_NAME
    path.touch()
    original = Path.open

    def racing(self: Path, mode: str = "r") -> object:
        file = original(self, mode)
        path.unlink()
        path.touch()
        return file

    monkeypatch.setattr(Path, "open", racing)
    with pytest.raises(StateError):
        hold_folder(folder)
