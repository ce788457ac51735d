"""The part of the catalog's port that is about yesterday: its history, the way back, and copies to keep elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class HistoryRange:
    """From where to where a catalog can be taken back.

    Args:
        oldest: The first change whose state can be had again: 0 for the empty catalog. The history begins after it.
        newest: The last change: what the catalog is now.
        oldest_at: When change ``oldest`` was made; ``None`` for change 0.
        newest_at: When change ``newest`` was made; ``None`` for change 0.
    """

    oldest: int
    newest: int
    oldest_at: datetime | None
    newest_at: datetime | None


class Recoverable(Protocol):
    """A catalog that can be taken back to what it was, and copied while it is written to."""

    @property
    def identity(self) -> str:
        """Of this catalog and its timeline: files derived from another one must not be taken for its own."""
        ...

    def reidentify(self) -> str:
        """Give the catalog a new identity, and return it: for a copy that goes on by itself from here.

        A copy has the identity of what it was copied from, and would number other changes and other keys alike; after
        this, no index file or snapshot of one is taken for the other's. Not needed after a ``rollback``, whose changes
        go on in the same log.
        """
        ...

    def history_range(self) -> HistoryRange:
        """From where to where the catalog can be taken back. Nothing of a change is lost while it is in there."""
        ...

    def rollback(self, to: int | datetime) -> int:
        """Make every item what it was after change ``to`` (or at that time), in one transaction.

        Items, photos, features of all collections, vectors and keys are then exactly what they were: a view that comes
        back has its old key, as a key is only ever used for one vector. What was put or changed since is undone,
        deletes included, and each item that differs gets a new change of its own, so that whoever follows the change
        log follows the rollback; ``seq`` goes on upward, and the rollback itself can be rolled back. Feeds and
        collections stay registered, aliases stay as they are, and so do rejections, except those of items that go.

        All other writers wait meanwhile: about a second for each 2,000 items that differ.

        Args:
            to: Number of a change, 0 for the empty catalog; or a time with its zone. Where the clock was set back
                while changes were made, the state is one of those that the time may mean: numbers are never ambiguous.

        Returns:
            The number of the last change there is now.

        Raises:
            StateError: code ``history-gone``: the history does not reach back that far; names the oldest point.
            UsageError: a point in the future, or a time without zone.
            DependencyError: other writers did not let go in time, or the disk failed; nothing was changed.
        """
        ...

    def prune_history(self, older_than: datetime) -> int:
        """Forget what items were before the changes made earlier than ``older_than``. Returns how many changes.

        It goes from the oldest on in short transactions, so that other writers hardly wait; it may be stopped and run
        again at any time. The change log itself stays.
        """
        ...

    def past_digests(self) -> Iterator[str]:
        """The digest of every photo that an item of the history had; the same one again where several had it.

        A rollback may bring each of them back, so their originals are still needed. It reads the whole history: some
        20 s for a million changes to photos.
        """
        ...

    def past_image_links(self, prefix: str) -> Iterator[str]:
        """Every image link of an item of the history that starts with ``prefix``, as ``past_digests``."""
        ...

    def backup(self, path: Path, *, progress: Callable[[int, int], None] | None = None) -> int:
        """Write a copy of the whole catalog to a new file while others go on writing to this one.

        The copy is of ONE state: of all changes up to the returned number and of none after it. It appears under its
        name whole and flushed to the disk, or not at all; a file that is there is replaced. Unchanged parts of the
        catalog are the same bytes at the same place in the next copy, so that only what differs need travel.

        Args:
            path: The file; missing folders are made.
            progress: Called now and then with the bytes done and the bytes in all. What it raises ends the copy.

        Returns:
            The number of the last change in the copy.

        Raises:
            DependencyError: the disk is full, or cannot be written; nothing is left behind.
            StateError: the catalog is damaged.
        """
        ...
