"""Snapshots: an index on disk, so that a process serves at once and replays only what changed since.

A collection's folder holds ``00000007/`` (the snapshot: ``manifest.json`` and ``index/``), ``CURRENT`` (which one is
published, and its manifest's checksum) and ``lock``. A snapshot is written under a temporary name, synced, given its
number, synced, and then published by replacing ``CURRENT``. The file is replaced, not the folder: replacing a file is
atomic on POSIX and on Windows, while no system replaces a folder that has something in it, and Windows does not even
rename one in which a reader has a file open. So a kill at any point leaves the old snapshot or the new one.

Everything here is derived from the catalog: whoever gets a ``StateError`` rebuilds, and saves again.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nitari.disk import sync_folder
from nitari.errors import StateError
from nitari.index.base import VectorIndex
from nitari.index.seal import check_file, describe_file, read_document, write_document

FORMAT = 1
CURRENT_NAME = "CURRENT"
_LOCK_NAME = "lock"
_MANIFEST_NAME = "manifest.json"
_INDEX_NAME = "index"
_MANIFEST_MAGIC = "nitari-snapshot"
_CURRENT_MAGIC = "nitari-current"
_NUMBER = re.compile(r"\d{8}")
_TRIES = 5


@dataclass(frozen=True, slots=True)
class SnapshotHeader:
    """What a snapshot was made of; one that differs from what is expected is not used.

    Args:
        engine: The index engine (``exact``, ``faiss``).
        collection: Name of the collection.
        dim: Width of its vectors.
        fingerprint: Of everything that shapes a vector, as the catalog has it.
        catalog: Identity of the catalog that it was derived from.
        seq: In a snapshot, the last change that is in it; when loading, the catalog's last change (a snapshot from
            after that belongs to a catalog that was since restored from a backup).
        parameters: What the engine was built with; JSON values.
    """

    engine: str
    collection: str
    dim: int
    fingerprint: str
    catalog: str
    seq: int
    parameters: Mapping[str, Any] = field(default_factory=dict)


def save_snapshot(index: VectorIndex, folder: Path, *, header: SnapshotHeader) -> Path | None:
    """Write ``index`` into the collection's ``folder`` (made if need be) and publish it; older ones are removed.

    Nobody may write to the index meanwhile.

    Returns:
        The snapshot's folder; ``None`` where another process is saving at this moment, which will do.

    Raises:
        StateError: where the disk is full or the folder not writable. What was published before stays so.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder) as mine:
            return _save(index, folder, header) if mine else None
    except OSError as exc:
        raise StateError(
            f"snapshot in {folder} cannot be written: {exc}",
            remedy="make room or set permissions; until then every start rebuilds the index from the catalog",
            code="snapshot-write",
        ) from exc


def load_snapshot(index: VectorIndex, folder: Path, *, expected: SnapshotHeader) -> SnapshotHeader | None:
    """Fill ``index`` from the published snapshot, after every byte of it was checked.

    Returns:
        What the snapshot says of itself (go on from its ``seq``); ``None`` where there is none.

    Raises:
        StateError: where it is damaged, foreign, or of another format version. The index is as it was; rebuild it from
            the catalog. The snapshot is unpublished and set aside as ``rejected-*`` until the next one is saved,
            except one of another version, which is left to the program that wrote it.
    """
    for _ in range(_TRIES):
        published = _published(folder)
        if published is None:
            return None
        try:
            return _load(index, folder, expected)
        except StateError as exc:
            if _published(folder) != published:  # another process published a newer one and removed this one
                continue
            if exc.code != "index-version":
                _set_aside(folder, published)
            raise
    raise StateError(f"snapshot in {folder} changes faster than it can be read", code="snapshot-busy")


def _save(index: VectorIndex, folder: Path, header: SnapshotHeader) -> Path:
    """Write, publish, clean up; the lock is held."""
    number = 1 + max((int(path.name) for path in folder.iterdir() if _NUMBER.fullmatch(path.name)), default=0)
    final = folder / f"{number:08d}"
    temporary = folder / f"tmp-{final.name}"
    shutil.rmtree(temporary, ignore_errors=True)
    (temporary / _INDEX_NAME).mkdir(parents=True)
    index.save(temporary / _INDEX_NAME)
    files = {path.name: describe_file(path) for path in sorted((temporary / _INDEX_NAME).iterdir())}
    write_document(temporary / _MANIFEST_NAME, _MANIFEST_MAGIC, FORMAT, {"header": asdict(header), "files": files})
    manifest = describe_file(temporary / _MANIFEST_NAME)
    _sync_tree(temporary)
    temporary.rename(final)
    sync_folder(folder)
    pointer = folder / f"tmp-{CURRENT_NAME}"
    write_document(pointer, _CURRENT_MAGIC, FORMAT, {"name": final.name, "manifest": manifest})
    _sync_file(pointer)
    pointer.replace(folder / CURRENT_NAME)
    sync_folder(folder)
    _sweep(folder, keep=final.name)
    return final


def _load(index: VectorIndex, folder: Path, expected: SnapshotHeader) -> SnapshotHeader:
    """Check the chain CURRENT -> manifest -> files, compare the header, fill the index."""
    pointer = read_document(folder / CURRENT_NAME, _CURRENT_MAGIC, FORMAT)
    if not _NUMBER.fullmatch(str(pointer["name"])):
        raise StateError(f"{folder / CURRENT_NAME} names {pointer['name']!r}, expected 8 digits", code="index-damaged")
    snapshot = folder / str(pointer["name"])
    check_file(snapshot / _MANIFEST_NAME, pointer["manifest"])
    manifest = read_document(snapshot / _MANIFEST_NAME, _MANIFEST_MAGIC, FORMAT)
    header = SnapshotHeader(**manifest["header"])
    _compare(snapshot, header, expected)
    for name, described in manifest["files"].items():
        check_file(snapshot / _INDEX_NAME / name, described)
    index.load(snapshot / _INDEX_NAME)
    return header


def _compare(snapshot: Path, found: SnapshotHeader, expected: SnapshotHeader) -> None:
    """Raise a ``StateError`` that names the first thing that is not as expected."""
    wanted = asdict(expected)
    for name, value in asdict(found).items():
        if value != wanted[name] and not (name == "seq" and value < wanted[name]):
            raise StateError(
                f"snapshot {snapshot} has {name} {value!r}, expected {wanted[name]!r}",
                remedy="nothing is lost: the index is rebuilt from the catalog",
                code="snapshot-foreign",
            )


def _published(folder: Path) -> bytes | None:
    """The bytes of ``CURRENT``; ``None`` where nothing is published."""
    try:
        return (folder / CURRENT_NAME).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise StateError(f"{folder / CURRENT_NAME} cannot be read: {exc}", code="snapshot-read") from exc


def _set_aside(folder: Path, published: bytes) -> None:
    """Unpublish what could not be used, unless another process is at work here or has replaced it already."""
    with contextlib.suppress(OSError), _locked(folder) as mine:
        if not mine or _published(folder) != published:
            return
        (folder / CURRENT_NAME).unlink()
        for path in sorted(folder.iterdir()):
            if _NUMBER.fullmatch(path.name):
                shutil.rmtree(folder / f"rejected-{path.name}", ignore_errors=True)
                path.rename(folder / f"rejected-{path.name}")


def _sweep(folder: Path, *, keep: str) -> None:
    """Remove older snapshots and what killed processes left; what cannot be removed now goes next time."""
    for path in folder.iterdir():
        if path.name in {keep, CURRENT_NAME, _LOCK_NAME}:
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                path.unlink()


def _sync_tree(folder: Path) -> None:
    """Make all files and folders under ``folder`` survive a power cut."""
    for path in folder.rglob("*"):
        if path.is_dir():
            sync_folder(path)
        else:
            _sync_file(path)
    sync_folder(folder)


def _sync_file(path: Path) -> None:
    """Make a file's content survive a power cut (Windows syncs only what is open for writing)."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Hold the folder's lock; ``False`` where somebody else does. The system frees it when a process dies."""
    with (folder / _LOCK_NAME).open("a+b") as file:
        yield _lock(file.fileno())


def _lock(descriptor: int) -> bool:
    """Try to lock an open file until it is closed."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        if exc.errno in {errno.EACCES, errno.EAGAIN, errno.EDEADLK}:
            return False
        raise
    return True
