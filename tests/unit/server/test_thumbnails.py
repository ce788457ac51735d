"""The cache of thumbnails: whole files or none, the least recently used ones going first."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nitari.server.thumbnails import ThumbnailCache

LARGE = 2**30


def name(number: int) -> str:
    """The name of a thumbnail."""
    return f"{number:064x}-480"


def files(folder: Path) -> list[Path]:
    """Every file below a folder."""
    return [path for path in folder.rglob("*") if path.is_file()]


def age(cache_folder: Path, number: int, seconds: float) -> None:
    """Make a thumbnail look as if it had last been used so long ago."""
    (path,) = cache_folder.rglob(f"{name(number)}.jpg")
    os.utime(path, (time.time() - seconds,) * 2)


def test_what_is_put_can_be_had(tmp_path: Path) -> None:
    """A JPEG comes back by name, from another object too, and what is not there is ``None``."""
    ThumbnailCache(tmp_path / "new", max_bytes=LARGE).put(name(1), b"jpeg")
    cache = ThumbnailCache(tmp_path / "new", max_bytes=LARGE)
    assert cache.get(name(1)) == b"jpeg"
    assert cache.get(name(2)) is None
    assert (tmp_path / "new" / "00" / f"{name(1)}.jpg").is_file()


@pytest.mark.parametrize("damage", [b"", b"jpe", b"\0" * 20, b"something else of another length"])
def test_damaged_files_are_made_anew(tmp_path: Path, damage: bytes) -> None:
    """A file that is not what was written is as if it had never been there, and can be put again."""
    cache = ThumbnailCache(tmp_path, max_bytes=LARGE)
    cache.put(name(1), b"jpeg")
    (path,) = files(tmp_path)
    path.write_bytes(damage)
    assert cache.get(name(1)) is None
    assert not path.exists()
    cache.put(name(1), b"jpeg")
    assert cache.get(name(1)) == b"jpeg"


@pytest.mark.parametrize("bad", ["../../etc/passwd", "", "a" * 64, f"{'A' * 64}-480", f"{'a' * 64}-480/x"])
def test_only_names_of_thumbnails(tmp_path: Path, bad: str) -> None:
    """Nothing else becomes a path."""
    cache = ThumbnailCache(tmp_path, max_bytes=LARGE)
    with pytest.raises(ValueError, match="not the name"):
        cache.get(bad)
    with pytest.raises(ValueError, match="not the name"):
        cache.put(bad, b"")


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    """Beyond the most that is kept, what was asked for lately stays and what was not goes."""
    large = ThumbnailCache(tmp_path, max_bytes=LARGE)
    for number in range(10):
        large.put(name(number), b"x" * 1000)
        age(tmp_path, number, 100_000 - number)
    cache = ThumbnailCache(tmp_path, max_bytes=9 * 4096)
    assert cache.get(name(0)) is not None  # used now
    cache.put(name(10), b"x" * 1000)
    assert {number for number in range(11) if cache.get(name(number)) is not None} == {0, 5, 6, 7, 8, 9, 10}


def test_the_bound_holds_for_what_was_there_before(tmp_path: Path) -> None:
    """A cache that is opened with less room than its files take is pruned at the first write."""
    large = ThumbnailCache(tmp_path, max_bytes=LARGE)
    for number in range(50):
        large.put(name(number), b"x" * 4000)
    assert len(files(tmp_path)) == 50
    ThumbnailCache(tmp_path, max_bytes=20 * 4096).put(name(50), b"x")
    assert len(files(tmp_path)) == 16


def test_two_that_share_a_folder_stay_bounded(tmp_path: Path) -> None:
    """Each counts its own writes only; one alone stays within the bound, the second adds a tenth at most."""
    for sharing, most in ((1, 40), (2, 44)):
        caches = [ThumbnailCache(tmp_path, max_bytes=40 * 4096) for _ in range(sharing)]
        for number in range(300):
            caches[number % sharing].put(name(number), b"x" * 4000)
            assert len(files(tmp_path)) <= most


def test_nothing_is_kept_without_room(tmp_path: Path) -> None:
    """With 0 bytes no file is written at all."""
    cache = ThumbnailCache(tmp_path, max_bytes=0)
    cache.put(name(1), b"jpeg")
    assert cache.get(name(1)) is None
    assert not files(tmp_path)


def test_what_killed_writers_left_goes(tmp_path: Path) -> None:
    """A temporary file goes once it is old; one that is being written stays."""
    folder = tmp_path / "00"
    folder.mkdir()
    for word, seconds in (("old", 10_000), ("new", 0)):
        (folder / f".writing-{word}").write_bytes(b"x")
        os.utime(folder / f".writing-{word}", (time.time() - seconds,) * 2)
    ThumbnailCache(tmp_path, max_bytes=LARGE).put(name(1), b"jpeg")
    assert {path.name for path in folder.iterdir()} == {".writing-new", f"{name(1)}.jpg"}


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A thumbnail that cannot be kept is logged, and that is all."""
    (tmp_path / "cache").write_bytes(b"a file in the folder's place")
    cache = ThumbnailCache(tmp_path / "cache", max_bytes=LARGE)
    cache.put(name(1), b"jpeg")
    assert cache.get(name(1)) is None
    assert "could not be cached" in caplog.text


def test_many_threads(tmp_path: Path) -> None:
    """Threads that write, read and prune at once see whole pictures or none."""
    cache = ThumbnailCache(tmp_path, max_bytes=20 * 4096)

    def work(number: int) -> None:
        data = bytes([number % 30]) * 3000
        cache.put(name(number % 30), data)
        assert cache.get(name(number % 30)) in (data, None)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(400)))
    assert len(files(tmp_path)) <= 20 + 8  # pruned while others were writing
