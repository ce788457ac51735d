"""Originals kept on disk by digest, so that embedding again with another model fetches nothing."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import time
from collections.abc import Container, Iterator
from contextlib import suppress
from pathlib import Path

from nitari.disk import ABANDONED_S, TEMPORARY, FoundFile, Usage, find_files, write_whole
from nitari.errors import UsageError
from nitari.images.base import ImageSource, NotModified, Original, Validators

GRACE_S = 3600.0
"""How long an original that no item refers to is left alone after its last use: an edit may be about to name it."""
# Times of use need be no finer than this, so that most uses write nothing.
_USED_S = GRACE_S / 6
_DIGEST = re.compile(r"[0-9a-f]{64}")
_ASIDE = ".pruning-"
_log = logging.getLogger(__name__)


class OriginalsCache:
    """Files named by the SHA-256 of their content, in two levels of folders. Safe for several threads and processes.

    There is a whole file or none, and what was put outlives a power cut. Reads check the digest: a file that was
    damaged later is deleted, as if it had never been there.

    Args:
        folder: Made on the first write.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, digest: str) -> bytes | None:
        """The original with this digest, ``None`` where it is not (or no longer whole) here."""
        path = self._path(digest)
        try:
            _use(path)  # before it is read, see prune
            data = path.read_bytes()
        except OSError:
            return None
        if hashlib.sha256(data).hexdigest() == digest:
            return data
        _log.warning("a cached original was damaged and is dropped", extra={"digest": digest})
        path.unlink(missing_ok=True)
        return None

    def locate(self, digest: str) -> Path | None:
        """Where the original with this digest lies, ``None`` where it is not here. What is in it is not looked at."""
        path = self._path(digest)
        return path if path.is_file() else None

    def put(self, original: Original) -> None:
        """Keep an original; nothing is written if it is here already.

        Raises:
            OSError: where the disk is full or the folder cannot be written.
        """
        path = self._path(original.digest)
        try:
            if path.stat().st_size == len(original.data):
                _use(path)
                return
        except OSError:
            pass  # not there yet
        write_whole(path, original.data)

    def usage(self) -> Usage:
        """How much is kept."""
        sizes = [found.size for found in self._files() if _DIGEST.fullmatch(found.path.name)]
        return Usage(len(sizes), sum(sizes))

    def prune(self, live: Container[str]) -> Usage:
        """Delete originals whose digest is not in ``live``, and what killed writers left. Returns what went.

        An original that was put or read in the last ``GRACE_S`` stays. Each is moved aside before it is deleted, and
        its time looked at again there: a use before the move is seen and brings it back; one after the move finds
        nothing, and puts it anew.
        """
        files = freed = 0
        for found in self._files():
            with suppress(OSError):  # another process was quicker, or has the file open (Windows)
                if self._drop(found, live):
                    files, freed = files + 1, freed + found.size
        return Usage(files, freed)

    def _drop(self, found: FoundFile, live: Container[str]) -> bool:
        """Delete a file that is of no use. Returns whether it was."""
        path, digest = found.path, found.path.name.removeprefix(_ASIDE)
        if path.name.startswith(TEMPORARY):
            abandoned = time.time() - found.changed_at > ABANDONED_S
            if abandoned:
                path.unlink()
            return abandoned
        if not _DIGEST.fullmatch(digest):
            return False
        aside = path.with_name(_ASIDE + digest)
        if path != aside:  # else a killed pruning left it, to be decided on again
            if _is_used(digest, found.changed_at, live):
                return False
            path.replace(aside)
        if _is_used(digest, aside.stat().st_mtime, live):
            aside.replace(path.with_name(digest))
            return False
        aside.unlink()
        return True

    def _path(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise UsageError(f"{digest[:80]!r} is not a SHA-256 digest in hex")
        return self._folder / digest[:2] / digest[2:4] / digest

    def _files(self) -> Iterator[FoundFile]:
        return find_files(self._folder, "??/??/*")


def _use(path: Path) -> None:
    """Note that an original is used now.

    Raises:
        FileNotFoundError: where it is not there.
    """
    if time.time() - path.stat().st_mtime > _USED_S:
        with suppress(PermissionError):  # a disk that can only be read is never pruned either
            os.utime(path)


def _is_used(digest: str, used_at: float, live: Container[str]) -> bool:
    return digest in live or time.time() - used_at <= GRACE_S


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
