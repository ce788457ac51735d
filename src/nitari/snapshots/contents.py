"""What of a home belongs to a snapshot, and how it is held still while it travels.

Saved: the catalog; uploaded photos, of which there is no other copy; model cards and judgments of one's own; the
settings file (a token in it included: keep the snapshots where you would keep that); sealed index files, so that a
restored home serves at once. Not saved: what is made anew (thumbnails, converted networks, photos from the web unless
asked for), jobs, and query photos that shoppers asked to keep: those are promised to expire, which a copy would not.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

from nitari.disk import TEMPORARY, find_files
from nitari.errors import DependencyError
from nitari.snapshots.catalog_file import CatalogFacts, CatalogFile
from nitari.snapshots.chunks import CHUNK_BYTES, PAGES_BYTES
from nitari.snapshots.manifest import CATALOG

CARDS, JUDGMENTS, ORIGINALS, INDEX, SETTINGS = "cards", "judgments", "originals", "index", "nitari.toml"
STAGING = ".snapshot-"
# In the folder of an index: what is published, the folders of immutable parts that it names (each name is used once),
# and the file by which readers hold a part, which must be there but is nobody's once it was copied.
_MANIFEST, _PARTS, _READERS = "manifest.json", ("segments", "tables"), "readers.lock"
_TRIES = 20
# A copy in the home that is older than this belongs to no save any more: a first one may take hours.
_LEFT_S = 24 * 3600.0

_log = logging.getLogger(__name__)


class Photos(Enum):
    """Which kept originals go into a snapshot."""

    UPLOADS = "uploads"
    """Those that came with an edit: nobody else has them."""
    ALL = "all"
    """Those from the web, too: a new model can then be used even where a link has died."""


@dataclass(frozen=True, slots=True)
class Content:
    """A file that is to be saved.

    Args:
        path: In the snapshot, with ``/``.
        source: Where it lies.
        digest: SHA-256 of its content, where its name promises that.
        fixed: Whether a file of this path and size has the same content always.
        piece: Size of the pieces that it is cut into, bytes.
    """

    path: str
    source: Path
    digest: str | None = None
    fixed: bool = False
    piece: int = CHUNK_BYTES


@dataclass(frozen=True, slots=True)
class Contents:
    """All that is to be saved.

    Args:
        at: A moment before the catalog was copied; every change until then is in the copy.
        facts: What the copied catalog says of itself.
        files: The files.
        uploads: Digests of uploaded photos that the catalog names.
        missing: Those of them that the home does not have.
    """

    at: datetime
    facts: CatalogFacts
    files: tuple[Content, ...]
    uploads: frozenset[str]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Home:
    """Where the files of a home are.

    Args:
        folder: The home.
        cards: The folder of the user's own model cards, wherever it is.
    """

    folder: Path
    cards: Path | None = None

    @contextmanager
    def gathered(self, catalog: CatalogFile, *, photos: Photos, tick: Callable[[], None]) -> Iterator[Contents]:
        """What to save, held still until the end of the ``with`` statement, while others write on.

        Index files come first: they must not know changes that the catalog's copy does not.

        Args:
            catalog: The home's.
            photos: Which originals.
            tick: Called now and then; what it raises ends it.

        Raises:
            NotFoundError: the home has no catalog.
            DependencyError: the disk is full or cannot be written.
        """
        _sweep(self.folder)
        with _staging(self.folder) as staging:
            index = list(_index(self.folder / INDEX, staging / INDEX))
            tick()
            at = datetime.now(UTC)
            copy = staging / CATALOG
            facts = catalog.copy(copy, tick=tick)
            uploads = catalog.uploads(copy)
            wanted = uploads | catalog.past_uploads(copy)
            originals = _all(self.folder / ORIGINALS) if photos is Photos.ALL else _uploads(self.folder, wanted)
            files = [Content(CATALOG, copy, piece=PAGES_BYTES), *self._own(), *index, *originals]
            there = {content.digest for content in files}
            yield Contents(at, facts, tuple(files), uploads, tuple(sorted(uploads - there)))

    def _own(self) -> Iterator[Content]:
        """What the user wrote."""
        if (self.folder / SETTINGS).is_file():
            yield Content(SETTINGS, self.folder / SETTINGS)
        yield from _tree(self.folder / JUDGMENTS, JUDGMENTS)
        if self.cards is not None:
            yield from _tree(self.cards, CARDS)


def _tree(folder: Path, name: str) -> Iterator[Content]:
    for found in find_files(folder):
        if not found.path.name.startswith(TEMPORARY):
            yield Content("/".join((name, *found.path.relative_to(folder).parts)), found.path)


def _uploads(home: Path, digests: frozenset[str]) -> Iterator[Content]:
    for digest in sorted(digests):
        found = _original(home / ORIGINALS / digest[:2] / digest[2:4] / digest)
        if found.source.is_file():
            yield found


def _all(folder: Path) -> Iterator[Content]:
    for found in find_files(folder, "??/??/" + "[0-9a-f]" * 64):
        yield _original(found.path)


def _original(path: Path) -> Content:
    return Content("/".join((ORIGINALS, *path.parts[-3:])), path, path.name, fixed=True)


def _index(folder: Path, staging: Path) -> Iterator[Content]:
    """The published index files of each collection, linked (or copied) to where nobody removes them."""
    if not folder.is_dir():
        return
    for collection in sorted(path for path in folder.iterdir() if (path / _MANIFEST).is_file()):
        into = staging / collection.name
        if not _freeze(collection, into):
            _log.warning("an index changes too fast to be saved; it will be rebuilt", extra={"index": collection.name})
            continue
        for content in _tree(into, f"{INDEX}/{collection.name}"):
            yield replace(content, fixed=content.source.name != _MANIFEST)


def _freeze(folder: Path, into: Path) -> bool:
    """Hold what is published, and what that names: nothing of it is removed before something else is published.

    Returns:
        Whether all of it could be held.
    """
    for _ in range(_TRIES):
        shutil.rmtree(into, ignore_errors=True)
        try:
            published = (folder / _MANIFEST).read_bytes()
            into.mkdir(parents=True)
            (into / _MANIFEST).write_bytes(published)
            for part in (path for kind in _PARTS for path in (folder / kind).glob("*")):
                if f'"{part.name}"'.encode() in published:
                    _hold(part, into / part.relative_to(folder))
            if (folder / _MANIFEST).read_bytes() == published:
                return True
        except FileNotFoundError:  # replaced meanwhile
            continue
    shutil.rmtree(into, ignore_errors=True)
    return False


def _hold(part: Path, into: Path) -> None:
    into.mkdir(parents=True)
    for source in part.iterdir():
        if source.name == _READERS:
            (into / _READERS).touch()
        else:
            _link(source, into / source.name)


def _link(source: Path, into: Path) -> None:
    try:
        os.link(source, into)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without links
        shutil.copyfile(source, into)


@contextmanager
def _staging(home: Path) -> Iterator[Path]:
    try:
        folder = Path(tempfile.mkdtemp(prefix=STAGING, dir=home))
    except OSError as exc:
        raise DependencyError(
            f"{home} cannot be written, and a snapshot needs a copy of the catalog in it: {exc.strerror}",
            remedy="check --home, make room, or let this user write there",
            code="disk",
        ) from exc
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(home: Path) -> None:
    """Remove what killed saves left."""
    for folder in home.glob(f"{STAGING}*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > _LEFT_S:
                shutil.rmtree(folder, ignore_errors=True)
