"""Query photos that shoppers asked to keep, in a folder: private files that expire."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from nitari.disk import ABANDONED_S, TEMPORARY, find_files, write_whole
from nitari.errors import DependencyError, NotFoundError, StateError, UsageError
from nitari.images.base import Decoder
from nitari.server.reencode import reencode
from nitari.server.services import KeptPhoto, Picture

LONGEST = 2048
"""Longest side of a kept photo, pixels: enough for any region of it to fill a network."""
QUALITY = 95
_ID = re.compile(r"[A-Za-z0-9_-]{22}")
_ID_BYTES = 16
_SUFFIX = ".jpg"
_DAY_S = 86_400.0
_PRIVATE = 0o700

_log = logging.getLogger(__name__)


class FolderQueryPhotos:
    """The ``QueryPhotos`` port: ``folder/<photo_id>.jpg``. A file's time of change is when it was kept.

    So a shorter ``days`` holds for photos that are kept already, and a copy of the folder must keep its times.

    Args:
        folder: Made on the first write, for this user alone.
        decoder: Bytes to photo.
        days: How long a photo is kept; 0 to keep none.
        most: Most photos; the oldest go first. 0 to keep none.
        clock: Seconds since 1970.
    """

    def __init__(
        self, *, folder: Path, decoder: Decoder, days: int, most: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._folder = folder
        self._decoder = decoder
        self._days = days
        self._most = most
        self._clock = clock

    def keep(self, data: bytes) -> KeptPhoto:
        """As the port says.

        Raises:
            ImageError: not a usable photo.
            UsageError: code ``query-photos-off``.
            DependencyError: the disk is full or cannot be written.
        """
        if not self._days or not self._most:
            raise UsageError(
                "this server keeps no query photos",
                remedy="search without keeping the photo, or set server.query_photo_days and server.query_photos",
                code="query-photos-off",
            )
        made = reencode(self._decoder, data, longest=LONGEST, quality=QUALITY)
        photo_id, now = secrets.token_urlsafe(_ID_BYTES), self._clock()
        try:
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            self._folder.mkdir(mode=_PRIVATE, exist_ok=True)
            self._folder.chmod(_PRIVATE)
            write_whole(self._folder / f"{photo_id}{_SUFFIX}", made, modified_at=now)
        except OSError as exc:
            raise DependencyError(
                f"the query photo could not be kept: {exc.strerror or exc}",
                remedy=f"make room or let this user write in {self._folder}",
                code="disk",
            ) from exc
        self._make_room()
        return KeptPhoto(photo_id, datetime.fromtimestamp(now + self._days * _DAY_S, UTC))

    def get(self, photo_id: str) -> Picture:
        """As the port says.

        Raises:
            NotFoundError: there is none of this id, or it has expired.
            StateError: the file is there and cannot be read.
        """
        path = self._path(photo_id)
        try:
            if self._expired(path.stat().st_mtime):
                raise _unknown(photo_id)
            return Picture(path.read_bytes(), photo_id)
        except FileNotFoundError as exc:
            raise _unknown(photo_id) from exc
        except OSError as exc:
            raise _unusable(path, exc) from exc

    def forget(self, photo_id: str) -> None:
        """As the port says.

        Raises:
            NotFoundError: as ``get``.
            StateError: the file cannot be deleted.
        """
        path = self._path(photo_id)
        try:
            expired = self._expired(path.stat().st_mtime)
            path.unlink()
        except FileNotFoundError as exc:
            raise _unknown(photo_id) from exc
        except OSError as exc:
            raise _unusable(path, exc) from exc
        if expired:
            raise _unknown(photo_id)

    def prune(self) -> int:
        """Delete what has expired, what is more than is kept, and what killed writers left. Returns how many photos."""
        kept = sorted(self._photos(), reverse=True)
        gone = [path for rank, (kept_at, path) in enumerate(kept) if rank >= self._most or self._expired(kept_at)]
        return sum(_delete(path) for path in gone)

    def _make_room(self) -> None:
        """Prune where there are too many; names are counted quickly, and what has expired is not shown anyway."""
        if sum(1 for _ in self._folder.glob("*")) > self._most:
            self.prune()

    def _path(self, photo_id: str) -> Path:
        """Where a photo lies; nothing but an id of ours ever becomes a path."""
        if not _ID.fullmatch(photo_id):
            raise _unknown(photo_id)
        return self._folder / f"{photo_id}{_SUFFIX}"

    def _expired(self, kept_at: float) -> bool:
        return self._clock() >= kept_at + self._days * _DAY_S

    def _photos(self) -> Iterator[tuple[float, Path]]:
        """Every photo, with when it was kept; what killed writers left is deleted on the way."""
        for found in find_files(self._folder, "*"):
            path = found.path
            if path.name.startswith(TEMPORARY) and time.time() - found.changed_at > ABANDONED_S:
                _delete(path)
            elif path.suffix == _SUFFIX and _ID.fullmatch(path.stem):
                yield found.changed_at, path


def _delete(path: Path) -> bool:
    """Whether a file was there and is gone; one that will not go is tried again at the next pruning."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as exc:
        _log.warning("a query photo could not be deleted", extra={"path": str(path), "reason": str(exc)})
        return False
    return True


def _unknown(photo_id: str) -> NotFoundError:
    return NotFoundError(
        f"query photo {photo_id[:40]!r} is not kept here, or no longer", remedy="search with the photo itself again"
    )


def _unusable(path: Path, exc: OSError) -> StateError:
    return StateError(
        f"query photo {path} cannot be used: {exc.strerror or exc}", remedy="let this user read and write the folder"
    )
