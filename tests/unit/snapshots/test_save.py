"""Sending: what travels, what does not, and what is not believed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nitari.errors import DependencyError
from nitari.snapshots.chunks import CHUNK_BYTES, cut, digest_of
from nitari.snapshots.contents import Content
from nitari.snapshots.leases import Lease, Purpose, hold
from nitari.snapshots.manifest import File
from nitari.snapshots.repository import Repository
from nitari.snapshots.save import Sender
from nitari.snapshots.storage import Storage


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """An empty one."""
    return Repository(Storage.open(str(tmp_path / "store")))


@pytest.fixture
def lease(repository: Repository) -> Iterator[Lease]:
    """Held for the test."""
    with hold(repository.storage, Purpose.SAVE) as held:
        yield held


def content(tmp_path: Path, name: str, data: bytes, *, fixed: bool = False) -> Content:
    """A file to save."""
    (tmp_path / name).write_bytes(data)
    return Content(name, tmp_path / name, fixed=fixed)


def whole(repository: Repository, file: File) -> bytes:
    """A file as the store has it."""
    return b"".join(repository.content(chunk) for chunk in file.chunks)


def test_only_what_is_new_travels(tmp_path: Path, repository: Repository, lease: Lease) -> None:
    """A change in a large file sends the pieces that it touches, and equal pieces once."""
    data = bytearray(os.urandom(3 * CHUNK_BYTES + 5))
    given = content(tmp_path, "a", bytes(data))
    twin = content(tmp_path, "b", bytes(data))
    empty = content(tmp_path, "c", b"")
    first = Sender(repository, lease)
    sent = first.send([given, twin, empty])
    assert first.traffic.chunks <= 8  # twins in flight at the same moment may both travel
    assert {file.path: whole(repository, file) for file in sent.files} == {"a": data, "b": data, "c": b""}
    assert sent.lost == frozenset()
    data[CHUNK_BYTES + 7] ^= 1
    second = Sender(repository, lease, previous=sent.files)
    (file,) = second.send([content(tmp_path, "a", bytes(data))]).files
    assert second.traffic.chunks == 1
    assert CHUNK_BYTES <= second.traffic.bytes <= CHUNK_BYTES + 1
    assert whole(repository, file) == data


def test_what_never_changes_is_not_read(tmp_path: Path, repository: Repository, lease: Lease) -> None:
    """A fixed file that the snapshot before has is not read again; one of another size is."""
    given = content(tmp_path, "a", b"fixed", fixed=True)
    files = Sender(repository, lease).send([given]).files
    given.source.write_bytes(b"FIXED")  # of course it never does
    again = Sender(repository, lease, previous=files)
    assert again.send([given]).files == files
    assert again.traffic.chunks == 0
    given.source.write_bytes(b"longer")
    (file,) = Sender(repository, lease, previous=files).send([given]).files
    assert whole(repository, file) == b"longer"


def test_a_chunk_that_went_missing_is_sent_again(tmp_path: Path, repository: Repository, lease: Lease) -> None:
    """Where the store lost a chunk, or has it at another length, the next save mends that, fixed files included."""
    given = content(tmp_path, "a", b"fixed", fixed=True)
    files = Sender(repository, lease).send([given]).files
    (chunk,) = files[0].chunks
    for stored in (None, b"p", b"pfixed and more"):
        if stored is None:
            repository.storage.delete([chunk.name])
        else:
            repository.storage.write(chunk.name, stored)
        assert Sender(repository, lease, previous=files).send([given]).files == files
        assert repository.content(chunk) == b"fixed"


def test_part_of_a_chunk_is_not_believed(tmp_path: Path, repository: Repository, lease: Lease) -> None:
    """What a killed save left in a store that writes objects bit by bit is not taken for the chunk."""
    digest = digest_of(b"some data")
    repository.storage.write(f"chunks/{digest[:2]}/{digest}", b"psome")
    (file,) = Sender(repository, lease).send([content(tmp_path, "a", b"some data")]).files
    assert whole(repository, file) == b"some data"


def test_full_sends_everything(tmp_path: Path, repository: Repository, lease: Lease) -> None:
    """A chunk that is damaged at its right length is mended by sending all of it."""
    given = content(tmp_path, "a", b"fixed", fixed=True)
    files = Sender(repository, lease).send([given]).files
    (chunk,) = files[0].chunks
    repository.storage.write(chunk.name, b"pfixEd")
    Sender(repository, lease, previous=files, full=True).send([given])
    assert repository.content(chunk) == b"fixed"


def test_lost_and_damaged_files(tmp_path: Path, repository: Repository, lease: Lease) -> None:
    """A file that vanishes, or is not what its name promises, is left out and named, not saved as it is."""
    photo = content(tmp_path, "photo", b"photo")
    good = replace(photo, digest=hashlib.sha256(b"photo").hexdigest())
    (kept,) = Sender(repository, lease).send([good]).files
    bad = replace(content(tmp_path, "bad", b"damaged"), digest="0" * 64)
    gone = Content("gone", tmp_path / "gone")
    sender = Sender(repository, lease, previous=[replace(kept, path="bad")])
    sent = sender.send([good, bad, gone])
    assert [file.path for file in sent.files] == ["photo"]
    assert sent.lost == {"bad", "gone"}
    assert sender.rescued("gone") is None
    assert sender.rescued("bad") == replace(kept, path="bad")


def test_a_file_that_cannot_be_read(tmp_path: Path, repository: Repository, lease: Lease) -> None:
    """A file that is there and cannot be read ends the save: a snapshot without it would look whole."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(DependencyError, match=r"folder cannot be read"):
        Sender(repository, lease).send([Content("x", tmp_path / "folder")])


def test_bytes_and_progress(tmp_path: Path, repository: Repository, lease: Lease) -> None:
    """What is no file travels as one; progress counts every byte of files once, unread ones included."""
    counted: list[int] = []
    sender = Sender(repository, lease, on_progress=counted.append)
    data = os.urandom(CHUNK_BYTES + 1)
    chunks = sender.send_bytes(data)
    assert b"".join(repository.content(chunk) for chunk in chunks) == data
    assert [chunk.size for chunk in chunks] == [len(piece) for piece in cut(data)]
    given = content(tmp_path, "a", data, fixed=True)
    files = sender.send([given]).files
    assert sum(counted) == len(data)
    Sender(repository, lease, previous=files, on_progress=counted.append).send([given])
    assert sum(counted) == 2 * len(data)
