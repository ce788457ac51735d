"""Restoring: a snapshot becomes a new home, whole or not at all."""

from __future__ import annotations

import glob
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from nitari.disk import sync_folder, sync_tree
from nitari.errors import DependencyError, UsageError
from nitari.snapshots.chunks import Chunk
from nitari.snapshots.contents import SETTINGS
from nitari.snapshots.flow import in_order
from nitari.snapshots.manifest import File
from nitari.snapshots.repository import Repository

RESTORING = ".restoring-"
# What the disk must have beyond the files: a journal, folders.
_ROOM = 1.05
# A half-written home that is older than this belongs to no restore any more.
_LEFT_S = 24 * 3600.0

Progress = Callable[[int], None]


def check_target(into: Path) -> None:
    """A home is only restored to where nothing is.

    Raises:
        UsageError: there is something.
    """
    if into.is_symlink() or (into.exists() and not into.is_dir()) or (into.is_dir() and any(into.iterdir())):
        raise UsageError(
            f"{into} is not empty, and a snapshot is only restored into a new home",
            remedy="give a folder that does not exist yet with --into; move the old home away to take its place",
            code="snapshot-target",
        )


@contextmanager
def new_home(into: Path, size: int) -> Iterator[Path]:
    """A folder beside ``into`` that becomes it at the end of the ``with`` statement, every file synced.

    Args:
        into: The home; absent or empty.
        size: Of what will be written, bytes.

    Raises:
        DependencyError: the disk has no room, or cannot be written; nothing is left then.
    """
    with _disk(into):
        into.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(into.parent).free
        if free < _ROOM * size:
            raise DependencyError(
                f"{into.parent} has {free / 2**20:,.0f} MiB free, the snapshot needs {_ROOM * size / 2**20:,.0f}",
                remedy="make room, or give a folder on another disk with --into",
                code="disk",
            )
        _sweep(into)
        beside = Path(tempfile.mkdtemp(prefix=f"{RESTORING}{into.name}-", dir=into.parent))
    try:
        yield beside
        with _disk(into):
            sync_tree(beside)
            _open_to_all(beside)
            check_target(into)
            with suppress(FileNotFoundError):
                into.rmdir()
            beside.rename(into)
            sync_folder(into.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def fetch(repository: Repository, files: Sequence[File], folder: Path, *, on_progress: Progress | None = None) -> None:
    """Write files into a folder, each chunk checked by its SHA-256.

    Raises:
        StateError: ``chunk-missing`` or ``chunk-damaged``.
        DependencyError: the store does not answer, or the disk is full.
    """

    def wanted() -> Iterator[tuple[File, Chunk]]:
        for file in files:
            for chunk in file.chunks:
                yield file, chunk

    # Each file appears with its first chunk; those that have none are made here.
    with _disk(folder):
        for file in files:
            path = folder / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            if not file.chunks:
                path.touch()
    done: File | None = None
    for file, data in in_order(lambda given: (given[0], repository.content(given[1])), wanted()):
        with _disk(folder), (folder / file.path).open("ab" if file is done else "wb") as output:
            if file is not done and file.path == SETTINGS:
                (folder / file.path).chmod(0o600)  # it may hold a token
            output.write(data)
        done = file
        if on_progress is not None:
            on_progress(len(data))


def _sweep(into: Path) -> None:
    """Remove what killed restores of the same home left."""
    for folder in into.parent.glob(f"{RESTORING}{glob.escape(into.name)}-*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > _LEFT_S:
                shutil.rmtree(folder, ignore_errors=True)


def _open_to_all(folder: Path) -> None:
    """Give the new folder the rights that any new folder gets here; temporary ones are for one user alone."""
    umask = os.umask(0)
    os.umask(umask)
    folder.chmod(0o777 & ~umask)


@contextmanager
def _disk(where: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise DependencyError(
            f"{where} cannot be written: {exc.strerror or exc}",
            remedy="make room or let this user write there, then run the command again",
            code="disk",
        ) from exc
