"""Files that are there whole or not at all, whoever is killed while writing them."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

TEMPORARY = ".writing-"
"""What the names of files begin with that are not whole yet."""
ABANDONED_S = 3600.0
"""After this long without a write, whoever was writing such a file is dead."""


def write_whole(path: Path, data: bytes, *, durable: bool = True, modified_at: float | None = None) -> None:
    """Write beside the place and rename: a reader sees the whole file or none, and so does who comes after a kill.

    Only this user can read the file. Missing folders are made.

    Args:
        path: Where; a file that is there is replaced.
        data: What.
        durable: Whether a power cut after the return must lose nothing; it costs two flushes of the disk.
        modified_at: What the file's time of change shall say, seconds since 1970; now if not given.

    Raises:
        OSError: where the disk is full or the folder cannot be written; nothing of the file is left then.
    """
    _make_folder(path.parent, durable=durable)
    handle, name = tempfile.mkstemp(prefix=TEMPORARY, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        if modified_at is not None:
            os.utime(name, (modified_at, modified_at))
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a folder's entries survive a power cut; Windows has no such call and needs none."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_folder(folder: Path, *, durable: bool) -> None:
    """Make a folder and those above it, each entry flushed where it must last."""
    if folder.is_dir():
        return
    _make_folder(folder.parent, durable=durable)
    folder.mkdir(exist_ok=True)
    if durable:
        sync_folder(folder.parent)
