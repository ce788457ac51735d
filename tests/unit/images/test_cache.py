"""Originals on disk: whole or absent, checked when read, pruned by what is still used."""

from __future__ import annotations

import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nitari.disk import Usage
from nitari.errors import UsageError
from nitari.images.base import NotModified, Original, Validators
from nitari.images.cache import GRACE_S, CachingSource, OriginalsCache


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


def unused(path: Path) -> None:
    """Make a file look as if nobody had used it for longer than it is left alone."""
    os.utime(path, (time.time() - 2 * GRACE_S,) * 2)


def put_unused(folder: Path, kept: Original) -> Path:
    """Put an original that was last used long ago. Returns its path."""
    OriginalsCache(folder).put(kept)
    (path,) = folder.rglob(kept.digest)
    unused(path)
    return path


def test_prune(tmp_path: Path) -> None:
    """What no item uses goes, and what killed writers left; what another writer is writing stays."""
    cache = OriginalsCache(tmp_path)
    kept = [original(bytes([i]) * 10) for i in range(5)]
    paths = [put_unused(tmp_path, one) for one in kept]
    fresh, old, foreign = (paths[0].with_name(name) for name in (".writing-fresh", ".writing-old", "notes.txt"))
    for path in (fresh, old, foreign):
        path.write_bytes(b"x" * 7)
    unused(old)
    unused(foreign)
    assert cache.usage() == Usage(5, 50)
    assert cache.prune({kept[0].digest, kept[1].digest}) == Usage(4, 37)
    assert cache.usage() == Usage(2, 20)
    assert cache.get(kept[0].digest) == kept[0].data
    assert {path.name for path in fresh.parent.iterdir() if path.is_file()} == {
        kept[0].digest,
        fresh.name,
        foreign.name,
    }


@pytest.mark.parametrize("use", ["put", "get"])
def test_prune_leaves_what_was_just_used(tmp_path: Path, use: str) -> None:
    """An edit that has put or found an original may be about to name it, however old the file is."""
    cache, kept = OriginalsCache(tmp_path), original(b"a")
    put_unused(tmp_path, kept)
    if use == "put":
        cache.put(kept)
    else:
        assert cache.get(kept.digest)
    assert cache.prune(set()) == Usage(0, 0)
    assert cache.get(kept.digest) == b"a"


def test_a_use_while_pruning_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An original that is used after the pruning looked at it, and before it went, comes back."""
    cache, kept = OriginalsCache(tmp_path), original(b"a")
    put_unused(tmp_path, kept)
    replace = Path.replace

    def use_first(path: Path, target: Path) -> Path:
        if path.name == kept.digest:
            cache.put(kept)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", use_first)
    assert cache.prune(set()) == Usage(0, 0)
    assert cache.get(kept.digest) == b"a"


def test_a_pruning_that_was_killed(tmp_path: Path) -> None:
    """What it had moved aside comes back where an item refers to it, and goes where none does."""
    cache, live, dead = OriginalsCache(tmp_path), original(b"live"), original(b"dead")
    for one in (live, dead):
        path = put_unused(tmp_path, one)
        path.replace(path.with_name(f".pruning-{one.digest}"))
    assert cache.usage() == Usage(0, 0)
    assert cache.prune({live.digest}) == Usage(1, 4)
    assert cache.get(live.digest) == b"live"
    assert cache.usage() == Usage(1, 4)


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
