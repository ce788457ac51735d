"""What there is at a moment: the keys of the catalog, and which of them each sealed segment holds.

All keys are looked at once; from then on a survey is brought up to date by what changed, which costs as much as there
changed, whatever the size of the catalog.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nitari.errors import StateError
from nitari.index.segments.engine import SlotArray
from nitari.index.segments.manifest import Manifest, SegmentEntry
from nitari.index.segments.policy import Held
from nitari.index.segments.scrub import Damage
from nitari.index.segments.store import IndexStore
from nitari.types import BoolArray, FloatArray, KeyArray


class Truth(Protocol):
    """What the maintainer asks of the catalog."""

    def seq(self) -> int:
        """The number of the last change."""
        ...

    def keys(self, *, collection: str) -> tuple[int, KeyArray]:
        """All keys of a collection, ascending, and the change at which."""
        ...

    def key_changes(self, after: int, *, collection: str) -> tuple[int, KeyArray, KeyArray] | None:
        """The last change; the keys, ascending, that all items changed after ``after`` have; and those they lost.

        ``None`` where that cannot be told: all keys are to be looked at.
        """
        ...

    def vectors(self, *, collection: str, keys: KeyArray | None = None) -> Iterator[tuple[KeyArray, FloatArray]]:
        """Vectors in batches, by ascending key; those of keys that are gone are left out."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """What there is at a catalog change.

    Args:
        seq: The change.
        new: Keys in no segment, ascending.
        held: The segments as they are.
        alive: By the name of each of them, which of its slots hold a key that the catalog has: bool ``[n]``.
    """

    seq: int
    new: KeyArray
    held: tuple[Held, ...]
    alive: Mapping[str, BoolArray]

    @property
    def rows(self) -> int:
        """Keys of the collection."""
        return int(self.new.size) + sum(held.alive for held in self.held)

    def is_of(self, manifest: Manifest) -> bool:
        """Whether it is of the segments that a manifest names."""
        return [held.name for held in self.held] == [entry.name for entry in manifest.segments]


def take_survey(store: IndexStore, truth: Truth, manifest: Manifest) -> tuple[Survey, list[Damage]]:
    """Look at all keys, and at which of them are in which segment; about two seconds a million. Changes nothing.

    Returns:
        What there is, and the segments that cannot be opened, which do not count.
    """
    seq, keys = truth.keys(collection=store.origin.collection)
    sealed = np.zeros(keys.size, np.bool_)
    held: list[Held] = []
    alive: dict[str, BoolArray] = {}
    damaged: list[Damage] = []
    for entry in manifest.segments:
        try:
            engine, (slots,) = _looked_up(store, entry, keys)
        except StateError as exc:
            damaged.append(Damage(entry, exc.message))
            continue
        here = slots >= 0
        sealed |= here
        living = np.zeros(entry.count, np.bool_)
        living[slots[here]] = True
        alive[entry.name] = living
        held.append(_held(entry, living, engine))
    return Survey(seq, keys[~sealed], tuple(held), alive), damaged


def bring_up(survey: Survey, store: IndexStore, truth: Truth, manifest: Manifest) -> Survey | None:
    """A survey as of now, from an earlier one and what changed since; opens all segments. Changes nothing.

    Returns:
        What there is; ``None`` where that takes a look at all keys: the earlier one is of other segments, a segment
        cannot be opened, or the catalog cannot tell what changed.
    """
    if not survey.is_of(manifest):
        return None
    found = truth.key_changes(survey.seq, collection=store.origin.collection)
    if found is None:
        return None
    seq, there, gone = found
    sealed = np.zeros(there.size, np.bool_)
    held: list[Held] = []
    alive: dict[str, BoolArray] = {}
    for entry in manifest.segments:
        try:
            engine, (back, lost) = _looked_up(store, entry, there, gone)
        except StateError:
            return None
        sealed |= back >= 0
        living = survey.alive[entry.name].copy()
        living[back[back >= 0]] = True  # also what a catalog that was taken back has again
        living[lost[lost >= 0]] = False
        alive[entry.name] = living
        held.append(_held(entry, living, engine))
    new = np.setdiff1d(np.union1d(survey.new, there[~sealed]), gone, assume_unique=True)
    return Survey(seq, new, tuple(held), alive)


def rewritten(
    survey: Survey, store: IndexStore, merged: tuple[SegmentEntry, ...], made: SegmentEntry | None
) -> Survey | None:
    """A survey after segments became one, and new keys with them: as old as before, and of the segments of now.

    Args:
        survey: What was written after.
        store: Where.
        merged: The segments that are gone.
        made: The one in their place, which is the manifest's last; ``None`` where nothing of them was left.

    Returns:
        What there is; ``None`` where the new segment cannot be opened.
    """
    names = {entry.name for entry in merged}
    held = [one for one in survey.held if one.name not in names]
    alive = {name: living for name, living in survey.alive.items() if name not in names}
    new = survey.new
    if made is not None:
        try:
            engine, (slots,) = _looked_up(store, made, new)
        except StateError:
            return None
        new = new[slots < 0]
        # All of it was alive when the survey was made; what went meanwhile is among the changes since.
        alive[made.name] = np.ones(made.count, np.bool_)
        held.append(_held(made, alive[made.name], engine))
    return Survey(survey.seq, new, tuple(held), alive)


def among(keys: KeyArray, ordered: KeyArray) -> BoolArray:
    """Which of ``keys`` are in ``ordered``, which is ascending and not empty: bool ``[n]``."""
    at = np.minimum(np.searchsorted(ordered, keys), ordered.size - 1)
    there: BoolArray = ordered[at] == keys
    return there


def _looked_up(store: IndexStore, entry: SegmentEntry, *keys: KeyArray) -> tuple[str, list[SlotArray]]:
    """The engine of a segment, and the slots of each of some keys in it, -1 for those that it does not have.

    Raises:
        StateError: it cannot be opened, or names slots that it does not have.
    """
    segment = store.segment(entry)
    try:
        slots = [segment.find(some) for some in keys]
    finally:
        segment.close()
    if segment.count != entry.count or any(some.size and some.max() >= entry.count for some in slots):
        raise StateError(f"segment {entry.name} is not of {entry.count} rows", code="index-damaged")
    return segment.engine, slots


def _held(entry: SegmentEntry, alive: BoolArray, engine: str) -> Held:
    return Held(entry.name, entry.count, entry.count - int(np.count_nonzero(alive)), engine)
