"""Leases: savers and sweepers of one store keep out of each other's way, without a server to ask.

A save counts on chunks that it found in the store, while a prune deletes chunks that no manifest names yet: both at
once could publish a snapshot with a hole. So each first writes a lease of its own and then looks for the other's; as
stores show every write to every later listing, at least one of two sees the other, and that one gives way. Saves do
not hinder each other.

A lease counts while it is young by the store's own clock, and its holder renews it while it works. One that could not
do so in time (a laptop that slept, a network that stood still) must not finish what it began.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum

from nitari.errors import NitariError, StateError
from nitari.snapshots.storage import Storage, StoredObject

FOLDER = "leases"
LEASE_S = 900.0
"""How long a lease counts after it was last renewed: so long does a killed save keep prunes away."""
# Renewed that often; not renewed for this long, its holder stops: half, as clocks and requests take their time.
_RENEW_S = LEASE_S / 15
_LOST_S = LEASE_S / 2


_log = logging.getLogger(__name__)


class Purpose(Enum):
    """What a lease is held for."""

    SAVE = "save"
    PRUNE = "prune"


class Lease:
    """A lease that is held. Make it with ``hold``.

    Args:
        storage: Where.
        name: The lease's object.
        granted_at: Seconds since 1970 by the store's clock.
        clock: Seconds that only grow.
    """

    def __init__(self, storage: Storage, name: str, granted_at: float, clock: Callable[[], float]) -> None:
        self._storage = storage
        self._name = name
        self._clock = clock
        self._renewed_at = clock()
        self.granted_at = granted_at

    def renew(self) -> None:
        """To be called often while working: keeps the lease young. Cheap where that is not due yet.

        Raises:
            StateError: code ``snapshot-stalled``: it was not called for so long that others may have gone on.
        """
        age = self._clock() - self._renewed_at
        if age > _LOST_S:
            raise StateError(
                f"{self._storage.url}: nothing could be done for {age:,.0f} s, and others may have gone on meanwhile",
                remedy="run the command again; what was sent already is not sent again",
                code="snapshot-stalled",
            )
        if age > _RENEW_S:
            self._storage.write(self._name, _who())
            self._renewed_at = self._clock()


@contextmanager
def hold(storage: Storage, purpose: Purpose, *, clock: Callable[[], float] = time.monotonic) -> Iterator[Lease]:
    """Hold a lease for the time of a ``with`` statement.

    Raises:
        StateError: code ``snapshot-busy``: a prune is at work (or for a prune: anything is).
    """
    name = f"{FOLDER}/{purpose.value}-{uuid.uuid4().hex}"
    storage.write(name, _who())
    try:
        _check_conditions(storage, name)
        found = storage.entries(FOLDER)
        mine = next((lease for lease in found if lease.name == name), None)
        # A store that does not tell times cannot tell which leases are over: all count.
        now = (mine.changed_at if mine else None) or 0.0
        for other in found:
            if other.name != name and _counts(other, now) and _excludes(purpose, other):
                raise StateError(
                    f"{storage.url} is in use: {_holder(storage, other)}",
                    remedy=f"run the command again when that is done; if it was killed, {LEASE_S / 60:g} minutes later",
                    code="snapshot-busy",
                )
        yield Lease(storage, name, now, clock)
    finally:
        with suppress(NitariError):  # it ends by itself
            storage.delete([name])


def over(storage: Storage, lease: Lease) -> list[str]:
    """The leases that killed processes left long ago."""
    return [found.name for found in storage.entries(FOLDER) if not _counts(found, lease.granted_at, times=2)]


def _check_conditions(storage: Storage, name: str) -> None:
    """Say so where a store writes over what is there although it was told not to: there, no race is noticed."""
    if storage.create(name, _who()):
        _log.warning(
            "this store ignores conditions on writes: two that save at the same moment may lose one of the snapshots",
            extra={"url": storage.url},
        )


def _counts(lease: StoredObject, now: float, *, times: int = 1) -> bool:
    return lease.changed_at is None or now - lease.changed_at < times * LEASE_S


def _excludes(purpose: Purpose, other: StoredObject) -> bool:
    return purpose is Purpose.PRUNE or other.name.startswith(f"{FOLDER}/{Purpose.PRUNE.value}-")


def _who() -> bytes:
    return json.dumps({"host": platform.node(), "process": os.getpid()}).encode()


def _holder(storage: Storage, lease: StoredObject) -> str:
    """Who holds a lease, for people."""
    what = "a prune" if _excludes(Purpose.SAVE, lease) else "a save"
    try:
        held = json.loads(storage.read(lease.name) or b"")
        return f"{what} is at work (process {int(held['process'])} on {str(held['host'])[:80]!r})"
    except (ValueError, KeyError, TypeError):
        return f"{what} is at work"
