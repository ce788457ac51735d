"""A store of snapshots: its manifests, its chunks, who publishes, and which snapshot reaches a point."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from nitari.errors import NotFoundError, StateError
from nitari.snapshots.chunks import pack
from nitari.snapshots.manifest import Manifest, encode_listing, encode_manifest
from nitari.snapshots.repository import Damaged, Repository, first_with, line_of
from nitari.snapshots.storage import Storage
from support.snapshots import START, chunk_of, manifest_of


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """An empty one."""
    return Repository(Storage.open(str(tmp_path)))


def test_publish_and_find(repository: Repository) -> None:
    """What was published is found by its number, and in order."""
    assert repository.snapshots() == []
    for number in (1, 2, 10):
        repository.publish(manifest_of(number))
    assert repository.snapshots() == [manifest_of(1), manifest_of(2), manifest_of(10)]
    assert repository.snapshot(10) == manifest_of(10)
    with pytest.raises(NotFoundError, match="no snapshot 3"):
        repository.snapshot(3)


def test_the_second_publisher_loses(repository: Repository) -> None:
    """A number is published once; whoever comes second is told, and what is there stays."""
    repository.publish(manifest_of(1, seq=5))
    with pytest.raises(StateError, match="another process published snapshot 1") as error:
        repository.publish(manifest_of(1, seq=6))
    assert error.value.code == "snapshot-race"
    assert repository.snapshot(1) == manifest_of(1, seq=5)


def test_an_answer_that_was_lost_is_no_race(repository: Repository) -> None:
    """A publisher that finds its own manifest has won."""
    repository.publish(manifest_of(1))
    repository.publish(manifest_of(1))
    assert repository.snapshots() == [manifest_of(1)]


def test_damaged_manifests_are_shown(repository: Repository) -> None:
    """A damaged manifest does not hide the others, nor is it passed over."""
    repository.publish(manifest_of(1))
    repository.storage.write("manifests/00000002.json", encode_manifest(manifest_of(2))[:-9])
    repository.storage.write("manifests/readme.txt", b"not ours")
    first, second = repository.snapshots()
    assert first == manifest_of(1)
    assert isinstance(second, Damaged)
    assert second.reason.code == "snapshot-damaged"


def test_contents(repository: Repository) -> None:
    """Chunks are checked when they are read; what is missing or damaged is named."""
    chunk = chunk_of(b"data")
    with pytest.raises(StateError) as error:
        repository.content(chunk)
    assert error.value.code == "chunk-missing"
    repository.storage.write(chunk.name, pack(b"data"))
    repository.storage.write(f"{chunk.name}.else", b"")
    assert repository.content(chunk) == b"data"
    assert repository.stored_chunks() == {chunk.digest: 5}
    repository.storage.write(chunk.name, pack(b"dada"))
    with pytest.raises(StateError) as error:
        repository.content(chunk)
    assert error.value.code == "chunk-damaged"


def test_files(repository: Repository) -> None:
    """The list of a snapshot's files is read from its chunks; one that makes no sense is a damaged snapshot."""
    raw = encode_listing([])
    assert repository.files(manifest_of(1)) == []
    assert raw == b""
    chunk = chunk_of(b"nonsense\n")
    repository.storage.write(chunk.name, pack(b"nonsense\n"))
    with pytest.raises(StateError, match="snapshot 4 is damaged"):
        repository.files(manifest_of(4, listing=[chunk]))


def numbers(line: list[Manifest]) -> list[int]:
    """Of a line."""
    return [snapshot.number for snapshot in line]


def test_a_line_ends_where_changes_count_back() -> None:
    """Snapshots of another catalog, and of a future that was given up, are not on the newest one's line."""
    damaged = Damaged(4, StateError("x"))
    first, second, third = manifest_of(1, seq=9), manifest_of(2, seq=3), manifest_of(3, seq=3)
    fifth = manifest_of(5, seq=7)
    assert numbers(line_of([first, second, third, damaged, fifth])) == [2, 3, 5]
    assert numbers(line_of([first, manifest_of(2, seq=10, identity="two"), manifest_of(3, seq=12)])) == [3]
    assert numbers(line_of([])) == []


def test_the_first_that_reaches_a_point() -> None:
    """The oldest snapshot that has all changes up to a point, and whose history goes back to it."""
    line = [manifest_of(1, seq=10), manifest_of(2, seq=20, oldest=12), manifest_of(3, seq=30, oldest=25)]

    def number(point: object) -> int | None:
        found = first_with(line, point)  # type: ignore[arg-type]
        return found and found.number

    assert [number(point) for point in (0, 10, 11, 12, 20, 21, 25, 30, 31)] == [1, 1, None, 2, 2, None, 3, 3, None]
    day = timedelta(days=1)
    assert number(START + day) == 1
    assert number(START + 1.5 * day) is None  # the second one's history begins on day 12
    assert number(START + 4 * day) is None
