"""Locks of files between processes: who maintains, and which folders somebody reads.

A lock belongs to an open file, so the system frees it when its process dies, however it dies. Local disks only:
network file systems differ in what they promise.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from nitari.errors import StateError

READERS_NAME = "readers.lock"
"""The file in a folder that its readers hold a lock of."""
_TAKEN = frozenset({errno.EACCES, errno.EAGAIN, errno.EDEADLK})


class Lease:
    """A held lock; ``release`` it, or use it in a ``with`` statement."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Let go of it; doing so twice is harmless."""
        self._file.close()


def take(path: Path) -> Lease | None:
    """The lock of the file at ``path`` (made if need be), for this holder alone; ``None`` where somebody has it."""
    file = path.open("a+b")
    if _lock(file, shared=False):
        return Lease(file)
    file.close()
    return None


def hold_folder(folder: Path) -> Lease:
    """Keep ``folder`` from being removed while it is read. Any number of readers may.

    Raises:
        StateError: the folder is gone or on its way out (code ``index-gone``): look for the newest one again.
    """
    path = folder / READERS_NAME
    try:
        file = path.open("rb")
    except OSError as exc:
        raise _gone(folder) from exc
    try:
        # Between opening and locking the folder may have been taken away: then the lock is that of a dead file.
        if _lock(file, shared=True) and os.path.samestat(os.fstat(file.fileno()), path.stat()):
            return Lease(file)
    except OSError as exc:
        file.close()
        raise _gone(folder) from exc
    file.close()
    raise _gone(folder)


def remove_unread(folder: Path, trash: Path) -> bool:
    """Move ``folder`` to ``trash`` unless somebody reads it. Returns whether it was moved."""
    try:
        file = (folder / READERS_NAME).open("rb")
    except FileNotFoundError:  # was never whole: nobody can read it
        folder.rename(trash)
        return True
    with file:
        if not _lock(file, shared=False):
            return False
        if sys.platform == "win32":
            file.close()  # Windows moves no folder with open files in it: its own check, which includes memory maps
        try:
            folder.rename(trash)
        except PermissionError:
            return False
    return True


def _gone(folder: Path) -> StateError:
    return StateError(
        f"{folder} is gone or about to be removed",
        remedy="open the index again: a newer one is there",
        code="index-gone",
    )


def _lock(file: BinaryIO, *, shared: bool) -> bool:
    """Try to lock an open file until it is closed; ``False`` where somebody else's lock is in the way."""
    try:
        if sys.platform == "win32":
            import msvcrt

            # There are no shared locks; a folder that is read is kept by its open and mapped files there.
            if not shared:
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as exc:
        if exc.errno in _TAKEN:
            return False
        raise
    return True
