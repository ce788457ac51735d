"""Thumbnails on disk, up to a size: what was not asked for the longest goes first."""

from __future__ import annotations

import hashlib
import logging
import math
import re
import threading
import time
from contextlib import suppress
from os import utime
from pathlib import Path

from nitari.disk import ABANDONED_S, TEMPORARY, find_files, write_whole

_NAME = re.compile(r"[0-9a-f]{64}-\d{1,5}")
# A file that is cut off, or blank after a power cut, must not be shown; nor one that another version made otherwise.
_SEAL_BYTES = 16
_SEAL_KEY = b"nitari thumbnail 1"
# Times of use need be no finer than this, so that most reads write nothing.
_USED_S = 3600.0
# Shares of the bound. The disk is looked at each time a tenth of it was written, and more than nine tenths are pruned
# to eight: listing the files is then paid for by many writes, and one process alone never goes beyond the bound.
_WRITTEN, _FULL, _PRUNED = 0.1, 0.9, 0.8
_BLOCK = 4096

_log = logging.getLogger(__name__)


class ThumbnailCache:
    """Files by name, ``xx/<name>.jpg``, each with a checksum after its end. Safe for several threads and processes.

    Nothing here is worth waiting for the disk: a file that is damaged, vanishes or cannot be written is made anew.
    Each process counts what it writes itself, so with several the files can outgrow ``max_bytes`` by a tenth for each
    further one.

    Args:
        folder: Made on the first write.
        max_bytes: Most disk space, bytes; 0 to keep nothing.
    """

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._room = 0.0  # bytes to write until the disk is looked at

    def get(self, name: str) -> bytes | None:
        """The JPEG of this name, ``None`` where it is not (or no longer whole) here."""
        path = self._path(name)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        data, seal = content[:-_SEAL_BYTES], content[-_SEAL_BYTES:]
        if seal != _seal(data):
            with suppress(OSError):  # another process was quicker, or the disk can only be read
                path.unlink()
            return None
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _USED_S:
                utime(path)
        return data

    def put(self, name: str, data: bytes) -> None:
        """Keep a JPEG, if that can be done."""
        path = self._path(name)
        if not self._max_bytes:
            return
        try:
            write_whole(path, data + _seal(data), durable=False)
        except OSError as exc:
            _log.warning("a thumbnail could not be cached", extra={"path": str(path), "reason": str(exc)})
            return
        with self._lock:
            self._room -= _on_disk(len(data) + _SEAL_BYTES)
            due = self._room <= 0
            if due:
                self._room = _WRITTEN * self._max_bytes
        if due:
            self._prune()

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name[:100]!r} is not the name of a thumbnail")
        return self._folder / name[:2] / f"{name}.jpg"

    def _prune(self) -> None:
        """Delete what killed writers left, and what is too much."""
        now = time.time()
        found = sorted(find_files(self._folder, "??/*"), key=lambda file: file.changed_at)
        total = sum(_on_disk(file.size) for file in found)
        enough = (_PRUNED if total > _FULL * self._max_bytes else math.inf) * self._max_bytes
        for file in found:
            abandoned = file.path.name.startswith(TEMPORARY) and now - file.changed_at > ABANDONED_S
            if abandoned or total > enough:
                with suppress(OSError):
                    file.path.unlink(missing_ok=True)
                    total -= _on_disk(file.size)


def _seal(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_SEAL_BYTES, key=_SEAL_KEY).digest()


def _on_disk(size: int) -> int:
    """What a file takes: whole blocks."""
    return math.ceil(size / _BLOCK) * _BLOCK
