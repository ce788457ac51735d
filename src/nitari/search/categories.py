"""What a gallery's classifier is learned from, and when it is learned anew."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from threading import Lock
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nitari.extract import unit
from nitari.search.classifier import Classifier, fit_classifier
from nitari.search.gallery import Gallery, Holding
from nitari.types import FloatArray

log = logging.getLogger(__name__)

DEFAULT_ATTRIBUTE = "product_type"
# The examples of a fit: enough for a hundred categories, and at the default's width 50 MB and a second of one core.
_EXAMPLES = 8192
_NUMBERS = 12_500_000
# Fewer items are not looked at: they could not teach anything (see ``fit_classifier``).
_ITEMS = 50
# A fit holds until this share of what it was made from has changed.
_CHANGED = 0.1
# Where a gallery has grown to so many times as much, even a query waits for a new fit: it mostly was empty before.
_OUTGROWN = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """A fit.

    Args:
        classifier: ``None`` where the gallery teaches none.
        number: Grows with each fit.
        source: Whose versions these are (``ItemTable.source``).
        version: Of the items, at the fit.
        items: How many there were.
    """

    classifier: Classifier | None = None
    number: int = 0
    source: int = 0
    version: int = 0
    items: int = 0


class Categories:
    """Knows what a gallery's categories look like. Safe to use from any number of threads.

    The first query that asks waits for the first fit (at most about a second of one core, whatever the gallery's
    size); later ones are made by ``refresh``, beside the queries.

    Args:
        gallery: What is learned from. Not closed here.
        attribute: Which attribute says what an item is; its values are texts (of a list, the first counts). Empty for
            none: then nothing is learned.
    """

    def __init__(self, gallery: Gallery, attribute: str = DEFAULT_ATTRIBUTE) -> None:
        self._gallery = gallery
        self._attribute = attribute
        self._learned = Learned()
        self._lock = Lock()

    @property
    def attribute(self) -> str:
        """Which attribute says what an item is; empty for none."""
        return self._attribute

    def current(self) -> Learned:
        """What is known. Not to be called while the gallery is held still."""
        # Who has something to go on with does not wait for who is at work on something better.
        if self._attribute and self._outgrown() and self._lock.acquire(blocking=not self._learned.number):
            try:
                if self._outgrown():
                    self._learn()
            finally:
                self._lock.release()
        return self._learned

    def refresh(self) -> bool:
        """Learn anew where enough has changed: called now and then, off the query path. Returns whether it did."""
        if not self._attribute or not self._learned.number:
            return False
        with self._lock:
            with self._gallery.reading() as holding:
                stale = self._stale(holding)
            if stale:
                self._learn()
        return stale

    def _outgrown(self) -> bool:
        """Whether what is known is of a gallery that was much smaller, or of none."""
        with self._gallery.reading() as holding:
            count = len(holding.items)
        return count >= _ITEMS and count >= _OUTGROWN * self._learned.items

    def _stale(self, holding: Holding) -> bool:
        """Whether a tenth of what was learned from is another by now."""
        items, learned = holding.items, self._learned
        limit = _CHANGED * max(learned.items, _ITEMS)
        if abs(len(items) - learned.items) > limit:
            return True
        if items.source != learned.source or items.version == learned.version:
            return False
        changed = items.changed(learned.version)
        return changed is None or changed.size * len(items) > limit * len(holding.index)

    def _learn(self) -> None:
        """Fit, and take over what came out."""
        started = perf_counter()
        with self._gallery.reading() as holding:
            items = holding.items
            source, version, count = items.source, items.version, len(items)
            examples = _examples(holding, self._attribute)
        classifier = None if examples is None else fit_classifier(*examples)
        self._learned = Learned(classifier, self._learned.number + 1, source, version, count)
        log.info(
            "what the categories of a collection look like was learned",
            extra={
                "collection": self._gallery.collection,
                "categories": 0 if classifier is None else len(classifier.values),
                "accuracy": None if classifier is None else round(classifier.accuracy, 3),
                "seconds": round(perf_counter() - started, 2),
            },
        )


def _examples(holding: Holding, attribute: str) -> tuple[FloatArray, list[str], NDArray[np.int32]] | None:
    """Vectors, categories and groups of items spread evenly over the gallery; ``None`` where there are too few."""
    items = holding.items
    most = min(_EXAMPLES, _NUMBERS // holding.index.dim)
    alive = np.flatnonzero(items.alive).astype(np.int32)
    # Twice as many are asked, as some may not say what they are.
    asked = _thinned(alive, 2 * most)
    told = items.columns.texts(attribute, asked)
    labeled = _thinned(np.flatnonzero([value is not None for value in told]), most)
    if labeled.size < _ITEMS:
        return None
    keys = _thinned(np.sort(items.keys_of_all(asked[labeled])), most)
    keys = keys[items.known(keys)]
    owners = items.ordinals(items.views(keys))
    value_of = dict(zip(asked[labeled].tolist(), (told[at] for at in labeled.tolist()), strict=True))
    named = np.flatnonzero([owner in value_of for owner in owners.tolist()])
    keys, owners = keys[named], owners[named]
    labels = [value_of[owner] or "" for owner in owners.tolist()]
    return unit(holding.index.vectors(keys)), labels, items.columns.groups(owners)


def _thinned(values: NDArray[Any], most: int) -> NDArray[Any]:
    """At most ``most`` of the values, evenly spread."""
    if values.size <= most:
        return values
    return values[np.arange(most, dtype=np.int64) * values.size // most]
