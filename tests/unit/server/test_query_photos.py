"""Query photos that are kept: private, re-encoded, bounded in number and time."""

from __future__ import annotations

import io
import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nitari.errors import DependencyError, ImageError, NotFoundError, StateError, UsageError
from nitari.images.decode import ImageDecoder
from nitari.server.query_photos import FolderQueryPhotos
from support.picture import CARD, card, corners_of, exif, jpeg, stored

DAY = 86_400.0
START = 1_800_000_000.0
UNKNOWN = "A" * 22


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        """Seconds since 1970."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock to set."""
    return Clock()


def opened(folder: Path, clock: Clock, *, days: int = 30, most: int = 100) -> FolderQueryPhotos:
    """Kept photos in a folder."""
    return FolderQueryPhotos(folder=folder, decoder=ImageDecoder(), days=days, most=most, clock=clock)


def test_kept_and_had(tmp_path: Path, clock: Clock) -> None:
    """A photo comes back upright, without metadata and scaled down, in another process too; its end is told."""
    folder = tmp_path / "home" / "query-photos"
    photo = jpeg(stored(card(3000, 2000), 6), exif=exif(6), comment=b"SECRET")
    kept = opened(folder, clock).keep(photo)
    assert kept.expires_at == datetime.fromtimestamp(START + 30 * DAY, UTC)
    picture = opened(folder, clock).get(kept.photo_id)
    assert b"SECRET" not in picture.data
    assert b"Exif" not in picture.data
    image = Image.open(io.BytesIO(picture.data))
    assert image.size == (2048, 1365)
    assert np.abs(corners_of(np.asarray(image)) - CARD).max() < 4
    assert picture.tag == kept.photo_id


def test_ids_cannot_be_guessed(tmp_path: Path, clock: Clock) -> None:
    """The same photo kept twice has two ids of 128 random bits, which say nothing of it."""
    photos = opened(tmp_path, clock)
    ids = {photos.keep(jpeg()).photo_id for _ in range(20)}
    assert len(ids) == 20
    assert all(len(photo_id) == 22 for photo_id in ids)


@pytest.mark.skipif(os.name != "posix", reason="permissions as bits are POSIX's")
def test_private(tmp_path: Path, clock: Clock) -> None:
    """The folder and its files are this user's alone, even where somebody had made the folder open to all."""
    folder = tmp_path / "query-photos"
    folder.mkdir(mode=0o755)
    opened(folder, clock).keep(jpeg())
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600]


@pytest.mark.parametrize(
    "photo_id", ["", "../secret", "..\\secret", "a/b", "A" * 21, "A" * 23, UNKNOWN, f"{UNKNOWN}\n", "é" * 22, "\0" * 22]
)
def test_unknown_ids(tmp_path: Path, clock: Clock, photo_id: str) -> None:
    """What is no id of a kept photo is not found, and never becomes a path."""
    (tmp_path / "secret.jpg").write_bytes(b"x")
    (tmp_path / "photos").mkdir()
    photos = opened(tmp_path / "photos", clock)
    with pytest.raises(NotFoundError, match="not kept here"):
        photos.get(photo_id)
    with pytest.raises(NotFoundError, match="not kept here"):
        photos.forget(photo_id)


def test_expiry(tmp_path: Path, clock: Clock) -> None:
    """A photo is there until its time is over, then not at all, and its file goes with the next pruning."""
    photos = opened(tmp_path, clock, days=2)
    first = photos.keep(jpeg()).photo_id
    clock.now += DAY
    second = photos.keep(jpeg()).photo_id
    assert photos.prune() == 0
    clock.now = START + 2 * DAY - 1
    assert photos.get(first)
    clock.now = START + 2 * DAY
    for ask in (photos.get, photos.forget):
        with pytest.raises(NotFoundError):
            ask(first)
    assert photos.get(second)
    clock.now += 10 * DAY
    assert photos.prune() == 1
    assert not list(tmp_path.iterdir())


def test_a_shorter_time_holds_at_once(tmp_path: Path, clock: Clock) -> None:
    """What was kept under a longer time ends with the one that is set now; 0 ends everything."""
    kept = opened(tmp_path, clock, days=30).keep(jpeg()).photo_id
    clock.now += 3 * DAY
    assert opened(tmp_path, clock, days=4).get(kept)
    for days in (2, 0):
        with pytest.raises(NotFoundError):
            opened(tmp_path, clock, days=days).get(kept)
    assert opened(tmp_path, clock, days=0).prune() == 1


@pytest.mark.parametrize(("days", "most"), [(0, 100), (30, 0)])
def test_switched_off(tmp_path: Path, clock: Clock, days: int, most: int) -> None:
    """Nothing is kept where keeping is off, and the error says which settings would switch it on."""
    photos = opened(tmp_path / "photos", clock, days=days, most=most)
    with pytest.raises(UsageError, match="keeps no query photos") as caught:
        photos.keep(jpeg())
    assert caught.value.code == "query-photos-off"
    assert "query_photo_days" in caught.value.remedy
    assert not (tmp_path / "photos").exists()
    assert photos.prune() == 0


def test_the_oldest_go_first(tmp_path: Path, clock: Clock) -> None:
    """Beyond the most that are kept, each new photo takes the place of the oldest."""
    photos = opened(tmp_path, clock, most=3)
    ids = []
    for _ in range(5):
        clock.now += 1
        ids.append(photos.keep(jpeg()).photo_id)
    assert {path.stem for path in tmp_path.iterdir()} == set(ids[2:])
    assert opened(tmp_path, clock, most=1).prune() == 2
    assert {path.stem for path in tmp_path.iterdir()} == {ids[4]}


def test_forget(tmp_path: Path, clock: Clock) -> None:
    """A forgotten photo is gone, file and all, and cannot be forgotten twice."""
    photos = opened(tmp_path, clock)
    kept = photos.keep(jpeg()).photo_id
    photos.forget(kept)
    assert not list(tmp_path.iterdir())
    with pytest.raises(NotFoundError):
        photos.forget(kept)


def test_no_photo(tmp_path: Path, clock: Clock) -> None:
    """Bytes that are not a usable photo are refused, and nothing is written."""
    with pytest.raises(ImageError):
        opened(tmp_path, clock).keep(b"not a photo")
    assert not list(tmp_path.iterdir())


def test_foreign_files_stay(tmp_path: Path, clock: Clock) -> None:
    """Pruning deletes what killed writers left long ago, and nothing that is not ours."""
    for name, seconds in (("notes.txt", 10**8), (".writing-new", 0), (".writing-old", 10_000)):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (time.time() - seconds,) * 2)
    assert opened(tmp_path, clock, days=0).prune() == 0
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", ".writing-new"}


def test_a_disk_that_fails(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A photo that could not be made durable is not there, and the error says why and what to do."""

    def fail(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DependencyError, match="No space left") as caught:
        opened(tmp_path / "photos", clock).keep(jpeg())
    assert "make room" in caught.value.remedy
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_file_that_cannot_be_read(tmp_path: Path, clock: Clock) -> None:
    """Something else in a photo's place is our own state's fault, not the caller's."""
    (tmp_path / f"{UNKNOWN}.jpg").mkdir()
    os.utime(tmp_path / f"{UNKNOWN}.jpg", (START, START))
    with pytest.raises(StateError, match="cannot be used"):
        opened(tmp_path, clock).get(UNKNOWN)


def test_many_threads(tmp_path: Path, clock: Clock) -> None:
    """Photos kept, had and forgotten at once by two objects never fail for each other's sake."""
    both = [opened(tmp_path, clock, most=1000) for _ in range(2)]

    def work(number: int) -> None:
        kept = both[number % 2].keep(jpeg()).photo_id
        assert both[(number + 1) % 2].get(kept).data
        both[number % 2].forget(kept)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(24)))
    assert not list(tmp_path.iterdir())
