"""Originals kept on disk by digest, so that embedding again with another model fetches nothing."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import tempfile
import time
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path

from nitari.errors import UsageError
from nitari.images.base import ImageSource, NotModified, Original, Validators

_DIGEST = re.compile(r"[0-9a-f]{64}")
_TEMPORARY = ".writing-"
_ABANDONED_S = 3600.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Usage:
    """How much something takes on disk.

    Args:
        files: How many.
        bytes: Their size, bytes.
    """

    files: int
    bytes: int


class OriginalsCache:
    """Files named by the SHA-256 of their content, in two levels of folders. Safe for several threads and processes.

    A file is written beside its place, flushed to the disk and renamed, so that there is a whole one or none. Reads
    check the digest: a file that was damaged later is deleted, as if it had never been there.

    Args:
        folder: Made on the first write.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, digest: str) -> bytes | None:
        """The original with this digest, ``None`` where it is not (or no longer whole) here."""
        path = self._path(digest)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        if hashlib.sha256(data).hexdigest() == digest:
            return data
        _log.warning("a cached original was damaged and is dropped", extra={"digest": digest})
        path.unlink(missing_ok=True)
        return None

    def put(self, original: Original) -> None:
        """Keep an original; nothing is written if it is here already.

        Raises:
            OSError: where the disk is full or the folder cannot be written.
        """
        path = self._path(original.digest)
        try:
            if path.stat().st_size == len(original.data):
                return
        except OSError:
            pass  # not there yet
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=_TEMPORARY, dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(original.data)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def usage(self) -> Usage:
        """How much is kept."""
        sizes = [size for _path, size, _age in self._files() if not _path.name.startswith(_TEMPORARY)]
        return Usage(len(sizes), sum(sizes))

    def prune(self, live: Container[str]) -> Usage:
        """Delete every original whose digest is not in ``live``, and what killed writers left. Returns what went."""
        files = freed = 0
        for path, size, age in self._files():
            abandoned = path.name.startswith(_TEMPORARY) and age > _ABANDONED_S
            if abandoned or (_DIGEST.fullmatch(path.name) and path.name not in live):
                path.unlink(missing_ok=True)
                files, freed = files + 1, freed + size
        return Usage(files, freed)

    def _path(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise UsageError(f"{digest[:80]!r} is not a SHA-256 digest in hex")
        return self._folder / digest[:2] / digest[2:4] / digest

    def _files(self) -> Iterator[tuple[Path, int, float]]:
        """Every file with its size in bytes and its age in seconds; those that vanish meanwhile are left out."""
        now = time.time()
        for path in self._folder.glob("??/??/*"):
            try:
                found = path.stat()
            except OSError:
                continue
            yield path, found.st_size, now - found.st_mtime


class CachingSource:
    """Keeps what another source fetches. A cache that cannot be written costs nothing but the cache.

    Args:
        source: The source that fetches.
        cache: Where its originals are kept.
    """

    def __init__(self, source: ImageSource, cache: OriginalsCache) -> None:
        self._source = source
        self._cache = cache

    def fetch(self, link: str, *, known: Validators | None = None) -> Original | NotModified:
        """As the source does."""
        outcome = self._source.fetch(link, known=known)
        if isinstance(outcome, Original):
            try:
                self._cache.put(outcome)
            except OSError as exc:
                _log.warning("an original could not be cached", extra={"link": link, "reason": str(exc)})
        return outcome

    def close(self) -> None:
        """Close the source."""
        self._source.close()
