"""What a gallery's classifier is learned from, and when it is learned anew."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from threading import Lock
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nitari.errors import NotFoundError
from nitari.extract import unit
from nitari.search.classifier import Classifier, CodeArray, fit_classifier
from nitari.search.filters import EVERYTHING, Filter
from nitari.search.gallery import Gallery, Holding
from nitari.search.recent import Recent
from nitari.types import FloatArray, KeyArray

log = logging.getLogger(__name__)

DEFAULT_ATTRIBUTE = "product_type"
# The examples of a fit: enough for a hundred categories, and at the default's width 50 MB and a second of one core.
_EXAMPLES = 8192
_NUMBERS = 12_500_000
# Fewer items are not looked at: they could not teach anything (see ``fit_classifier``).
_ITEMS = 50
# Classifiers without some of the examples: so many filters are remembered, and so many examples are taken out at most.
_APART = 64
_OUT = 512
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
        keys: int64 ``[n]``: the examples.
        codes: int64 ``[n]``: which of the classifier's categories each has, -1 for none.
    """

    classifier: Classifier | None = None
    number: int = 0
    source: int = 0
    version: int = 0
    items: int = 0
    keys: KeyArray = field(default_factory=lambda: np.empty(0, np.int64))
    codes: CodeArray = field(default_factory=lambda: np.empty(0, np.int64))


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
        self._apart: Recent[Classifier] = Recent(_APART)

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

    def of(self, holding: Holding, learned: Learned, wanted: Filter | None) -> Classifier | None:
        """The classifier for a query with a filter: what a filter leaves out, if it is little, is not learned from.

        It does not vote either. Above all, a filter that takes out the very item that a photo is of, or its style or
        seller, must not be answered with what these say of themselves: any evaluation would flatter itself so.
        """
        classifier = learned.classifier
        if classifier is None or wanted is None or wanted.node == EVERYTHING:
            return classifier
        return self._apart.get(
            holding.version, (wanted.token, learned.number), lambda: _apart(holding, learned, classifier, wanted)
        )

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
        classifier, learned = None, Learned()
        if examples is not None:
            classifier = fit_classifier(examples.vectors, examples.labels, examples.groups)
        if examples is not None and classifier is not None:
            codes = np.asarray([classifier.of_value.get(label, -1) for label in examples.labels], np.int64)
            learned = Learned(keys=examples.keys, codes=codes)
        self._learned = replace(
            learned, classifier=classifier, number=self._learned.number + 1, source=source, version=version, items=count
        )
        log.info(
            "what the categories of a collection look like was learned",
            extra={
                "collection": self._gallery.collection,
                "categories": 0 if classifier is None else len(classifier.values),
                "accuracy": None if classifier is None else round(classifier.accuracy, 3),
                "seconds": round(perf_counter() - started, 2),
            },
        )


def _apart(holding: Holding, learned: Learned, classifier: Classifier, wanted: Filter) -> Classifier:
    """A classifier without the examples that a filter leaves out, where these are few."""
    views = holding.items.views(learned.keys)
    there = np.flatnonzero((views >= 0) & (learned.codes >= 0))
    passing = holding.items.columns.mask(wanted)[holding.items.ordinals(views[there])]
    out = there[~passing]
    if not out.size or out.size > min(_OUT, there.size // 2):
        return classifier
    try:
        vectors = holding.index.vectors(learned.keys[out])
    except NotFoundError:  # the index is being filled
        return classifier
    return classifier.without(unit(vectors), learned.codes[out])


@dataclass(frozen=True, slots=True, eq=False)
class _Examples:
    """Vectors (float32 ``[n, dim]``, unit rows) with their categories, groups (int32 ``[n]``) and keys."""

    vectors: FloatArray
    labels: list[str]
    groups: NDArray[np.int32]
    keys: KeyArray


def _examples(holding: Holding, attribute: str) -> _Examples | None:
    """Items spread evenly over the gallery; ``None`` where there are too few that say what they are."""
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
    try:
        vectors = unit(holding.index.vectors(keys))
    except NotFoundError:  # the index is being filled
        return None
    return _Examples(vectors, labels, items.columns.groups(owners), keys)


def _thinned(values: NDArray[Any], most: int) -> NDArray[Any]:
    """At most ``most`` of the values, evenly spread."""
    if values.size <= most:
        return values
    return values[np.arange(most, dtype=np.int64) * values.size // most]
