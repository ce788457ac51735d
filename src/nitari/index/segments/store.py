"""A collection's index on disk: what readers open, and where the one maintainer publishes.

::

    index/<collection>/
        manifest.json       what is published (manifest.py)
        segments/<name>/    sealed segments (sealed.py)
        tables/<name>/      saved tables of items, each with a seal
        tmp-<name>/         being written, or on its way out; swept by the next maintainer
        rejected-<name>/    set aside because it was damaged; swept after a week
        maintain.lock       held by the one who maintains
        maintainer.json     what it did last, for people
        rebuild.wanted      there while somebody wants all of it built again

Readers change nothing in here. What they cannot use they leave out, say so, and read from the catalog; the maintainer
comes across it by the same checks and sets it aside. Everything here is derived from the catalog and may be deleted.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nitari.disk import TEMPORARY, sync_folder, sync_tree, write_whole
from nitari.errors import StateError
from nitari.index.base import Edition, Sealed
from nitari.index.seal import check_blocks, check_heads, describe_blocks, describe_file, read_document, write_document
from nitari.index.segments import sealed
from nitari.index.segments.engine import SegmentEngine
from nitari.index.segments.lease import READERS_NAME, Lease, hold_folder, remove_unread, take
from nitari.index.segments.manifest import (
    MANIFEST_NAME,
    Manifest,
    Origin,
    SegmentEntry,
    TableEntry,
    read_manifest,
    stamp,
    write_manifest,
)
from nitari.index.segments.sealed import SealedSegment, check_segment

SEGMENTS = "segments"
TABLES = "tables"
_LOCK_NAME = "maintain.lock"
_NOTES_NAME = "maintainer.json"
_REBUILD_NAME = "rebuild.wanted"
_NOTED = 20
_TEMPORARY = "tmp-"
_REJECTED = "rejected-"
_TABLE_SEAL = "table.json"
_TABLE_MAGIC = "nitari-table"
_TABLE_FORMAT = 1
_TRIES = 5
_REJECTED_S = 7 * 24 * 3600.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HeldTable:
    """A saved table that is not removed until ``close`` (``nitari.index.base.SavedTable``)."""

    path: Path
    seq: int
    lease: Lease

    def close(self) -> None:
        """It is open or not wanted: the folder may be removed."""
        self.lease.release()


class IndexStore:
    """The index of one collection on disk.

    Args:
        folder: The collection's; made by whoever maintains.
        origin: What its vectors are; an index of another origin is not used.
        engines: What opens segments, by name.
    """

    def __init__(self, folder: Path, *, origin: Origin, engines: Mapping[str, SegmentEngine]) -> None:
        self.folder = folder
        self.origin = origin
        self.engines = engines

    # Readers (nitari.index.base.Editions)

    def newest(self) -> object:
        """Compares unequal to what it was before once another manifest is published."""
        return stamp(self.folder)

    def open(self, held: Sequence[Sealed] = ()) -> Edition | None:
        """Open what is published; ``None`` where nothing is that can be used. See ``Editions``."""
        for _ in range(_TRIES):
            before = self.newest()
            try:
                manifest = self.manifest()
            except StateError as exc:
                log.warning("an index cannot be used and is rebuilt from the catalog", extra={"reason": exc.message})
                return None
            if manifest is None:
                return None
            edition, whole = self._open(manifest, held)
            if whole or self.newest() == before:
                return edition
            _close(edition, held)  # what was missing went because something newer came
        raise StateError(f"the index in {self.folder} changes faster than it can be read", code="index-busy")

    def manifest(self) -> Manifest | None:
        """What is published, ``None`` where nothing is.

        Raises:
            StateError: damaged, of another version, or of another origin.
        """
        return read_manifest(self.folder, self.origin)

    def segment(self, entry: SegmentEntry) -> SealedSegment:
        """Open a segment that a manifest names.

        Raises:
            StateError: where it is damaged or gone.
        """
        folder = self._folder_of(entry)
        opened = SealedSegment.open(folder, dim=self.origin.dim, engines=self.engines)
        try:
            _check_seal(folder / sealed.SEAL_NAME, entry.seal)
        except StateError:
            opened.close()
            raise
        return opened

    def table(self, entry: TableEntry) -> HeldTable:
        """Hold a table that a manifest names.

        Raises:
            StateError: where it is damaged or gone.
        """
        folder = self._folder_of(entry)
        lease = hold_folder(folder)
        try:
            check_heads(folder, _table_files(folder, entry))
        except BaseException:
            lease.release()
            raise
        return HeldTable(folder, entry.seq, lease)

    def rejected(self) -> tuple[str, ...]:
        """Names of what was set aside because it was damaged."""
        names = sorted(path.name.removeprefix(_REJECTED) for path in _listed(self.folder) if _is_rejected(path))
        return tuple(names)

    def ask_to_rebuild(self) -> None:
        """Have whoever maintains this index build all of it again.

        Raises:
            OSError: the folder cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / _REBUILD_NAME).touch()

    # The maintainer

    @property
    def is_to_be_rebuilt(self) -> bool:
        """Whether somebody asked for it."""
        return (self.folder / _REBUILD_NAME).exists()

    def was_rebuilt(self) -> None:
        """What was asked for is done."""
        (self.folder / _REBUILD_NAME).unlink(missing_ok=True)

    def lease(self) -> Lease | None:
        """The right to maintain this index, which one process has at a time; ``None`` where another has it.

        What earlier maintainers left unfinished is swept.

        Raises:
            OSError: the folder cannot be made or written.
        """
        for name in ("", SEGMENTS, TABLES):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        lease = take(self.folder / _LOCK_NAME)
        if lease is not None:
            self.sweep()
        return lease

    @contextlib.contextmanager
    def writing(self) -> Iterator[Path]:
        """A new folder to write into; what is still there at the end is thrown away."""
        folder = self.folder / f"{_TEMPORARY}{secrets.token_hex(8)}"
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def keep_segment(self, written: Path, count: int) -> SegmentEntry:
        """Give a segment that was written its final place; a manifest may name it then."""
        entry = SegmentEntry(secrets.token_hex(8), count, describe_file(written / sealed.SEAL_NAME)["sha256"])
        self._place(written, self._folder_of(entry))
        return entry

    def keep_table(self, written: Path, seq: int) -> TableEntry:
        """Seal a table that was written and give it its final place; a manifest may name it then."""
        files = {path.name: describe_blocks(path) for path in sorted(written.iterdir())}
        (written / READERS_NAME).touch()
        write_document(written / _TABLE_SEAL, _TABLE_MAGIC, _TABLE_FORMAT, {"seq": seq, "files": files})
        sync_tree(written)
        entry = TableEntry(secrets.token_hex(8), seq, describe_file(written / _TABLE_SEAL)["sha256"])
        self._place(written, self._folder_of(entry))
        return entry

    def publish(self, manifest: Manifest) -> None:
        """Make ``manifest`` what readers open. Only the holder of the lease may.

        Raises:
            OSError: the disk is full, or the like; what was published stays so.
        """
        write_manifest(self.folder, manifest)

    def set_aside(self, entry: SegmentEntry | TableEntry | None) -> None:
        """Move what is damaged out of the way: a segment, a table, or (``None``) the manifest itself.

        Where the system will not (Windows, while it is read) it stays, and goes with what nobody names.
        """
        source = self.folder / MANIFEST_NAME if entry is None else self._folder_of(entry)
        target = self.folder / f"{_REJECTED}{source.name}"
        with contextlib.suppress(OSError):
            if target.is_file():
                target.unlink()
            source.rename(target)
            sync_folder(self.folder)

    def note(self, *, done: str = "", problem: str = "", damaged: str = "") -> None:
        """Write down what the maintainer did last, or what is in its way, for ``status``; best effort.

        Args:
            done: What was done, after which there is no problem any more.
            problem: What is in the way, or was found.
            damaged: Which part was found damaged and set aside.
        """
        noted = self.noted()
        found = [*noted.get("damaged", []), {"part": damaged, "reason": problem, "at": _now()}][-_NOTED:]
        values = {
            "at": _now(),
            "pid": os.getpid(),
            "done": done or noted.get("done", ""),
            "problem": "" if done or damaged else problem,
            "damaged": found if damaged else noted.get("damaged", []),
        }
        with contextlib.suppress(OSError):
            write_whole(self.folder / _NOTES_NAME, json.dumps(values, indent=1).encode(), durable=False)

    def noted(self) -> dict[str, Any]:
        """What was written down: ``at pid done problem damaged``; empty where nothing was."""
        try:
            values = json.loads((self.folder / _NOTES_NAME).read_bytes())
        except (OSError, ValueError):
            return {}
        return values if isinstance(values, dict) else {}

    def sweep(self) -> None:
        """Remove what no manifest names and nobody reads, and what killed processes left.

        Only the holder of the lease may. What cannot be removed now goes next time.
        """
        try:
            manifest = self.manifest()
        except StateError:  # damaged: nothing of it can be named
            manifest = None
        named = {MANIFEST_NAME}
        if manifest is not None:
            named |= {entry.name for entry in manifest.segments} | ({manifest.table.name} if manifest.table else set())
        for kind in (SEGMENTS, TABLES):
            for path in _listed(self.folder / kind):
                if path.name not in named:
                    with contextlib.suppress(OSError):
                        remove_unread(path, self.folder / f"{_TEMPORARY}{path.name}")
        for path in _listed(self.folder):
            if path.name.startswith((_TEMPORARY, TEMPORARY)) or (_is_rejected(path) and _age_s(path) > _REJECTED_S):
                _remove(path)

    def check(self, entry: SegmentEntry | TableEntry) -> Iterator[int]:
        """Check every block of a part of the index, as slowly as it is iterated over.

        Returns:
            How many bytes were read, after each block.

        Raises:
            StateError: at the first block that is not as it was written.
        """
        folder = self._folder_of(entry)
        if isinstance(entry, TableEntry):
            for name, expected in _table_files(folder, entry).items():
                yield from check_blocks(folder / name, expected)
        else:
            _check_seal(folder / sealed.SEAL_NAME, entry.seal)
            yield from check_segment(folder)

    def _folder_of(self, entry: SegmentEntry | TableEntry) -> Path:
        return self.folder / (TABLES if isinstance(entry, TableEntry) else SEGMENTS) / entry.name

    def _open(self, manifest: Manifest, held: Sequence[Sealed]) -> tuple[Edition, bool]:
        """Open what a manifest names, and whether all of it could be opened."""
        known = {segment.name: segment for segment in held}
        segments: list[Sealed] = []
        table: HeldTable | None = None
        whole = True
        try:
            for entry in manifest.segments:
                try:
                    segments.append(known.get(entry.name) or self.segment(entry))
                except StateError as exc:
                    whole = False
                    log.warning("a segment of an index cannot be used", extra={"reason": exc.message})
            if manifest.table is not None:
                try:
                    table = self.table(manifest.table)
                except StateError as exc:
                    whole = False
                    log.warning("a saved table of items cannot be used", extra={"reason": exc.message})
        except BaseException:
            _close(Edition(manifest.number, manifest.seq, tuple(segments), table), held)
            raise
        return Edition(manifest.number, manifest.seq, tuple(segments), table), whole

    def _place(self, written: Path, final: Path) -> None:
        written.rename(final)
        sync_folder(final.parent)
        sync_folder(self.folder)


def _close(edition: Edition, held: Sequence[Sealed]) -> None:
    """Close what was opened for an edition, and not what was open before."""
    keep = {id(segment) for segment in held}
    for segment in edition.segments:
        if id(segment) not in keep:
            segment.close()
    if edition.table is not None:
        edition.table.close()


def _table_files(folder: Path, entry: TableEntry) -> Mapping[str, Mapping[str, object]]:
    """What the seal of a table's folder says of its files."""
    _check_seal(folder / _TABLE_SEAL, entry.seal)
    files: Mapping[str, Mapping[str, object]] = read_document(folder / _TABLE_SEAL, _TABLE_MAGIC, _TABLE_FORMAT)[
        "files"
    ]
    return files


def _check_seal(path: Path, expected: str) -> None:
    """Compare a seal with what the manifest says of it."""
    try:
        found = describe_file(path)["sha256"]
    except OSError as exc:
        raise StateError(f"{path} cannot be read: {exc}", code="index-damaged") from exc
    if found != expected:
        raise StateError(f"{path} is not what the manifest names", code="index-damaged")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _listed(folder: Path) -> list[Path]:
    """What is in a folder; nothing where there is no such folder."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _is_rejected(path: Path) -> bool:
    return path.name.startswith(_REJECTED)


def _age_s(path: Path) -> float:
    """How long ago something was last changed, seconds."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def _remove(path: Path) -> None:
    """Remove a folder or a file; what cannot be removed stays."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()
