"""Tables of items from the catalog or from a saved one that is brought up to date, and saving them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from nitari.catalog.base import Catalog, IndexedItem
from nitari.errors import StateError
from nitari.search.following import Follower, check_reach
from nitari.search.items import ItemTable

_ITEMS_AT_ONCE = 10_000

log = logging.getLogger(__name__)


def open_table(catalog: Catalog, collection: str, saved: tuple[Path, int] | None) -> tuple[ItemTable, int]:
    """The table as the catalog is now, from a saved one where that is of use.

    Args:
        catalog: The truth.
        collection: Whose keys.
        saved: Folder of a saved table, and the change that it is up to date with.

    Returns:
        The table, and the change that it is up to date with; what changed meanwhile is to be replayed from there.
    """
    if saved is not None:
        try:
            return _from_saved(catalog, collection, *saved)
        except StateError as exc:
            log.warning("a saved table of items is of no use; the catalog is read", extra={"reason": exc.message})
    # Read first: a change that comes between this line and the next is then replayed, which is harmless, as to
    # replay is to read the item's rows again.
    seq = catalog.seq()
    table = ItemTable()
    for items in _in_batches(catalog.indexed_items(collection=collection)):
        table.replace({item.item_id: item for item in items if item.keys.size})
    return table, seq


class TableKeeper:
    """Saves the table of a collection's items for those who start later (``nitari.index.segments.maintain.Tables``).

    Args:
        catalog: The truth.
        collection: Whose keys.
    """

    def __init__(self, catalog: Catalog, collection: str) -> None:
        self._catalog = catalog
        self._collection = collection

    def check(self, saved: Path, seq: int) -> None:
        """See that a saved table, up to date with the change ``seq``, is still of use.

        Raises:
            StateError: it is not, and why.
        """
        check_reach(self._catalog, seq)
        ItemTable.open(saved)

    def save(self, last: tuple[Path, int] | None, folder: Path) -> int:
        """Save the table as the catalog is now into ``folder``, which exists and is empty.

        Args:
            last: The folder of the last saved table and its change; ``None`` to read everything.
            folder: Where to.

        Returns:
            The change that the saved table is up to date with.
        """
        table, seq = open_table(self._catalog, self._collection, last)
        table.save(folder)
        return seq


def _from_saved(catalog: Catalog, collection: str, folder: Path, seq: int) -> tuple[ItemTable, int]:
    check_reach(catalog, seq)
    table = ItemTable.open(folder)
    follower = Follower(catalog, collection)
    while changes := follower.changes(seq):
        pending, seq = follower.read(changes, table.known, vectors=False)
        table.replace(pending.items)
    return table, seq


def _in_batches(items: Iterable[IndexedItem]) -> Iterator[list[IndexedItem]]:
    """Items in lists of a bounded length."""
    rest = iter(items)
    while batch := list(islice(rest, _ITEMS_AT_ONCE)):
        yield batch
