"""Items as a searcher holds them: by id, by ordinal and by key, with all that filters ask and hits show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nitari.catalog.base import IndexedItem
from nitari.changes import ChangeLog
from nitari.keymap import ABSENT
from nitari.search.arrays import ArrayFile, ArrayWriter
from nitari.search.columns import Columns, OrdinalArray, Row
from nitari.search.growing import Growing
from nitari.search.views import Views
from nitari.types import BoolArray, Box, Hit, KeyArray

_FILE = "items.table"
_MAGIC = "NITARI-T"
_VERSION = 1
# Fewer dead rows than this are not worth the work of dropping them, nor fewer than this share of those in the file:
# whoever remembers where things stand has to look again.
_DEAD_AT_LEAST = 1024
_DEAD_SHARE = 1 / 16
# Views whose row was put together for a hit and is kept: about 1 KB each.
_SHOWN = 8192
_NUMBERS = count(1)
_NO_KEYS: KeyArray = np.empty(0, np.int64)


class ItemTable:
    """Items of one collection, append-only inside: a changed item gets new rows, and ``compacted`` drops the dead.

    There is one row an item (its ordinal) with attributes, and below it one row a view with key, image and box. A table
    that was saved is opened by memory map, in milliseconds whatever its size, and shared by all processes that open it;
    its rows come first and stay as they are, while changes go behind them, into memory. There, it is about 110 bytes a
    view and 150 an item, beside the distinct texts themselves.

    One writer or many readers at a time, as its owner's lock sees to.

    Args:
        file: A saved table; ``None`` for none. See ``open``.
    """

    def __init__(self, file: ArrayFile | None = None) -> None:
        self.columns = Columns(file)
        saved = self.columns.saved
        self._views = Views(file, saved)
        self._ids: list[str] = []  # of the rows that are not in the file
        self._ordinal_of: dict[str, int] = {}  # of those that are alive
        self._alive: Growing[np.bool_] = Growing(np.bool_)
        self._alive.extend(np.ones(saved, np.bool_))
        self._count = saved
        self._shown: dict[int, tuple[Row, str, Box]] = {}
        self._log = ChangeLog()
        self.source = next(_NUMBERS)
        """Whose versions these are: another table's are not comparable, unless it is this one compacted."""
        self.layout = self.source
        """Says for how long ordinals are good: no other table has this one."""

    @classmethod
    def open(cls, folder: Path) -> ItemTable:
        """What ``save`` wrote into ``folder``; only its directory is read and checked now.

        Raises:
            StateError: where it is missing, damaged, or of another version.
        """
        return cls(ArrayFile(folder / _FILE, _MAGIC, _VERSION))

    def save(self, folder: Path) -> None:
        """Write the items, without dead rows, into ``folder``, which exists and has no table in it."""
        alive = self.alive
        renumbered = _renumbered(alive)
        with ArrayWriter(folder / _FILE, _MAGIC, _VERSION) as writer:
            self.columns.write(writer, alive, renumbered)
            self._views.write(writer, alive, renumbered)

    def __len__(self) -> int:
        """How many items there are."""
        return self._count

    @property
    def alive(self) -> BoolArray:
        """Which ordinals stand for an item as it is now: bool ``[ordinals]``."""
        return self._alive.view

    @property
    def version(self) -> int:
        """How often items were replaced; a compacted table goes on counting."""
        return self._log.version

    def changed(self, since: int) -> KeyArray | None:
        """The keys that came, went, or stand for something else since the version ``since``: int64, ascending.

        ``None`` where that was too long ago to be known.
        """
        return self._log.since(since)

    @property
    def mostly_dead(self) -> bool:
        """Whether most rows in memory are dead, and enough of them to be worth ``compacted``."""
        dead = len(self._ids) - len(self._ordinal_of)
        return dead > len(self._ordinal_of) and dead >= max(_DEAD_AT_LEAST, _DEAD_SHARE * self.columns.saved)

    def replace(self, changed: Mapping[str, IndexedItem | None]) -> KeyArray:
        """Put items in place of what was there under their ids; ``None`` takes an item out. It is the next version.

        Returns:
            The keys that stood for one of these items before, and stand for nothing now: int64, ascending.
        """
        old = np.asarray([ordinal for ordinal in self._rows_of_items(list(changed)) if ordinal >= 0], np.int64)
        old_keys = self._views.keys_of(old)
        self._alive.view[old] = False
        for item_id in changed:
            self._ordinal_of.pop(item_id, None)
        new = [item for item in changed.values() if item is not None]
        self._append(new)
        self._count += len(new) - old.size
        new_keys = np.concatenate([_NO_KEYS, *(item.keys for item in new)])
        gone = np.setdiff1d(old_keys, new_keys)
        self._views.drop(gone)
        self._log.add(np.union1d(old_keys, new_keys))
        return gone

    def _append(self, items: Sequence[IndexedItem]) -> None:
        """Add rows for items that are not there."""
        ordinals = self.columns.append(
            [Row(item.item_id, item.group_id, item.title, item.attributes) for item in items]
        )
        self._ids.extend(item.item_id for item in items)
        self._alive.extend(np.ones(len(items), np.bool_))
        self._ordinal_of.update((item.item_id, ordinal) for item, ordinal in zip(items, ordinals, strict=True))
        self._views.append(items, ordinals)

    def _rows_of_items(self, item_ids: Sequence[str]) -> list[int]:
        """The ordinal of each item, -1 where it is not there."""
        rows = [self._ordinal_of.get(item_id, -1) for item_id in item_ids]
        if self.columns.saved:
            asked = [at for at, row in enumerate(rows) if row < 0]
            found = self.columns.saved_rows([item_ids[at] for at in asked])
            for at, row in zip(asked, found, strict=True):
                rows[at] = row if row >= 0 and self.alive[row] else -1
        return rows

    def ordinal(self, item_id: str) -> int | None:
        """The ordinal of an item; ``None`` where it is not there."""
        (row,) = self._rows_of_items((item_id,))
        return row if row >= 0 else None

    def item_id(self, ordinal: int) -> str:
        """The item that an ordinal stands for."""
        saved = self.columns.saved
        return self.columns.saved_id(ordinal) if ordinal < saved else self._ids[ordinal - saved]

    def keys_of(self, ordinal: int) -> KeyArray:
        """The keys of an item, in the order of its photos: int64 ``[n]``, not to be written to."""
        return self._views.keys_of_one(ordinal)

    def keys_of_all(self, ordinals: OrdinalArray) -> KeyArray:
        """The keys of many items, one item behind the other: int64 ``[n]``."""
        return self._views.keys_of(ordinals)

    def keys_at(self, views: NDArray[np.int64]) -> KeyArray:
        """The key of each of ``views``: int64 ``[n]``."""
        return self._views.keys_at(views)

    def main_keys(self, ordinals: OrdinalArray) -> KeyArray:
        """The key of the main photo of each of these items: int64 ``[n]``."""
        return self._views.first_keys(ordinals)

    def view_counts(self, ordinals: OrdinalArray) -> NDArray[np.int64]:
        """How many views each of these items has: int64 ``[n]``."""
        return self._views.counts(ordinals)

    def views(self, keys: KeyArray) -> NDArray[np.int64]:
        """The view of each of ``keys``, -1 where a key stands for nothing: int64 ``[n]``."""
        return self._views.find(keys)

    def known(self, keys: KeyArray) -> BoolArray:
        """Which of ``keys`` stand for an item: bool ``[n]``."""
        known: BoolArray = self.views(keys) != ABSENT
        return known

    def ordinals(self, views: NDArray[np.int64]) -> OrdinalArray:
        """The item that each of ``views`` belongs to: int32 ``[n]``."""
        return self._views.ordinals(views)

    def keys(self) -> KeyArray:
        """All keys that stand for an item, in no order: int64 ``[n]``."""
        return self._views.keys(self.alive)

    def hits(self, views: NDArray[np.int64], scores: Sequence[float]) -> tuple[Hit, ...]:
        """What to show of the items that ``views`` belong to, in their order. Attributes are not to be written to."""
        hits = []
        for score, (row, image, box) in zip(scores, self._rows_of(views), strict=True):
            hits.append(Hit(row.item_id, row.group_id, score, image, box, row.title, row.attributes))
        return tuple(hits)

    def _rows_of(self, views: NDArray[np.int64]) -> list[tuple[Row, str, Box]]:
        """The rows, images and boxes of ``views``, which never change; those that were shown lately are at hand."""
        shown = [self._shown.get(view) for view in views.tolist()]
        missing = [at for at, known in enumerate(shown) if known is None]
        if missing:
            new = views[missing]
            rows = self.columns.rows(self.ordinals(new))
            made = list(zip(rows, self._views.images(new), self._views.boxes(new), strict=True))
            if len(self._shown) + len(made) > _SHOWN:
                self._shown.clear()
            self._shown.update(zip(new.tolist(), made, strict=True))
            for at, one in zip(missing, made, strict=True):
                shown[at] = one
        return [known for known in shown if known is not None]

    def compacted(self) -> ItemTable:
        """A table of the same items without dead rows, but for those in the file; this one stays as it is."""
        saved = self.columns.saved
        alive = self.alive.copy()
        alive[:saved] = True
        renumbered = _renumbered(alive)
        table = ItemTable()
        table.source, table._log = self.source, self._log.copy()
        table.columns = self.columns.kept(alive, renumbered)
        table._views = self._views.kept(alive, renumbered)
        own = np.flatnonzero(alive[saved:])
        table._ids = [self._ids[row] for row in own.tolist()]
        table._ordinal_of = {item_id: saved + row for row, item_id in enumerate(table._ids)}
        table._alive.extend(self.alive[:saved])
        table._alive.extend(np.ones(own.size, np.bool_))
        table._count = self._count
        return table


def _renumbered(alive: BoolArray) -> OrdinalArray:
    """The new ordinal of each row that is alive: int32 ``[rows]``."""
    return (np.cumsum(alive) - 1).astype(np.int32)
