"""Files that are there whole or not at all, whoever is killed while writing them, and what they take on disk."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TEMPORARY = ".writing-"
"""What the names of files begin with that are not whole yet."""
ABANDONED_S = 3600.0
"""After this long without a write, whoever was writing such a file is dead."""


@dataclass(frozen=True, slots=True)
class Usage:
    """How much something takes on disk.

    Args:
        files: How many.
        bytes: Their size, bytes.
    """

    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file as it was a moment ago.

    Args:
        path: Where.
        size: Bytes.
        changed_at: When its content or its time was last set, seconds since 1970.
    """

    path: Path
    size: int
    changed_at: float


def find_files(folder: Path, pattern: str = "**/*") -> Iterator[FoundFile]:
    """The files below a folder (none if there is no such folder); those that vanish meanwhile are left out."""
    # glob gives up where a folder vanishes while it looks; walk passes it over.
    everything = (Path(parent, name) for parent, _, names in os.walk(folder) for name in names)
    for path in everything if pattern == "**/*" else folder.glob(pattern):
        try:
            found = path.stat()
        except OSError:
            continue
        if stat.S_ISREG(found.st_mode):
            yield FoundFile(path, found.st_size, found.st_mtime)


def usage(folder: Path) -> Usage:
    """What all files below a folder take."""
    sizes = [found.size for found in find_files(folder)]
    return Usage(len(sizes), sum(sizes))


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


def sync_file(path: Path) -> None:
    """Make a file's content survive a power cut (Windows syncs only what is open for writing)."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def reserve(path: Path) -> None:
    """Have all of a file on disk that was made with holes in it.

    Writing into a memory map of a hole on a full disk ends the process without a word; this raises before.

    Raises:
        OSError: the disk is full.
    """
    if hasattr(os, "posix_fallocate"):  # elsewhere (macOS, Windows) there is no such call
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)


def sync_tree(folder: Path) -> None:
    """Make all files and folders under ``folder``, and itself, survive a power cut."""
    for path in folder.rglob("*"):
        if path.is_dir():
            sync_folder(path)
        else:
            sync_file(path)
    sync_folder(folder)


def _make_folder(folder: Path, *, durable: bool) -> None:
    """Make a folder and those above it, each entry flushed where it must last."""
    if folder.is_dir():
        return
    _make_folder(folder.parent, durable=durable)
    folder.mkdir(exist_ok=True)
    if durable:
        sync_folder(folder.parent)
