"""Homes to save, stores to save them to, and ways to hurt both."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nitari.catalog.base import Edit, ItemDelete
from nitari.catalog.schema import VERSION
from nitari.catalog.sql import FILE_NAME, SqlCatalog
from nitari.images.base import UPLOAD, Original
from nitari.images.cache import OriginalsCache
from nitari.snapshots.catalog_file import CatalogFacts, CatalogFile
from nitari.snapshots.chunks import Chunk
from nitari.snapshots.contents import Home
from nitari.snapshots.manifest import Manifest
from nitari.snapshots.repository import Repository
from nitari.snapshots.snapshots import Snapshots
from nitari.snapshots.storage import Storage
from support.catalogs import COLLECTION, photo, put, ready
from support.dump import dump_catalog

START = datetime(2026, 11, 1, tzinfo=UTC)


def edit(number: int) -> Edit:
    """The edit that makes change ``number`` of the catalogs here: puts, and some deletes of what is there."""
    if number % 7 == 0:
        return ItemDelete(f"i{(number - 1) % 40}")
    return put(f"i{number % 40}", photo(f"{number}.jpg", f"{number:064x}"), title=f"change {number}")


def edit_to(home: Path, last: int) -> Path:
    """Make a home whose catalog is at change ``last``, from whichever earlier one it is at."""
    with SqlCatalog.open(home / FILE_NAME) as catalog:
        ready(catalog)
        edits = [edit(number) for number in range(catalog.seq() + 1, last + 1)]
        assert catalog.apply(edits, collection=COLLECTION.name) == last
    return home


def upload(home: Path, item_id: str, data: bytes) -> str:
    """Keep an uploaded photo, and put an item that shows it. Returns the photo's digest."""
    digest = hashlib.sha256(data).hexdigest()
    OriginalsCache(home / "originals").put(Original(data, digest))
    with SqlCatalog.open(home / FILE_NAME) as catalog:
        ready(catalog)
        catalog.apply([put(item_id, photo(f"{UPLOAD}{digest}", digest))], collection=COLLECTION.name)
    return digest


def write_index(home: Path, *names: str, collection: str = "card") -> Path:
    """Publish an index that has these segments, beside one that nobody names (any more)."""
    folder = home / "index" / collection
    for name in (*names, "unnamed"):
        segment = folder / "segments" / name
        segment.mkdir(parents=True, exist_ok=True)
        (segment / "rows.npy").write_bytes(name.encode() * 1000)
        (segment / "readers.lock").touch()
    (folder / "tmp-0123").mkdir(exist_ok=True)
    (folder / "maintain.lock").touch()
    listed = ", ".join(f'{{"name": "{name}"}}' for name in names)
    (folder / "manifest.json").write_text(f'{{"segments": [{listed}]}}', "utf-8")
    return folder


def content_of(home: Path) -> dict[str, object]:
    """What a home's catalog holds."""
    with SqlCatalog.open(home / FILE_NAME) as catalog:
        return dump_catalog(catalog, collection=COLLECTION.name)


def seq_of(home: Path) -> int:
    """The last change of a home's catalog."""
    with SqlCatalog.open(home / FILE_NAME) as catalog:
        return catalog.seq()


def content_at(folder: Path, seq: int) -> dict[str, object]:
    """What a catalog that was made by ``edit_to`` holds at a change."""
    return content_of(edit_to(folder, seq))


def catalog_file(home: Path) -> CatalogFile:
    """A home's catalog, as snapshots see it."""
    return CatalogFile(home / FILE_NAME, opener=SqlCatalog.open, schema=VERSION)


def snapshots_of(home: Path, url: str | Storage, *, cards: Path | None = None) -> Snapshots:
    """The snapshots of a home at a URL, or in a storage."""
    storage = url if isinstance(url, Storage) else Storage.open(url)
    return Snapshots(
        repository=Repository(storage), home=Home(home, cards), catalog=catalog_file(home), version="0.1.0"
    )


def chunk_of(data: bytes) -> Chunk:
    """A chunk with this content."""
    return Chunk(hashlib.sha256(data).hexdigest(), len(data), len(data) + 1)


def manifest_of(
    number: int, *, seq: int = 0, oldest: int = 0, identity: str = "one", listing: Sequence[Chunk] = ()
) -> Manifest:
    """A manifest; snapshot ``number`` was taken that many days after ``START``."""
    return Manifest(
        number=number,
        at=START + timedelta(days=number),
        nitari="0.1.0",
        catalog=CatalogFacts(identity, VERSION, seq, oldest, START + timedelta(days=oldest) if oldest else None),
        parent=number - 1 or None,
        files=0,
        bytes=0,
        sent=0,
        listing=tuple(listing),
    )


class BrokenError(Exception):
    """What a broken storage raises: nothing that anybody expects, as a kill."""


class BreakingStorage(Storage):
    """A storage that breaks down at some write, as if the process were killed there."""

    def __init__(self, url: str, *, after: int) -> None:
        good = Storage.open(url)
        super().__init__(good._files, good._root, url)
        self.left = after

    def write(self, name: str, data: bytes) -> None:
        """Write, or break down."""
        self._count()
        super().write(name, data)

    def create(self, name: str, data: bytes) -> bool:
        """Create, or break down."""
        self._count()
        return super().create(name, data)

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise BrokenError
