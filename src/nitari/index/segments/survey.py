"""What there is at a moment: the keys of the catalog, and which of them each sealed segment holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nitari.errors import StateError
from nitari.index.segments.manifest import Manifest
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

    def vectors(self, *, collection: str, keys: KeyArray | None = None) -> Iterator[tuple[KeyArray, FloatArray]]:
        """Vectors in batches, by ascending key; those of keys that are gone are left out."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """What there is at a catalog change.

    Args:
        seq: The change.
        keys: All keys of the collection, ascending.
        new: Those in no segment, ascending.
        held: The segments as they are.
    """

    seq: int
    keys: KeyArray
    new: KeyArray
    held: tuple[Held, ...]


def take_survey(store: IndexStore, truth: Truth, manifest: Manifest) -> tuple[Survey, list[Damage]]:
    """Look at all keys, and at which of them are in which segment; about a second a million. Changes nothing.

    Returns:
        What there is, and the segments that cannot be opened, which do not count.
    """
    seq, keys = truth.keys(collection=store.origin.collection)
    sealed = np.zeros(keys.size, np.bool_)
    held: list[Held] = []
    damaged: list[Damage] = []
    for entry in manifest.segments:
        try:
            segment = store.segment(entry)
        except StateError as exc:
            damaged.append(Damage(entry, exc.message))
            continue
        here = segment.find(keys) >= 0
        segment.close()
        sealed |= here
        held.append(Held(entry.name, entry.count, entry.count - int(here.sum()), segment.engine))
    return Survey(seq, keys, keys[~sealed], tuple(held)), damaged


def among(keys: KeyArray, ordered: KeyArray) -> BoolArray:
    """Which of ``keys`` are in ``ordered``, which is ascending and not empty: bool ``[n]``."""
    at = np.minimum(np.searchsorted(ordered, keys), ordered.size - 1)
    there: BoolArray = ordered[at] == keys
    return there
