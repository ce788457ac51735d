"""What can be done with the snapshots of a home: save, list, restore, verify, prune."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from nitari.errors import NotFoundError, StateError, UsageError
from nitari.snapshots.catalog_file import CatalogFacts, CatalogFile
from nitari.snapshots.contents import INDEX, ORIGINALS, Contents, Home, Photos
from nitari.snapshots.leases import Lease, Purpose, hold
from nitari.snapshots.manifest import CATALOG, File, Manifest, encode_listing
from nitari.snapshots.prune import Pruned, Retention, prune
from nitari.snapshots.repository import Damaged, Repository, first_with, line_of
from nitari.snapshots.restore import check_target, fetch, new_home
from nitari.snapshots.save import Progress, Sender
from nitari.snapshots.verify import Verified, verify


@dataclass(frozen=True, slots=True)
class Saved:
    """What a save did.

    Args:
        snapshot: The snapshot it published.
        sent_chunks: How many chunks traveled.
        sent_bytes: Their size as sent.
        lost: Files that went away while they were read, or that were damaged: not in the snapshot.
    """

    snapshot: Manifest
    sent_chunks: int
    sent_bytes: int
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did.

    Args:
        home: The new home.
        snapshot: What it was made of.
        catalog: What its catalog says of itself now.
        index: Whether it has the index files of the snapshot; without, the index is rebuilt from the catalog.
    """

    home: Path
    snapshot: Manifest
    catalog: CatalogFacts
    index: bool


class Snapshots:
    """The snapshots of one URL, seen from one home.

    Args:
        repository: Where they are.
        home: What is saved.
        catalog: The home's catalog, as a file.
        version: Nitari's.
    """

    def __init__(self, *, repository: Repository, home: Home, catalog: CatalogFile, version: str) -> None:
        self._repository = repository
        self._home = home
        self._catalog = catalog
        self._version = version

    @property
    def url(self) -> str:
        """Where they are, for people: without user and password."""
        return self._repository.url

    def published(self) -> list[Manifest | Damaged]:
        """All snapshots, oldest first; none where nothing was ever saved."""
        return self._repository.snapshots()

    def save(
        self,
        *,
        photos: Photos = Photos.UPLOADS,
        full: bool = False,
        take_over: bool = False,
        retries: int = 0,
        on_progress: Progress | None = None,
    ) -> Saved:
        """Save the home as it is now, while others write on. Killed at any point, nothing is published.

        Args:
            photos: Which originals go with it.
            full: Send what is there already, too: where a store was damaged.
            take_over: Whether snapshots of another catalog may be there.
            retries: How many times to begin anew where another publisher was quicker.
            on_progress: Called with the bytes of each piece that is done.

        Raises:
            NotFoundError: the home has no catalog.
            UsageError: code ``snapshot-foreign``: another catalog's snapshots are there.
            StateError: ``snapshot-race``: another process published first; ``snapshot-busy``: a prune is at work;
                ``snapshot-stalled``.
            DependencyError: the store or the disk failed.
        """
        while True:
            try:
                return self._save(photos, full=full, take_over=take_over, on_progress=on_progress)
            except StateError as exc:
                if exc.code != "snapshot-race" or retries < 1:
                    raise
            retries -= 1

    def restore(
        self,
        into: Path,
        *,
        number: int | None = None,
        at: int | datetime | None = None,
        as_copy: bool = False,
        on_progress: Progress | None = None,
    ) -> Restored:
        """Make a new home of a snapshot, every byte checked. Killed at any point, there is no new home.

        A home of the newest snapshot takes the place of the one that was saved: same identity, same index files. One
        of an older snapshot or an earlier point (or ``as_copy``) goes its own way from there: it gets an identity of
        its own, and its index is rebuilt from the catalog, as nothing derived from the other may be taken for it.

        Args:
            into: The new home; absent or empty.
            number: Which snapshot; the newest if not given.
            at: Take the catalog back to what it was after this change, or at this time (with its zone). Without
                ``number``, the oldest snapshot from which that can be had is used.
            as_copy: Give it an identity of its own in any case: where the home that was saved lives on.
            on_progress: Called with the bytes of each piece that is done.

        Raises:
            UsageError: a target that is not empty.
            NotFoundError: no such snapshot, or none that reaches ``at``; the message says what is there.
            StateError: the snapshot is damaged (``chunk-missing``, ``chunk-damaged``, ``snapshot-damaged``), or from a
                newer version; ``history-gone``.
            DependencyError: the store or the disk failed.
        """
        check_target(into)
        found = self.published()
        snapshot = self._chosen(found, number, at)
        if snapshot.catalog.schema > self._catalog.schema:
            raise StateError(
                f"snapshot {snapshot.number} holds a catalog of version {snapshot.catalog.schema}; "
                f"this Nitari knows versions up to {self._catalog.schema}",
                remedy="pip install --upgrade nitari",
                code="snapshot-newer",
            )
        same = at is None and not as_copy and snapshot.number == found[-1].number
        files = [file for file in self._repository.files(snapshot) if same or not file.path.startswith(f"{INDEX}/")]
        with new_home(into, sum(file.size for file in files)) as folder:
            fetch(self._repository, files, folder, on_progress=on_progress)
            facts = self._ready(folder / CATALOG, snapshot, at, same=same)
        return Restored(into, snapshot, facts, any(file.path.startswith(f"{INDEX}/") for file in files))

    def verify(self, *, quick: bool = False, on_progress: Callable[[int, int], None] | None = None) -> Verified:
        """Look whether everything that the snapshots name is there and is what it was; see ``verify.verify``."""
        return verify(self._repository, quick=quick, on_progress=on_progress)

    def prune(self, retention: Retention) -> Pruned:
        """Remove the snapshots that need not stay, and what only they needed; see ``prune.prune``."""
        return prune(self._repository, retention, now=datetime.now(UTC))

    def _save(self, photos: Photos, *, full: bool, take_over: bool, on_progress: Progress | None) -> Saved:
        with hold(self._repository.storage, Purpose.SAVE) as lease:
            found = self.published()
            last = found[-1].number if found else 0
            previous = next((snapshot for snapshot in reversed(found) if isinstance(snapshot, Manifest)), None)
            with self._home.gathered(self._catalog, photos=photos, tick=lease.renew) as contents:
                if previous is not None and not take_over:
                    self._check_same(previous, contents.facts)
                return self._send(contents, lease, last, previous, full=full, on_progress=on_progress)

    def _send(
        self,
        contents: Contents,
        lease: Lease,
        last: int,
        previous: Manifest | None,
        *,
        full: bool,
        on_progress: Progress | None,
    ) -> Saved:
        known: Sequence[File] = ()
        if previous is not None:
            with suppress(StateError):  # damaged: then everything is looked at
                known = self._repository.files(previous)
        sender = Sender(self._repository, lease, previous=known, full=full, on_progress=on_progress)
        sent = sender.send(contents.files)
        lost = sorted(sent.lost | {original_path(digest) for digest in contents.missing})
        rescued = [file for path in lost if path.startswith(f"{ORIGINALS}/") and (file := sender.rescued(path))]
        files = (*sent.files, *rescued)
        lost = [path for path in lost if path not in {file.path for file in rescued}]
        listing = sender.send_bytes(encode_listing(files))
        snapshot = Manifest(
            number=last + 1,
            at=contents.at,
            nitari=self._version,
            catalog=contents.facts,
            parent=previous.number if previous else None,
            files=len(files),
            bytes=sum(file.size for file in files),
            sent=sender.traffic.bytes,
            listing=listing,
            parts=_parts(files),
            missing=tuple(digest for digest in sorted(contents.uploads) if original_path(digest) in lost),
        )
        lease.renew()
        self._repository.publish(snapshot)
        return Saved(snapshot, sender.traffic.chunks, sender.traffic.bytes, tuple(lost))

    def _check_same(self, previous: Manifest, facts: CatalogFacts) -> None:
        if previous.catalog.identity != facts.identity:
            raise UsageError(
                f"{self.url} holds snapshots of another catalog ({previous.catalog.identity}, "
                f"the home's is {facts.identity})",
                remedy="give a URL of its own, or --take-over where this home shall go on in the other's place",
                code="snapshot-foreign",
            )

    def _chosen(self, found: Sequence[Manifest | Damaged], number: int | None, at: int | datetime | None) -> Manifest:
        """The snapshot to restore."""
        if not found:
            raise NotFoundError(f"{self.url} holds no snapshots", remedy="check the URL, or save one first")
        if number is not None:
            return self._repository.snapshot(number)
        newest = found[-1]
        if at is None:
            if isinstance(newest, Damaged):  # never an older one unasked
                raise newest.reason
            return newest
        line = line_of(found)
        chosen = first_with(line, at)
        if chosen is None:
            raise NotFoundError(
                f"no snapshot in {self.url} reaches {at.isoformat() if isinstance(at, datetime) else f'change {at}'}; "
                f"{_reach(line)}",
                remedy="choose a point in there, or one of the snapshots that `nitari snapshot list URL` shows",
                code="snapshot-reach",
            )
        return chosen

    def _ready(self, path: Path, snapshot: Manifest, at: int | datetime | None, *, same: bool) -> CatalogFacts:
        """Check the restored catalog by opening it, and take it to where it shall be."""
        facts = self._catalog.facts(path)
        if (facts.identity, facts.seq) != (snapshot.catalog.identity, snapshot.catalog.seq):
            raise StateError(
                f"the catalog in snapshot {snapshot.number} is at change {facts.seq} of {facts.identity}, "
                f"its manifest says {snapshot.catalog.seq} of {snapshot.catalog.identity}",
                remedy="restore another snapshot",
                code="snapshot-damaged",
            )
        if same:
            return facts
        return self._catalog.branch(path, None if at == facts.seq else at)


def original_path(digest: str) -> str:
    """Where the original with this digest lies in a home."""
    return f"{ORIGINALS}/{digest[:2]}/{digest[2:4]}/{digest}"


def _parts(files: Sequence[File]) -> dict[str, int]:
    sizes: dict[str, int] = defaultdict(int)
    for file in files:
        sizes[file.path.split("/")[0]] += file.size
    return dict(sorted(sizes.items()))


def _reach(line: Sequence[Manifest]) -> str:
    """From where to where a line of snapshots reaches, for people."""
    if not line:
        return "none of them can be read"
    spans = sorted((snapshot.catalog.oldest, snapshot.catalog.seq, snapshot) for snapshot in line)
    oldest, newest = spans[0][2].catalog, line[-1]
    since = f" ({oldest.oldest_at.isoformat(timespec='seconds')})" if oldest.oldest_at else ""
    return (
        f"they reach from change {oldest.oldest}{since} "
        f"to change {newest.catalog.seq} ({newest.at.isoformat(timespec='seconds')})"
    )
