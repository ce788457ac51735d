"""Retention: old snapshots go, and then the chunks that no snapshot names any more."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from nitari.disk import TEMPORARY
from nitari.errors import StateError, UsageError
from nitari.snapshots import chunks, manifest
from nitari.snapshots.leases import Lease, Purpose, hold, over
from nitari.snapshots.manifest import Manifest, object_name
from nitari.snapshots.repository import Damaged, Repository
from nitari.snapshots.storage import StoredObject

GRACE_S = 24 * 3600.0
"""Chunks younger than this stay though no snapshot names them: a save that was killed or lost a race is run again."""
_AT_A_TIME = 500


@dataclass(frozen=True, slots=True)
class Retention:
    """Which snapshots stay: those that any of the two says. The newest always does.

    Args:
        keep: The newest so many.
        days: All that are younger than this many days; ``None`` for no such rule.
    """

    keep: int
    days: float | None = None

    def __post_init__(self) -> None:
        """Check it.

        Raises:
            UsageError: a rule that keeps nothing.
        """
        if self.keep < 1 or (self.days is not None and self.days < 0):
            raise UsageError(
                f"a retention of {self.keep} snapshots and {self.days} days is none",
                remedy="keep 1 snapshot at least",
                code="snapshot-retention",
            )


@dataclass(frozen=True, slots=True)
class Pruned:
    """What went.

    Args:
        snapshots: Numbers of the snapshots that went.
        kept: Numbers of those that stay.
        chunks: How many chunks went.
        bytes: How much room that made.
    """

    snapshots: tuple[int, ...]
    kept: tuple[int, ...]
    chunks: int
    bytes: int


def to_drop(snapshots: Sequence[Manifest], retention: Retention, *, now: datetime) -> list[int]:
    """Numbers of the snapshots that need not stay, oldest first."""
    ordered = sorted(snapshots, key=lambda snapshot: snapshot.number)
    old = ordered[: -retention.keep]
    if retention.days is None:
        return [snapshot.number for snapshot in old]
    since = now - timedelta(days=retention.days)
    return [snapshot.number for snapshot in old if snapshot.at < since]


def garbage(stored: Iterable[StoredObject], named: Collection[str], *, now: float) -> list[StoredObject]:
    """The objects that nobody needs.

    Args:
        stored: What lies there.
        named: Digests of the chunks that snapshots name.
        now: Seconds since 1970 by the store's clock.

    Returns:
        Chunks that no snapshot names and whole writes that never ended, as far as they are older than ``GRACE_S``. An
        object whose age the store does not tell is not young: only the leases protect it.
    """
    old = (found for found in stored if found.changed_at is None or now - found.changed_at > GRACE_S)
    return [found for found in old if _is_unfinished(found.name) or _is_unnamed(found.name, named)]


def prune(repository: Repository, retention: Retention, *, now: datetime) -> Pruned:
    """Remove the snapshots that need not stay, and what only they needed.

    May be killed at any time and run again.

    Raises:
        StateError: ``snapshot-busy`` where a save or another prune is at work; ``snapshot-damaged`` where a manifest
            cannot be read, so that nobody can say what it needs: nothing was removed.
    """
    storage = repository.storage
    with hold(storage, Purpose.PRUNE) as lease:
        whole = _readable(repository)
        drop = to_drop(whole, retention, now=now)
        kept = [snapshot for snapshot in whole if snapshot.number not in drop]
        named: set[str] = set()
        for snapshot in kept:
            lease.renew()
            named.update(chunk.digest for chunk in snapshot.listing)
            named.update(chunk.digest for file in repository.files(snapshot) for chunk in file.chunks)
        lease.renew()
        storage.delete(snapshot.name for snapshot in whole if snapshot.number in drop)
        stored = [*storage.entries(chunks.FOLDER), *storage.entries(manifest.FOLDER)]
        gone = garbage(stored, named, now=lease.granted_at)
        _delete(repository, lease, gone)
        storage.delete(over(storage, lease))
    count = sum(chunks.digest_in(found.name) is not None for found in gone)
    return Pruned(tuple(drop), tuple(snapshot.number for snapshot in kept), count, sum(found.size for found in gone))


def _readable(repository: Repository) -> list[Manifest]:
    whole: list[Manifest] = []
    for snapshot in repository.snapshots():
        if isinstance(snapshot, Damaged):
            raise StateError(
                f"{repository.url} cannot be pruned: {snapshot.reason.message}, and so nobody knows what it needs",
                remedy=f"if it is lost for good, delete its manifest ({object_name(snapshot.number)}) and prune again",
                code="snapshot-damaged",
            )
        whole.append(snapshot)
    return whole


def _delete(repository: Repository, lease: Lease, gone: Sequence[StoredObject]) -> None:
    for start in range(0, len(gone), _AT_A_TIME):
        lease.renew()
        repository.storage.delete(found.name for found in gone[start : start + _AT_A_TIME])


def _is_unnamed(name: str, named: Collection[str]) -> bool:
    digest = chunks.digest_in(name)
    return digest is not None and digest not in named


def _is_unfinished(name: str) -> bool:
    return name.rsplit("/", 1)[-1].startswith(TEMPORARY)
