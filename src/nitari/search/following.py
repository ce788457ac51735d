"""Reading what changed in the catalog, as one state of it, while it goes on changing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from nitari.catalog.base import Catalog, Change, IndexedItem
from nitari.errors import StateError
from nitari.types import BoolArray, FloatArray, KeyArray

# Changes applied at once: they are held in memory (1,000 items of 3 views x 1280 floats are 15 MB) and readers wait.
_CHANGES_AT_ONCE = 1_000
# How often to look again whether the catalog moved while it was read, before settling for items that are each right.
_ROUNDS = 16
_NO_KEYS = np.empty(0, np.int64)


@dataclass(slots=True)
class Pending:
    """Changes that were read from the catalog and not applied yet: items (``None``: gone), and vectors by key."""

    items: dict[str, IndexedItem | None] = field(default_factory=dict)
    vectors: dict[int, FloatArray] = field(default_factory=dict)


class Follower:
    """Reads the changes of one collection.

    Args:
        catalog: The truth.
        collection: Whose vectors.
    """

    def __init__(self, catalog: Catalog, collection: str) -> None:
        self._catalog = catalog
        self._collection = collection

    def changes(self, seq: int) -> Sequence[Change]:
        """The first changes after ``seq``; empty where there are none."""
        return self._catalog.changes(seq, limit=_CHANGES_AT_ONCE)

    def read(
        self, changes: Sequence[Change], known: Callable[[KeyArray], BoolArray], *, vectors: bool = True
    ) -> tuple[Pending, int]:
        """Read the items of ``changes``, and those that change meanwhile, until nothing does.

        Args:
            changes: At least one, as the catalog gave them.
            known: Which keys are there already. A key keeps its vector: keys are never used twice.
            vectors: Whether to read the vectors of new keys, too.

        Returns:
            What was read, and the catalog change that it belongs to.

        Raises:
            StateError: the catalog names keys whose vectors it does not have.
        """
        pending = Pending()
        rounds = 1
        while True:
            self._read_items(pending, [change.item_id for change in changes], known if vectors else None)
            later = self.changes(changes[-1].seq)
            if not later or rounds == _ROUNDS or len(pending.items) + len(later) > _CHANGES_AT_ONCE:
                if vectors:
                    _drop_incomplete(pending, known, settled=not later)
                return pending, changes[-1].seq
            rounds += 1
            changes = later

    def _read_items(
        self, pending: Pending, item_ids: Sequence[str], known: Callable[[KeyArray], BoolArray] | None
    ) -> None:
        """Read the rows of these items, and the vectors that are new."""
        wanted: dict[str, IndexedItem | None] = dict.fromkeys(item_ids)
        for item in self._catalog.indexed_items(collection=self._collection, item_ids=list(wanted)):
            # An item none of whose photos has a vector here cannot be found; it is as good as not there.
            wanted[item.item_id] = item if item.keys.size else None
        pending.items.update(wanted)
        if known is None:
            return
        keys = needed([item for item in wanted.values() if item is not None], known)
        new = np.asarray([key for key in keys.tolist() if key not in pending.vectors], np.int64)
        if new.size:
            for some, rows in self._catalog.vectors(collection=self._collection, keys=new):
                pending.vectors.update(zip(some.tolist(), rows, strict=True))


def needed(items: Sequence[IndexedItem], known: Callable[[KeyArray], BoolArray]) -> KeyArray:
    """The keys of ``items`` that are not ``known``: int64 ``[n]``."""
    keys = np.concatenate([_NO_KEYS, *(item.keys for item in items)])
    return keys[~known(keys)]


def check_reach(catalog: Catalog, seq: int) -> None:
    """See that the change log still has all that came after ``seq``: it is cut off at its old end now and then.

    Raises:
        StateError: it does not, or the catalog is older than that.
    """
    newest = catalog.seq()
    first = catalog.changes(seq, limit=1)
    if newest < seq or (newest > seq and (not first or first[0].seq != seq + 1)):
        raise StateError(
            f"the change log does not lead from change {seq} to change {newest}",
            remedy="restart, so that everything is read anew",
            code="log-gap",
        )


def _drop_incomplete(pending: Pending, known: Callable[[KeyArray], BoolArray], *, settled: bool) -> None:
    """Leave out items whose vectors went away while they were read: a change not yet seen took them.

    Where the catalog was ``settled`` while it was read, no such change exists, and the catalog is damaged.
    """
    for item_id, item in list(pending.items.items()):
        if item is None or all(key in pending.vectors for key in needed([item], known).tolist()):
            continue
        if settled:
            raise StateError(
                f"the catalog has no vectors for some photos of item {item_id!r}",
                remedy="import the item again, or restore the catalog from a backup",
            )
        del pending.items[item_id]
