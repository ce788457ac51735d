"""The scrub: every block of an index is read and compared with its checksum, over and over, at a bounded speed.

Disks and memory change bytes without a word, and a search does not look at a row twice. What is found damaged is set
aside and built again from the catalog, by the maintainer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nitari.errors import StateError
from nitari.index.segments.manifest import Manifest, SegmentEntry, TableEntry
from nitari.index.segments.store import IndexStore


@dataclass(frozen=True, slots=True)
class Damage:
    """A part of an index that is not what was written."""

    entry: SegmentEntry | TableEntry
    reason: str


class Scrub:
    """Goes through what is published, as far as it is given time to.

    Args:
        store: The index.
        bytes_s: How many bytes a second to read; 0 for none.
        every_s: How long to wait after the last byte before the first is read again.
    """

    def __init__(self, store: IndexStore, *, bytes_s: float, every_s: float) -> None:
        self._store = store
        self._bytes_s = bytes_s
        self._every_s = every_s
        self._blocks: Iterator[Damage | int] | None = None
        self._budget = 0.0
        self._at = 0.0
        self._next_at = 0.0
        self.finished = 0
        """How many times all of it was read."""

    def turn(self, now: float) -> list[Damage]:
        """Read what is due since the last turn. Returns what is damaged.

        Args:
            now: Seconds, of any clock that does not go back.
        """
        # What is due of a pause is not made up for: no bursts after a long merge.
        self._budget += self._bytes_s * min(now - self._at, 1.0)
        self._at = now
        if self._blocks is None and self._bytes_s and now >= self._next_at:
            self._blocks = check_all(self._store)
        found: list[Damage] = []
        while self._blocks is not None and self._budget > 0:
            block = next(self._blocks, None)
            if block is None:
                self._blocks, self._next_at, self._budget = None, now + self._every_s, 0.0
                self.finished += 1
            elif isinstance(block, Damage):
                found.append(block)
            else:
                self._budget -= block
        return found


def check_all(store: IndexStore) -> Iterator[Damage | int]:
    """Check all blocks of what is published, as slowly as it is iterated over.

    Returns:
        How many bytes were read, after each block; a ``Damage`` for each part that is damaged, and on with the next.
    """
    manifest = _manifest(store)
    for entry in manifest.parts if manifest else ():
        if not _named(_manifest(store), entry):  # replaced meanwhile
            continue
        try:
            yield from store.check(entry)
        except StateError as exc:
            if _named(_manifest(store), entry):
                yield Damage(entry, exc.message)


def _manifest(store: IndexStore) -> Manifest | None:
    """What is published; a manifest that is damaged is the maintainer's next finding."""
    try:
        return store.manifest()
    except StateError:
        return None


def _named(manifest: Manifest | None, entry: SegmentEntry | TableEntry) -> bool:
    return manifest is not None and entry in manifest.parts
