"""The views of items: keys, photos and boxes, those that were saved and those that came since."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nitari.catalog.base import IndexedItem
from nitari.keymap import ABSENT, Base, DenseBase, KeyMap, OrderedBase
from nitari.search.arrays import ArrayFile, ArrayWriter
from nitari.search.columns import OrdinalArray
from nitari.search.growing import Layered
from nitari.search.texts import Texts, encoded, in_blocks, spread, write_texts
from nitari.types import BoolArray, Box, KeyArray

ViewArray = NDArray[np.int64]
# Where the keys of a table are at least one in so many of the numbers between the first and the last of them, there is
# an entry for every number.
_SPREAD = 4


class Views:
    """Rows of views, append-only; those of an item lie together, in the order of its photos.

    Args:
        file: Where views were saved to; ``None`` for none.
        items: How many items these are of.

    Raises:
        StateError: where the file is damaged.
    """

    def __init__(self, file: ArrayFile | None = None, items: int = 0) -> None:
        def saved(name: str, dtype: type[np.generic], *shape: int) -> NDArray[Any]:
            return np.empty(tuple(shape), dtype) if file is None else file.get(f"views.{name}", dtype, *shape)

        # Where the views of each item begin, and one more at the end.
        begins = np.zeros(1, np.int64) if file is None else saved("first", np.int64, items + 1)
        count = int(begins[-1])
        self._begins: Layered[np.int64] = Layered(begins)
        self._keys: Layered[np.int64] = Layered(saved("keys", np.int64, count))
        self._ordinals: Layered[np.int32] = Layered(saved("ordinals", np.int32, count))
        self._boxes: Layered[np.float64] = Layered(saved("boxes", np.float64, count, 4))
        self._saved_images = None if file is None else Texts.read(file, "views.images", count)
        self._images: list[str] = []
        self._view_of = KeyMap(None if file is None else _read_map(file))

    def __len__(self) -> int:
        return len(self._keys)

    def append(self, items: Sequence[IndexedItem], ordinals: Sequence[int]) -> None:
        """Add the views of items, whose ordinals go on where those that are there end."""
        counts = np.asarray([item.keys.size for item in items], np.int64)
        first = len(self)
        keys = np.concatenate([np.empty(0, np.int64), *(item.keys for item in items)])
        self._begins.extend(first + np.cumsum(counts))
        self._keys.extend(keys)
        self._ordinals.extend(np.repeat(np.asarray(ordinals, np.int32), counts))
        boxes = [(box.x1, box.y1, box.x2, box.y2) for item in items for box in item.boxes]
        self._boxes.extend(np.asarray(boxes, np.float64).reshape(-1, 4))
        self._images.extend(image for item in items for image in item.images)
        self._view_of.put(keys, np.arange(first, first + keys.size))

    def drop(self, keys: KeyArray) -> None:
        """Let ``keys`` stand for nothing."""
        self._view_of.drop(keys)

    def find(self, keys: KeyArray) -> ViewArray:
        """The view of each of ``keys``, -1 where a key stands for nothing: int64 ``[n]``."""
        return self._view_of.find(keys)

    def ordinals(self, views: ViewArray) -> OrdinalArray:
        """The item that each of ``views`` belongs to: int32 ``[n]``."""
        return self._ordinals.take(views)

    def keys(self, alive: BoolArray) -> KeyArray:
        """The keys of the items in ``alive`` (bool ``[items]``), in no order: int64 ``[n]``."""
        saved, since = (part[alive[own]] for part, own in self._parts())
        return np.concatenate([saved, since])

    def keys_of(self, ordinals: NDArray[np.integer[Any]]) -> KeyArray:
        """The keys of items, one item behind the other, each in the order of its photos: int64 ``[n]``."""
        begins = self._begins.take(ordinals)
        return self._keys.take(spread(begins, self._begins.take(ordinals + 1) - begins))

    def keys_at(self, views: ViewArray) -> KeyArray:
        """The key of each of ``views``: int64 ``[n]``."""
        return self._keys.take(views)

    def first_keys(self, ordinals: NDArray[np.integer[Any]]) -> KeyArray:
        """The key of the first photo of each item, all of which have one: int64 ``[n]``."""
        return self._keys.take(self._begins.take(ordinals))

    def counts(self, ordinals: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """How many views each item has: int64 ``[n]``."""
        return self._begins.take(ordinals + 1) - self._begins.take(ordinals)

    def keys_of_one(self, ordinal: int) -> KeyArray:
        """The keys of an item, in the order of its photos: int64 ``[n]``, not to be written to."""
        begin, end = self._begins.take(np.asarray([ordinal, ordinal + 1])).tolist()
        return self._keys.slice(begin, end)

    def images(self, views: ViewArray) -> list[str]:
        """The link of the photo of each of ``views``."""
        saved, first = self._saved_images, len(self._keys.base)
        if saved is None:
            return [self._images[view] for view in views.tolist()]
        return [saved[view] if view < first else self._images[view - first] for view in views.tolist()]

    def boxes(self, views: ViewArray) -> list[Box]:
        """The box of each of ``views``."""
        return [Box(*box) for box in self._boxes.take(views).tolist()]

    def _parts(self) -> tuple[tuple[KeyArray, OrdinalArray], tuple[KeyArray, OrdinalArray]]:
        """Keys and ordinals, saved and since."""
        return (self._keys.base, self._ordinals.base), (self._keys.tail, self._ordinals.tail)

    def kept(self, alive: BoolArray, renumbered: OrdinalArray) -> Views:
        """The views of the items in ``alive``, under their new numbers; those in the file stay as they are.

        Args:
            alive: bool ``[items]``.
            renumbered: int32 ``[items]``: the new ordinal of each item that is alive.
        """
        first, items = len(self._keys.base), len(self._begins.base) - 1
        chosen = alive[self._ordinals.tail]
        own = np.flatnonzero(chosen)
        views = Views()
        views._begins, views._keys = Layered(self._begins.base), Layered(self._keys.base)
        views._ordinals, views._boxes = Layered(self._ordinals.base), Layered(self._boxes.base)
        views._saved_images = self._saved_images
        begins = np.concatenate([self._begins.base[-1:], self._begins.tail])
        views._begins.extend(first + np.cumsum(np.diff(begins)[alive[items:]]))
        views._keys.extend(self._keys.tail[own])
        views._ordinals.extend(renumbered[self._ordinals.tail[own]])
        views._boxes.extend(self._boxes.tail[own])
        views._images = [self._images[view] for view in own.tolist()]
        moved = np.full(len(self), -1, np.int64)
        moved[:first] = np.arange(first)
        moved[first + own] = first + np.arange(own.size)
        views._view_of = self._view_of.mapped(moved)
        return views

    def write(self, writer: ArrayWriter, alive: BoolArray, renumbered: OrdinalArray) -> None:
        """Write the views of the items in ``alive`` under their new numbers (see ``kept``)."""
        keys = np.concatenate([self._keys.base, self._keys.tail])
        ordinals = np.concatenate([self._ordinals.base, self._ordinals.tail])
        views = np.flatnonzero(alive[ordinals])
        standing = self.find(keys[views]) == views  # where two items claim a key, it stands for one of them
        keys, ordinals = keys[views], renumbered[ordinals[views]]
        counts = np.bincount(ordinals, minlength=int(np.count_nonzero(alive)))
        writer.put("views.first", np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]))
        writer.put("views.keys", keys)
        writer.put("views.ordinals", ordinals)
        writer.put("views.boxes", self._boxes.take(views))
        first = len(self._keys.base)
        own = (encoded(self._images[view - first]) for view in views[views >= first].tolist())
        old = self._saved_images.copied(views[views < first]) if self._saved_images is not None else ()
        write_texts(writer, "views.images", [*old, *in_blocks(own)])
        known = np.flatnonzero(standing)
        order = known[np.argsort(keys[known])]
        _write_map(writer, keys[order], order.astype(np.int32))


def _write_map(writer: ArrayWriter, keys: KeyArray, views: NDArray[np.int32]) -> None:
    """Write what finds the view of each of ``keys``, which ascend."""
    first, last = (int(keys[0]), int(keys[-1])) if keys.size else (0, 0)
    dense = last - first < _SPREAD * keys.size
    writer.note("views.by_key", {"dense": dense, "first": first})
    if dense:
        table = np.full(last - first + 1, ABSENT, np.int32)
        table[keys - first] = views
        writer.put("views.by_key.views", table)
    else:
        writer.put("views.by_key.keys", keys)
        writer.put("views.by_key.views", views)


def _read_map(file: ArrayFile) -> Base:
    """What ``_write_map`` wrote."""
    views = file.get("views.by_key.views", np.int32)
    try:
        noted = file.values["views.by_key"]
        dense, first = bool(noted["dense"]), int(noted["first"])
    except (KeyError, TypeError, ValueError) as exc:
        raise file.damaged("it does not say how keys are found") from exc
    return DenseBase(first, views) if dense else OrderedBase(file.get("views.by_key.keys", np.int64, views.size), views)
