"""Gathering photos with a teacher's masks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from nitari.errors import FetchError, UsageError
from nitari.images.decode import ImageDecoder
from nitari.raster import encode
from nitari.training.finder_labels import read_labels
from nitari.training.finder_photos import Source, gather, sources, split
from nitari.training.finder_shots import SIDE
from nitari.types import Box, Item, Photo, Region
from support.scenes import garment, mask_of

BOX = Box(0.2, 0.2, 0.8, 0.85)
DECODER = ImageDecoder(max_bytes=2**24, max_pixels=2**24)
LABELS = read_labels()


class Teacher:
    """Marks the same box on every photo, and counts."""

    fingerprint = "teacher"
    short_side = 64

    def __init__(self) -> None:
        self.asked = 0

    def find(self, photo: Photo) -> tuple[Region, ...]:
        """One region."""
        self.asked += 1
        return (Region(BOX, "product", 1.0, mask_of(Box(0.25, 0.25, 0.75, 0.8))),)


def photo() -> bytes:
    """A file."""
    return encode(garment())


def broken() -> bytes:
    """A file that is none."""
    raise FetchError("photo 2 is not there")


def some(number: int) -> Iterator[Source]:
    """Photos of T-shirts by two sellers; the third cannot be had."""
    for i in range(number):
        yield Source(f"{i}.jpg", str(i % 2), "T-Shirt", broken if i == 2 else photo)


def test_sources() -> None:
    """Every photo of an item whose type has a label, whose seller it is, and how to read it."""
    items = [
        Item("a", ("1.jpg", "2.jpg"), attributes={"product_type": "T-Shirt", "seller_id": 7.0}),
        Item("b", ("3.jpg",), attributes={"product_type": "Tea"}),
        Item("c", ("4.jpg",)),
    ]
    found = list(sources(items, str.encode, LABELS))
    assert [(source.link, source.owner, source.read()) for source in found] == [
        ("1.jpg", "7", b"1.jpg"),
        ("2.jpg", "7", b"2.jpg"),
    ]


def test_gather(tmp_path: Path) -> None:
    """Photos are kept small with their masks; one that cannot be had is a problem with a reason."""
    found = gather(some(4), decoder=DECODER, teacher=Teacher(), folder=tmp_path)
    assert [kept.link for kept in found.kept] == ["0.jpg", "1.jpg", "3.jpg"]
    assert found.problems == ("2.jpg: photo 2 is not there",)
    image, mask = split(found.pixels[0])
    assert image.shape == (SIDE, SIDE, 3)
    assert mask[SIDE // 2, SIDE // 2] == 255
    assert mask[4, 4] == 0
    shot = found.shot(0, LABELS)
    assert shot is not None
    assert shot.regions[0].tolist() == pytest.approx([0.25, 0.25, 0.75, 0.8, 0], abs=0.01)
    assert shot.aspect == pytest.approx(0.75)


def test_a_repetition_asks_no_teacher(tmp_path: Path) -> None:
    """What is kept is not made again; other photos, another teacher and a damaged file are."""
    teacher = Teacher()
    run = partial(gather, decoder=DECODER, folder=tmp_path)
    run(some(2), teacher=teacher)
    run(some(2), teacher=teacher)
    assert teacher.asked == 2
    run(some(4), teacher=teacher)
    assert teacher.asked == 5
    (tmp_path / "00000.npy").write_bytes(b"torn")
    found = run(some(4), teacher=teacher)
    assert teacher.asked == 8
    assert len(found.kept) == 3
    teacher.fingerprint = "another"
    run(some(4), teacher=teacher)
    assert teacher.asked == 11


def test_killed_before_the_head_was_written(tmp_path: Path) -> None:
    """Pixels without the file that says what they are do not count."""
    teacher = Teacher()
    gather(some(2), decoder=DECODER, teacher=teacher, folder=tmp_path)
    (tmp_path / "00000.json").unlink()
    gather(some(2), decoder=DECODER, teacher=teacher, folder=tmp_path)
    assert teacher.asked == 4


def test_nothing_to_learn_from(tmp_path: Path) -> None:
    """No photo at all, or none that can be read, is an error that says what to give."""
    for photos in ([], [Source("x.jpg", "1", "Hat", broken)]):
        with pytest.raises(UsageError, match="no photo to learn from") as caught:
            gather(photos, decoder=DECODER, teacher=Teacher(), folder=tmp_path)
        assert "product_type" in caught.value.remedy


def test_nothing_stands_out(tmp_path: Path) -> None:
    """A photo on which the teacher finds nothing is kept, and is nothing to learn from."""

    class Blind(Teacher):
        def find(self, photo: Photo) -> tuple[Region, ...]:
            return ()

    found = gather(some(1), decoder=DECODER, teacher=Blind(), folder=tmp_path)
    assert found.kept[0].box is None
    assert found.shot(0, LABELS) is None
    assert not np.asarray(found.pixels[0])[..., 3].any()
