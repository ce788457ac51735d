"""Originals on disk: whole or absent, checked when read, pruned by what is still used."""

from __future__ import annotations

import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nitari.errors import UsageError
from nitari.images.base import NotModified, Original, Validators
from nitari.images.cache import CachingSource, OriginalsCache, Usage


def original(data: bytes) -> Original:
    """An original with its true digest."""
    return Original(data, hashlib.sha256(data).hexdigest())


def test_what_is_put_can_be_had(tmp_path: Path) -> None:
    """Bytes come back by digest, from another object and process too; unknown digests give nothing."""
    kept, other = original(b"a"), original(b"b")
    OriginalsCache(tmp_path / "cache").put(kept)
    assert OriginalsCache(tmp_path / "cache").get(kept.digest) == b"a"
    assert OriginalsCache(tmp_path / "cache").get(other.digest) is None
    assert OriginalsCache(tmp_path / "nowhere").get(other.digest) is None


@pytest.mark.parametrize("damage", [b"", b"A", b"a and more"])
def test_damaged_files_are_dropped(tmp_path: Path, damage: bytes) -> None:
    """A file whose bytes are not those of its name is deleted, and can be put again."""
    cache, kept = OriginalsCache(tmp_path), original(b"a")
    cache.put(kept)
    (path,) = (path for path in tmp_path.rglob("*") if path.is_file())
    path.write_bytes(damage)
    assert cache.get(kept.digest) is None
    assert not path.exists()
    cache.put(kept)
    assert cache.get(kept.digest) == b"a"


def test_a_digest_is_no_path(tmp_path: Path) -> None:
    """Only a digest names a file."""
    for text in ("../../etc/passwd", "", "A" * 64, "0" * 63):
        with pytest.raises(UsageError):
            OriginalsCache(tmp_path).get(text)


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk fails before the rename, neither the original nor a temporary file is there."""

    def fail(_handle: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    cache, kept = OriginalsCache(tmp_path), original(b"a")
    with pytest.raises(OSError, match="disk full"):
        cache.put(kept)
    assert cache.get(kept.digest) is None
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_prune(tmp_path: Path) -> None:
    """What no item uses goes, and what killed writers left; what another writer is writing stays."""
    cache = OriginalsCache(tmp_path)
    kept = [original(bytes([i]) * 10) for i in range(5)]
    for one in kept:
        cache.put(one)
    folder = next(path for path in tmp_path.rglob("*") if path.is_file()).parent
    fresh, old = folder / ".writing-fresh", folder / ".writing-old"
    for path in (fresh, old):
        path.write_bytes(b"x" * 7)
    os.utime(old, (time.time() - 10_000,) * 2)
    assert cache.usage() == Usage(5, 50)
    assert cache.prune({kept[0].digest, kept[1].digest}) == Usage(4, 37)
    assert cache.usage() == Usage(2, 20)
    assert cache.get(kept[0].digest) == kept[0].data
    assert fresh.exists()
    assert not old.exists()


def test_many_writers(tmp_path: Path) -> None:
    """Threads that write the same originals at once leave each whole, once."""
    cache, kept = OriginalsCache(tmp_path), [original(bytes([i]) * 1000) for i in range(8)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(cache.put, kept * 4))
    assert cache.usage() == Usage(8, 8000)
    assert all(cache.get(one.digest) == one.data for one in kept)


class Fixed:
    """A source that always says the same."""

    def __init__(self, outcome: Original | NotModified) -> None:
        self.outcome = outcome
        self.closed = False

    def fetch(self, link: str, *, known: Validators | None = None) -> Original | NotModified:
        """The same as always."""
        return self.outcome

    def close(self) -> None:
        """Remember it."""
        self.closed = True


def test_caching_source_keeps_what_it_fetches(tmp_path: Path) -> None:
    """An original is kept on its way through; an unchanged one passes."""
    cache, kept = OriginalsCache(tmp_path), original(b"a")
    inner = Fixed(kept)
    source = CachingSource(inner, cache)
    assert source.fetch("x") is kept
    assert cache.get(kept.digest) == b"a"
    inner.outcome = NotModified()
    assert source.fetch("x", known=Validators("1")) is inner.outcome
    source.close()
    assert inner.closed


def test_a_cache_that_cannot_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A full disk costs the cache, not the photo, and is logged."""
    (tmp_path / "file").write_bytes(b"")
    kept = original(b"a")
    assert CachingSource(Fixed(kept), OriginalsCache(tmp_path / "file")).fetch("x") is kept
    assert "could not be cached" in caplog.text
