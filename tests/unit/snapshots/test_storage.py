"""Objects below a URL: who wins a race, what others see, and what errors say."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nitari.errors import DependencyError, UsageError
from nitari.snapshots import storage as storage_module
from nitari.snapshots.storage import Storage, StoredObject, shown


@pytest.fixture(params=["folder", "file", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """An empty storage of each kind that needs no server."""
    urls = {"folder": str(tmp_path / "s"), "file": f"file://{tmp_path}/s", "memory": f"memory://{uuid.uuid4().hex}/s"}
    return Storage.open(urls[request.param])


def names(storage: Storage, folder: str) -> list[str]:
    """Names below a folder."""
    return [found.name for found in storage.entries(folder)]


def test_nothing_is_there_at_first(storage: Storage) -> None:
    """An empty store has no objects, and reading or deleting one is no error."""
    assert storage.entries("a") == []
    assert storage.read("a/b") is None
    storage.delete(["a/b"])


def test_write_read_replace_delete(storage: Storage) -> None:
    """Objects are replaced whole, listed with size and time at any depth, and deleted with those that are gone."""
    storage.write("a/b/c", b"12345")
    storage.write("a/b/c", b"123")
    storage.write("a/d", b"")
    storage.write("ab", b"1")
    assert storage.read("a/b/c") == b"123"
    assert storage.read("a/d") == b""
    found = storage.entries("a")
    assert [(entry.name, entry.size) for entry in found] == [("a/b/c", 3), ("a/d", 0)]
    assert all(entry.changed_at and entry.changed_at > 1.7e9 for entry in found)
    storage.delete(["a/b/c", "a/x"])
    assert names(storage, "a") == ["a/d"]


def test_listing_while_others_delete(tmp_path: Path) -> None:
    """What vanishes while a folder is listed is passed over: leases come and go all the time."""
    storage = Storage.open(str(tmp_path))
    stop = threading.Event()

    def come_and_go() -> None:
        while not stop.is_set():
            storage.write("leases/x", b"1")
            storage.delete(["leases/x"])

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(come_and_go)
        for _ in range(300):
            assert {found.size for found in storage.entries("leases")} <= {0, 1}
        stop.set()
        done.result()


def test_create_is_won_once(storage: Storage) -> None:
    """Of several that create one name, one wins, and its bytes stay."""
    assert storage.create("m/1", b"first")
    assert not storage.create("m/1", b"second")
    assert storage.read("m/1") == b"first"
    assert names(storage, "m") == ["m/1"]


def test_one_of_many_threads_wins(tmp_path: Path) -> None:
    """In a folder, exactly one of many that create at the same moment wins, each time."""
    storage = Storage.open(str(tmp_path))
    together = threading.Barrier(8)

    def attempt(number: int) -> bool:
        together.wait()
        return storage.create("m/1", str(number).encode())

    for _ in range(20):
        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(attempt, range(8)))
        assert sum(won) == 1
        assert storage.read("m/1") == str(won.index(True)).encode()
        storage.delete(["m/1"])


def test_create_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a file system has no links, creating still has one winner."""

    def no_links(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    storage = Storage.open(str(tmp_path))
    assert storage.create("m/1", b"first")
    assert not storage.create("m/1", b"second")
    assert storage_module._create_in_place(tmp_path / "m" / "1", b"third") is False
    assert storage.read("m/1") == b"first"
    assert names(storage, "m") == ["m/1"]


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the disk becomes one of ours that says what to do."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage_module, "write_whole", full)
    with pytest.raises(DependencyError, match=r"cannot write a/b.*No space left") as error:
        Storage.open(str(tmp_path)).write("a/b", b"")
    assert "make room" in error.value.remedy


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ftp://user:pa@ss@host/x".replace("pa@ss", "pass"), "ftp://***@host/x"),
        ("s3://bucket/a@b", "s3://bucket/a@b"),
        ("/folder/a@b", "/folder/a@b"),
    ],
)
def test_no_password_is_shown(url: str, expected: str) -> None:
    """User and password of a URL are masked; an @ elsewhere is not."""
    assert shown(url) == expected


def test_errors_show_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver's message that repeats the URL is masked, too."""
    storage = Storage.open("memory://user:secret@host/x")

    def fails(*_: object, **__: object) -> None:
        raise OSError("cannot reach memory://user:secret@host/x/a")

    monkeypatch.setattr(storage._files, "cat_file", fails)
    with pytest.raises(DependencyError) as error:
        storage.read("a")
    assert "secret" not in str(error.value)
    assert "secret" not in storage.url


@pytest.mark.parametrize("url", ["nonsense://bucket/x"])
def test_unknown_scheme(url: str) -> None:
    """A scheme that nobody knows is the caller's mistake."""
    with pytest.raises(UsageError, match="nonsense"):
        Storage.open(url)


def test_missing_libraries() -> None:
    """S3 without its extra names the extra; another store names the library."""
    # In a process of its own: fsspec remembers file systems that earlier tests have loaded.
    code = """
import sys
from nitari.errors import ConfigurationError, MissingExtraError
from nitari.snapshots.storage import Storage
sys.modules["s3fs"] = sys.modules["gcsfs"] = None
for url in ("s3://bucket/x", "gs://bucket/x"):
    try:
        Storage.open(url)
    except (ConfigurationError, MissingExtraError) as error:
        print(type(error).__name__, error, error.remedy)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    s3, other = found.stdout.splitlines()
    assert s3.startswith("MissingExtraError")
    assert "s3://bucket/x" in s3
    assert "nitari[s3]" in s3
    assert other.startswith("ConfigurationError")
    assert "gcs" in other


def test_a_server_that_is_not_there() -> None:
    """Where opening connects at once, a failure is a dependency's, and without the password."""
    with pytest.raises(DependencyError, match=r"ftp://\*\*\*@127\.0\.0\.1:1/x: cannot connect"):
        Storage.open("ftp://user:secret@127.0.0.1:1/x")


def test_entries_are_values() -> None:
    """What a listing tells compares by value."""
    assert StoredObject("a", 1, None) == StoredObject("a", 1, None)
