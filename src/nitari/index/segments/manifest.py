"""Manifests: what a collection's index consists of at a moment. One checksummed file, replaced whole.

The file is replaced, not a folder: replacing a file is atomic on POSIX and on Windows, while no system replaces a
folder that has something in it. So a kill at any point leaves the old manifest or the new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nitari.disk import sync_file, sync_folder
from nitari.errors import StateError
from nitari.index.seal import read_document, write_document

FORMAT = 1
MANIFEST_NAME = "manifest.json"
METRIC = "cosine"
_MAGIC = "nitari-manifest"
_WRITING = "tmp-manifest.json"


@dataclass(frozen=True, slots=True)
class Origin:
    """What an index was made of; one of another origin is not used.

    Args:
        collection: Name of the collection.
        dim: Width of its vectors.
        fingerprint: Of everything that shapes a vector, as the catalog has it.
        catalog: Identity of the catalog that it was derived from.
        metric: How distances are measured.
    """

    collection: str
    dim: int
    fingerprint: str
    catalog: str
    metric: str = METRIC


@dataclass(frozen=True, slots=True)
class SegmentEntry:
    """A sealed segment, as a manifest names it.

    Args:
        name: Its folder's name below ``segments``; never used twice.
        count: Its rows, dead ones included.
        seal: SHA-256 of its seal, which in turn names every file with its checksums.
    """

    name: str
    count: int
    seal: str


@dataclass(frozen=True, slots=True)
class TableEntry:
    """A saved table of items, as a manifest names it.

    Args:
        name: Its folder's name below ``tables``; never used twice.
        seq: The catalog change that it is up to date with.
        seal: SHA-256 of its seal.
    """

    name: str
    seq: int
    seal: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an index consists of.

    Args:
        origin: What it was made of.
        number: Counts up with each manifest of an index.
        seq: Each key of the collection at this catalog change is in one of the segments, or was new at that time.
        segments: Sealed segments; no key is in two of them.
        table: The saved table of items, ``None`` where there is none.
    """

    origin: Origin
    number: int = 0
    seq: int = 0
    segments: tuple[SegmentEntry, ...] = ()
    table: TableEntry | None = None

    @property
    def parts(self) -> tuple[SegmentEntry | TableEntry, ...]:
        """All that it names."""
        return (*self.segments, *([self.table] if self.table else []))


def read_manifest(folder: Path, origin: Origin) -> Manifest | None:
    """The manifest of an index's folder, ``None`` where there is none.

    Raises:
        StateError: damaged, of another version, or (code ``index-foreign``) of another origin.
    """
    path = folder / MANIFEST_NAME
    try:
        body = read_document(path, _MAGIC, FORMAT)
    except StateError as exc:
        if isinstance(exc.__cause__, FileNotFoundError):
            return None
        raise
    manifest = _parse(path, body)
    for name, wanted in asdict(origin).items():
        found = getattr(manifest.origin, name)
        if found != wanted:
            raise StateError(
                f"{path} has {name} {found!r}, expected {wanted!r}",
                remedy="nothing is lost: the index is rebuilt from the catalog",
                code="index-foreign",
            )
    return manifest


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Publish ``manifest``; everything that it names is there and synced. Only one process may do so at a time.

    Raises:
        OSError: the disk is full, or the like; the manifest before it stays published.
    """
    writing = folder / _WRITING
    write_document(writing, _MAGIC, FORMAT, asdict(manifest))
    sync_file(writing)
    writing.replace(folder / MANIFEST_NAME)
    sync_folder(folder)


def stamp(folder: Path) -> tuple[int, ...] | None:
    """Changes whenever a manifest is published, and costs one ``stat``; ``None`` where there is none."""
    try:
        found = (folder / MANIFEST_NAME).stat()
    except OSError:
        return None
    return (found.st_ino, found.st_mtime_ns, found.st_size)


def _parse(path: Path, body: Mapping[str, Any]) -> Manifest:
    try:
        table = body["table"]
        return Manifest(
            origin=Origin(**body["origin"]),
            number=int(body["number"]),
            seq=int(body["seq"]),
            segments=tuple(SegmentEntry(**entry) for entry in body["segments"]),
            table=None if table is None else TableEntry(**table),
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise StateError(f"{path} is not a manifest: {exc}", code="index-damaged") from exc
