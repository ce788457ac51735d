"""Items as a searcher holds them: by id, by ordinal and by key, with all that filters ask and hits show."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import count

import numpy as np
from numpy.typing import NDArray

from nitari.catalog.base import IndexedItem
from nitari.keymap import ABSENT, KeyMap
from nitari.search.columns import Columns, OrdinalArray, Row
from nitari.search.growing import Growing
from nitari.types import BoolArray, Box, Hit, KeyArray

# Fewer dead rows than this are not worth the work of dropping them.
_DEAD_AT_LEAST = 1024
# Views whose row was put together for a hit and is kept: about 1 KB each.
_SHOWN = 8192
# Keys in the log of changes: what an index remembers of filters is put right at 0.2 microseconds a key, so beyond this
# many it is as quick to ask anew.
_LOGGED = 2**16
_NUMBERS = count(1)
_NO_KEYS: KeyArray = np.empty(0, np.int64)


class ChangeLog:
    """Which keys changed at which version, as far back as a bounded number of keys goes."""

    def __init__(self) -> None:
        self._entries: deque[tuple[int, KeyArray]] = deque()
        self._size = 0
        self._begin = 0
        self.version = 0

    def add(self, keys: KeyArray) -> None:
        """The next version, at which ``keys`` (int64 ``[n]``) changed."""
        self.version += 1
        self._entries.append((self.version, keys))
        self._size += keys.size
        while self._size > _LOGGED:
            self._begin, forgotten = self._entries.popleft()
            self._size -= forgotten.size

    def since(self, version: int) -> KeyArray | None:
        """The keys that changed after ``version``, ascending; ``None`` where that is not known any more."""
        if version < self._begin:
            return None
        parts: list[KeyArray] = []
        for number, keys in reversed(self._entries):
            if number <= version:
                break
            parts.append(keys)
        return np.unique(np.concatenate([_NO_KEYS, *parts]))

    def copy(self) -> ChangeLog:
        """One that goes its own way from here."""
        log = ChangeLog()
        log._entries, log._size, log._begin, log.version = self._entries.copy(), self._size, self._begin, self.version
        return log


class ItemTable:
    """Items of one collection, append-only inside: a changed item gets new rows, and ``compacted`` drops the dead.

    There is one row an item (its ordinal) with attributes, and below it one row a view with key, image and box. About
    110 bytes a view and 150 an item, beside the distinct texts themselves.

    One writer or many readers at a time, as its owner's lock sees to.
    """

    def __init__(self) -> None:
        self.columns = Columns()
        self._ids: list[str] = []
        self._alive: Growing[np.bool_] = Growing(np.bool_)
        self._ordinal_of: dict[str, int] = {}
        self._first_view: Growing[np.int64] = Growing(np.int64)  # of each ordinal, and one more at the end
        self._first_view.extend([0])
        self._view_of = KeyMap()
        self._keys: Growing[np.int64] = Growing(np.int64)
        self._ordinals: Growing[np.int32] = Growing(np.int32)
        self._boxes: Growing[np.float64] = Growing(np.float64, 4)
        self._images: list[str] = []
        self._shown: dict[int, tuple[Row, Box]] = {}
        self._log = ChangeLog()
        self.source = next(_NUMBERS)
        """Whose versions these are: another table's are not comparable, unless it is this one compacted."""
        self.layout = self.source
        """Says for how long ordinals are good: no other table has this one."""

    def __len__(self) -> int:
        """How many items there are."""
        return len(self._ordinal_of)

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
        """Whether more than half of the rows are dead, and enough of them to be worth ``compacted``."""
        dead = len(self._ids) - len(self)
        return dead > len(self) and dead >= _DEAD_AT_LEAST

    def replace(self, changed: Mapping[str, IndexedItem | None]) -> KeyArray:
        """Put items in place of what was there under their ids; ``None`` takes an item out.

        Returns:
            The keys that stood for one of these items before, and stand for nothing now: int64, ascending.
        """
        old = [ordinal for item_id in changed if (ordinal := self._ordinal_of.pop(item_id, None)) is not None]
        self._alive.view[old] = False
        old_keys = np.concatenate([np.empty(0, np.int64), *(self.keys_of(ordinal) for ordinal in old)])
        new = [item for item in changed.values() if item is not None]
        self._append(new)
        new_keys = np.concatenate([_NO_KEYS, *(item.keys for item in new)])
        gone = np.setdiff1d(old_keys, new_keys)
        self._view_of.drop(gone)
        self._log.add(np.union1d(old_keys, new_keys))
        return gone

    def _append(self, items: Sequence[IndexedItem]) -> None:
        """Add rows for items that are not there."""
        ordinals = self.columns.append(
            [Row(item.item_id, item.group_id, item.title, item.attributes) for item in items]
        )
        counts = np.asarray([item.keys.size for item in items], np.int64)
        first = len(self._keys)
        self._ids.extend(item.item_id for item in items)
        self._alive.extend(np.ones(len(items), np.bool_))
        self._ordinal_of.update((item.item_id, ordinal) for item, ordinal in zip(items, ordinals, strict=True))
        self._first_view.extend(first + np.cumsum(counts))
        keys = np.concatenate([np.empty(0, np.int64), *(item.keys for item in items)])
        self._keys.extend(keys)
        self._ordinals.extend(np.repeat(np.asarray(ordinals, np.int32), counts))
        boxes = [(box.x1, box.y1, box.x2, box.y2) for item in items for box in item.boxes]
        self._boxes.extend(np.asarray(boxes, np.float64).reshape(-1, 4))
        self._images.extend(image for item in items for image in item.images)
        self._view_of.put(keys, np.arange(first, first + keys.size))

    def ordinal(self, item_id: str) -> int | None:
        """The ordinal of an item; ``None`` where it is not there."""
        return self._ordinal_of.get(item_id)

    def item_id(self, ordinal: int) -> str:
        """The item that an ordinal stands for."""
        return self._ids[ordinal]

    def keys_of(self, ordinal: int) -> KeyArray:
        """The keys of an item, in the order of its photos: int64 ``[n]``, not to be written to."""
        begin, end = self._first_view.view[ordinal : ordinal + 2].tolist()
        return self._keys.view[begin:end]

    def views(self, keys: KeyArray) -> NDArray[np.int64]:
        """The view of each of ``keys``, -1 where a key stands for nothing: int64 ``[n]``."""
        return self._view_of.find(keys)

    def known(self, keys: KeyArray) -> BoolArray:
        """Which of ``keys`` stand for an item: bool ``[n]``."""
        known: BoolArray = self.views(keys) != ABSENT
        return known

    def ordinals(self, views: NDArray[np.int64]) -> OrdinalArray:
        """The item that each of ``views`` belongs to: int32 ``[n]``."""
        return self._ordinals.view[views]

    def keys(self) -> KeyArray:
        """All keys that stand for an item, in no order: int64 ``[n]``."""
        keys = self._keys.view
        return keys[self.alive[self._ordinals.view]]

    def hits(self, views: NDArray[np.int64], scores: Sequence[float]) -> tuple[Hit, ...]:
        """What to show of the items that ``views`` belong to, in their order. Attributes are not to be written to."""
        hits = []
        for view, score, (row, box) in zip(views.tolist(), scores, self._rows_of(views), strict=True):
            hits.append(Hit(row.item_id, row.group_id, score, self._images[view], box, row.title, row.attributes))
        return tuple(hits)

    def _rows_of(self, views: NDArray[np.int64]) -> list[tuple[Row, Box]]:
        """The rows and boxes of ``views``, which never change; those that were shown lately are at hand."""
        shown = [self._shown.get(view) for view in views.tolist()]
        missing = [at for at, known in enumerate(shown) if known is None]
        if missing:
            new = views[missing]
            boxes = [Box(*box) for box in self._boxes.view[new].tolist()]
            made = list(zip(self.columns.rows(self.ordinals(new)), boxes, strict=True))
            if len(self._shown) + len(made) > _SHOWN:
                self._shown.clear()
            self._shown.update(zip(new.tolist(), made, strict=True))
            for at, one in zip(missing, made, strict=True):
                shown[at] = one
        return [known for known in shown if known is not None]

    def compacted(self) -> ItemTable:
        """A table of the same items without dead rows; this one stays as it is."""
        alive = self.alive.copy()
        renumbered = (np.cumsum(alive) - 1).astype(np.int32)
        views = np.flatnonzero(alive[self._ordinals.view])
        table = ItemTable()
        table.source, table._log = self.source, self._log.copy()
        table.columns = self.columns.kept(alive, renumbered)
        kept = np.flatnonzero(alive)
        table._ids = [self._ids[ordinal] for ordinal in kept.tolist()]
        table._alive.extend(np.ones(kept.size, np.bool_))
        table._ordinal_of = {item_id: ordinal for ordinal, item_id in enumerate(table._ids)}
        table._first_view.extend(np.cumsum(np.diff(self._first_view.view)[kept]))
        table._keys.extend(self._keys.view[views])
        table._ordinals.extend(renumbered[self._ordinals.view[views]])
        table._boxes.extend(self._boxes.view[views])
        table._images = [self._images[view] for view in views.tolist()]
        table._view_of.put(table._keys.view, np.arange(views.size))
        return table
